"""The statements of a till's transaction: each for any number of events.

Raw asyncpg on the request's own transaction: a till waits for the answer, and these are sent as
prepared statements with one array or one JSON document each, however many receipts there are.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.queries.rows import as_json

_SOURCE = """
SELECT s.id AS source_id, s.code, s.store_id, st.code AS store_code, s.mode, s.receipt_rule,
    s.currency, s.is_active,
    ARRAY(SELECT k.secret FROM source_secret AS k
          WHERE k.source_id = s.id AND k.revoked_at IS NULL ORDER BY k.slot) AS secrets
FROM source AS s JOIN store AS st ON st.id = s.store_id
WHERE s.code = $1
"""
_SOURCES = "SELECT id, code, receipt_rule FROM source WHERE code = ANY($1::text[])"
_STORE_EVENTS = """
INSERT INTO pos_event (source_id, event_id, kind, status, body, body_hash, received_at)
SELECT source_id, event_id, kind, 'held', body, body_hash, $2
FROM jsonb_to_recordset($1::jsonb)
    AS r (source_id uuid, event_id text, kind text, body jsonb, body_hash text)
ORDER BY source_id, event_id
ON CONFLICT (source_id, event_id) DO NOTHING
RETURNING source_id, event_id
"""
_FIRST_ANSWERS = """
SELECT e.source_id, e.event_id, e.body_hash, e.answer, e.answer_status
FROM unnest($1::uuid[], $2::text[]) AS w (source_id, event_id)
JOIN pos_event AS e ON e.source_id = w.source_id AND e.event_id = w.event_id
"""
_SAVE_OUTCOMES = """
UPDATE pos_event AS e
SET status = r.status, applied_at = r.applied_at, awaits_receipt_key = r.awaits_receipt_key,
    awaits_source_id = r.awaits_source_id, problem_code = r.problem_code,
    customer_id = r.customer_id, purchase_id = r.purchase_id,
    answer = coalesce(e.answer, r.answer),
    answer_status = coalesce(e.answer_status, r.answer_status)
FROM jsonb_to_recordset($1::jsonb) AS r (
    source_id uuid, event_id text, status text, applied_at timestamptz, awaits_source_id uuid,
    awaits_receipt_key text, problem_code text, customer_id uuid, purchase_id uuid, answer jsonb,
    answer_status integer)
WHERE e.source_id = r.source_id AND e.event_id = r.event_id
"""
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
SELECT id, kind, name, gender, birthday_calendar, birth_month, birth_day
FROM customer WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""
_PRODUCTS = """
SELECT sku, isbn, title, category, unit_cost FROM product WHERE sku = ANY($1::text[])
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
_PARKED = """
SELECT e.source_id, s.code, s.store_id, st.code AS store_code, s.mode, s.receipt_rule, s.currency,
    e.event_id, e.body, e.received_at
FROM unnest($1::uuid[], $2::text[]) AS w (source_id, receipt_key)
JOIN pos_event AS e ON e.awaits_source_id = w.source_id AND e.awaits_receipt_key = w.receipt_key
    AND e.status = 'parked'
JOIN source AS s ON s.id = e.source_id JOIN store AS st ON st.id = s.store_id
ORDER BY e.received_at, e.source_id, e.event_id
FOR UPDATE OF e
"""
_FIELDS = """
    id uuid, kind text, occurred_at timestamptz, business_day date, store_id uuid, source_id uuid,
    event_id text, receipt_key text, receipt_number text, refund_of_id uuid, currency text,
    amount numeric, costed_amount numeric, cost numeric, cashier text
"""
_COLUMNS = """
    id, kind, status, occurred_at, business_day, store_id, source_id, event_id, receipt_key,
    receipt_number, refund_of_id, currency, amount, costed_amount, cost, cashier, recorded_at
"""
_VALUES = """
    id, kind, 'posted', occurred_at, business_day, store_id, source_id, event_id, receipt_key,
    receipt_number, refund_of_id, currency, amount, costed_amount, cost, cashier, $2
"""
_WRITE_PURCHASES = f"""
INSERT INTO purchase (customer_id, {_COLUMNS})
SELECT customer_id, {_VALUES}
FROM jsonb_to_recordset($1::jsonb) AS r (customer_id uuid, {_FIELDS})
"""  # noqa: S608 - built from constants of this module
_LINE_FIELDS = """
    line_number integer, sku text, isbn text, title text, category text, quantity numeric,
    unit_price numeric, amount numeric, unit_cost numeric, refunds_line_number integer
"""
_LINE_COLUMNS = """
    line_number, sku, isbn, title, category, quantity, unit_price, amount, unit_cost,
    refunds_line_number
"""
_WRITE_LINES = f"""
INSERT INTO purchase_line (customer_id, purchase_id, {_LINE_COLUMNS})
SELECT customer_id, purchase_id, {_LINE_COLUMNS}
FROM jsonb_to_recordset($1::jsonb) AS r (customer_id uuid, purchase_id uuid, {_LINE_FIELDS})
"""  # noqa: S608
_WRITE_UNATTACHED = f"""
INSERT INTO unattached_purchase
    ({_COLUMNS}, awaits_kind, awaits_system, awaits_value, lines)
SELECT {_VALUES}, awaits_kind, awaits_system, awaits_value, lines
FROM jsonb_to_recordset($1::jsonb) AS r (
    {_FIELDS}, awaits_kind text, awaits_system text, awaits_value text, lines jsonb)
"""  # noqa: S608
_OWNED_ORIGINALS = """
SELECT p.customer_id, p.id, p.kind, p.status, p.amount, p.business_day, p.refund_of_id,
    (SELECT jsonb_agg(to_jsonb(l) ORDER BY l.line_number) FROM purchase_line AS l
     WHERE l.customer_id = p.customer_id AND l.purchase_id = p.id) AS lines,
    (SELECT jsonb_agg(jsonb_build_object('line', l.refunds_line_number, 'quantity', l.quantity,
                                         'amount', l.amount))
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
_STORED = """
SELECT e.source_id, s.code, s.store_id, st.code AS store_code, s.mode, s.receipt_rule, s.currency,
    e.event_id, e.body, e.received_at, e.status
FROM pos_event AS e JOIN source AS s ON s.id = e.source_id JOIN store AS st ON st.id = s.store_id
WHERE s.code = $1 AND e.event_id = $2
FOR UPDATE OF e
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
INSERT INTO purchase (customer_id, voided_at, {_COLUMNS})
SELECT $2, voided_at, {_COLUMNS}
FROM unattached_purchase WHERE id = ANY($1::uuid[])
ORDER BY kind DESC, id
"""  # noqa: S608
_MOVE_LINES = f"""
INSERT INTO purchase_line (customer_id, purchase_id, {_LINE_COLUMNS})
SELECT $2, u.id, {", ".join(f"l.{name.strip()}" for name in _LINE_COLUMNS.split(","))}
FROM unattached_purchase AS u, jsonb_to_recordset(u.lines) AS l ({_LINE_FIELDS})
WHERE u.id = ANY($1::uuid[])
"""  # noqa: S608
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


async def find_source(connection: Any, code: str) -> "asyncpg.Record | None":
    """Return a source with its store and live secrets."""
    return await connection.fetchrow(_SOURCE, code)


async def sources_by_code(connection: Any, codes: Sequence[str]) -> dict[str, "asyncpg.Record"]:
    """Return id and receipt rule of sources."""
    return {row["code"]: row for row in await connection.fetch(_SOURCES, list(codes))}


async def store_events(
    connection: Any, at: datetime, rows: Sequence[Mapping[str, Any]]
) -> set[tuple[UUID, str]]:
    """Store events; return the keys of those that were not there. Waits for a concurrent sender."""
    stored = await connection.fetch(_STORE_EVENTS, as_json(rows), at)
    return {(row["source_id"], row["event_id"]) for row in stored}


async def first_answers(
    connection: Any, keys: Sequence[tuple[UUID, str]]
) -> dict[tuple[UUID, str], "asyncpg.Record"]:
    """Return body hash and answer of stored events."""
    if not keys:
        return {}
    sources, events = (list(part) for part in zip(*keys, strict=True))
    rows = await connection.fetch(_FIRST_ANSWERS, sources, events)
    return {(row["source_id"], row["event_id"]): row for row in rows}


async def save_outcomes(connection: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write what became of events; an answer that was given stays as it was."""
    if rows:
        await connection.execute(_SAVE_OUTCOMES, as_json(rows))


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


async def products_by_sku(connection: Any, skus: Sequence[str]) -> dict[str, "asyncpg.Record"]:
    """Return what the catalogue knows of these."""
    if not skus:
        return {}
    return {row["sku"]: row for row in await connection.fetch(_PRODUCTS, list(skus))}


async def claim_receipts(
    connection: Any, rows: Sequence[Mapping[str, Any]], at: datetime
) -> dict[tuple[UUID, str], bool]:
    """Claim receipt numbers; return those that were free, and whether a refund waited for each."""
    if not rows:
        return {}
    claimed = await connection.fetch(_CLAIM_RECEIPTS, as_json(rows), at)
    return {(row["source_id"], row["receipt_key"]): row["was_awaited"] for row in claimed}


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


async def parked_for(connection: Any, keys: Sequence[tuple[UUID, str]]) -> list["asyncpg.Record"]:
    """Return and lock the events that waited for these receipts, in order of arrival."""
    if not keys:
        return []
    sources, numbers = (list(part) for part in zip(*keys, strict=True))
    return list(await connection.fetch(_PARKED, sources, numbers))


async def lock_event(connection: Any, source: str, event_id: str) -> "asyncpg.Record | None":
    """Lock and return a stored event with its source, to be posted again."""
    return await connection.fetchrow(_STORED, source, event_id)


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


async def awaiting(connection: Any, keys: Sequence[tuple[str, str, str]]) -> list["asyncpg.Record"]:
    """Lock and return the receipts that wait for a card with one of these identities."""
    kinds, systems, values = (list(part) for part in zip(*keys, strict=True))
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
