"""Receipts that refunds and voids take back. Set-based, raw asyncpg."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

_OWNED_ORIGINALS = """
SELECT p.customer_id, p.id, p.kind, p.status, p.amount, p.business_day, p.refund_of_id,
    (SELECT jsonb_agg(to_jsonb(l) || jsonb_build_object(
        -- As text: a JSON number would come back as a float.
        'quantity', l.quantity::text, 'unit_price', l.unit_price::text,
        'amount', l.amount::text, 'unit_cost', l.unit_cost::text) ORDER BY l.line_number)
     FROM purchase_line AS l
     WHERE l.customer_id = p.customer_id AND l.purchase_id = p.id) AS lines,
    (SELECT jsonb_agg(jsonb_build_object('line', l.refunds_line_number,
                                         'quantity', l.quantity::text, 'amount', l.amount::text))
     FROM purchase AS r JOIN purchase_line AS l
        ON l.customer_id = r.customer_id AND l.purchase_id = r.id
     WHERE r.customer_id = p.customer_id AND r.refund_of_id = p.id AND r.status = 'posted')
        AS refunded
FROM unnest($1::uuid[], $2::uuid[]) AS w (customer_id, id)
JOIN purchase AS p ON p.customer_id = w.customer_id AND p.id = w.id
"""
_UNATTACHED_ORIGINALS = """
SELECT u.id, u.kind, u.status, u.amount, u.business_day, u.refund_of_id, u.awaits_kind,
    u.awaits_system, u.awaits_value, u.lines
FROM unattached_purchase AS u WHERE u.id = ANY($1::uuid[]) ORDER BY u.id FOR UPDATE
"""
_UNATTACHED_REFUNDS = """
SELECT u.refund_of_id, l.value ->> 'refunds_line_number' AS line,
    l.value ->> 'quantity' AS quantity, l.value ->> 'amount' AS amount
FROM unattached_purchase AS u, jsonb_array_elements(u.lines) AS l
WHERE u.refund_of_id = ANY($1::uuid[]) AND u.status = 'posted'
"""
_VOID_OWNED = """
UPDATE purchase AS p SET status = 'voided', voided_at = $3
FROM unnest($1::uuid[], $2::uuid[]) AS w (customer_id, id)
WHERE p.customer_id = w.customer_id AND p.id = w.id AND p.status = 'posted'
"""
_VOID_UNATTACHED = """
UPDATE unattached_purchase SET status = 'voided', voided_at = $2
WHERE id = ANY($1::uuid[]) AND status = 'posted'
"""


async def owned_originals(
    connection: Any, keys: Sequence[tuple[UUID, UUID]]
) -> dict[UUID, "asyncpg.Record"]:
    """Return receipts of known customers with their lines and what was refunded of them."""
    if not keys:
        return {}
    customers, ids = (list(part) for part in zip(*keys, strict=True))
    return {row["id"]: row for row in await connection.fetch(_OWNED_ORIGINALS, customers, ids)}


async def unattached_originals(
    connection: Any, ids: Sequence[UUID]
) -> dict[UUID, "asyncpg.Record"]:
    """Lock and return receipts without a customer."""
    if not ids:
        return {}
    return {row["id"]: row for row in await connection.fetch(_UNATTACHED_ORIGINALS, list(ids))}


async def unattached_refunds(connection: Any, ids: Sequence[UUID]) -> list["asyncpg.Record"]:
    """Return the lines that refunds of these receipts took back."""
    return list(await connection.fetch(_UNATTACHED_REFUNDS, list(ids))) if ids else []


async def void(
    connection: Any,
    at: datetime,
    owned: Sequence[tuple[UUID, UUID]],
    unattached: Sequence[UUID],
) -> None:
    """Mark receipts as voided."""
    if owned:
        customers, ids = (list(part) for part in zip(*owned, strict=True))
        await connection.execute(_VOID_OWNED, customers, ids, at)
    if unattached:
        await connection.execute(_VOID_UNATTACHED, list(unattached), at)
