"""Notices of lower tiers, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Date, Uuid, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.models import Customer, TierNotice
from app.vocabulary import CustomerStatus, NoticeStatus


@dataclass(frozen=True, slots=True)
class NoticeFilters:
    """What the list is narrowed to; None leaves a part open."""

    status: NoticeStatus | None = None
    customer_id: UUID | None = None
    home_store_id: UUID | None = None
    owner_staff_id: UUID | None = None
    falls_by: date | None = None
    store_ids: frozenset[UUID] | None = None

    def listing(self) -> dict[str, Any]:
        """Return what a cursor is good for."""
        return {
            "list": "tier-notices",
            "status": self.status,
            "customer": self.customer_id,
            "store": self.home_store_id,
            "owner": self.owner_staff_id,
            "falls_by": self.falls_by,
            "stores": None if self.store_ids is None else sorted(map(str, self.store_ids)),
        }


async def list_notices(
    session: AsyncSession, filters: NoticeFilters, after: Sequence[Any] | None, limit: int
) -> list[tuple[TierNotice, UUID | None, UUID | None]]:
    """Return notices with their card's home store and dedicated member of staff.

    Left out are cards that were merged or erased: nobody can be told any more.
    """
    place = (col(TierNotice.noticed_on), col(TierNotice.id))
    query = (
        select(TierNotice, col(Customer.home_store_id), col(Customer.owner_staff_id))
        .join(Customer, col(Customer.id) == col(TierNotice.customer_id))
        .where(col(Customer.status).in_((CustomerStatus.ACTIVE, CustomerStatus.ARCHIVED)))
        .order_by(*(part.desc() for part in place))
        .limit(limit)
    )
    wanted = (
        (col(TierNotice.status), filters.status),
        (col(TierNotice.customer_id), filters.customer_id),
        (col(Customer.home_store_id), filters.home_store_id),
        (col(Customer.owner_staff_id), filters.owner_staff_id),
    )
    query = query.where(*(column == value for column, value in wanted if value is not None))
    if filters.falls_by is not None:
        query = query.where(col(TierNotice.falls_on) <= filters.falls_by)
    if filters.store_ids is not None:
        query = query.where(col(Customer.home_store_id).in_(filters.store_ids))
    if after is not None:
        day, notice_id = date.fromisoformat(after[0]), UUID(after[1])
        query = query.where(
            tuple_(*place) < tuple_(literal(day, Date()), literal(notice_id, Uuid()))
        )
    return [(row[0], row[1], row[2]) for row in await session.execute(query)]
