"""What stands of consent, its history, and whom the chain may reach: the rule's twin in SQL."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, insert, literal, select, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.models import ConsentRecord, Customer, CustomerConsent
from app.rules.consent import Said, Subject
from app.vocabulary import ConsentChannel, ConsentPurpose, ConsentState, CustomerStatus

Place = tuple[datetime, UUID]
"""Where a page of the history ends: when it was stated, and the record's id."""


async def standing_of_card(session: AsyncSession, customer_id: UUID) -> dict[Subject, Said]:
    """Return what stands for a card."""
    rows = await session.scalars(
        select(CustomerConsent)
        .where(col(CustomerConsent.customer_id) == customer_id)
        .execution_options(populate_existing=True)
    )
    return {(row.purpose, row.channel): Said(row.state, row.since, row.record_id) for row in rows}


async def write_records(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Add statements to the history."""
    await session.execute(insert(ConsentRecord).values(list(rows)))


async def put_standing(
    session: AsyncSession, customer_id: UUID, standing: Sequence[tuple[Subject, Said]]
) -> None:
    """Let these statements stand; the caller holds the card's lock."""
    statement = upsert(CustomerConsent).values(
        [
            {
                "customer_id": customer_id,
                "purpose": purpose,
                "channel": channel,
                "state": said.state,
                "since": said.stated_at,
                "record_id": said.record_id,
            }
            for (purpose, channel), said in standing
        ]
    )
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["customer_id", "purpose", "channel"],
            set_={name: statement.excluded[name] for name in ("state", "since", "record_id")},
        )
    )


async def list_records(
    session: AsyncSession, customer_id: UUID, after: Place | None, limit: int
) -> Sequence[ConsentRecord]:
    """Return statements of a card, the latest stated first."""
    position = (col(ConsentRecord.stated_at), col(ConsentRecord.id))
    query = select(ConsentRecord).where(col(ConsentRecord.customer_id) == customer_id)
    if after is not None:
        query = query.where(tuple_(*position) < tuple_(*after))
    query = query.order_by(*(part.desc() for part in position)).limit(limit)
    return (await session.scalars(query)).all()


def allowed_customers(
    purpose: ConsentPurpose, channel: ConsentChannel, unasked: Collection[ConsentPurpose]
) -> Select[UUID]:
    """Return the statement that selects the ids of cards in use that the chain may reach so.

    It decides as :func:`app.rules.consent.decide` does, for all cards at once, and can be narrowed
    or joined. Cards that are archived, merged or erased are nobody to reach.
    """
    for_channel, for_any = aliased(CustomerConsent), aliased(CustomerConsent)
    # Asked about the purpose as a whole, what was said for one channel does not count.
    particular = None if channel is ConsentChannel.ANY else channel
    return (
        select(col(Customer.id))
        .outerjoin(for_channel, _says(for_channel, purpose, particular))
        .outerjoin(for_any, _says(for_any, purpose, ConsentChannel.ANY))
        .where(
            col(Customer.status) == CustomerStatus.ACTIVE,
            case(
                (col(for_channel.state) == ConsentState.WITHDRAWN, False),
                (
                    and_(
                        col(for_any.state) == ConsentState.WITHDRAWN,
                        col(for_channel.since).is_(None)
                        | (col(for_any.since) >= col(for_channel.since)),
                    ),
                    False,
                ),
                (col(for_channel.state).is_not(None) | col(for_any.state).is_not(None), True),
                else_=literal(purpose in unasked),
            ),
        )
    )


def _says(
    consent: Any, purpose: ConsentPurpose, channel: ConsentChannel | None
) -> ColumnElement[bool]:
    return and_(
        consent.customer_id == col(Customer.id),
        consent.purpose == purpose,
        literal(False) if channel is None else consent.channel == channel,
    )
