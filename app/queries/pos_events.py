"""The inbox of tills: who sends, what was sent, what became of it. Set-based, raw asyncpg."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.queries.rows import as_json

# The lock lets sales go side by side and makes a change of the source wait for them.
_SOURCE = """
SELECT s.id AS source_id, s.code, s.store_id, st.code AS store_code, s.mode, s.receipt_rule,
    s.currency, s.is_active,
    ARRAY(SELECT k.secret FROM source_secret AS k
          WHERE k.source_id = s.id AND k.revoked_at IS NULL ORDER BY k.slot) AS secrets
FROM source AS s JOIN store AS st ON st.id = s.store_id
WHERE s.code = $1
FOR KEY SHARE OF s
"""
_SOURCES = "SELECT id, code, receipt_rule FROM source WHERE code = ANY($1::text[])"
_STORE_EVENTS = """
INSERT INTO pos_event (source_id, event_id, kind, status, mode, body, body_hash, received_at)
SELECT source_id, event_id, kind, 'held', mode, body, body_hash, $2
FROM jsonb_to_recordset($1::jsonb)
    AS r (source_id uuid, event_id text, kind text, mode text, body jsonb, body_hash text)
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
_PARKED = """
SELECT e.source_id, s.code, s.store_id, st.code AS store_code, e.mode, s.receipt_rule, s.currency,
    e.event_id, e.body, e.received_at
FROM unnest($1::uuid[], $2::text[]) AS w (source_id, receipt_key)
JOIN pos_event AS e ON e.awaits_source_id = w.source_id AND e.awaits_receipt_key = w.receipt_key
    AND e.status = 'parked'
JOIN source AS s ON s.id = e.source_id JOIN store AS st ON st.id = s.store_id
ORDER BY e.received_at, e.source_id, e.event_id
FOR UPDATE OF e
"""
_STORED = """
SELECT e.source_id, s.code, s.store_id, st.code AS store_code, e.mode, s.receipt_rule, s.currency,
    e.event_id, e.body, e.received_at, e.status
FROM pos_event AS e JOIN source AS s ON s.id = e.source_id JOIN store AS st ON st.id = s.store_id
WHERE s.code = $1 AND e.event_id = $2
FOR UPDATE OF e
"""


async def find_source(connection: Any, code: str) -> "asyncpg.Record | None":
    """Return a source with its store and live secrets."""
    row: asyncpg.Record | None = await connection.fetchrow(_SOURCE, code)
    return row


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


async def parked_for(connection: Any, keys: Sequence[tuple[UUID, str]]) -> list["asyncpg.Record"]:
    """Return and lock the events that waited for these receipts, in order of arrival."""
    if not keys:
        return []
    sources, numbers = (list(part) for part in zip(*keys, strict=True))
    return list(await connection.fetch(_PARKED, sources, numbers))


async def lock_event(connection: Any, source: str, event_id: str) -> "asyncpg.Record | None":
    """Lock and return a stored event with its source, to be posted again."""
    row: asyncpg.Record | None = await connection.fetchrow(_STORED, source, event_id)
    return row
