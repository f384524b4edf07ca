"""Which value a merged card says, and why; what an undone merge puts back.

Pure: cards come as values by the name of the field, the surviving card first. A value of the
surviving card stands unless it is empty; then the card that was verified last decides, then the
one that was changed last. Lists are united as far as a card may hold them, the surviving card's
entries first; the first day as a customer is the earliest one.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from app.vocabulary import CustomerKind, CustomerStatus, MergeObstacle, MergeRule

PLAIN: Final = (
    "name", "gender", "birthday", "marital_status", "occupation", "employer", "job_title",
    "industry", "size_band", "region", "address", "origin", "home_store_id", "owner_staff_id",
    "note", "terms",
)  # fmt: skip
UNITED: Final = ("tags", "interests", "family")
MOST_ENTRIES: Final = {"tags": 50, "interests": 50, "family": 20}
"""What a card's lists hold at most; a longer one could not be changed any more."""
EARLIEST: Final = ("registered_on",)
CUSTOM: Final = "custom."
"""Custom fields are decided one by one: ``custom.<code>``."""


@dataclass(frozen=True, slots=True)
class MergingCard:
    """A card as a merge looks at it; ``values`` are JSON values by field."""

    id: UUID
    kind: CustomerKind
    status: CustomerStatus
    values: Mapping[str, Any]
    verified_on: date | None
    updated_at: datetime

    @property
    def trust(self) -> tuple[date, datetime]:
        """Order cards by when they were verified, then by when they were changed."""
        return (self.verified_on or date.min, self.updated_at)


@dataclass(frozen=True, slots=True)
class FieldDecision:
    """What all cards say in a field, what the surviving card says from now on, and why.

    ``customer_id`` is the card whose value it is; None for values of several.
    """

    field: str
    values: Mapping[UUID, Any]
    value: Any
    customer_id: UUID | None
    rule: MergeRule
    is_conflict: bool


def is_empty(value: Any) -> bool:
    """Tell whether a value says nothing."""
    return value is None or value == "" or value == [] or value == {}


def fields_of(cards: Sequence[MergingCard]) -> list[str]:
    """Return the fields in which some card says something, custom fields last."""
    custom = sorted({name for card in cards for name in card.values if name.startswith(CUSTOM)})
    return [
        name
        for name in (*PLAIN, *UNITED, *EARLIEST, *custom)
        if any(not is_empty(card.values.get(name)) for card in cards)
    ]


def decide_fields(cards: Sequence[MergingCard], choices: Mapping[str, UUID]) -> list[FieldDecision]:
    """Decide every field in which some card says something; the surviving card is the first."""
    return [_decide(name, cards, choices.get(name)) for name in fields_of(cards)]


def _decide(field: str, cards: Sequence[MergingCard], chosen: UUID | None) -> FieldDecision:
    said = {card.id: card.values.get(field) for card in cards}
    telling = [card for card in cards if not is_empty(said[card.id])]
    different = any(said[card.id] != said[telling[0].id] for card in telling)
    is_list = field in UNITED

    def decided(rule: MergeRule, value: Any, by: UUID | None) -> FieldDecision:
        is_conflict = different and not is_list and field not in EARLIEST
        return FieldDecision(field, said, value, by, rule, is_conflict)

    if chosen is not None:
        return decided(MergeRule.CHOSEN, said[chosen], chosen)
    if len(telling) == len(cards) and not different:
        return decided(MergeRule.AGREED, said[cards[0].id], cards[0].id)
    if len(telling) == 1 and telling[0] is not cards[0]:
        return decided(MergeRule.ONLY_VALUE, said[telling[0].id], telling[0].id)
    if field in EARLIEST:
        first = min(telling, key=lambda card: str(said[card.id]))
        return decided(MergeRule.EARLIEST, said[first.id], first.id)
    if is_list and different:
        return decided(
            MergeRule.UNITED,
            _united([list(said[card.id] or ()) for card in telling])[: MOST_ENTRIES[field]],
            None,
        )
    if telling[0] is cards[0]:
        return decided(MergeRule.SURVIVOR, said[cards[0].id], cards[0].id)
    best = max(telling, key=lambda card: card.trust)
    if not different:
        return decided(MergeRule.AGREED, said[best.id], best.id)
    by_check = best.verified_on is not None and any(
        card.verified_on != best.verified_on for card in telling
    )
    rule = MergeRule.LATEST_VERIFIED if by_check else MergeRule.LATEST_CHANGED
    return decided(rule, said[best.id], best.id)


def _united(lists: Sequence[Sequence[Any]]) -> list[Any]:
    united: list[Any] = []
    for entries in lists:
        united += [entry for entry in entries if entry not in united]
    return united


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why it cannot be done, and the card (or merge) that stands in the way."""

    code: MergeObstacle
    subject_id: UUID


def obstacles_of(
    cards: Sequence[MergingCard],
    erasures: frozenset[UUID],
    different: Collection[tuple[UUID, UUID]],
    identities: int,
    maximum_identities: int,
) -> list[Obstacle]:
    """Return why these cards cannot be merged into the first; nothing if they can.

    ``erasures`` are cards whose erasure was asked for and is open; ``different`` are pairs that
    somebody decided to be two customers; ``identities`` is how many the cards have together.
    Archived cards can be merged into others, not others into them.
    """
    survivor = cards[0]
    found: list[Obstacle] = []
    for place, card in enumerate(cards):
        if card.status is CustomerStatus.MERGED:
            found.append(Obstacle(MergeObstacle.MERGED_ALREADY, card.id))
        elif card.status is CustomerStatus.ERASED:
            found.append(Obstacle(MergeObstacle.ERASED, card.id))
        elif card.id in erasures:
            found.append(Obstacle(MergeObstacle.ERASURE_OPEN, card.id))
        if card.kind is not survivor.kind:
            found.append(Obstacle(MergeObstacle.DIFFERENT_KINDS, card.id))
        # Named once, at the card that comes later.
        others = {one.id for one in cards[:place]}
        if any(card.id in pair and others.intersection(pair) for pair in different):
            found.append(Obstacle(MergeObstacle.DECIDED_DIFFERENT, card.id))
    if survivor.status is CustomerStatus.ARCHIVED:
        found.append(Obstacle(MergeObstacle.SURVIVOR_ARCHIVED, survivor.id))
    if identities > maximum_identities:
        found.append(Obstacle(MergeObstacle.TOO_MANY_IDENTITIES, survivor.id))
    return found


@dataclass(frozen=True, slots=True)
class MergingIdentity:
    """An identity of one of the cards."""

    id: UUID
    customer_id: UUID
    kind: str
    is_primary: bool


def primaries_after(
    order: Sequence[UUID], identities: Sequence[MergingIdentity]
) -> dict[UUID, bool]:
    """Return which identities are primary on the merged card: of each kind the first card's.

    ``order`` are the cards, the surviving one first.
    """
    place = {customer_id: index for index, customer_id in enumerate(order)}
    taken: set[str] = set()
    result = {one.id: False for one in identities}
    for one in sorted(identities, key=lambda one: (place[one.customer_id], one.id)):
        if one.is_primary and one.kind not in taken:
            taken.add(one.kind)
            result[one.id] = True
    return result


def restored(
    before: Mapping[str, Any], after: Mapping[str, Any], now: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the fields that an undone merge puts back: those that still say what it made them.

    Each mapping holds values by field; a field that is in none of them said nothing.
    """
    names = sorted({*before, *after})
    return {
        name: before.get(name)
        for name in names
        if before.get(name) != after.get(name) and now.get(name) == after.get(name)
    }
