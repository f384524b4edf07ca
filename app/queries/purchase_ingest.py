"""The statements that write receipts: each for any number of them.

Raw asyncpg on the request's own transaction: a till waits for the answer, and these are sent as
prepared statements with one array or one JSON document each, however many receipts there are.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.queries.rows import as_json

_IDENTITIES = """
SELECT i.kind, i.system, i.value, i.customer_id
FROM unnest($1::text[], $2::text[], $3::text[]) AS w (kind, system, value)
JOIN identity AS i ON i.kind = w.kind AND i.system = w.system AND i.value = w.value
WHERE i.customer_id IS NOT NULL
"""
# The row of an awaited identity is where a sale and the card's creation meet: whoever comes
# second waits for the first and then sees what it did.
_AWAIT_IDENTITIES = """
INSERT INTO identity (kind, system, value, created_at)
SELECT DISTINCT kind, system, value, $4::timestamptz
FROM unnest($1::text[], $2::text[], $3::text[]) AS w (kind, system, value)
ORDER BY kind, system, value
ON CONFLICT (kind, system, value) DO NOTHING
"""
_LOCK_IDENTITIES = """
SELECT i.kind, i.system, i.value, i.customer_id
FROM identity AS i
WHERE (i.kind, i.system, i.value) IN (
    SELECT kind, system, value FROM unnest($1::text[], $2::text[], $3::text[])
        AS w (kind, system, value))
ORDER BY i.kind, i.system, i.value
FOR SHARE OF i
"""
_CARDS = """
SELECT id, kind, name, gender, birthday_calendar, birth_month, birth_day,
    birth_month_is_leap, merged_into_id, status
FROM customer WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""
_PRODUCTS = """
SELECT sku, isbn, title, category, unit_cost FROM product
WHERE sku = ANY($1::text[]) OR isbn = ANY($2::text[])
"""
# A row without a purchase is a number that a refund waits for; taking it over tells that.
_CLAIM_RECEIPTS = """
INSERT INTO receipt AS r (source_id, receipt_key, purchase_id, customer_id, created_at)
SELECT source_id, receipt_key, purchase_id, customer_id, $2
FROM jsonb_to_recordset($1::jsonb)
    AS w (source_id uuid, receipt_key text, purchase_id uuid, customer_id uuid)
ORDER BY source_id, receipt_key
ON CONFLICT (source_id, receipt_key) DO UPDATE
SET purchase_id = excluded.purchase_id, customer_id = excluded.customer_id
WHERE r.purchase_id IS NULL
RETURNING source_id, receipt_key, (xmax <> 0) AS was_awaited
"""
_USED_RECEIPTS = """
SELECT r.source_id, r.receipt_key
FROM unnest($1::uuid[], $2::text[]) AS w (source_id, receipt_key)
JOIN receipt AS r ON r.source_id = w.source_id AND r.receipt_key = w.receipt_key
WHERE r.purchase_id IS NOT NULL
"""
_AWAIT_RECEIPTS = """
INSERT INTO receipt (source_id, receipt_key, created_at)
SELECT DISTINCT source_id, receipt_key, $3::timestamptz
FROM unnest($1::uuid[], $2::text[]) AS w (source_id, receipt_key)
ORDER BY source_id, receipt_key
ON CONFLICT (source_id, receipt_key) DO NOTHING
"""
_LOCK_RECEIPTS = """
SELECT r.source_id, r.receipt_key, r.purchase_id, r.customer_id
FROM receipt AS r
WHERE (r.source_id, r.receipt_key) IN (
    SELECT source_id, receipt_key FROM unnest($1::uuid[], $2::text[])
        AS w (source_id, receipt_key))
ORDER BY r.source_id, r.receipt_key
FOR SHARE OF r
"""
_FIELDS = """
    id uuid, kind text, occurred_at timestamptz, business_day date, store_id uuid, source_id uuid,
    event_id text, receipt_key text, receipt_number text, refund_of_id uuid, currency text,
    amount numeric, costed_amount numeric, cost numeric, cashier text
"""
RECEIPT_COLUMNS = """
    id, kind, status, occurred_at, business_day, store_id, source_id, event_id, receipt_key,
    receipt_number, refund_of_id, currency, amount, costed_amount, cost, cashier, recorded_at
"""
_VALUES = """
    id, kind, 'posted', occurred_at, business_day, store_id, source_id, event_id, receipt_key,
    receipt_number, refund_of_id, currency, amount, costed_amount, cost, cashier, $2
"""
_WRITE_PURCHASES = f"""
INSERT INTO purchase (customer_id, {RECEIPT_COLUMNS})
SELECT customer_id, {_VALUES}
FROM jsonb_to_recordset($1::jsonb) AS r (customer_id uuid, {_FIELDS})
"""  # noqa: S608 - built from constants of this module
LINE_FIELDS = """
    line_number integer, sku text, isbn text, title text, category text, quantity numeric,
    unit_price numeric, amount numeric, unit_cost numeric, refunds_line_number integer
"""
LINE_COLUMNS = """
    line_number, sku, isbn, title, category, quantity, unit_price, amount, unit_cost,
    refunds_line_number
"""
_WRITE_LINES = f"""
INSERT INTO purchase_line (customer_id, purchase_id, {LINE_COLUMNS})
SELECT customer_id, purchase_id, {LINE_COLUMNS}
FROM jsonb_to_recordset($1::jsonb) AS r (customer_id uuid, purchase_id uuid, {LINE_FIELDS})
"""  # noqa: S608 - built from constants, and numbers of our own
_WRITE_UNATTACHED = f"""
INSERT INTO unattached_purchase
    ({RECEIPT_COLUMNS}, awaits_kind, awaits_system, awaits_value, lines)
SELECT {_VALUES}, awaits_kind, awaits_system, awaits_value, lines
FROM jsonb_to_recordset($1::jsonb) AS r (
    {_FIELDS}, awaits_kind text, awaits_system text, awaits_value text, lines jsonb)
"""  # noqa: S608 - built from constants, and numbers of our own


async def resolve_identities(
    connection: Any, keys: Sequence[tuple[str, str, str]], at: datetime
) -> dict[tuple[str, str, str], UUID | None]:
    """Return whose each identity is; None where no card has it, which is then awaited."""
    if not keys:
        return {}
    kinds, systems, values = (list(part) for part in zip(*keys, strict=True))
    found = await connection.fetch(_IDENTITIES, kinds, systems, values)
    owners: dict[tuple[str, str, str], UUID | None] = {
        (row["kind"], row["system"], row["value"]): row["customer_id"] for row in found
    }
    unknown = sorted(set(keys) - owners.keys())
    if unknown:
        kinds, systems, values = (list(part) for part in zip(*unknown, strict=True))
        await connection.execute(_AWAIT_IDENTITIES, kinds, systems, values, at)
        for row in await connection.fetch(_LOCK_IDENTITIES, kinds, systems, values):
            owners[(row["kind"], row["system"], row["value"])] = row["customer_id"]
    return owners


async def lock_cards(connection: Any, customer_ids: Sequence[UUID]) -> dict[UUID, "asyncpg.Record"]:
    """Lock cards in the order of ids and return what a till is told of them."""
    if not customer_ids:
        return {}
    rows = await connection.fetch(_CARDS, list(customer_ids))
    return {row["id"]: row for row in rows}


async def products_by_code(
    connection: Any, skus: Sequence[str], isbns: Sequence[str]
) -> dict[str, "asyncpg.Record"]:
    """Return what the catalogue knows of these, by SKU and by ISBN."""
    if not skus and not isbns:
        return {}
    rows = await connection.fetch(_PRODUCTS, list(skus), list(isbns))
    by_isbn = {row["isbn"]: row for row in rows if row["isbn"]}
    return by_isbn | {row["sku"]: row for row in rows}


async def claim_receipts(
    connection: Any, rows: Sequence[Mapping[str, Any]], at: datetime
) -> dict[tuple[UUID, str], bool]:
    """Claim receipt numbers; return those that were free, and whether a refund waited for each."""
    if not rows:
        return {}
    claimed = await connection.fetch(_CLAIM_RECEIPTS, as_json(rows), at)
    return {(row["source_id"], row["receipt_key"]): row["was_awaited"] for row in claimed}


async def used_receipts(connection: Any, keys: Sequence[tuple[UUID, str]]) -> set[tuple[UUID, str]]:
    """Return which of these receipt numbers are in use already."""
    if not keys:
        return set()
    sources, numbers = (list(part) for part in zip(*keys, strict=True))
    rows = await connection.fetch(_USED_RECEIPTS, sources, numbers)
    return {(row["source_id"], row["receipt_key"]) for row in rows}


async def find_receipts(
    connection: Any, keys: Sequence[tuple[UUID, str]], at: datetime
) -> dict[tuple[UUID, str], tuple[UUID | None, UUID | None]]:
    """Return (purchase id, customer id) of receipts; a missing one is awaited: (None, None)."""
    if not keys:
        return {}
    sources, numbers = (list(part) for part in zip(*keys, strict=True))
    await connection.execute(_AWAIT_RECEIPTS, sources, numbers, at)
    rows = await connection.fetch(_LOCK_RECEIPTS, sources, numbers)
    return {
        (row["source_id"], row["receipt_key"]): (row["purchase_id"], row["customer_id"])
        for row in rows
    }


async def write_purchases(
    connection: Any,
    at: datetime,
    purchases: Sequence[Mapping[str, Any]],
    lines: Sequence[Mapping[str, Any]],
    unattached: Sequence[Mapping[str, Any]],
) -> None:
    """Write receipts of known customers with their lines, and those of unknown ones."""
    if purchases:
        await connection.execute(_WRITE_PURCHASES, as_json(purchases), at)
        await connection.execute(_WRITE_LINES, as_json(lines))
    if unattached:
        await connection.execute(_WRITE_UNATTACHED, as_json(unattached), at)
