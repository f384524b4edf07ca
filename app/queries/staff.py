"""Staff with the shops they are bound to, and the hand-over of their cards."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core.ids import new_id
from app.models import Staff, StaffStore
from app.queries import outbox
from app.rules.access import Actor
from app.vocabulary import Action, DomainEvent, Role


def with_stores() -> Select[Staff, list[UUID]]:
    """Select staff, each with the ids of their shops in order."""
    stores = (
        select(
            func.coalesce(
                func.array_agg(col(StaffStore.store_id)).aggregate_order_by(
                    col(StaffStore.store_id)
                ),
                [],
            )
        )
        .where(col(StaffStore.staff_id) == col(Staff.id))
        .scalar_subquery()
    )
    return select(Staff, stores).execution_options(populate_existing=True)


def works_in(store_id: UUID) -> Any:
    """Return the condition that a member of staff is bound to a shop."""
    return exists().where(
        col(StaffStore.staff_id) == col(Staff.id), col(StaffStore.store_id) == store_id
    )


async def share_a_store(session: AsyncSession, staff_id: UUID, store_ids: Sequence[UUID]) -> bool:
    """Tell whether a member of staff is bound to one of these shops."""
    return bool(
        await session.scalar(
            select(
                exists().where(
                    col(StaffStore.staff_id) == staff_id, col(StaffStore.store_id).in_(store_ids)
                )
            )
        )
    )


async def lock_with_enabled_admins(session: AsyncSession, staff_id: UUID) -> list[Staff]:
    """Lock one account and every enabled administrator's, in the order of their ids.

    The order lets two who take away each other's rights wait rather than deadlock; who waited
    sees what the first one did.
    """
    rows = await session.scalars(
        select(Staff)
        .where(
            or_(
                col(Staff.id) == staff_id,
                (col(Staff.role) == Role.ADMIN) & col(Staff.disabled_at).is_(None),
            )
        )
        .order_by(col(Staff.id))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return list(rows)


_LOCK_CARDS = """
SELECT id FROM customer WHERE owner_staff_id = $1 ORDER BY id FOR NO KEY UPDATE
"""
_MOVE_CARDS = """
UPDATE customer SET owner_staff_id = $2, version = version + 1, updated_at = $3
WHERE id = ANY($1) RETURNING id, version
"""
_WRITE_HISTORY = """
INSERT INTO customer_change
    (customer_id, id, version, changed_at, actor_kind, actor_id, changes)
SELECT customer_id, id, version, $4, $5, $6, $7
FROM unnest($1::uuid[], $2::uuid[], $3::int[]) AS r (customer_id, id, version)
"""
_WRITE_AUDIT = """
INSERT INTO audit_entry
    (id, at, actor_kind, actor_id, action, object_type, object_id, fields, request_id)
SELECT id, $3, $4, $5, $6, 'customer', object_id, ARRAY['owner_staff_id'], $7
FROM unnest($1::uuid[], $2::uuid[]) AS r (id, object_id)
"""


async def hand_over_cards(
    connection: "asyncpg.Connection[Any]",
    actor: Actor,
    from_staff_id: UUID,
    to_staff_id: UUID,
    at: datetime,
) -> int:
    """Give all cards of one member of staff to another; return how many.

    Five statements however many cards there are: cards are locked in the order of their ids, then
    moved, then each gets its history, its audit entry and its event.
    """
    cards = [row["id"] for row in await connection.fetch(_LOCK_CARDS, from_staff_id)]
    if not cards:
        return 0
    moved = await connection.fetch(_MOVE_CARDS, cards, to_staff_id, at)
    cards = [row["id"] for row in moved]
    versions = [row["version"] for row in moved]
    changed = {"owner_staff_id": [str(from_staff_id), str(to_staff_id)]}
    await connection.execute(
        _WRITE_HISTORY,
        cards,
        [new_id() for _ in cards],
        versions,
        at,
        str(actor.kind),
        actor.id,
        orjson.dumps(changed).decode(),
    )
    await connection.execute(
        _WRITE_AUDIT,
        [new_id() for _ in cards],
        cards,
        at,
        str(actor.kind),
        actor.id,
        str(Action.HANDED_OVER),
        actor.request_id,
    )
    await outbox.write(
        connection,
        at,
        [
            {
                "id": new_id(),
                "type": str(DomainEvent.CUSTOMER_UPDATED),
                "customer_id": card,
                "subject_id": card,
                "payload": {"version": version, "fields": ["owner_staff_id"]},
            }
            for card, version in zip(cards, versions, strict=True)
        ],
    )
    return len(cards)
