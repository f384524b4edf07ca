"""A portion of staged cards or contacts: read, claimed, written, joined by what waited for it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.queries.purchase_ingest import LINE_COLUMNS, LINE_FIELDS, RECEIPT_COLUMNS
from app.queries.rows import as_json

_NEXT = """
SELECT row_number, body FROM import_row WHERE import_id = $1 AND row_number > $2
ORDER BY row_number LIMIT $3
"""
_OWNERS = """
SELECT i.kind, i.system, i.value, i.customer_id
FROM unnest($1::text[], $2::text[]) AS w (kind, value)
JOIN identity AS i ON i.kind = w.kind AND i.system = '' AND i.value = w.value
WHERE i.customer_id IS NOT NULL
"""
_CARD_FIELDS = """
    id uuid, kind text, name text, gender text, birthday_calendar text, birth_year integer,
    birth_month integer, birth_day integer, birth_month_is_leap boolean, marital_status text,
    occupation text, employer text, job_title text, industry text, region text, address text,
    home_store_id uuid, note text, tags text[], interests text[], registered_on date
"""
CARD_COLUMNS = tuple(part.split()[0] for part in _CARD_FIELDS.split(","))
_CARDS = ", ".join(CARD_COLUMNS)
_WRITE_CARDS = f"""
INSERT INTO customer ({_CARDS}, status, origin, version, created_at, updated_at)
SELECT {_CARDS}, 'active', 'import', 1, $2, $2
FROM jsonb_to_recordset($1::jsonb) AS r ({_CARD_FIELDS}) ORDER BY id
"""  # noqa: S608 - built from constants of this module
_CHANGEABLE = [name for name in CARD_COLUMNS if name not in {"id", "kind", "registered_on"}]
_CHANGE_CARDS = f"""
UPDATE customer AS c SET {", ".join(f"{name} = r.{name}" for name in _CHANGEABLE)},
    version = c.version + 1, updated_at = $2
FROM jsonb_to_recordset($1::jsonb) AS r ({_CARD_FIELDS})
WHERE c.id = r.id
"""  # noqa: S608 - built from constants, and numbers of our own
_LOCK_CARDS = f"""
SELECT {_CARDS}, status, version FROM customer WHERE id = ANY($1::uuid[])
ORDER BY id FOR NO KEY UPDATE
"""  # noqa: S608 - built from constants, and numbers of our own
_CLAIM = """
INSERT INTO identity AS i (kind, system, value, customer_id, created_at)
SELECT kind, '', value, customer_id, $2
FROM jsonb_to_recordset($1::jsonb) AS r (kind text, value text, customer_id uuid)
ORDER BY kind, value
ON CONFLICT (kind, system, value) DO UPDATE SET customer_id = excluded.customer_id
WHERE i.customer_id IS NULL
RETURNING kind, value, customer_id, (xmax <> 0) AS was_awaited
"""
_WRITE_IDENTITIES = """
INSERT INTO customer_identity (customer_id, id, kind, system, value, is_primary, added_at)
SELECT customer_id, id, kind, '', value, is_primary, $2
FROM jsonb_to_recordset($1::jsonb)
    AS r (customer_id uuid, id uuid, kind text, value text, is_primary boolean)
"""
_WRITE_HISTORY = """
INSERT INTO customer_change (customer_id, id, version, changed_at, actor_kind, actor_id, changes)
SELECT customer_id, id, version, $2, $3, $4, changes
FROM jsonb_to_recordset($1::jsonb)
    AS r (customer_id uuid, id uuid, version integer, changes jsonb)
"""
_WRITE_ITEMS = """
INSERT INTO import_item (import_id, position, object_id, customer_id, key, before)
SELECT $2, position, object_id, customer_id, key, before
FROM jsonb_to_recordset($1::jsonb)
    AS r (position bigint, object_id uuid, customer_id uuid, key text, before jsonb)
"""
_KINDS_OF = """
SELECT customer_id, kind FROM customer_identity WHERE customer_id = ANY($1::uuid[])
"""
_WAITING = """
SELECT u.id, w.customer_id, u.source_id, u.receipt_key, u.event_id, u.kind, u.status,
    u.business_day, u.occurred_at, u.amount, u.refund_of_id, u.awaits_kind, u.awaits_value
FROM unnest($1::text[], $2::text[], $3::uuid[]) AS w (kind, value, customer_id)
JOIN unattached_purchase AS u
    ON u.awaits_kind = w.kind AND u.awaits_system = '' AND u.awaits_value = w.value
ORDER BY u.source_id, u.receipt_key
"""
_LOCK_NUMBERS = """
SELECT r.source_id FROM receipt AS r
WHERE (r.source_id, r.receipt_key) IN (
    SELECT * FROM unnest($1::uuid[], $2::text[]) AS w (source_id, receipt_key))
ORDER BY r.source_id, r.receipt_key FOR NO KEY UPDATE OF r
"""
_MOVE = f"""
INSERT INTO purchase (customer_id, voided_at, {RECEIPT_COLUMNS})
SELECT w.customer_id, u.voided_at,
    {", ".join(f"u.{name.strip()}" for name in RECEIPT_COLUMNS.split(","))}
FROM unnest($1::uuid[], $2::uuid[]) AS w (id, customer_id)
JOIN unattached_purchase AS u ON u.id = w.id
"""  # noqa: S608 - built from constants, and numbers of our own
_MOVE_LINES = f"""
INSERT INTO purchase_line (customer_id, purchase_id, {LINE_COLUMNS})
SELECT w.customer_id, u.id, {", ".join(f"l.{name.strip()}" for name in LINE_COLUMNS.split(","))}
FROM unnest($1::uuid[], $2::uuid[]) AS w (id, customer_id)
JOIN unattached_purchase AS u ON u.id = w.id
CROSS JOIN jsonb_to_recordset(u.lines) AS l ({LINE_FIELDS})
"""  # noqa: S608 - built from constants, and numbers of our own
_MOVED_RECEIPTS = """
UPDATE receipt AS r SET customer_id = w.customer_id
FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS w (source_id, receipt_key, customer_id)
WHERE r.source_id = w.source_id AND r.receipt_key = w.receipt_key
"""
_MOVED_EVENTS = """
UPDATE pos_event AS e SET customer_id = w.customer_id, status = 'applied', applied_at = $4
FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS w (source_id, event_id, customer_id)
WHERE e.source_id = w.source_id AND e.event_id = w.event_id AND e.status = 'awaiting_customer'
"""
_REMOVE_MOVED = "DELETE FROM unattached_purchase WHERE id = ANY($1::uuid[])"


async def next_rows(
    connection: Any, import_id: UUID, after: int, limit: int
) -> list["asyncpg.Record"]:
    """Return the next staged rows: number and body."""
    return list(await connection.fetch(_NEXT, import_id, after, limit))


async def owners(
    connection: Any, identities: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], UUID]:
    """Return which card has each of these (kind, value), those of no card left out."""
    if not identities:
        return {}
    kinds, values = (list(part) for part in zip(*identities, strict=True))
    rows = await connection.fetch(_OWNERS, kinds, values)
    return {(row["kind"], row["value"]): row["customer_id"] for row in rows}


async def write_cards(connection: Any, at: datetime, cards: Sequence[Mapping[str, Any]]) -> None:
    """Write new cards."""
    await connection.execute(_WRITE_CARDS, as_json(cards), at)


async def lock_cards(connection: Any, ids: Sequence[UUID]) -> dict[UUID, "asyncpg.Record"]:
    """Lock cards in the order of ids and return what they say."""
    return {row["id"]: row for row in await connection.fetch(_LOCK_CARDS, list(ids))}


async def change_cards(connection: Any, at: datetime, cards: Sequence[Mapping[str, Any]]) -> None:
    """Write the next version of locked cards, whole."""
    await connection.execute(_CHANGE_CARDS, as_json(cards), at)


async def claim(
    connection: Any, at: datetime, identities: Sequence[Mapping[str, Any]]
) -> list["asyncpg.Record"]:
    """Make identities the cards'; return those that are now, and whether something awaited each."""
    return list(await connection.fetch(_CLAIM, as_json(identities), at)) if identities else []


async def write_identities(
    connection: Any, at: datetime, identities: Sequence[Mapping[str, Any]]
) -> None:
    """Write the cards' own copies of claimed identities."""
    await connection.execute(_WRITE_IDENTITIES, as_json(identities), at)


async def write_history(
    connection: Any,
    at: datetime,
    actor: tuple[str, UUID | None],
    changes: Sequence[Mapping[str, Any]],
) -> None:
    """Write a version of the history of each card."""
    await connection.execute(_WRITE_HISTORY, as_json(changes), at, *actor)


async def write_items(connection: Any, import_id: UUID, items: Sequence[Mapping[str, Any]]) -> None:
    """Note what was written, for undoing."""
    await connection.execute(_WRITE_ITEMS, as_json(items), import_id)


async def kinds_of(connection: Any, ids: Sequence[UUID]) -> set[tuple[UUID, str]]:
    """Return which kinds of identities cards have."""
    rows = await connection.fetch(_KINDS_OF, list(ids))
    return {(row["customer_id"], row["kind"]) for row in rows}


async def attach_purchases(
    connection: Any, at: datetime, claimed: Sequence[tuple[str, str, UUID]]
) -> list["asyncpg.Record"]:
    """Move the receipts that wait for these (kind, value) to their cards; return them."""
    keys = [list(part) for part in zip(*claimed, strict=True)]
    rows = await connection.fetch(_WAITING, *keys)
    if not rows:
        return []
    numbers = ([row["source_id"] for row in rows], [row["receipt_key"] for row in rows])
    await connection.execute(_LOCK_NUMBERS, *numbers)
    # What was posted to one of them meanwhile is there only now.
    rows = await connection.fetch(_WAITING, *keys)
    numbers = ([row["source_id"] for row in rows], [row["receipt_key"] for row in rows])
    ids, cards = [row["id"] for row in rows], [row["customer_id"] for row in rows]
    await connection.execute(_MOVE, ids, cards)
    await connection.execute(_MOVE_LINES, ids, cards)
    await connection.execute(_MOVED_RECEIPTS, *numbers, cards)
    events = [row["event_id"] for row in rows]
    await connection.execute(_MOVED_EVENTS, numbers[0], events, cards, at)
    await connection.execute(_REMOVE_MOVED, ids)
    return list(rows)
