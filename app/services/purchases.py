"""Read what customers bought."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core.errors import NotFoundError
from app.models import Customer, CustomerServiceStats, CustomerStats, Purchase, PurchaseLine
from app.services.customer_changes import card_not_found


async def list_purchases(
    session: AsyncSession,
    customer_id: UUID,
    *,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[Purchase]:
    """Return a card's receipts, newest first; ``after`` is (occurred_at, id) of the last one seen.

    Raises:
        NotFoundError: no such card.
    """
    await require_card(session, customer_id)
    position = (col(Purchase.occurred_at), col(Purchase.id))
    query = select(Purchase).where(col(Purchase.customer_id) == customer_id)
    if after is not None:
        query = query.where(tuple_(*position) < tuple_(*after))
    query = query.order_by(*(part.desc() for part in position)).limit(limit)
    return (await session.scalars(query)).all()


async def get_purchase(
    session: AsyncSession, customer_id: UUID, purchase_id: UUID
) -> tuple[Purchase, Sequence[PurchaseLine]]:
    """Return a receipt of a card with its lines.

    Raises:
        NotFoundError: no such receipt of this card.
    """
    purchase = await session.get(Purchase, (customer_id, purchase_id))
    if purchase is None:
        raise NotFoundError("There is no such receipt.", detail_zh="没有这张小票。")
    lines = await session.scalars(
        select(PurchaseLine)
        .where(
            col(PurchaseLine.customer_id) == customer_id,
            col(PurchaseLine.purchase_id) == purchase_id,
        )
        .order_by(col(PurchaseLine.line_number))
    )
    return purchase, lines.all()


async def get_statistics(session: AsyncSession, customer_id: UUID) -> CustomerStats:
    """Return a card's statistics: zeros where nothing was bought.

    Raises:
        NotFoundError: no such card.
    """
    stats = await session.get(CustomerStats, customer_id)
    if stats is None:
        await require_card(session, customer_id)
    return stats or _nothing_bought(customer_id)


async def find_statistics(session: AsyncSession, customer_id: UUID) -> CustomerStats:
    """Return a card's statistics: zeros where nothing was bought, or there is no card."""
    return await session.get(CustomerStats, customer_id) or _nothing_bought(customer_id)


def _nothing_bought(customer_id: UUID) -> CustomerStats:
    return CustomerStats.model_validate({"customer_id": customer_id, **dict.fromkeys(_COUNTED, 0)})


async def get_service_statistics(session: AsyncSession, customer_id: UUID) -> CustomerServiceStats:
    """Return what the contacts with a card cost: zeros where there were none, or there is none."""
    stats = await session.get(CustomerServiceStats, customer_id, populate_existing=True)
    return stats or CustomerServiceStats(
        customer_id=customer_id,
        contacts=0,
        inbound=0,
        contacts_365=0,
        inbound_365=0,
        service_cost=Decimal(0),
        service_cost_365=Decimal(0),
    )


_COUNTED = [
    name
    for name in CustomerStats.model_fields
    if name != "customer_id" and not name.endswith("_on")
]


async def require_card(session: AsyncSession, customer_id: UUID) -> None:
    """Let pass ids of cards.

    Raises:
        NotFoundError: no such card.
    """
    if (
        await session.scalar(select(col(Customer.id)).where(col(Customer.id) == customer_id))
        is None
    ):
        raise card_not_found()
