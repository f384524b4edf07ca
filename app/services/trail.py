"""The audit trail and the outbox: written in the transaction of what they tell."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.ids import new_id
from app.models import AuditEntry, OutboxEvent
from app.rules.access import Actor
from app.vocabulary import Action, DomainEvent


async def record_action(
    session: AsyncSession,
    actor: Actor,
    action: Action,
    object_type: str,
    object_id: UUID,
    fields: Iterable[str] = (),
) -> None:
    """Write who did what to which object; names of fields only, never values."""
    await session.execute(
        insert(AuditEntry).values(
            id=new_id(),
            at=clock.now(),
            actor_kind=actor.kind,
            actor_id=actor.id,
            action=action,
            object_type=object_type,
            object_id=object_id,
            fields=sorted(fields),
            request_id=actor.request_id,
        )
    )


async def announce(
    session: AsyncSession,
    event: DomainEvent,
    subject_id: UUID,
    *,
    customer_id: UUID | None = None,
    payload: Mapping[str, object] | None = None,
) -> None:
    """Put a domain event into the outbox; ids and codes only, nothing personal."""
    await session.execute(
        insert(OutboxEvent).values(
            id=new_id(),
            type=event,
            occurred_at=clock.now(),
            customer_id=customer_id,
            subject_id=subject_id,
            payload=dict(payload or {}),
        )
    )
