"""Hold upgrades of hollow accounts for a person to look at, and end reviews that are outdated."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.core.ids import new_id
from app.core.logging import request_id
from app.queries import customer_stats, outbox, tier_figures, trail
from app.queries import tier_reviews as queries
from app.rules import hollow_accounts
from app.rules.hollow_accounts import HollowEvidence
from app.rules.tier_calibrations import References
from app.rules.tier_figures import Figures
from app.rules.tier_policies import Policy
from app.rules.tier_reviews import OpenReview, Refusal, Rise, Verdict, is_called_for, judge
from app.services import nights
from app.services.tier_policies_in_force import active_policies
from app.vocabulary import (
    Action,
    ActorKind,
    DomainEvent,
    Indicator,
    ReviewStatus,
    TierLevel,
)

STEP: Final = "tier_reviews"
OBJECT_TYPE: Final = "tier_review"
"""What the audit trail calls a review."""
CHUNK: Final = 1_000
NEEDED: Final = frozenset({Indicator.SERVICE_COST})
"""What evidence looks at beside the figures that are always there."""


@dataclass(frozen=True, slots=True)
class HeldUpgrade:
    """That a card does not rise to ``level``: a review waits for a person, or was refused."""

    level: TierLevel
    review_id: UUID
    is_refused: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """What a card holds after its receipts, and what its score reaches."""

    customer_id: UUID
    policy: Policy
    level: TierLevel
    earned: TierLevel


def looks_hollow(policy: Policy, figures: Figures) -> bool:
    """Tell whether a rise of a card with these figures, cost to serve included, would be held."""
    return _evidence_of(policy, figures) is not None


async def evidence_of_cards(
    connection: "asyncpg.Connection[Any]",
    as_of: date,
    policies: Mapping[UUID, Policy],
    *,
    is_current: bool,
) -> dict[UUID, HollowEvidence]:
    """Return why cards are hollow, of those that are, by the policy of each.

    A statement for each policy. ``is_current`` says that the statistics hold for the day.
    """
    found: dict[UUID, HollowEvidence] = {}
    for policy in {policy.id: policy for policy in policies.values()}.values():
        if _references_of(policy) is None:
            continue
        figures = await tier_figures.of_cards(
            connection,
            policy.window_days,
            as_of,
            [customer_id for customer_id, its in policies.items() if its.id == policy.id],
            NEEDED,
            is_current=is_current,
        )
        for customer_id, of_card in figures.items():
            evidence = _evidence_of(policy, of_card)
            if evidence is not None:
                found[customer_id] = evidence
    return found


async def hold(
    session: AsyncSession, settings: Settings, as_of: date, rises: Sequence[Rise]
) -> Mapping[UUID, HeldUpgrade]:
    """Return those of the locked cards about to rise that may not, and open their reviews.

    A card whose turnover looks hollow by the figures of ``as_of`` is held. Where it waits already
    its review is brought up to date; where it is not hollow any more an open review lapses. A
    policy without a calibration holds nobody. For today the statistics of the cards have to be
    refreshed in this transaction.
    """
    rises = [rise for rise in rises if _references_of(rise.policy) is not None]
    if not rises:
        return {}
    connection = await raw_connection(session)
    now = clock.now()
    evidence = await evidence_of_cards(
        connection,
        as_of,
        {rise.customer_id: rise.policy for rise in rises},
        is_current=as_of == clock.business_day(now, settings.zone),
    )
    waiting: dict[UUID, OpenReview] = {}
    refusals: dict[UUID, list[Refusal]] = defaultdict(list)
    for row in await queries.standing(connection, [rise.customer_id for rise in rises]):
        owner, level = row["customer_id"], TierLevel(row["next_level"])
        if row["status"] == ReviewStatus.OPEN:
            waiting[owner] = OpenReview(row["id"], level)
        else:
            refused_on = clock.business_day(row["decided_at"], settings.zone)
            refusals[owner].append(Refusal(row["id"], level, refused_on))
    verdicts = {
        rise.customer_id: judge(
            rise,
            evidence.get(rise.customer_id),
            waiting.get(rise.customer_id),
            refusals[rise.customer_id],
            as_of,
        )
        for rise in rises
    }
    return await _carry_out(connection, now, rises, verdicts, evidence, waiting)


async def lapse_unearned(session: AsyncSession, standings: Sequence[Standing]) -> None:
    """End the open reviews of these locked cards that have nothing to decide any more."""
    if not standings:
        return
    connection = await raw_connection(session)
    waiting = await queries.waiting(connection, [one.customer_id for one in standings])
    await _lapse(
        connection,
        clock.now(),
        [
            one.customer_id
            for one in standings
            if one.customer_id in waiting
            and not is_called_for(
                one.policy, TierLevel(waiting[one.customer_id]), one.level, one.earned
            )
        ],
    )


async def lapse_all(session: AsyncSession, customer_ids: Sequence[UUID]) -> None:
    """End the open reviews of these locked cards: something else has decided about them."""
    await _lapse(await raw_connection(session), clock.now(), customer_ids)


async def lapse_outdated_of(
    session: AsyncSession, settings: Settings, customer_ids: Sequence[UUID]
) -> int:
    """End the reviews of these locked cards that have nothing to decide; return how many."""
    outdated = await _outdated(session, settings, customer_ids)
    return await _lapse(await raw_connection(session), clock.now(), outdated)


async def lapse_outdated(
    session: AsyncSession, settings: Settings, as_of: date
) -> Mapping[str, int]:
    """End the reviews of a portion of the waiting cards that have nothing to decide any more.

    Their score no longer earns the level, they have it by another way, nothing looks hollow any
    more, or they were merged, erased, or set by hand. Who earns the level without a review is
    lifted by what the night does next. Reviews wait now: today's figures decide, whichever day the
    night is for. Call it, each time in a transaction of its own, until ``remaining`` is 0; the
    record of the night keeps the place.
    """
    connection = await raw_connection(session)
    place = await nights.place_of(session, as_of, STEP)
    portion = await queries.next_waiting(connection, place, CHUNK)
    lapsed = 0
    if portion:
        # Only then are they read: what a till did to a card while we waited for it counts.
        await customer_stats.lock_cards(connection, portion)
        lapsed = await lapse_outdated_of(session, settings, portion)
        await nights.keep_place(session, as_of, STEP, portion[-1])
    return {
        "looked_at": len(portion),
        "lapsed": lapsed,
        "remaining": int(len(portion) == CHUNK),
    }


async def _outdated(
    session: AsyncSession, settings: Settings, customer_ids: Sequence[UUID]
) -> list[UUID]:
    connection = await raw_connection(session)
    today = clock.today(settings.zone)
    policies = await active_policies(session)
    rows = await queries.candidates(connection, customer_ids)
    found = [row["customer_id"] for row in rows if not row["may_rise"]]
    for kind, policy in policies.items():
        of_kind = [row for row in rows if row["may_rise"] and row["kind"] == kind]
        if not of_kind:
            continue
        figures = await tier_figures.of_cards(
            connection,
            policy.window_days,
            today,
            [row["customer_id"] for row in of_kind],
            policy.looks_at | NEEDED,
            is_current=True,
        )
        for row in of_kind:
            of_card = figures[row["customer_id"]]
            earned = policy.earned(policy.score(of_card)).level
            level, asked = TierLevel(row["level"]), TierLevel(row["next_level"])
            is_sound = not looks_hollow(policy, of_card)
            if is_sound or not is_called_for(policy, asked, level, earned):
                found.append(row["customer_id"])
    return found


def _references_of(policy: Policy) -> References | None:
    return policy.calibration.references if policy.calibration is not None else None


def _evidence_of(policy: Policy, figures: Figures) -> HollowEvidence | None:
    references = _references_of(policy)
    return None if references is None else hollow_accounts.evidence(figures, references)


async def _carry_out(
    connection: "asyncpg.Connection[Any]",
    at: datetime,
    rises: Sequence[Rise],
    verdicts: Mapping[UUID, Verdict],
    evidence: Mapping[UUID, HollowEvidence],
    waiting: Mapping[UUID, OpenReview],
) -> dict[UUID, HeldUpgrade]:
    """Write what was decided about each rise; return what is held."""
    held: dict[UUID, HeldUpgrade] = {}
    opened, refreshed = [], []
    for rise in rises:
        customer_id, verdict = rise.customer_id, verdicts[rise.customer_id]
        if not verdict.is_held:
            continue
        if verdict.refusal is not None:
            review_id = verdict.refusal.review_id
        else:
            review_id = new_id() if verdict.opens else waiting[customer_id].id
            row = _row(rise, review_id, evidence[customer_id])
            if verdict.opens:
                opened.append(row)
            else:
                refreshed.append({**row, "is_raised": verdict.raises})
        held[customer_id] = HeldUpgrade(
            rise.next_level, review_id, is_refused=verdict.refusal is not None
        )
    await _lapse(connection, at, [owner for owner, one in verdicts.items() if one.lapses])
    await queries.refresh(connection, refreshed)
    await queries.open_reviews(connection, at, opened)
    await _tell(connection, at, Action.CREATED, [row["id"] for row in opened])
    await outbox.write(
        connection,
        at,
        [
            {
                "id": new_id(),
                "type": DomainEvent.TIER_REVIEW_OPENED,
                "customer_id": row["customer_id"],
                "subject_id": row["id"],
                "payload": {
                    "level": row["level"],
                    "next_level": row["next_level"],
                    "signs": row["evidence"]["signs"],
                },
            }
            for row in opened
        ],
    )
    return held


def _row(rise: Rise, review_id: UUID, evidence: HollowEvidence) -> dict[str, Any]:
    return {
        "customer_id": rise.customer_id,
        "id": review_id,
        "policy_id": rise.policy.id,
        "level": rise.level,
        "next_level": rise.next_level,
        "purchase_id": rise.purchase_id,
        "evidence": evidence.as_json(),
        "is_severe": evidence.is_severe,
    }


async def _lapse(
    connection: "asyncpg.Connection[Any]", at: datetime, customer_ids: Sequence[UUID]
) -> int:
    """End the open reviews of these cards; return how many there were."""
    lapsed = await queries.lapse(connection, at, customer_ids)
    await _tell(connection, at, Action.CHANGED, [row["id"] for row in lapsed])
    return len(lapsed)


async def _tell(
    connection: "asyncpg.Connection[Any]", at: datetime, action: Action, review_ids: Sequence[UUID]
) -> None:
    """Put it into the audit trail; what the service decides by itself nobody else did."""
    await trail.write(
        connection,
        at,
        request_id(),
        [
            {
                "id": new_id(),
                "actor_kind": ActorKind.SYSTEM,
                "actor_id": None,
                "action": action,
                "object_type": OBJECT_TYPE,
                "object_id": review_id,
                "fields": ["status"] if action is Action.CHANGED else [],
            }
            for review_id in review_ids
        ],
    )
