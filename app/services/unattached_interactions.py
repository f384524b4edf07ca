"""Contacts with callers whose card is not known: read, and attached by hand."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.core.errors import NotFoundError
from app.models import Interaction, UnattachedInteraction
from app.queries import customer_service_stats, interactions, waiting_purchases
from app.rules.access import Actor
from app.services.changes import page_of
from app.services.interaction_recording import tell
from app.services.interactions import find_interaction, lock_card
from app.services.survivors import surviving_id
from app.vocabulary import Action, DomainEvent


async def list_unattached(
    session: AsyncSession,
    *,
    store_id: UUID | None,
    after: Sequence[Any] | None,
    limit: int,
) -> tuple[list[UnattachedInteraction], list[Any] | None]:
    """Return a page of contacts without a card, newest first, and where the next one begins."""
    position = (col(UnattachedInteraction.occurred_at), col(UnattachedInteraction.id))
    query = select(UnattachedInteraction)
    if store_id is not None:
        query = query.where(col(UnattachedInteraction.store_id) == store_id)
    if after is not None:
        place = (datetime.fromisoformat(after[0]), UUID(after[1]))
        query = query.where(tuple_(*position) < tuple_(*place))
    query = query.order_by(*(part.desc() for part in position)).limit(limit + 1)
    rows = (await session.scalars(query)).all()
    return page_of(rows, limit, lambda row: [row.occurred_at.isoformat(), str(row.id)])


async def find_caller_contact(
    session: AsyncSession, interaction_id: UUID
) -> UnattachedInteraction | Interaction:
    """Return a contact without a card, or the one that it has become on its card.

    Raises:
        NotFoundError: there is none.
        GoneError: the person of its card was erased.
    """
    kept = await session.get(UnattachedInteraction, interaction_id, populate_existing=True)
    if kept is not None:
        return kept
    joined = await session.scalar(select(Interaction).where(col(Interaction.id) == interaction_id))
    if joined is None:
        raise NotFoundError("There is no such interaction.", detail_zh="没有这条互动。")
    # An erased card's contacts are figures, and nobody's to read.
    await surviving_id(session, joined.customer_id)
    return joined


async def get_unattached(session: AsyncSession, interaction_id: UUID) -> UnattachedInteraction:
    """Return a contact without a card.

    Raises:
        NotFoundError: there is none, or it has joined its card.
    """
    row = await session.get(UnattachedInteraction, interaction_id, populate_existing=True)
    if row is None:
        raise NotFoundError(
            "There is no such contact without a card.", detail_zh="没有这条未归户互动。"
        )
    return row


async def attach_interaction(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    interaction_id: UUID,
    customer_id: UUID,
) -> Interaction:
    """Move a contact to the card that somebody says it is of; to have done so already is fine.

    Raises:
        NotFoundError: no such card, or no such contact.
        ConflictError, GoneError: the card was merged into another one, or its person erased.
    """
    # The card before the contact, as whoever gives a card an identity locks them.
    connection = await raw_connection(session)
    await lock_card(session, customer_id)
    awaited = await interactions.lock_unattached(connection, interaction_id)
    if awaited is None:
        already = await find_interaction(session, customer_id, interaction_id)
        if already is None:
            await get_unattached(session, interaction_id)
            raise AssertionError("a contact came back")
        return already
    await move_to_card(session, actor, settings, customer_id, [interaction_id])
    if awaited:
        # Otherwise the caller's number would be kept for nothing, and outlive the card.
        await waiting_purchases.lock_awaited(connection, awaited)
        await waiting_purchases.forget_awaited(connection, awaited)
    moved = await find_interaction(session, customer_id, interaction_id)
    assert moved is not None
    return moved


async def move_to_card(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    customer_id: UUID,
    ids: Sequence[UUID],
) -> None:
    """Move locked contacts to a locked card, count them, and tell who must know."""
    connection = await raw_connection(session)
    now = clock.now()
    await interactions.move_to_card(connection, customer_id, ids)
    today = clock.business_day(now, settings.zone)
    await customer_service_stats.refresh(connection, today, [customer_id])
    await tell(
        connection, actor, now, DomainEvent.INTERACTION_CHANGED, Action.ATTACHED,
        [(one, customer_id, {}) for one in ids], ["customer_id"],
    )  # fmt: skip
