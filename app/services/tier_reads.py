"""Tell which tier a card is in, why, and what it held before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.models import Customer, CustomerStats, TierAssignment
from app.queries import tiers
from app.rules import tiering
from app.rules.tier_policies import Figures, Policy
from app.services.changes import page_of
from app.services.customer_changes import card_not_found
from app.services.tier_policies_in_force import active_policies


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
