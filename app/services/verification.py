"""When somebody last made sure that a card is true, and which cards are due for it."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.queries import verification as queries
from app.queries.verification import DueFilters
from app.rules.access import Actor
from app.schemas.customers import Card
from app.services.changes import page_of
from app.services.customer_changes import check_active, get_customer, get_for_change, write_change
from app.vocabulary import Action


async def verify_customer(
    session: AsyncSession, actor: Actor, settings: Settings, customer_id: UUID, seen: int
) -> Card:
    """Note that the actor made sure today that a card is true; a second time makes no version.

    Raises:
        NotFoundError, ForbiddenError, PreconditionFailedError: as for every change of a card.
        ConflictError: the card is archived.
    """
    customer = await get_for_change(session, actor, customer_id, seen)
    check_active(customer)
    today = clock.today(settings.zone)
    if (customer.verified_on, customer.verified_by_id) != (today, actor.id):
        await write_change(
            session,
            actor,
            customer,
            {"verified_on": today, "verified_by_id": actor.id},
            {
                "verified_on": (_text(customer.verified_on), _text(today)),
                "verified_by_id": (_text(customer.verified_by_id), _text(actor.id)),
            },
            at=clock.now(),
            action=Action.VERIFIED,
        )
    return await get_customer(session, customer_id)


async def list_due_for_verification(
    session: AsyncSession,
    settings: Settings,
    filters: DueFilters,
    *,
    limit: int,
    after: Sequence[Any] | None,
) -> tuple[list[Card], list[Any] | None]:
    """Return a page of cards in use that nobody verified for so long as the settings say.

    Cards that were never verified come first, then those that were verified longest ago.
    """
    last = clock.today(settings.zone) - timedelta(days=settings.verification_days)
    cards = await queries.list_due(session, filters, last, after, limit + 1)
    return page_of(cards, limit, lambda card: [_text(card.verified_on), str(card.id)])


def _text(value: date | UUID | None) -> str | None:
    return None if value is None else str(value)
