"""What a merge would do: gathered, decided, told; nothing is changed.

The same functions plan a merge for whoever thinks about it and, with the cards locked, for the
merge itself: if the two plans have the same fingerprint, nothing has changed in between.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.core.errors import FieldError
from app.queries import (
    customer_moves,
    customer_service_stats,
    customer_stats,
    duplicates,
    merge_reading,
)
from app.rules import consent, merging, tier_explanations, tier_sentences
from app.rules.access import Actor
from app.rules.consent import Said, Subject
from app.rules.merging import FieldDecision, MergingCard, MergingIdentity, Obstacle
from app.schemas.common import BilingualText, LabelledCode
from app.schemas.customers import MAXIMUM_IDENTITIES
from app.schemas.merges import (
    ConsentOfCard,
    MergeConsent,
    MergeField,
    MergeIdentity,
    MergeMove,
    MergeObstacleRead,
    MergePair,
    MergePlan,
    MergeRequest,
    MergeTier,
    SaidByCard,
    TierOfCard,
)
from app.schemas.purchases import CustomerStatistics, ServiceStatistics
from app.services import merge_tiers
from app.services.changes import not_acceptable
from app.services.customer_changes import card_not_found, check_store
from app.services.merge_tiers import TierAfter
from app.vocabulary import (
    ConsentChannel,
    ConsentPurpose,
    ConsentState,
    CustomerKind,
    CustomerStatus,
    DuplicateState,
)

ON_UNDO: Final = (
    BilingualText(
        en="Everything that moved and is still there goes back; a field of the surviving card "
        "returns to what it said before, unless somebody changed it since.",
        zh="已移动且仍存在的内容全部退回；存续卡的字段恢复合并前的值，其后有人修改过的除外。",
    ),
    BilingualText(
        en="Purchases that tills sent since by an identity, or with the id, of a card that comes "
        "back go to that card; refunds and voids go with their sale. All other later purchases, "
        "those of files among them, stay with the surviving card.",
        zh="其后收银系统凭所退回卡的身份或编号上传的购买归该卡；退货与作废随原销售；"
        "其余后续购买（含文件导入的）留在存续卡。",
    ),
    BilingualText(
        en="Contacts, interactions, identities and consent added since stay with the surviving "
        "card; what was withdrawn since is withdrawn for all of them.",
        zh="其后新增的联系人、互动、身份与授权留在存续卡；其后撤回的授权对各卡均视为撤回。",
    ),
)


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and what its execution needs beside what is told of it."""

    plan: MergePlan
    rows: Mapping[UUID, Mapping[str, Any]]
    decisions: Sequence[FieldDecision]
    identities: Sequence[Mapping[str, Any]]
    primaries: Mapping[UUID, bool]
    standings: Mapping[UUID, Mapping[Subject, Said]]
    consents: consent.Joined
    tier: TierAfter

    @property
    def ids(self) -> list[UUID]:
        """All cards, the surviving one first."""
        return [self.plan.surviving_id, *self.plan.loser_ids]


async def plan_merge(
    session: AsyncSession, actor: Actor, settings: Settings, given: MergeRequest
) -> Planned:
    """Return what merging these cards would do.

    Raises:
        NotFoundError: one of them is no card.
        ForbiddenError: the home store of one of them is not among the actor's.
        InvalidInputError: a card is to be merged into itself, or a choice names none of the cards
            or a field in which nobody says anything.
    """
    ids = [given.surviving_id, *given.loser_ids]
    connection = await raw_connection(session)
    rows = await merge_reading.cards(connection, ids)
    if len(rows) < len(set(ids)):
        raise card_not_found()
    for row in rows.values():
        check_store(actor, row["home_store_id"] and UUID(row["home_store_id"]))
    cards = [_card(one, rows[one]) for one in ids]
    _check(given, cards)
    identities = await merge_reading.identities(connection, ids)
    erasures = await merge_reading.open_erasures(connection, ids)
    pairs = await merge_reading.pairs(connection, ids)
    # Of cards that were merged into these, too.
    known = await duplicates.known_pairs(connection, ids)
    different = [pair for pair, state in known.items() if state == DuplicateState.DIFFERENT]
    obstacles = merging.obstacles_of(
        cards, erasures, different, len(identities), MAXIMUM_IDENTITIES
    )
    decisions = merging.decide_fields(cards, given.choices)
    primaries = merging.primaries_after(
        ids,
        [
            MergingIdentity(row["id"], row["customer_id"], row["kind"], row["is_primary"])
            for row in identities
        ],
    )
    standings = _standings(ids, await merge_reading.consents(connection, ids))
    joined = consent.joined([standings[one] for one in ids], clock.now())
    tier = await merge_tiers.decide(session, settings, given.surviving_id, given.loser_ids)
    today = clock.today(settings.zone)
    figures = await customer_stats.joint(connection, today, ids)
    del figures["window_changes_on"]
    service = await customer_service_stats.joint(connection, today, ids)
    moves = await customer_moves.count_rows(connection, given.loser_ids)
    plan = MergePlan(
        surviving_id=given.surviving_id,
        loser_ids=given.loser_ids,
        can_be_done=not obstacles,
        obstacles=obstacles_read(obstacles),
        fields=[_field(decision, ids) for decision in decisions],
        conflicts=[decision.field for decision in decisions if decision.is_conflict],
        identities=[
            MergeIdentity(
                id=row["id"],
                customer_id=row["customer_id"],
                kind=row["kind"],
                was_primary=row["is_primary"],
                is_primary=primaries[row["id"]],
            )
            for row in identities
        ],
        moves=[MergeMove(table=name, rows=count) for name, count in sorted(moves.items())],
        consents=_consents(ids, standings, joined),
        duplicate_pairs=[_pair(row, ids) for row in pairs],
        tier=_tier(tier),
        statistics=CustomerStatistics(**figures, service=ServiceStatistics(**service)),
        on_undo=list(ON_UNDO),
        fingerprint="",
    )
    seen = {
        "request": given.model_dump(mode="json", include=set(MergeRequest.model_fields)),
        "plan": plan.model_dump(mode="json"),
        "cards": {str(one): row for one, row in rows.items()},
        "state": await merge_reading.state(connection, ids),
    }
    fingerprint = hashlib.sha256(
        orjson.dumps(seen, default=str, option=orjson.OPT_SORT_KEYS)
    ).hexdigest()
    plan = plan.model_copy(update={"fingerprint": fingerprint})
    return Planned(plan, rows, decisions, identities, primaries, standings, joined, tier)


def card_values(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a card says by field, as JSON values; custom fields one by one."""
    values: dict[str, Any] = {
        name: row[name]
        for name in (*merging.PLAIN, *merging.UNITED, *merging.EARLIEST)
        if name != "birthday"
    }
    values["birthday"] = row["birthday_calendar"] and {
        "calendar": row["birthday_calendar"],
        "year": row["birth_year"],
        "month": row["birth_month"],
        "day": row["birth_day"],
        "is_leap_month": row["birth_month_is_leap"],
    }
    custom = {f"{merging.CUSTOM}{code}": value for code, value in row["custom"].items()}
    return values | custom


def card_columns(values: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that say these values; custom fields that are not named stay.

    ``row`` is the card as it stands. Days and ids become what the columns hold.
    """
    columns: dict[str, Any] = {}
    custom = dict(row["custom"])
    for field, value in values.items():
        if field == "birthday":
            columns |= {
                "birthday_calendar": value and value["calendar"],
                "birth_year": value and value["year"],
                "birth_month": value and value["month"],
                "birth_day": value and value["day"],
                "birth_month_is_leap": bool(value and value["is_leap_month"]),
            }
        elif field.startswith(merging.CUSTOM):
            code = field.removeprefix(merging.CUSTOM)
            if value is None:
                custom.pop(code, None)
            else:
                custom[code] = value
            columns["custom"] = custom
        elif field == "registered_on":
            columns[field] = date.fromisoformat(value)
        elif field in {"home_store_id", "owner_staff_id"}:
            columns[field] = value and UUID(value)
        else:
            columns[field] = value
    return columns


def _card(customer_id: UUID, row: Mapping[str, Any]) -> MergingCard:
    return MergingCard(
        id=customer_id,
        kind=CustomerKind(row["kind"]),
        status=CustomerStatus(row["status"]),
        values=card_values(row),
        verified_on=row["verified_on"] and date.fromisoformat(row["verified_on"]),
        updated_at=datetime.fromisoformat(row["updated_at"]),
    )


def _check(given: MergeRequest, cards: Sequence[MergingCard]) -> None:
    found = []
    if given.surviving_id in given.loser_ids:
        place = given.loser_ids.index(given.surviving_id)
        found.append(
            FieldError(
                f"/loser_ids/{place}",
                "itself",
                "A card cannot be merged into itself.",
                "客户卡不能并入自身。",
            )
        )
    known, ids = set(merging.fields_of(cards)), {card.id for card in cards}
    for field, customer_id in given.choices.items():
        if field not in known:
            found.append(
                FieldError(
                    f"/choices/{field}",
                    "unknown",
                    "No card says anything in such a field.",
                    "没有客户卡填写了该字段。",
                )
            )
        elif customer_id not in ids:
            found.append(
                FieldError(
                    f"/choices/{field}",
                    "unknown",
                    "This is none of the cards.",
                    "不是所选客户卡之一。",
                )
            )
        elif field in {"name", "origin", "registered_on"} and customer_id not in {
            card.id for card in cards if not merging.is_empty(card.values.get(field))
        }:
            found.append(FieldError(f"/choices/{field}", "empty", "It is empty.", "该值为空。"))
    if found:
        raise not_acceptable(found)


def obstacles_read(obstacles: Sequence[Obstacle]) -> list[MergeObstacleRead]:
    """Return obstacles as an answer."""
    return [
        MergeObstacleRead(code=LabelledCode.of(one.code), subject_id=one.subject_id)
        for one in obstacles
    ]


def _field(decision: FieldDecision, ids: Sequence[UUID]) -> MergeField:
    return MergeField(
        field=decision.field,
        values=[SaidByCard(customer_id=one, value=decision.values.get(one)) for one in ids],
        value=decision.value,
        customer_id=decision.customer_id,
        rule=LabelledCode.of(decision.rule),
        is_conflict=decision.is_conflict,
    )


def _standings(
    ids: Sequence[UUID], rows: Sequence[Mapping[str, Any]]
) -> dict[UUID, dict[Subject, Said]]:
    standings: dict[UUID, dict[Subject, Said]] = {one: {} for one in ids}
    for row in rows:
        subject = (ConsentPurpose(row["purpose"]), ConsentChannel(row["channel"]))
        standings[row["customer_id"]][subject] = Said(
            ConsentState(row["state"]), row["since"], row["record_id"]
        )
    return standings


def _consents(
    ids: Sequence[UUID],
    standings: Mapping[UUID, Mapping[Subject, Said]],
    joined: consent.Joined,
) -> list[MergeConsent]:
    return [
        MergeConsent(
            purpose=subject[0],
            channel=subject[1],
            cards=[
                ConsentOfCard(
                    customer_id=one,
                    state=standings[one][subject].state if subject in standings[one] else None,
                )
                for one in ids
            ],
            state=said.state,
            is_recorded_anew=subject in joined.made,
        )
        for subject, said in sorted(joined.standing.items())
    ]


def _pair(row: Mapping[str, Any], ids: Sequence[UUID]) -> MergePair:
    state = DuplicateState(row["state"])
    is_settled = row["first_id"] in ids and row["second_id"] in ids
    is_open = state is DuplicateState.OPEN
    return MergePair(
        first_id=row["first_id"],
        second_id=row["second_id"],
        state=state,
        state_after=DuplicateState.SAME if is_settled and is_open else state,
    )


def _tier(tier: TierAfter) -> MergeTier:
    above = tier_explanations.next_level(tier.policy, tier.standing, tier.level)
    return MergeTier(
        cards=[TierOfCard(customer_id=one, level=level) for one, level in tier.before.items()],
        level=tier.level,
        changes=next(iter(tier.before.values())) != tier.level,
        sentences=BilingualText(
            **tier_sentences.sentences(
                tier.policy,
                tier.standing,
                tier.level,
                cause=tier.cause,
                ends_on=tier.ends_on,
                spend=tier_explanations.spend_of(above),
            )
        ),
    )
