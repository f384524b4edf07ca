"""What files of lists need beyond the lists: names of the chain's own fields, values in full."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.models import CustomerIdentity, CustomField, Interaction, Purchase


async def custom_fields(session: AsyncSession) -> Sequence[CustomField]:
    """Return the chain's own fields that are in use, in the order of their forms."""
    found = await session.scalars(
        select(CustomField)
        .where(col(CustomField.archived_at).is_(None))
        .order_by(col(CustomField.scope), col(CustomField.position), col(CustomField.code))
    )
    return found.all()


async def identity_values(
    session: AsyncSession, customer_ids: Sequence[UUID]
) -> Mapping[UUID, str]:
    """Return the values of these cards' identities in full, by the identity's id."""
    found = await session.execute(
        select(col(CustomerIdentity.id), col(CustomerIdentity.value)).where(
            col(CustomerIdentity.customer_id).in_(customer_ids)
        )
    )
    return dict(found.all())


def receipts(
    customer_id: UUID | None, store_id: UUID | None, first: date | None, last: date | None
) -> Select[Any]:
    """Return the statement of receipts so narrowed, in no order."""
    conditions: list[ColumnElement[bool]] = []
    if customer_id is not None:
        conditions.append(col(Purchase.customer_id) == customer_id)
    if store_id is not None:
        conditions.append(col(Purchase.store_id) == store_id)
    if first is not None:
        conditions.append(col(Purchase.business_day) >= first)
    if last is not None:
        conditions.append(col(Purchase.business_day) <= last)
    return select(Purchase).where(*conditions)


async def receipts_after(
    session: AsyncSession, statement: Select[Any], place: Sequence[Any] | None, limit: int
) -> Sequence[Purchase]:
    """Return receipts by store, then by day, as they were recorded.

    That is the order of an index, but within one store's day: however many receipts there are, a
    page sorts no more than a day's.
    """
    order = (col(Purchase.store_id), col(Purchase.business_day), col(Purchase.id))
    if place is not None:
        statement = statement.where(tuple_(*order) > tuple_(*place))
    return (await session.scalars(statement.order_by(*order).limit(limit))).all()


async def receipts_before(
    session: AsyncSession, statement: Select[Any], place: Sequence[Any] | None, limit: int
) -> Sequence[Purchase]:
    """Return receipts of one card, newest first, as its list has them."""
    order = (col(Purchase.occurred_at), col(Purchase.id))
    if place is not None:
        statement = statement.where(tuple_(*order) < tuple_(*place))
    newest_first = (part.desc() for part in order)
    return (await session.scalars(statement.order_by(*newest_first).limit(limit))).all()


async def contacts_after(
    session: AsyncSession, statement: Select[Any], place: Sequence[Any] | None, limit: int
) -> Sequence[Interaction]:
    """Return contacts by day, as they were recorded: the order of an index, of a store's too."""
    order = (col(Interaction.business_day), col(Interaction.id))
    if place is not None:
        statement = statement.where(tuple_(*order) > tuple_(*place))
    return (await session.scalars(statement.order_by(*order).limit(limit))).all()


async def contacts_before(
    session: AsyncSession, statement: Select[Any], place: Sequence[Any] | None, limit: int
) -> Sequence[Interaction]:
    """Return contacts with one card, newest first, as its list has them."""
    order = (col(Interaction.occurred_at), col(Interaction.id))
    if place is not None:
        statement = statement.where(tuple_(*order) < tuple_(*place))
    newest_first = (part.desc() for part in order)
    return (await session.scalars(statement.order_by(*newest_first).limit(limit))).all()
