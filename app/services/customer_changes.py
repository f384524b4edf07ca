"""How a card changes: one version after the other, each with its history, told to who must know."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    PreconditionFailedError,
)
from app.core.ids import new_id
from app.models import Customer, CustomerChange
from app.queries import customers as queries
from app.rules.access import Actor
from app.schemas.customers import Card
from app.services.survivors import card_erased, surviving_id
from app.services.trail import announce, record_action
from app.vocabulary import Action, CustomerStatus, DomainEvent

Changes = Mapping[str, tuple[Any, Any]]
"""For each field what it was and what it becomes, as JSON values."""


async def get_customer(session: AsyncSession, customer_id: UUID) -> Card:
    """Return a card.

    Raises:
        NotFoundError: no such card.
    """
    card = await queries.find_card(session, customer_id)
    if card is None:
        raise card_not_found()
    return card


async def get_for_change(
    session: AsyncSession, actor: Actor, customer_id: UUID, seen: int
) -> Customer:
    """Return the card that the actor has seen in version ``seen`` and may change.

    Raises:
        NotFoundError: no such card.
        GoneError: the person's data were erased.
        ConflictError: it was merged into another (409 ``card-merged``), which is named.
        ForbiddenError: its home store is not among the actor's.
        PreconditionFailedError: it is in another version, with the fields that differ.
    """
    customer = await get_standing(session, customer_id)
    check_store(actor, customer.home_store_id)
    if customer.version != seen:
        raise await _stale(session, customer_id, seen)
    return customer


async def get_standing(
    session: AsyncSession, customer_id: UUID, *, and_keep: bool = False
) -> Customer:
    """Return a card that stands for somebody: neither merged into another nor erased.

    With ``and_keep`` it is neither before the transaction ends, whoever wants it meanwhile.

    Raises:
        NotFoundError: no such card.
        GoneError: the person's data were erased.
        ConflictError: it was merged into another (409 ``card-merged``), which is named.
    """
    query = select(Customer).where(col(Customer.id) == customer_id)
    if and_keep:
        # A merge and an erasure lock their cards FOR UPDATE; other changes go on.
        query = query.with_for_update(read=True, key_share=True)
    customer = await session.scalar(query.execution_options(populate_existing=True))
    if customer is None:
        raise card_not_found()
    if customer.status is CustomerStatus.ERASED:
        raise card_erased()
    if customer.merged_into_id is not None:
        raise card_merged(await surviving_id(session, customer_id))
    return customer


def check_store(actor: Actor, home_store_id: UUID | None) -> None:
    """Let pass who may change cards of this home store.

    Raises:
        ForbiddenError: the actor is bound to other stores.
    """
    if not actor.reaches_store(home_store_id):
        raise ForbiddenError(
            "You may change cards of your own stores, and cards without a home store.",
            detail_zh="您只能修改所属门店的客户卡，以及没有归属门店的客户卡。",
        )


def check_active(customer: Customer) -> None:
    """Let pass cards that are in use.

    Raises:
        ConflictError: the card is archived (409 ``invalid-transition``).
    """
    if customer.status is not CustomerStatus.ACTIVE:
        raise ConflictError(
            "The card is archived; restore it first.",
            code="invalid-transition",
            detail_zh="该客户卡已归档，请先恢复。",
        )


def card_not_found() -> NotFoundError:
    """Return the error for a card that is not there."""
    return NotFoundError("There is no such card.", detail_zh="没有这张客户卡。")


def card_merged(survivor_id: UUID) -> ConflictError:
    """Return the error for a change of a card that was merged into another."""
    return ConflictError(
        "The card was merged into another one; change that one.",
        code="card-merged",
        detail_zh="该客户卡已并入另一张客户卡，请修改后者。",
        members={"surviving_customer_id": str(survivor_id)},
    )


async def write_change(
    session: AsyncSession,
    actor: Actor,
    customer: Customer,
    values: Mapping[str, Any],
    changes: Changes,
    *,
    at: datetime,
    action: Action = Action.CHANGED,
    event: DomainEvent = DomainEvent.CUSTOMER_UPDATED,
    payload: Mapping[str, object] | None = None,
) -> None:
    """Write the next version over the one that ``customer`` was read in, with its history.

    The version is compared by the statement that writes: of several changes of one version one
    is written.

    Raises:
        PreconditionFailedError: another change was faster.
    """
    seen = customer.version
    if not await queries.replace_version(session, customer.id, seen, {**values, "updated_at": at}):
        raise await _stale(session, customer.id, seen)
    await write_history(
        session,
        actor,
        customer.id,
        seen + 1,
        changes,
        at=at,
        action=action,
        event=event,
        payload=payload,
    )


async def write_history(
    session: AsyncSession,
    actor: Actor,
    customer_id: UUID,
    version: int,
    changes: Changes,
    *,
    at: datetime,
    action: Action,
    event: DomainEvent,
    payload: Mapping[str, object] | None = None,
) -> None:
    """Write what made a version into history, audit trail (names only) and outbox (names only).

    ``payload`` are further members of what the outbox tells: ids and codes.
    """
    await session.execute(
        insert(CustomerChange).values(
            customer_id=customer_id,
            id=new_id(),
            version=version,
            changed_at=at,
            actor_kind=actor.kind,
            actor_id=actor.id,
            changes={field: list(pair) for field, pair in changes.items()},
        )
    )
    await record_action(session, actor, action, "customer", customer_id, changes)
    await announce(
        session,
        event,
        customer_id,
        customer_id=customer_id,
        payload={"version": version, "fields": sorted(changes), **(payload or {})},
    )


async def _stale(session: AsyncSession, customer_id: UUID, seen: int) -> PreconditionFailedError:
    return PreconditionFailedError(
        "The card has changed since the version you have seen.",
        detail_zh="该客户卡在您读取之后已被修改。",
        members={"changed_fields": await queries.changed_fields_since(session, customer_id, seen)},
    )
