"""Pairs of cards as they are read: the work list, one pair, the pairs of one card."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Integer, Select, Uuid, and_, literal, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.models import Customer, DuplicatePair
from app.vocabulary import CustomerStatus, DuplicateState

First, Second = aliased(Customer, name="first"), aliased(Customer, name="second")
ListedPair = tuple[DuplicatePair, Customer, Customer]
Position = Sequence[Any]
"""Score, first id, second id of the last pair."""
_USABLE: Final = (CustomerStatus.ACTIVE, CustomerStatus.ARCHIVED)


@dataclass(frozen=True, slots=True)
class PairFilters:
    """What a list of pairs is narrowed to; None leaves a part open."""

    state: DuplicateState | None = None
    min_score: int | None = None
    home_store_id: UUID | None = None
    customer_id: UUID | None = None


async def list_pairs(
    session: AsyncSession, filters: PairFilters, after: Position | None, limit: int
) -> list[ListedPair]:
    """Return the pairs after a place, those that look most alike first, with both cards.

    Open pairs of which a card has been merged or erased meanwhile are left out.
    """
    pair = DuplicatePair
    statement = (
        pairs(filters)
        .order_by(col(pair.score).desc(), col(pair.first_id).desc(), col(pair.second_id).desc())
        .limit(limit)
    )
    if after is not None:
        score, first_id, second_id = after
        statement = statement.where(
            tuple_(col(pair.score), col(pair.first_id), col(pair.second_id))
            < tuple_(
                literal(score, Integer()),
                literal(UUID(str(first_id)), Uuid()),
                literal(UUID(str(second_id)), Uuid()),
            )
        )
    return [(row[0], row[1], row[2]) for row in await session.execute(statement)]


def pairs(filters: PairFilters) -> Select[DuplicatePair, Customer, Customer]:
    """Return the statement of the pairs that are wanted, with both cards, in no order."""
    pair = DuplicatePair
    statement = _pairs()
    if filters.state is not None:
        statement = statement.where(col(pair.state) == filters.state)
    if filters.min_score is not None:
        statement = statement.where(col(pair.score) >= filters.min_score)
    if filters.home_store_id is not None:
        statement = statement.where(
            or_(
                col(First.home_store_id) == filters.home_store_id,
                col(Second.home_store_id) == filters.home_store_id,
            )
        )
    if filters.customer_id is not None:
        statement = statement.where(
            or_(
                col(pair.first_id) == filters.customer_id,
                col(pair.second_id) == filters.customer_id,
            )
        )
    return statement


def position_of(listed: ListedPair) -> list[Any]:
    """Return the place of a pair in a list, for a cursor."""
    pair = listed[0]
    return [pair.score, str(pair.first_id), str(pair.second_id)]


async def find_pair(session: AsyncSession, first_id: UUID, second_id: UUID) -> ListedPair | None:
    """Return a pair with both cards, whatever has become of them."""
    pair = DuplicatePair
    found = await session.execute(
        _pairs(only_usable=False).where(
            col(pair.first_id) == first_id, col(pair.second_id) == second_id
        )
    )
    row = found.first()
    return None if row is None else (row[0], row[1], row[2])


def _pairs(*, only_usable: bool = True) -> Select[DuplicatePair, Customer, Customer]:
    pair = DuplicatePair
    statement = (
        select(pair, First, Second)
        .join(First, col(First.id) == col(pair.first_id))
        .join(Second, col(Second.id) == col(pair.second_id))
        .execution_options(populate_existing=True)
    )
    if only_usable:
        statement = statement.where(
            or_(
                col(pair.state) != DuplicateState.OPEN,
                and_(col(First.status).in_(_USABLE), col(Second.status).in_(_USABLE)),
            )
        )
    return statement


async def decide_pair(
    session: AsyncSession,
    first_id: UUID,
    second_id: UUID,
    *,
    state: DuplicateState,
    note: str | None,
    at: datetime,
    by_id: UUID | None,
) -> None:
    """Write what somebody decided about a pair that is there; a later decision counts."""
    await session.execute(
        update(DuplicatePair)
        .where(col(DuplicatePair.first_id) == first_id, col(DuplicatePair.second_id) == second_id)
        .values(state=state, note=note, decided_at=at, decided_by_id=by_id)
        .execution_options(synchronize_session=False)
    )
