"""What a night does to tiers: it lifts, carries out notices, and tells who is about to fall.

Each function does a portion and says how much is ``remaining``; it is called again, each time in a
transaction of its own, until nothing is. Doing it twice changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Self
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.core.ids import new_id
from app.models import TierEvaluation
from app.queries import customer_stats, outbox, tier_figures, tier_nights, tiers
from app.queries.tier_nights import Night
from app.rules import tier_evaluation
from app.rules.tier_evaluation import Notice, NoticeFate
from app.rules.tier_figures import Figures
from app.rules.tier_reviews import Rise
from app.rules.tiering import Held
from app.services import tier_reviews
from app.services.tier_moves import assignment_row, held_now, write_moves
from app.services.tier_policies_in_force import active_policies
from app.vocabulary import CustomerKind, DomainEvent, NoticeStatus, TierCause, TierLevel

CHUNK = 2_000


async def reconcile(session: AsyncSession, settings: Settings, as_of: date) -> Mapping[str, int]:
    """Lift a portion of the cards whose figures earn more than they hold.

    Receipts lift their card themselves; what is found here came by another way: a policy that has
    come into force, a figure that time has changed. A card whose level the policy does not know
    moves to what it earns. Nobody else falls here: that takes an evaluation with its notice.

    For a day in the past what came later is left out, and the statistics stay as they are: they
    are today's. A card is lifted when both today's figures and those of the day say so.
    """
    counts = {"moved": 0, "held": 0, "remaining": 0}
    for night in await _nights(session, settings, as_of):
        if counts["remaining"]:
            break
        connection = await raw_connection(session)
        refused_since = clock.now() - timedelta(days=night.policy.keep.hold_days)
        found = await tier_nights.who_rises(connection, night, refused_since, CHUNK + 1)
        moved, held = await _lift(session, settings, night, found[:CHUNK])
        counts["moved"] += moved
        counts["held"] += held
        counts["remaining"] += len(found[CHUNK:])
    return counts


async def _lift(
    session: AsyncSession, settings: Settings, night: Night, customer_ids: Sequence[UUID]
) -> tuple[int, int]:
    cards = await _Cards.lock(session, settings, night, customer_ids)
    rises: dict[UUID, tuple[Rise, TierCause]] = {}
    for customer_id in customer_ids:
        if not cards.is_free(customer_id):
            continue
        level = cards.held[customer_id].level
        earned = night.policy.earned(min(cards.scores(customer_id))).level
        if night.policy.rank(earned) <= night.policy.rank(level):
            continue
        is_new = cards.current[customer_id]["policy_id"] != night.policy.id
        is_new = is_new or night.policy.rank(level) < 0
        cause = TierCause.POLICY if is_new else TierCause.RECONCILED
        rises[customer_id] = Rise(customer_id, night.policy, level, earned), cause
    # Whom a new policy moves was seen in its simulation, and somebody approved it.
    held = await tier_reviews.hold(
        session,
        settings,
        night.as_of,
        [rise for rise, cause in rises.values() if cause is TierCause.RECONCILED],
    )
    moves = []
    for customer_id, (rise, cause) in rises.items():
        if customer_id in held:
            continue
        move = assignment_row(
            night.policy, cards.figures[customer_id], customer_id, rise.next_level, cause, None,
            night.today,
        )  # fmt: skip
        moves.append({**move, "before": rise.level})
    await write_moves(session, clock.now(), moves)
    return len(moves), len(held)


async def carry_out_notices(
    session: AsyncSession, settings: Settings, as_of: date
) -> Mapping[str, int]:
    """Let a portion of the cards fall whose notice is due, and close notices without a reason."""
    counts = {"fallen": 0, "lapsed": 0, "remaining": 0}
    for night in await _nights(session, settings, as_of):
        if counts["remaining"]:
            break
        connection = await raw_connection(session)
        found = await tier_nights.notices_at_their_end(connection, night, CHUNK + 1)
        fallen, lapsed = await _end_notices(session, settings, night, found[:CHUNK])
        counts["fallen"] += fallen
        counts["lapsed"] += lapsed
        counts["remaining"] += len(found[CHUNK:])
    return counts


async def _end_notices(
    session: AsyncSession, settings: Settings, night: Night, found: Sequence[Any]
) -> tuple[int, int]:
    cards = await _Cards.lock(session, settings, night, [row["customer_id"] for row in found])
    ended: list[dict[str, Any]] = []
    moves: list[dict[str, Any]] = []
    for row in found:
        customer_id = row["customer_id"]
        fate = NoticeFate.LAPSES
        if cards.is_free(customer_id) and row["policy_id"] == night.policy.id:
            held = cards.held[customer_id]
            notice = Notice(TierLevel(row["level"]), night.policy.version, row["falls_on"])
            score = max(cards.scores(customer_id))
            fate = tier_evaluation.fate_of(
                night.policy, notice, held.level, score, night.as_of, is_locked=False
            )
        if fate is NoticeFate.STANDS:
            continue
        status = NoticeStatus.LAPSED
        if fate is NoticeFate.FALLS:
            status = NoticeStatus.FALLEN
            lower = tier_evaluation.lower_level(night.policy, held.level).level
            move = assignment_row(
                night.policy, cards.figures[customer_id], customer_id, lower,
                TierCause.EVALUATION, None, night.today,
            )  # fmt: skip
            moves.append({**move, "before": held.level})
        ended.append({"customer_id": customer_id, "id": row["id"], "status": status})
    await write_moves(session, clock.now(), moves)
    await tier_nights.close_notices(await raw_connection(session), clock.now(), ended)
    return len(moves), len(ended) - len(moves)


async def evaluate(session: AsyncSession, settings: Settings, as_of: date) -> Mapping[str, int]:
    """Tell a portion of the cards that don't keep their level, once for each evaluation.

    The evaluation of a month is carried out by the first night that can: an outage makes it late,
    and what follows from it as late. One that a later one has overtaken is left out.
    """
    evaluated_on = tier_evaluation.evaluation_on_or_before(as_of)
    counts = {"looked_at": 0, "noticed": 0, "remaining": 0}
    for night in await _nights(session, settings, as_of):
        evaluation = await _begin_evaluation(session, night.kind, evaluated_on)
        if evaluation.finished_at is not None or await _is_overtaken(session, night, evaluated_on):
            continue
        connection = await raw_connection(session)
        fall = tier_evaluation.falls_on(night.policy, as_of)
        held_since = fall - timedelta(days=night.policy.keep.hold_days)
        held_before = datetime.combine(held_since + timedelta(days=1), time(), settings.zone)
        found = await tier_nights.who_is_below(
            connection, night, held_before, evaluation.last_customer_id, CHUNK
        )
        noticed = await _notice(session, settings, night, found)
        evaluation.noticed += noticed
        counts["looked_at"] += len(found)
        counts["noticed"] += noticed
        if len(found) == CHUNK:
            evaluation.last_customer_id = found[-1]
            counts["remaining"] = 1
            break
        evaluation.finished_at = clock.now()
    await session.flush()
    return counts


async def _notice(
    session: AsyncSession, settings: Settings, night: Night, customer_ids: Sequence[UUID]
) -> int:
    policy, fall = night.policy, tier_evaluation.falls_on(night.policy, night.as_of)
    cards = await _Cards.lock(session, settings, night, customer_ids)
    connection = await raw_connection(session)
    figures_then = await tier_figures.of_cards(
        connection, policy.window_days, fall, customer_ids, policy.looks_at, is_current=False
    )
    rows: list[dict[str, Any]] = []
    for customer_id in customer_ids:
        if not cards.is_free(customer_id):
            continue
        held = cards.held[customer_id]
        if not tier_evaluation.is_below(policy, held.level, max(cards.scores(customer_id))):
            continue
        if not tier_evaluation.is_time_to_notice(policy, held.since, night.as_of):
            continue
        rows.append(
            {
                "customer_id": customer_id,
                "id": new_id(),
                "policy_id": policy.id,
                "level": held.level,
                "next_level": tier_evaluation.lower_level(policy, held.level).level,
                "noticed_on": night.as_of,
                "falls_on": fall,
                "explanation": tier_evaluation.explain_notice(
                    policy, held.level, cards.figures[customer_id], figures_then[customer_id]
                ),
            }
        )
    now = clock.now()
    await tier_nights.give_notices(connection, now, rows)
    await outbox.write(
        connection,
        now,
        [
            {
                "id": new_id(),
                "type": DomainEvent.TIER_NOTICE_GIVEN,
                "customer_id": row["customer_id"],
                "subject_id": row["id"],
                "payload": {
                    "level": row["level"],
                    "next_level": row["next_level"],
                    "falls_on": fall.isoformat(),
                },
            }
            for row in rows
        ],
    )
    return len(rows)


async def _begin_evaluation(
    session: AsyncSession, kind: CustomerKind, evaluated_on: date
) -> TierEvaluation:
    """Return the record of an evaluation, locked, begun if it was not."""
    begun = insert(TierEvaluation).values(
        scope=kind, evaluated_on=evaluated_on, started_at=clock.now(), noticed=0
    )
    await session.execute(begun.on_conflict_do_nothing())
    return (
        await session.scalars(
            select(TierEvaluation)
            .where(
                col(TierEvaluation.scope) == kind,
                col(TierEvaluation.evaluated_on) == evaluated_on,
            )
            .with_for_update()
        )
    ).one()


async def _is_overtaken(session: AsyncSession, night: Night, evaluated_on: date) -> bool:
    later = await session.scalar(
        select(col(TierEvaluation.evaluated_on)).where(
            col(TierEvaluation.scope) == night.kind,
            col(TierEvaluation.evaluated_on) > evaluated_on,
        )
    )
    return later is not None


async def _nights(session: AsyncSession, settings: Settings, as_of: date) -> list[Night]:
    """Return what the night has to ask for each kind of customers."""
    today = clock.today(settings.zone)
    connection = await raw_connection(session)
    is_current = as_of == today and await tiers.statistics_are_of(connection, today)
    policies = await active_policies(session)
    return [Night(kind, policy, as_of, today, is_current) for kind, policy in policies.items()]


@dataclass(frozen=True, slots=True)
class _Cards:
    """Locked cards with what they hold, and their figures of the night's day and of today.

    Cards that hold no tier any more, since they were merged, are in neither ``current`` nor
    ``held``.
    """

    night: Night
    current: Mapping[UUID, Any]
    held: Mapping[UUID, Held]
    figures: Mapping[UUID, Figures]
    figures_today: Mapping[UUID, Figures]

    @classmethod
    async def lock(
        cls, session: AsyncSession, settings: Settings, night: Night, ids: Sequence[UUID]
    ) -> Self:
        """Lock the cards and read them."""
        connection = await raw_connection(session)
        if not ids:
            return cls(night, {}, {}, {}, {})
        await customer_stats.lock_cards(connection, ids)
        rows = await tiers.held(connection, ids)
        current = await tiers.current(connection, ids)
        policy, looks_at = night.policy, night.policy.looks_at
        figures = today = await tier_figures.of_cards(
            connection, policy.window_days, night.as_of, ids, looks_at, is_current=night.is_current
        )
        if night.as_of != night.today:
            today = await tier_figures.of_cards(
                connection, policy.window_days, night.today, ids, looks_at, is_current=False
            )
        held = {one: held_now(rows[one], settings.zone, policy) for one in current}
        return cls(night, current, held, figures, today)

    def is_free(self, customer_id: UUID) -> bool:
        """Tell whether the card holds a tier that nobody has set by hand."""
        row = self.current.get(customer_id)
        return row is not None and row["cause"] != TierCause.OVERRIDE

    def scores(self, customer_id: UUID) -> tuple[Decimal, Decimal]:
        """Return the score of the night's day and today's."""
        policy = self.night.policy
        return (
            policy.score(self.figures[customer_id]),
            policy.score(self.figures_today[customer_id]),
        )
