"""Hollow accounts as the night found them, each condition with its numbers of this moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Uuid, and_, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.models import Customer, CustomerProfile, TierAssignment, TierReview
from app.rules.access import Actor
from app.rules.hollow_accounts import HollowEvidence
from app.services import tier_reviews
from app.services.changes import page_of
from app.services.tier_policies_in_force import active_policies
from app.vocabulary import (
    CustomerStatus,
    HollowSign,
    ReviewStatus,
    TierLevel,
)


@dataclass(frozen=True, slots=True)
class HollowAccount:
    """A card that the night found hollow; ``evidence`` is None where it is not any more."""

    customer: Customer
    level: TierLevel | None
    is_severe: bool
    signs: tuple[HollowSign, ...]
    evidence: HollowEvidence | None
    open_review_id: UUID | None


async def list_hollow_accounts(
    session: AsyncSession,
    settings: Settings,
    actor: Actor,
    *,
    limit: int,
    after: Sequence[Any] | None,
) -> tuple[list[HollowAccount], list[Any] | None]:
    """Return a page of hollow accounts, severe ones first, and where the next one begins.

    For somebody bound to stores, without the cards of others.
    """
    profile = CustomerProfile
    place = (col(profile.is_severe), col(profile.customer_id))
    query = (
        select(profile, Customer, col(TierAssignment.level), col(TierReview.id))
        .join(Customer, col(Customer.id) == col(profile.customer_id))
        .outerjoin(
            TierAssignment,
            and_(
                col(TierAssignment.customer_id) == col(profile.customer_id),
                col(TierAssignment.valid_to).is_(None),
            ),
        )
        .outerjoin(
            TierReview,
            and_(
                col(TierReview.customer_id) == col(profile.customer_id),
                col(TierReview.status) == ReviewStatus.OPEN,
            ),
        )
        .where(
            col(profile.is_hollow),
            col(Customer.status).in_((CustomerStatus.ACTIVE, CustomerStatus.ARCHIVED)),
        )
    )
    if actor.store_ids is not None:
        query = query.where(
            or_(
                col(Customer.home_store_id).is_(None),
                col(Customer.home_store_id).in_(actor.store_ids),
            )
        )
    if after is not None:
        query = query.where(
            tuple_(*place)
            < tuple_(literal(bool(after[0]), Boolean()), literal(UUID(after[1]), Uuid()))
        )
    rows = (
        await session.execute(query.order_by(*(part.desc() for part in place)).limit(limit + 1))
    ).all()
    page, position = page_of(rows, limit, lambda row: [row[0].is_severe, row[0].customer_id])
    policies = await active_policies(session)
    evidence = await tier_reviews.evidence_of_cards(
        await raw_connection(session),
        clock.today(settings.zone),
        {row[1].id: policies[row[1].kind] for row in page},
        is_current=True,
    )
    return [
        HollowAccount(
            customer=row[1],
            level=row[2],
            is_severe=row[0].is_severe,
            signs=tuple(HollowSign(sign) for sign in row[0].hollow_signs),
            evidence=evidence.get(row[1].id),
            open_review_id=row[3],
        )
        for row in page
    ], position
