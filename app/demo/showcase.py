"""Sales that show something when they are sent: who rises, and who is held back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.database import Database
from app.demo.catalogue import SHOWCASE_PRICE
from app.demo.customers import SHOWCASE_MEMBER_NUMBER
from app.models import (
    Customer,
    CustomerIdentity,
    CustomerProfile,
    CustomerStats,
    Identity,
    Product,
    Source,
    SourceSecret,
    Store,
)
from app.services.tier_policies_in_force import active_policies
from app.vocabulary import CustomerKind, IdentityKind

SHOWCASE_SOURCE = "till-s01-1"


@dataclass(frozen=True, slots=True)
class ShowcaseSale:
    """A sale that lifts a named customer, ready to be signed and sent."""

    source_code: str
    secret: str
    event: Mapping[str, Any]
    customer_name: str


async def showcase_sale(database: Database) -> ShowcaseSale:
    """Return a sale of one novel to the showcase customer, at this moment, with a fresh number.

    Raises:
        LookupError: the demo chain is not in this database.
    """
    async with database.transaction() as session:
        return await _sale(session, "D", SHOWCASE_MEMBER_NUMBER, 1)


async def hollow_sale(database: Database) -> ShowcaseSale | None:
    """Return a sale that would lift somebody who bought on one day only, if there is such a card.

    By the figures of the last night: it looks hollow, and still does after a second day.

    Raises:
        LookupError: the demo chain is not in this database.
    """
    async with database.transaction() as session:
        rows = await session.execute(
            select(col(CustomerStats.net_365), col(CustomerIdentity.value))
            .join(
                CustomerProfile,
                col(CustomerProfile.customer_id) == col(CustomerStats.customer_id),
            )
            .join(
                CustomerIdentity,
                (col(CustomerIdentity.customer_id) == col(CustomerStats.customer_id))
                & (col(CustomerIdentity.kind) == IdentityKind.MEMBER_NUMBER),
            )
            .where(col(CustomerProfile.is_hollow), col(CustomerStats.purchase_days_365) == 1)
            .order_by(col(CustomerStats.net_365).desc(), col(CustomerStats.customer_id))
            .limit(1)
        )
        row = rows.first()
        policy = (await active_policies(session))[CustomerKind.INDIVIDUAL]
        above = None if row is None else policy.next_above(policy.earned(row[0]).level)
        if row is None or above is None:
            return None
        copies = int((above.at_least - row[0]) // SHOWCASE_PRICE) + 1
        return await _sale(session, "H", row[1], copies)


async def _sale(
    session: AsyncSession, series: str, member_number: str, copies: int
) -> ShowcaseSale:
    total = f"{copies * SHOWCASE_PRICE:.2f}"
    now = clock.now()
    number = f"{series}{now:%Y%m%d%H%M%S}"
    row = (
        await session.execute(
            select(
                col(SourceSecret.secret),
                col(Store.code),
                col(Customer.name),
                col(Source.currency),
            )
            .join(Source, col(Source.id) == col(SourceSecret.source_id))
            .join(Store, col(Store.id) == col(Source.store_id))
            .join(
                Identity,
                (col(Identity.kind) == IdentityKind.MEMBER_NUMBER)
                & (col(Identity.value) == member_number),
            )
            .join(Customer, col(Customer.id) == col(Identity.customer_id))
            .where(col(Source.code) == SHOWCASE_SOURCE, col(SourceSecret.revoked_at).is_(None))
            .limit(1)
        )
    ).first()
    sku = await session.scalar(
        select(col(Product.sku))
        .where(col(Product.category) == "literature", col(Product.list_price) == SHOWCASE_PRICE)
        .order_by(col(Product.sku))
        .limit(1)
    )
    if row is None or sku is None:
        raise LookupError("the demo chain is not in this database")
    return ShowcaseSale(
        source_code=SHOWCASE_SOURCE,
        secret=row[0],
        customer_name=row[2],
        event={
            "type": "sale",
            "event_id": f"{SHOWCASE_SOURCE}-{number}",
            "occurred_at": now.isoformat(timespec="seconds"),
            "store": row[1],
            "receipt_number": number,
            "currency": row[3],
            "customer": {"kind": "member_number", "value": member_number},
            "lines": [
                {
                    "line_number": 1,
                    "sku": sku,
                    "quantity": str(copies),
                    "unit_price": f"{SHOWCASE_PRICE:.2f}",
                    "amount": total,
                }
            ],
            "total": total,
        },
    )
