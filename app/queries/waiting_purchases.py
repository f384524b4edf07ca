"""Receipts that wait for a card, and their move to it. Set-based, raw asyncpg."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.queries.purchase_ingest import LINE_COLUMNS, LINE_FIELDS, RECEIPT_COLUMNS

_NUMBERS = """
SELECT u.source_id, u.receipt_key
FROM unattached_purchase AS u
JOIN unnest($1::text[], $2::text[], $3::text[]) AS w (kind, system, value)
    ON u.awaits_kind = w.kind AND u.awaits_system = w.system AND u.awaits_value = w.value
"""
_LOCK_NUMBERS = """
SELECT r.source_id
FROM receipt AS r
WHERE (r.source_id, r.receipt_key) IN (
    SELECT source_id, receipt_key FROM unnest($1::uuid[], $2::text[])
        AS w (source_id, receipt_key))
ORDER BY r.source_id, r.receipt_key
FOR NO KEY UPDATE OF r
"""
_AWAITING = """
SELECT u.id, u.source_id, u.event_id, u.kind, u.status, u.business_day, u.occurred_at, u.amount,
    u.refund_of_id, u.receipt_key
FROM unattached_purchase AS u
JOIN unnest($1::text[], $2::text[], $3::text[]) AS w (kind, system, value)
    ON u.awaits_kind = w.kind AND u.awaits_system = w.system AND u.awaits_value = w.value
ORDER BY u.id FOR UPDATE OF u
"""
# Sales before refunds, which refer to them.
_MOVE = f"""
INSERT INTO purchase (customer_id, voided_at, {RECEIPT_COLUMNS})
SELECT $2, voided_at, {RECEIPT_COLUMNS}
FROM unattached_purchase WHERE id = ANY($1::uuid[])
ORDER BY kind DESC, id
"""  # noqa: S608 - built from constants, and numbers of our own
_MOVE_LINES = f"""
INSERT INTO purchase_line (customer_id, purchase_id, {LINE_COLUMNS})
SELECT $2, u.id, {", ".join(f"l.{name.strip()}" for name in LINE_COLUMNS.split(","))}
FROM unattached_purchase AS u, jsonb_to_recordset(u.lines) AS l ({LINE_FIELDS})
WHERE u.id = ANY($1::uuid[])
"""  # noqa: S608 - built from constants, and numbers of our own
_MOVED_RECEIPTS = """
UPDATE receipt AS r SET customer_id = $3
FROM unnest($1::uuid[], $2::text[]) AS w (source_id, receipt_key)
WHERE r.source_id = w.source_id AND r.receipt_key = w.receipt_key
"""
_MOVED_EVENTS = """
UPDATE pos_event AS e SET customer_id = $3, status = 'applied', applied_at = $4
FROM unnest($1::uuid[], $2::text[]) AS w (source_id, event_id)
WHERE e.source_id = w.source_id AND e.event_id = w.event_id AND e.status = 'awaiting_customer'
"""
_REMOVE_MOVED = "DELETE FROM unattached_purchase WHERE id = ANY($1::uuid[])"
# The identity's row is where a sale and a card meet, and is locked before the receipts, as both do.
_LOCK_OLD = """
SELECT i.kind, i.system, i.value FROM identity AS i
WHERE i.customer_id IS NULL AND (i.kind, i.system, i.value) IN (
    SELECT awaits_kind, awaits_system, awaits_value FROM unattached_purchase
    WHERE awaits_kind IS NOT NULL AND recorded_at <= $1 LIMIT $2)
ORDER BY i.kind, i.system, i.value FOR UPDATE OF i
"""
_STOP_WAITING = """
UPDATE unattached_purchase AS u
SET awaits_kind = NULL, awaits_system = NULL, awaits_value = NULL
FROM unnest($1::text[], $2::text[], $3::text[]) AS w (kind, system, value)
WHERE u.awaits_kind = w.kind AND u.awaits_system = w.system AND u.awaits_value = w.value
    AND u.recorded_at <= $4
RETURNING u.source_id, u.event_id
"""
_EVENTS_OF_NOBODY = """
UPDATE pos_event AS e
SET status = 'applied', applied_at = $3, body = e.body - 'customer', body_hash = ''
FROM unnest($1::uuid[], $2::text[]) AS w (source_id, event_id)
WHERE e.source_id = w.source_id AND e.event_id = w.event_id AND e.status = 'awaiting_customer'
"""
_LOCK_AWAITED = """
SELECT i.kind FROM identity AS i
WHERE i.customer_id IS NULL AND (i.kind, i.system, i.value) IN (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) AS w (kind, system, value))
ORDER BY i.kind, i.system, i.value FOR UPDATE OF i
"""
_FORGET_AWAITED = """
DELETE FROM identity AS i
USING unnest($1::text[], $2::text[], $3::text[]) AS w (kind, system, value)
WHERE i.kind = w.kind AND i.system = w.system AND i.value = w.value AND i.customer_id IS NULL
    AND NOT EXISTS (
        SELECT FROM unattached_purchase AS u
        WHERE u.awaits_kind = i.kind AND u.awaits_system = i.system AND u.awaits_value = i.value)
    AND NOT EXISTS (
        SELECT FROM unattached_interaction AS u
        WHERE u.awaits_kind = i.kind AND u.awaits_system = i.system AND u.awaits_value = i.value)
"""


async def stop_waiting(connection: Any, before: datetime, at: datetime, limit: int) -> int:
    """Let receipts that were recorded by ``before`` wait no longer; return how many.

    A portion is that of ``limit`` receipts and of all as old that wait for the same. They go on
    counting for their store.
    """
    rows = await connection.fetch(_LOCK_OLD, before, limit)
    if not rows:
        return 0
    keys = [[row[name] for row in rows] for name in ("kind", "system", "value")]
    receipts = await connection.fetch(_STOP_WAITING, *keys, before)
    await connection.execute(
        _EVENTS_OF_NOBODY,
        [row["source_id"] for row in receipts],
        [row["event_id"] for row in receipts],
        at,
    )
    await connection.execute(_FORGET_AWAITED, *keys)
    return len(receipts)


async def lock_awaited(connection: Any, keys: Sequence[tuple[str, str, str]]) -> None:
    """Lock identities that no card has, so that nothing begins to wait for one meanwhile."""
    await connection.execute(_LOCK_AWAITED, *map(list, zip(*keys, strict=True)))


async def forget_awaited(connection: Any, keys: Sequence[tuple[str, str, str]]) -> None:
    """Forget locked identities that no card has, and for which nothing waits any more."""
    await connection.execute(_FORGET_AWAITED, *map(list, zip(*keys, strict=True)))


async def awaiting(connection: Any, keys: Sequence[tuple[str, str, str]]) -> list["asyncpg.Record"]:
    """Lock and return the receipts that wait for a card with one of these identities.

    Their numbers are locked before them, as refunds do: a refund that is being posted is waited
    for, and then found; one that comes later finds its sale on the card.
    """
    kinds, systems, values = (list(part) for part in zip(*keys, strict=True))
    numbers = await connection.fetch(_NUMBERS, kinds, systems, values)
    if not numbers:
        return []
    await connection.execute(
        _LOCK_NUMBERS,
        [row["source_id"] for row in numbers],
        [row["receipt_key"] for row in numbers],
    )
    return list(await connection.fetch(_AWAITING, kinds, systems, values))


async def move_to_card(
    connection: Any, at: datetime, customer_id: UUID, rows: Sequence["asyncpg.Record"]
) -> None:
    """Move waiting receipts to a card: receipts, lines, receipt numbers, events."""
    ids = [row["id"] for row in rows]
    sources = [row["source_id"] for row in rows]
    await connection.execute(_MOVE, ids, customer_id)
    await connection.execute(_MOVE_LINES, ids, customer_id)
    await connection.execute(
        _MOVED_RECEIPTS, sources, [row["receipt_key"] for row in rows], customer_id
    )
    await connection.execute(
        _MOVED_EVENTS, sources, [row["event_id"] for row in rows], customer_id, at
    )
    await connection.execute(_REMOVE_MOVED, ids)
