"""Show masked values in full, to who may and says why."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.errors import ForbiddenError
from app.core.ids import new_id
from app.models import Customer, CustomerContact, CustomerIdentity, Disclosure
from app.rules.access import Actor
from app.schemas.disclosures import (
    Disclosed,
    DisclosureRead,
    DisclosureRequest,
    WholeContact,
    WholeIdentity,
)
from app.services.changes import page_of, unacceptable
from app.services.customer_changes import card_not_found, get_standing
from app.services.trail import record_action
from app.vocabulary import Action


async def disclose(
    session: AsyncSession, actor: Actor, customer_id: UUID, wanted: DisclosureRequest
) -> Disclosed:
    """Return what is wanted in full, and write down who saw it and why.

    Raises:
        NotFoundError, GoneError, ConflictError: no such card, erased, or merged.
        ForbiddenError: its home store is not among the actor's.
        InvalidInputError: the card has no identity of one of the ids.
    """
    customer = await get_standing(session, customer_id, and_keep=True)
    check_reach(actor, customer)
    identities = contacts = None
    if "identities" in wanted.fields:
        identities = await _identities(session, customer_id, wanted.identity_ids)
    if "contacts" in wanted.fields:
        contacts = await _contacts(session, customer_id)
    row = await record_disclosure(
        session, actor, Action.DISCLOSED, customer_id, sorted(set(wanted.fields)), wanted.reason
    )
    return Disclosed(
        id=row["id"], disclosed_at=row["disclosed_at"], identities=identities, contacts=contacts
    )


async def record_disclosure(
    session: AsyncSession,
    actor: Actor,
    action: Action,
    customer_id: UUID,
    fields: Sequence[str],
    reason: str,
) -> dict[str, Any]:
    """Write down who is shown what and why; the audit trail names the fields only."""
    row = {
        "customer_id": customer_id,
        "id": new_id(),
        "fields": list(fields),
        "reason": reason,
        "disclosed_at": clock.now(),
        "actor_kind": actor.kind,
        "actor_id": actor.id,
    }
    await session.execute(insert(Disclosure).values(row))
    await record_action(session, actor, action, "customer", customer_id, fields)
    return row


async def list_disclosures(
    session: AsyncSession, customer_id: UUID, *, limit: int, after: Sequence[Any] | None
) -> tuple[list[DisclosureRead], list[Any] | None]:
    """Return a page of a card's disclosures, newest first, and where the next page begins.

    Raises:
        NotFoundError: no such card.
    """
    place = (col(Disclosure.disclosed_at), col(Disclosure.id))
    query = select(Disclosure).where(col(Disclosure.customer_id) == customer_id)
    if after is not None:
        query = query.where(
            tuple_(*place) < tuple_(datetime.fromisoformat(after[0]), UUID(after[1]))
        )
    rows = await session.scalars(query.order_by(*(part.desc() for part in place)).limit(limit + 1))
    page, position = page_of(rows.all(), limit, lambda row: [row.disclosed_at, row.id])
    if not page and await session.get(Customer, customer_id) is None:
        raise card_not_found()
    return [
        DisclosureRead(**{name: getattr(row, name) for name in DisclosureRead.model_fields})
        for row in page
    ], position


def check_reach(actor: Actor, customer: Customer) -> None:
    """Let pass who may see this card's values in full.

    Raises:
        ForbiddenError: the actor is bound to other stores.
    """
    if not actor.reaches_store(customer.home_store_id):
        raise ForbiddenError(
            "You may see the values of cards of your own stores, and of cards without a store.",
            detail_zh="您只能查看所属门店以及没有归属门店的客户卡的完整信息。",
        )


async def _identities(
    session: AsyncSession, customer_id: UUID, wanted: Sequence[UUID] | None
) -> list[WholeIdentity]:
    rows = await session.scalars(
        select(CustomerIdentity)
        .where(col(CustomerIdentity.customer_id) == customer_id)
        .order_by(col(CustomerIdentity.id))
    )
    found = {row.id: row for row in rows}
    for index, identity_id in enumerate(wanted or ()):
        if identity_id not in found:
            raise unacceptable(
                f"/identity_ids/{index}",
                "unknown",
                "The card has no such identity.",
                "该客户卡没有此身份。",
            )
    return [
        WholeIdentity(
            id=row.id,
            kind=row.kind,
            system=row.system or None,
            value=row.value,
            label=row.label,
        )
        for row in found.values()
        if wanted is None or row.id in wanted
    ]


async def _contacts(session: AsyncSession, customer_id: UUID) -> list[WholeContact]:
    rows = await session.scalars(
        select(CustomerContact)
        .where(col(CustomerContact.customer_id) == customer_id)
        .order_by(col(CustomerContact.id))
    )
    return [
        WholeContact(id=row.id, name=row.name, phone=row.phone, email=row.email) for row in rows
    ]
