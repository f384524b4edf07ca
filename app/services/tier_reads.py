"""Tell which tier a card is in, why, and what it held before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import and_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.models import (
    Customer,
    CustomerStats,
    Staff,
    TierAssignment,
    TierNotice,
    TierReview,
)
from app.queries import tier_figures
from app.rules import tier_evaluation
from app.rules.tier_evaluation import KeepForecast
from app.rules.tier_figures import Figures
from app.rules.tier_policies import Policy
from app.services.changes import page_of
from app.services.customer_changes import card_not_found
from app.services.tier_policies_in_force import active_policies
from app.vocabulary import NoticeStatus, ReviewStatus, TierCause


@dataclass(frozen=True, slots=True)
class TierNow:
    """A card's tier with the stored reason, how it stands today, and what is about to happen."""

    assignment: TierAssignment
    policy: Policy
    standing: Figures
    keep: KeepForecast | None
    notice: TierNotice | None
    review: TierReview | None
    set_by: Staff | None


async def get_tier(session: AsyncSession, settings: Settings, customer_id: UUID) -> TierNow:
    """Return a card's current tier, the reason stored with it, and today's figures.

    Raises:
        NotFoundError: no such card.
    """
    today = clock.today(settings.zone)
    row = (
        await session.execute(
            select(
                col(Customer.kind),
                col(CustomerStats.window_changes_on),
                TierAssignment,
                TierNotice,
                TierReview,
                Staff,
            )
            .join(TierAssignment, col(TierAssignment.customer_id) == col(Customer.id))
            .outerjoin(CustomerStats, col(CustomerStats.customer_id) == col(Customer.id))
            .outerjoin(
                TierNotice,
                and_(
                    col(TierNotice.customer_id) == col(Customer.id),
                    col(TierNotice.status) == NoticeStatus.OPEN,
                ),
            )
            .outerjoin(
                TierReview,
                and_(
                    col(TierReview.customer_id) == col(Customer.id),
                    col(TierReview.status) == ReviewStatus.OPEN,
                ),
            )
            .outerjoin(Staff, col(Staff.id) == col(TierAssignment.set_by_id))
            .where(col(Customer.id) == customer_id, col(TierAssignment.valid_to).is_(None))
        )
    ).first()
    if row is None:
        raise card_not_found()
    kind, changes_on, assignment, notice, review, set_by = row
    policy = (await active_policies(session))[kind]
    connection = await raw_connection(session)
    # Until the night has been there, a window may hold less than the statistics say.
    is_current = changes_on is None or changes_on > today
    found = await tier_figures.of_cards(
        connection, policy.window_days, today, [customer_id], policy.looks_at,
        is_current=is_current,
    )  # fmt: skip
    keep = await _keep_forecast(connection, settings, policy, assignment, notice, today)
    return TierNow(assignment, policy, found[customer_id], keep, notice, review, set_by)


async def _keep_forecast(
    connection: "asyncpg.Connection[Any]",
    settings: Settings,
    policy: Policy,
    assignment: TierAssignment,
    notice: TierNotice | None,
    today: date,
) -> KeepForecast | None:
    """Return what keeps the level; None where nothing is lower, or somebody has set it."""
    is_locked = assignment.cause is TierCause.OVERRIDE
    if is_locked or tier_evaluation.keep_line(policy, assignment.level) is None:
        return None
    since = clock.business_day(assignment.valid_from, settings.zone)
    evaluated_on = tier_evaluation.first_fall_on(policy, since, today)
    if notice is not None and notice.level is assignment.level:
        evaluated_on = max(notice.falls_on, today)
    found = await tier_figures.of_cards(
        connection, policy.window_days, evaluated_on, [assignment.customer_id], policy.looks_at,
        is_current=False,
    )  # fmt: skip
    return tier_evaluation.forecast(policy, assignment.level, found[assignment.customer_id])


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
