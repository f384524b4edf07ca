"""The 360° view: a fixed number of statements, however much history there is."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.models import CustomerStats, Interaction, Purchase
from app.queries import customer_360
from app.queries.consents import standing_of_card
from app.rules.access import Actor
from app.rules.tier_figures import WINDOW_DAYS
from app.schemas.customer_360 import CategoryAmount, Customer360, CustomerValue
from app.schemas.interactions import InteractionRead
from app.schemas.purchases import PurchaseRead, ServiceStatistics
from app.services import purchases, tier_answers, tier_reads
from app.services.consents import standing_read
from app.services.customer_changes import get_customer
from app.services.profile_reads import find_listed
from app.services.timeline import require
from app.vocabulary import Permission

Happened = TypeVar("Happened", Purchase, Interaction)

SHOWN: Final = 5
"""Receipts, categories, contacts."""
NEEDED: Final = (
    Permission.CUSTOMERS_READ,
    Permission.PURCHASES_READ,
    Permission.INTERACTIONS_READ,
    Permission.TIERS_READ,
)
"""It shows a part of each of these, and is shown to who may read them all."""


async def get_customer_360(
    session: AsyncSession, actor: Actor, settings: Settings, customer_id: UUID
) -> Customer360:
    """Return a card with its tier, value, last receipts and contacts, and what it consents to.

    Raises:
        ForbiddenError: the actor may not read one of the parts.
        NotFoundError: no such card.
    """
    for permission in NEEDED:
        require(actor, permission)
    connection = await raw_connection(session)
    card = await get_customer(session, customer_id)
    tier = await tier_reads.get_tier(session, settings, customer_id)
    stats = await purchases.find_statistics(session, customer_id)
    service = await purchases.get_service_statistics(session, customer_id)
    profile = await find_listed(session, customer_id)
    bought = await _newest(session, Purchase, customer_id)
    since = clock.today(settings.zone) - timedelta(days=WINDOW_DAYS - 1)
    categories = await customer_360.favourite_categories(connection, customer_id, since, SHOWN)
    spoken = await _newest(session, Interaction, customer_id)
    standing = await standing_of_card(session, customer_id)
    return Customer360(
        card=card,
        tier=tier_answers.tier_read(tier),
        value=_value(stats),
        profile=profile,
        service=ServiceStatistics.model_validate(service),
        last_purchases=[PurchaseRead.model_validate(one) for one in bought],
        favourite_categories=[
            CategoryAmount(category=category, amount=amount) for category, amount in categories
        ],
        last_interactions=[InteractionRead.model_validate(one) for one in spoken],
        consents=standing_read(standing),
        possible_duplicates=await customer_360.count_possible_duplicates(connection, customer_id),
    )


async def _newest(
    session: AsyncSession, table: type[Happened], customer_id: UUID
) -> Sequence[Happened]:
    rows = await session.scalars(
        select(table)
        .where(col(table.customer_id) == customer_id)
        .order_by(col(table.occurred_at).desc(), col(table.id).desc())
        .limit(SHOWN)
    )
    return rows.all()


def _value(stats: CustomerStats) -> CustomerValue:
    return CustomerValue(
        first_purchase_on=stats.first_purchase_on,
        last_purchase_on=stats.last_purchase_on,
        purchases=stats.purchases,
        net=stats.net,
        margin=_known(stats.margin, stats.costed),
        purchases_365=stats.purchases_365,
        net_365=stats.net_365,
        margin_365=_known(stats.margin_365, stats.costed_365),
    )


def _known(margin: Decimal, costed: Decimal) -> Decimal | None:
    return margin if costed else None
