"""Cards that look like one customer's: refused when they are made, found, decided on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.database import raw_connection
from app.core.errors import ConflictError
from app.locale.masking import mask_phone
from app.queries import duplicates as queries
from app.queries.duplicates import FoundPair, Pair
from app.rules.duplicates import DEFAULT_POLICY, Comparison
from app.schemas.duplicates import DuplicateCandidate, reason_texts
from app.services.duplicate_facts import Probe, compare_facts, facts_of_row, probe_of_row
from app.vocabulary import IdentityKind

SHOWN_CANDIDATES: Final = 10
COMPARED_FIELDS: Final = frozenset({"name", "birthday", "employer", "address"})
"""A change of one of these makes a card look like others that it did not look like before."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stored card that may be the same customer's as a probe, and why."""

    customer_id: UUID
    name: str
    home_store_id: UUID | None
    phones: tuple[str, ...]
    comparison: Comparison


async def find_candidates(
    session: AsyncSession, probes: Sequence[Probe], *, at_least: int = DEFAULT_POLICY.refuse_at
) -> dict[UUID, list[Candidate]]:
    """Return for each probe, by its id, the cards that look like it, the likeliest first.

    Pairs of stored cards that somebody has seen already are left out. For any number of probes
    it takes the same three statements.
    """
    connection = await raw_connection(session)
    by_id = {probe.id: probe for probe in probes}
    partners = await queries.find_partners(
        connection,
        [(probe.id, key, refinement) for probe in probes for key, refinement in probe.keys],
    )
    known = await queries.known_pairs(connection, list(by_id))
    partners = [pair for pair in partners if ordered(*pair) not in known]
    cards = await queries.read_cards(connection, {card_id for _, card_id in partners})
    facts = {card_id: facts_of_row(card) for card_id, card in cards.items()}
    found: dict[UUID, list[Candidate]] = {probe.id: [] for probe in probes}
    for probe_id, card_id in partners:
        if card_id in facts:
            comparison = compare_facts(by_id[probe_id].facts, facts[card_id])
            if comparison.is_corroborated and comparison.score >= at_least:
                found[probe_id].append(_candidate(cards[card_id], comparison))
    for candidates in found.values():
        candidates.sort(key=lambda one: (-one.comparison.score, one.customer_id))
    return found


async def check_card(session: AsyncSession, customer_id: UUID, *, allow: bool) -> None:
    """Take a card up as it has just been written, and refuse it where it looks like another one.

    With ``allow`` what it looks like goes on the work list instead. Pairs that stand there, or that
    somebody has decided about, refuse nothing: they are known.

    Raises:
        ConflictError: other cards look like it (409 ``possible-duplicate``, with them).
    """
    connection = await raw_connection(session)
    taken = await take_up(session, [customer_id])
    await queries.wait_for_lookalikes(connection, (key for one in taken for key, _ in one.keys))
    found = (await find_candidates(session, taken)).get(customer_id)
    if not found:
        return
    if not allow:
        raise ConflictError(
            "Other cards look like the same customer's.",
            code="possible-duplicate",
            detail_zh="已有客户卡疑似属于同一位客户。",
            members={
                "candidates": [
                    shown(one).model_dump(mode="json") for one in found[:SHOWN_CANDIDATES]
                ]
            },
        )
    await queries.write_pairs(
        connection,
        [
            FoundPair(
                ordered(customer_id, one.customer_id),
                one.comparison.score,
                stored_reasons(one.comparison),
            )
            for one in found
        ],
        clock.now(),
    )


async def take_up(
    session: AsyncSession, customer_ids: Iterable[UUID], *, is_bulk: bool = False
) -> list[Probe]:
    """Write the blocking keys of cards as they are now; return the cards with their keys.

    Cards that are merged or erased have none, and are left out.
    """
    connection = await raw_connection(session)
    wanted = list(customer_ids)
    versions = await queries.lock_versions(connection, wanted)
    cards = await queries.read_cards(connection, wanted)
    probes = [probe_of_row(card) for card in cards.values()]
    await queries.write_keys(
        connection,
        versions,
        [(probe.id, key, refinement) for probe in probes for key, refinement in probe.keys],
        is_bulk=is_bulk,
    )
    return probes


def ordered(one: UUID, other: UUID) -> Pair:
    """Return two cards as a pair, the smaller id first."""
    return (one, other) if one < other else (other, one)


def stored_reasons(comparison: Comparison) -> list[Mapping[str, object]]:
    """Return reasons as they stand in a row of a pair."""
    return [{"code": str(reason.code), "weight": reason.weight} for reason in comparison.reasons]


def _candidate(card: Mapping[str, Any], comparison: Comparison) -> Candidate:
    return Candidate(card["id"], card["name"], card["home_store_id"], phones_of(card), comparison)


def phones_of(card: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the phones of a row of :func:`app.queries.duplicates.read_cards`."""
    return tuple(
        value
        for kind, value in zip(card["kinds"], card["values"], strict=True)
        if kind == IdentityKind.PHONE
    )


def shown(candidate: Candidate) -> DuplicateCandidate:
    """Return a candidate as it stands in answers, its phones masked."""
    return DuplicateCandidate(
        customer_id=candidate.customer_id,
        name=candidate.name,
        home_store_id=candidate.home_store_id,
        phones=[mask_phone(phone) for phone in candidate.phones],
        score=candidate.comparison.score,
        reasons=reason_texts(stored_reasons(candidate.comparison)),
    )
