"""Cards that are due for verification, in the order in which somebody should look at them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Date, Uuid, literal, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.models import Customer
from app.queries.customers import cards, whole_cards
from app.schemas.customers import Card
from app.vocabulary import CustomerStatus


@dataclass(frozen=True, slots=True)
class DueFilters:
    """What the list is narrowed to; None leaves a part open."""

    home_store_id: UUID | None = None
    owner_staff_id: UUID | None = None

    def listing(self) -> dict[str, Any]:
        """Return what a cursor is good for."""
        return {"list": "due-for-verification", **asdict(self)}


async def list_due(
    session: AsyncSession,
    filters: DueFilters,
    last: date,
    after: Sequence[Any] | None,
    limit: int,
) -> list[Card]:
    """Return cards in use that were never verified, then those verified on ``last`` or before.

    Two statements where both kinds stand on the page: each is read in the order of an index.
    """
    found: list[Card] = []
    if after is None or after[0] is None:
        never = _due(filters, limit).where(col(Customer.verified_on).is_(None))
        if after is not None:
            never = never.where(col(Customer.id) > UUID(after[1]))
        found = await whole_cards(session, never)
        after = None
    if len(found) == limit:
        return found
    long_ago = _due(filters, limit - len(found)).where(col(Customer.verified_on) <= last)
    if after is not None:
        place = tuple_(
            literal(date.fromisoformat(after[0]), Date()), literal(UUID(after[1]), Uuid())
        )
        long_ago = long_ago.where(tuple_(col(Customer.verified_on), col(Customer.id)) > place)
    return [*found, *await whole_cards(session, long_ago)]


def _due(filters: DueFilters, limit: int) -> Any:
    wanted: list[ColumnElement[bool]] = [col(Customer.status) == CustomerStatus.ACTIVE]
    if filters.home_store_id is not None:
        wanted.append(col(Customer.home_store_id) == filters.home_store_id)
    if filters.owner_staff_id is not None:
        wanted.append(col(Customer.owner_staff_id) == filters.owner_staff_id)
    return cards().where(*wanted).order_by(col(Customer.verified_on), col(Customer.id)).limit(limit)
