"""The statements that record contacts and move them to their cards: each for any number of them.

Raw asyncpg on the request's own transaction, as for receipts: one contact is a batch of one.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.queries import waiting_purchases
from app.queries.rows import as_json

_FIELDS = (
    ("channel", "text"), ("direction", "text"), ("occurred_at", "timestamptz"),
    ("business_day", "date"), ("duration_seconds", "integer"), ("subject", "text"),
    ("text", "text"), ("outcome", "text"), ("next_step", "text"), ("next_step_on", "date"),
    ("store_id", "uuid"), ("staff_id", "uuid"), ("contact_id", "uuid"), ("purchase_id", "uuid"),
    ("cost", "numeric"), ("version", "integer"), ("recorded_at", "timestamptz"),
    ("recorded_by_kind", "text"), ("recorded_by_id", "uuid"), ("updated_at", "timestamptz"),
)  # fmt: skip
_COLUMNS = ", ".join(name for name, _ in _FIELDS)
_TYPED = ", ".join(f"{name} {kind}" for name, kind in _FIELDS)
_OF_R = ", ".join(f"r.{name}" for name, _ in _FIELDS)

_LOCK_CARDS = """
SELECT id, kind, name, status, merged_into_id
FROM customer WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""
_REFERENCES = """
SELECT 'contact_id' AS field, w.customer_id, w.id
FROM unnest($1::uuid[], $2::uuid[]) AS w (customer_id, id)
JOIN customer_contact AS c ON c.customer_id = w.customer_id AND c.id = w.id
UNION ALL
SELECT 'purchase_id', w.customer_id, w.id
FROM unnest($3::uuid[], $4::uuid[]) AS w (customer_id, id)
JOIN purchase AS p ON p.customer_id = w.customer_id AND p.id = w.id
UNION ALL
SELECT 'staff_id', NULL, id FROM staff WHERE id = ANY($5::uuid[])
UNION ALL
SELECT 'store_id', NULL, id FROM store WHERE id = ANY($6::uuid[])
"""
_ENTRIES = """
SELECT entry_id, body_hash, interaction_id, customer_id
FROM interaction_entry WHERE recorded_by_id = $1 AND entry_id = ANY($2::text[])
"""
# In the order of the key, so that two who send the same batch wait for each other in a row.
_CLAIM_ENTRIES = """
INSERT INTO interaction_entry
    (recorded_by_id, entry_id, body_hash, interaction_id, customer_id, recorded_at)
SELECT $2, entry_id, body_hash, interaction_id, customer_id, $3
FROM jsonb_to_recordset($1::jsonb)
    AS r (entry_id text, body_hash text, interaction_id uuid, customer_id uuid)
ORDER BY entry_id
ON CONFLICT (recorded_by_id, entry_id) DO NOTHING
RETURNING entry_id
"""
_WRITE = f"""
INSERT INTO interaction (customer_id, id, {_COLUMNS})
SELECT customer_id, id, {_OF_R}
FROM jsonb_to_recordset($1::jsonb) AS r (customer_id uuid, id uuid, {_TYPED})
"""  # noqa: S608 - built from constants of this module
_WRITE_UNATTACHED = """
INSERT INTO unattached_interaction
    (id, awaits_kind, awaits_system, awaits_value, occurred_at, store_id, recorded_at, body)
SELECT id, awaits_kind, awaits_system, awaits_value, occurred_at, store_id, recorded_at, body
FROM jsonb_to_recordset($1::jsonb) AS r (
    id uuid, awaits_kind text, awaits_system text, awaits_value text, occurred_at timestamptz,
    store_id uuid, recorded_at timestamptz, body jsonb)
"""
_AWAITING = """
SELECT u.id
FROM unattached_interaction AS u
JOIN unnest($1::text[], $2::text[], $3::text[]) AS w (kind, system, value)
    ON u.awaits_kind = w.kind AND u.awaits_system = w.system AND u.awaits_value = w.value
ORDER BY u.id FOR UPDATE OF u
"""
_LOCK_UNATTACHED = """
SELECT awaits_kind, awaits_system, awaits_value FROM unattached_interaction WHERE id = $1 FOR UPDATE
"""
_OLD = """
SELECT id, awaits_kind, awaits_system, awaits_value FROM unattached_interaction
WHERE occurred_at <= $1 ORDER BY occurred_at, id LIMIT $2
"""
_MOVE = f"""
INSERT INTO interaction (customer_id, id, {_COLUMNS})
SELECT $2, u.id, {_OF_R}
FROM unattached_interaction AS u, jsonb_to_record(u.body) AS r ({_TYPED})
WHERE u.id = ANY($1::uuid[])
"""  # noqa: S608 - built from constants, and numbers of our own
_REMOVE_MOVED = "DELETE FROM unattached_interaction WHERE id = ANY($1::uuid[])"

Pair = tuple[UUID, UUID]
"""A customer and the id of something of theirs."""


async def lock_cards(connection: Any, customer_ids: Sequence[UUID]) -> dict[UUID, "asyncpg.Record"]:
    """Lock cards in the order of ids and return who they are and whether they are in use."""
    if not customer_ids:
        return {}
    return {row["id"]: row for row in await connection.fetch(_LOCK_CARDS, list(customer_ids))}


async def known_references(
    connection: Any,
    contacts: Sequence[Pair],
    purchases: Sequence[Pair],
    staff_ids: Sequence[UUID],
    store_ids: Sequence[UUID],
) -> set[tuple[str, UUID | None, UUID]]:
    """Return which of these there are: the field, the customer where it is one's own, the id."""
    rows = await connection.fetch(
        _REFERENCES,
        [customer for customer, _ in contacts],
        [contact for _, contact in contacts],
        [customer for customer, _ in purchases],
        [purchase for _, purchase in purchases],
        list(staff_ids),
        list(store_ids),
    )
    return {(row["field"], row["customer_id"], row["id"]) for row in rows}


async def known_entries(
    connection: Any, recorded_by_id: UUID, entry_ids: Sequence[str]
) -> dict[str, "asyncpg.Record"]:
    """Return which of these entries a desk sent before, and what they were answered."""
    if not entry_ids:
        return {}
    rows = await connection.fetch(_ENTRIES, recorded_by_id, list(entry_ids))
    return {row["entry_id"]: row for row in rows}


async def claim_entries(
    connection: Any, recorded_by_id: UUID, at: datetime, rows: Sequence[Mapping[str, Any]]
) -> set[str]:
    """Claim ids of a desk's entries; return those that nobody had claimed."""
    if not rows:
        return set()
    claimed = await connection.fetch(_CLAIM_ENTRIES, as_json(rows), recorded_by_id, at)
    return {row["entry_id"] for row in claimed}


async def write(
    connection: Any,
    attached: Sequence[Mapping[str, Any]],
    unattached: Sequence[Mapping[str, Any]],
) -> None:
    """Write contacts with known customers, and those whose card is awaited or unknown."""
    if attached:
        await connection.execute(_WRITE, as_json(attached))
    if unattached:
        await connection.execute(_WRITE_UNATTACHED, as_json(unattached))


async def awaiting(connection: Any, keys: Sequence[tuple[str, str, str]]) -> list[UUID]:
    """Lock and return the contacts that wait for a card with one of these identities."""
    kinds, systems, values = (list(part) for part in zip(*keys, strict=True))
    rows = await connection.fetch(_AWAITING, kinds, systems, values)
    return [UUID(str(row["id"])) for row in rows]


async def lock_unattached(
    connection: Any, interaction_id: UUID
) -> list[tuple[str, str, str]] | None:
    """Lock a contact that has no card; return what it waits for, None if there is no such one."""
    row = await connection.fetchrow(_LOCK_UNATTACHED, interaction_id)
    if row is None:
        return None
    return [] if row["awaits_kind"] is None else [tuple(row)]


async def forget_unattached(connection: Any, before: datetime, limit: int) -> int:
    """Delete contacts without a card of before an instant; return how many.

    What they waited for goes with them, and is locked before them, as by whoever gives it a card.
    """
    rows = await connection.fetch(_OLD, before, limit)
    keys = sorted({tuple(row)[1:] for row in rows if row["awaits_kind"] is not None})
    if keys:
        await waiting_purchases.lock_awaited(connection, keys)
    gone = await connection.execute(_REMOVE_MOVED, [row["id"] for row in rows])
    if keys:
        await waiting_purchases.forget_awaited(connection, keys)
    return int(gone.split()[-1])


async def move_to_card(connection: Any, customer_id: UUID, ids: Sequence[UUID]) -> None:
    """Move locked contacts to a locked card."""
    await connection.execute(_MOVE, list(ids), customer_id)
    await connection.execute(_REMOVE_MOVED, list(ids))
