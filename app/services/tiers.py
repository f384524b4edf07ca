"""Move cards between tiers, and tell which tier a card is in and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.core.errors import FieldError, InvalidInputError
from app.core.ids import new_id
from app.core.logging import request_id
from app.models import Customer, CustomerStats, TierAssignment, TierPolicy
from app.queries import customer_stats, outbox, tiers, trail
from app.rules import tiering
from app.rules.access import Actor
from app.rules.tier_policies import Calibration, Figures, Policy
from app.rules.tiering import Assigned, Held, Step, StepOutcome
from app.services.changes import page_of
from app.services.customer_changes import card_not_found
from app.vocabulary import (
    Action,
    ActorKind,
    CustomerKind,
    DomainEvent,
    PolicyMethod,
    PolicyStatus,
    TierCause,
    TierLevel,
)

CHUNK = 2_000


async def active_policies(session: AsyncSession) -> Mapping[CustomerKind, Policy]:
    """Return the policy in force for each kind of customer."""
    rows = await tiers.active_policies(await raw_connection(session))
    return {
        CustomerKind(row["scope"]): Policy.of(
            row["id"],
            row["version"],
            row["name"],
            PolicyMethod(row["method"]),
            row["body"],
            None if row["calibration"] is None else Calibration.of(row["calibration"]),
        )
        for row in rows
    }


async def assign_initial(
    session: AsyncSession, settings: Settings, customer_id: UUID, kind: CustomerKind
) -> None:
    """Give a new card the lowest level of the policy in force, and say why."""
    await assign_initial_to(session, settings, {customer_id: kind})


async def assign_initial_to(
    session: AsyncSession, settings: Settings, cards: Mapping[UUID, CustomerKind]
) -> None:
    """Give new cards the lowest level of the policy in force for their kind, and say why."""
    policies = await active_policies(session)
    today = clock.today(settings.zone)
    nothing = Figures(as_of=today, net_spend=Decimal(0), purchases=0, refunded=Decimal(0))
    rows = []
    for customer_id, kind in cards.items():
        policy = policies[kind]
        level = policy.earned(Decimal(0)).level
        rows.append(
            assignment_row(policy, nothing, customer_id, level, TierCause.INITIAL, None, today)
        )
    await session.flush()
    await tiers.assign(await raw_connection(session), clock.now(), rows)


def assignment_row(
    policy: Policy,
    standing: Figures,
    customer_id: UUID,
    level: TierLevel,
    cause: TierCause,
    purchase_id: UUID | None,
    since: date,
) -> dict[str, Any]:
    """Return a new assignment, with the reason that is stored with it."""
    return {
        "customer_id": customer_id,
        "id": new_id(),
        "level": level,
        "cause": cause,
        "policy_id": policy.id,
        "policy_version": policy.version,
        "purchase_id": purchase_id,
        "explanation": tiering.explain(policy, standing, level, cause, since),
    }


@dataclass(frozen=True, slots=True)
class Settled:
    """What a card's receipts did to its tier, and its figures afterwards."""

    policy: Policy
    standing: Figures
    outcomes: tuple[StepOutcome, ...]


async def settle(
    session: AsyncSession, settings: Settings, steps: Mapping[UUID, Sequence[Step]]
) -> dict[UUID, Settled]:
    """Re-aggregate these locked cards and move their tiers by what their receipts add.

    ``steps`` holds each card's receipts in time order; a receipt outside the window adds nothing.
    The cards have to be locked (``customer_stats.lock_cards``).
    """
    if not steps:
        return {}
    connection = await raw_connection(session)
    now = clock.now()
    today = clock.business_day(now, settings.zone)
    fresh = await customer_stats.refresh(connection, today, list(steps))
    policies = await active_policies(session)
    held = await tiers.held(connection, list(steps))
    settled: dict[UUID, Settled] = {}
    moves: list[dict[str, Any]] = []
    for customer_id, added in steps.items():
        row, figures = held[customer_id], fresh[customer_id]
        policy = policies[CustomerKind(row["kind"])]
        standing = Figures(
            as_of=today,
            net_spend=figures["net_365"],
            purchases=figures["purchases_365"],
            refunded=figures["refunded_365"],
        )
        before = held_now(row, settings.zone, policy)
        net_before = standing.net_spend - sum((step.adds for step in added), Decimal(0))
        outcomes = tuple(tiering.follow(policy, net_before, before, added))
        moves += _moves(policy, standing, customer_id, outcomes)
        settled[customer_id] = Settled(policy, standing, outcomes)
    await write_moves(session, now, moves)
    return settled


def _moves(
    policy: Policy,
    standing: Figures,
    customer_id: UUID,
    outcomes: Sequence[StepOutcome],
) -> list[dict[str, Any]]:
    """Return a row for each receipt that moved the card; all but the last one pass at once.

    Each is kept, so that taking back one of several receipts that came together unwinds as if
    they had come one by one.
    """
    moved = [outcome for outcome in outcomes if outcome.cause is not None]
    rows = []
    for outcome in moved:
        assert outcome.cause is not None
        earned_by = outcome.held.purchase_id if outcome.cause is TierCause.UPGRADE else None
        at_that_point = replace(standing, net_spend=outcome.net_spend)
        row = assignment_row(
            policy, at_that_point, customer_id, outcome.after, outcome.cause, earned_by,
            standing.as_of,
        )  # fmt: skip
        rows.append({**row, "before": outcome.before, "is_passing": outcome is not moved[-1]})
    return rows


def held_now(row: Any, zone: ZoneInfo, policy: Policy) -> Held:
    """Return what a card holds, by its row of :func:`app.queries.tiers.held`."""
    history = [
        Assigned(
            level=TierLevel(entry["level"]),
            since=clock.business_day(datetime.fromisoformat(entry["valid_from"]), zone),
            cause=TierCause(entry["cause"]),
            purchase_id=UUID(entry["purchase_id"]) if entry["purchase_id"] else None,
        )
        for entry in row["history"] or ()
    ]
    held = tiering.held_of(policy, history)
    return held or Held(policy.levels[-1].level, clock.today(zone))


async def write_moves(session: AsyncSession, at: datetime, moves: Sequence[dict[str, Any]]) -> None:
    """Assign tiers, in place of the current ones, and tell whom it concerns.

    A move is an assignment with ``before``, the level that was held.
    """
    if moves:
        await tiers.assign(await raw_connection(session), at, moves)
        await tell_moves(session, at, moves)


async def tell_moves(
    session: AsyncSession, at: datetime, moves: Sequence[Mapping[str, Any]]
) -> None:
    """Write moves that changed a level into audit trail and outbox."""
    connection = await raw_connection(session)
    # A tier that is carried by other purchases from now on has not changed for anybody else.
    changed = [move for move in moves if move["before"] != move["level"]]
    await trail.write(
        connection,
        at,
        request_id(),
        [
            {
                "id": new_id(),
                "actor_kind": ActorKind.SYSTEM,
                "actor_id": None,
                "action": Action.CHANGED,
                "object_type": "customer",
                "object_id": move["customer_id"],
                "fields": ["tier"],
            }
            for move in changed
        ],
    )
    await outbox.write(
        connection,
        at,
        [
            {
                "id": new_id(),
                "type": DomainEvent.TIER_CHANGED,
                "customer_id": move["customer_id"],
                "subject_id": move["id"],
                "payload": {
                    "before": move["before"],
                    "after": move["level"],
                    "cause": move["cause"],
                },
            }
            for move in changed
        ],
    )


async def reconcile(session: AsyncSession, settings: Settings, as_of: date) -> Mapping[str, int]:
    """Lift a portion of the cards whose figures earn more than they hold.

    Receipts lift their card themselves; what is found here came by another way, such as a new
    policy. Call it, each time in a transaction of its own, until ``remaining`` is 0. Nobody falls
    here: that takes an evaluation with its notice.

    For a day in the past what came later is left out, and the statistics stay as they are: they
    are today's. A card is lifted when both today's figures and those of the day say so.
    """
    connection = await raw_connection(session)
    policies = await active_policies(session)
    rules = [
        {
            "scope": str(scope),
            "level": str(rule.level),
            "rank": policy.rank(rule.level),
            "at_least": str(rule.at_least),
        }
        for scope, policy in policies.items()
        for rule in policy.levels
    ]
    found = await tiers.below_what_they_earn(connection, as_of, rules, CHUNK + 1)
    portion = found[:CHUNK]
    await customer_stats.lock_cards(connection, portion)
    of_the_day = await tiers.figures(connection, as_of, portion)
    held = await tiers.held(connection, portion)
    now = clock.now()
    today = clock.business_day(now, settings.zone)
    moves: list[dict[str, Any]] = []
    for customer_id in portion:
        row, figures = held[customer_id], of_the_day[customer_id]
        policy = policies[CustomerKind(row["kind"])]
        standing = Figures(as_of, figures["net"], figures["purchases"], figures["refunded"])
        before = held_now(row, settings.zone, policy)
        earned = policy.earned(standing.net_spend).level
        if policy.rank(earned) > policy.rank(before.level):
            move = assignment_row(
                policy, standing, customer_id, earned, TierCause.RECONCILED, None, today
            )
            moves.append({**move, "before": before.level})
    await write_moves(session, now, moves)
    return {"moved": len(moves), "remaining": len(found) - len(portion)}


@dataclass(frozen=True, slots=True)
class TierNow:
    """A card's tier with the stored reason, and how it stands today."""

    assignment: TierAssignment
    policy: Policy
    standing: Figures
    keep: "KeepForecast | None"


@dataclass(frozen=True, slots=True)
class KeepForecast:
    """What it takes to keep a level at the first evaluation that may look at it.

    ``still_counting`` is today's spend that will lie in that evaluation's window; ``missing`` has
    to be spent by ``evaluated_on``.
    """

    at_least: Decimal
    evaluated_on: date
    window_from: date
    still_counting: Decimal
    missing: Decimal


async def get_tier(session: AsyncSession, settings: Settings, customer_id: UUID) -> TierNow:
    """Return a card's current tier, the reason stored with it, and today's figures.

    Raises:
        NotFoundError: no such card.
    """
    today = clock.today(settings.zone)
    row = (
        await session.execute(
            select(col(Customer.kind), TierAssignment, CustomerStats)
            .join(TierAssignment, col(TierAssignment.customer_id) == col(Customer.id))
            .outerjoin(CustomerStats, col(CustomerStats.customer_id) == col(Customer.id))
            .where(col(Customer.id) == customer_id, col(TierAssignment.valid_to).is_(None))
        )
    ).first()
    if row is None:
        raise card_not_found()
    kind, assignment, stats = row
    figures: CustomerStats | None = stats  # The outer join may find none.
    policy = (await active_policies(session))[kind]
    connection = await raw_connection(session)
    standing = Figures(
        as_of=today,
        net_spend=await tiers.net_spend(
            connection, customer_id, today - timedelta(days=policy.window_days - 1)
        ),
        purchases=figures.purchases_365 if figures else 0,
        refunded=figures.refunded_365 if figures else Decimal(0),
    )
    at_least = tiering.keep_line(policy, assignment.level)
    keep = None
    if at_least is not None:
        since = clock.business_day(assignment.valid_from, settings.zone)
        evaluated_on = tiering.first_evaluation_on(policy, since, today)
        window_from = evaluated_on - timedelta(days=policy.window_days - 1)
        counting = await tiers.net_spend(connection, customer_id, window_from)
        keep = KeepForecast(
            at_least=at_least,
            evaluated_on=evaluated_on,
            window_from=window_from,
            still_counting=counting,
            missing=max(at_least - counting, Decimal(0)),
        )
    return TierNow(assignment, policy, standing, keep)


async def list_tier_history(
    session: AsyncSession, customer_id: UUID, *, limit: int, after: Sequence[Any] | None
) -> tuple[list[TierAssignment], list[Any] | None]:
    """Return a page of a card's tiers, newest first, and where the next one starts if there is one.

    Raises:
        NotFoundError: no such card.
    """
    position = (col(TierAssignment.valid_from), col(TierAssignment.id))
    query = select(TierAssignment).where(col(TierAssignment.customer_id) == customer_id)
    if after is not None:
        query = query.where(
            tuple_(*position) < tuple_(datetime.fromisoformat(after[0]), UUID(after[1]))
        )
    found = (
        await session.scalars(query.order_by(*(part.desc() for part in position)).limit(limit + 1))
    ).all()
    if not found and after is None:
        raise card_not_found()
    return page_of(found, limit, lambda one: [one.valid_from, one.id])


async def list_policies(session: AsyncSession) -> Sequence[TierPolicy]:
    """Return all versions of tier policies: by scope, newest version first."""
    return (
        await session.scalars(
            select(TierPolicy).order_by(col(TierPolicy.scope), col(TierPolicy.version).desc())
        )
    ).all()


@dataclass(frozen=True, slots=True)
class LevelShare:
    """One row of the distribution table; shares in percent, one decimal, of the column's total."""

    level: TierLevel
    customers: int
    customers_share: Decimal
    amount: Decimal
    amount_share: Decimal


@dataclass(frozen=True, slots=True)
class Distribution:
    """The published table: who bought within the window, by the tier they held at its end."""

    as_of: date
    window_from: date
    customers: int
    amount: Decimal
    levels: tuple[LevelShare, ...]


async def get_distribution(
    session: AsyncSession, settings: Settings, actor: Actor, kind: CustomerKind, as_of: date | None
) -> Distribution:
    """Return the distribution table of a day, today's if none is named.

    Counted are customers of the kind who bought inside the window that ends with the day; for
    somebody bound to stores, those whose home store is theirs.

    Raises:
        InvalidInputError: a day after today.
    """
    today = clock.today(settings.zone)
    day = as_of or today
    if day > today:
        raise InvalidInputError(
            "The day lies ahead.",
            [
                FieldError(
                    "/query/as_of", "in-the-future", "The day lies ahead.", "这一天尚未到来。"
                )
            ],
            detail_zh="该日期尚未到来。",
        )
    policy = await session.scalar(
        select(TierPolicy).where(
            col(TierPolicy.scope) == kind, col(TierPolicy.status) == PolicyStatus.ACTIVE
        )
    )
    assert policy is not None
    rules = Policy.of(policy.id, policy.version, policy.name, policy.method, policy.body)
    end_of_day = datetime.combine(day + timedelta(days=1), time(), settings.zone)
    stores = None if actor.store_ids is None else sorted(actor.store_ids)
    connection = await raw_connection(session)
    if day == today and await tiers.statistics_are_of(connection, day):
        found = await tiers.distribution_now(connection, str(kind), end_of_day, stores)
    else:
        found = await tiers.distribution(
            connection, str(kind), day, rules.window_days, end_of_day, stores
        )
    rows = {TierLevel(row["level"]): row for row in found}
    order = [rule.level for rule in rules.levels]
    order += [level for level in rows if level not in order]
    customers = sum(row["customers"] for row in rows.values())
    amount = sum((row["amount"] for row in rows.values()), Decimal("0.00"))
    levels = []
    for level in order:
        row = rows.get(level)
        count = row["customers"] if row else 0
        net = row["amount"] if row else Decimal("0.00")
        levels.append(
            LevelShare(level, count, _percent(Decimal(count), Decimal(customers)), net,
                       _percent(net, amount))
        )  # fmt: skip
    return Distribution(
        day, day - timedelta(days=rules.window_days - 1), customers, amount, tuple(levels)
    )


def _percent(part: Decimal, whole: Decimal) -> Decimal:
    return (part / whole * 100).quantize(Decimal("0.1")) if whole else Decimal("0.0")
