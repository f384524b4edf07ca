"""Merges as they are kept, and the statements of joining and parting that no list of tables says.

Raw asyncpg, set-based; the cards are locked.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.database import dump_json
from app.queries.rows import as_json

_WRITE_MERGE = """
INSERT INTO customer_merge
    (customer_id, id, loser_ids, status, fingerprint, plan, before, reason, merged_at, actor_kind,
     actor_id)
VALUES ($1, $2, $3, 'done', $4, $5, $6, $7, $8, $9, $10)
"""
_FIND = """
SELECT id, customer_id, loser_ids, status, plan, before, reason, merged_at, actor_kind, actor_id,
    undone_at, undone_by_id
FROM customer_merge WHERE id = $1
"""
_END = """
UPDATE customer_merge SET status = 'undone', undone_at = $3, undone_by_id = $4
WHERE customer_id = $1 AND id = $2 AND status = 'done'
"""
_LATER = """
SELECT id FROM customer_merge
WHERE customer_id = $1 AND status = 'done' AND (merged_at, id) > ($2, $3)
ORDER BY merged_at DESC, id DESC LIMIT 1
"""
_MERGE_OF = """
SELECT id FROM customer_merge
WHERE customer_id = $1 AND status = 'done' AND loser_ids @> to_jsonb($2::text)
"""
_NOTED = """
SELECT object_key::uuid AS id, from_customer_id FROM customer_merge_item
WHERE customer_id = $1 AND merge_id = $2 AND object_type = $3
"""
_SET_PRIMARY = """
UPDATE customer_identity AS i SET is_primary = w.is_primary
FROM unnest($2::uuid[], $3::boolean[]) AS w (id, is_primary)
WHERE i.customer_id = $1 AND i.id = w.id AND i.is_primary <> w.is_primary
"""
_CLEAR_CONSENTS = "DELETE FROM customer_consent WHERE customer_id = ANY($1::uuid[])"
_WRITE_CONSENTS = """
INSERT INTO customer_consent (customer_id, purpose, channel, state, since, record_id)
SELECT customer_id, purpose, channel, state, since, record_id
FROM jsonb_to_recordset($1::jsonb) AS r (
    customer_id uuid, purpose text, channel text, state text, since timestamptz, record_id uuid)
"""
_STATEMENTS_SINCE = """
SELECT id, purpose, channel, state, stated_at FROM consent_record
WHERE customer_id = $1 AND recorded_at >= $2 AND NOT id = ANY($3::uuid[])
    AND NOT EXISTS (
        SELECT 1 FROM customer_merge_item AS m
        WHERE m.customer_id = $1 AND m.merge_id = $4 AND m.object_type = 'consent_record'
            AND m.object_key = consent_record.id::text)
ORDER BY stated_at, id
"""
_REMOVE_STATEMENTS = """
DELETE FROM consent_record WHERE customer_id = $1 AND id = ANY($2::uuid[])
"""
_COPY_STATEMENTS = """
INSERT INTO consent_record
    (customer_id, id, purpose, channel, state, proof, proof_reference, wording, stated_at,
     recorded_at, actor_kind, actor_id)
SELECT w.customer_id, w.id, r.purpose, r.channel, r.state, r.proof, r.proof_reference, r.wording,
    r.stated_at, r.recorded_at, r.actor_kind, r.actor_id
FROM unnest($2::uuid[], $3::uuid[], $4::uuid[]) AS w (customer_id, id, of_id)
JOIN consent_record AS r ON r.customer_id = $1 AND r.id = w.of_id
"""
_SETTLE_PAIRS = """
UPDATE duplicate_pair SET state = 'same', decided_at = $2, decided_by_id = $3
WHERE first_id = ANY($1::uuid[]) AND second_id = ANY($1::uuid[]) AND state = 'open'
RETURNING first_id, second_id
"""
_REOPEN_PAIRS = """
UPDATE duplicate_pair AS p SET state = 'open', decided_at = NULL, decided_by_id = NULL
FROM unnest($1::uuid[], $2::uuid[]) AS w (first_id, second_id)
WHERE p.first_id = w.first_id AND p.second_id = w.second_id
    AND p.state = 'same' AND p.decided_at = $3
"""


async def write_merge(connection: Any, row: Mapping[str, Any]) -> None:
    """Keep a merge with its plan, and what has to be known to undo it."""
    await connection.execute(
        _WRITE_MERGE,
        row["customer_id"],
        row["id"],
        dump_json([str(one) for one in row["loser_ids"]]),
        row["fingerprint"],
        dump_json(row["plan"]),
        dump_json(row["before"]),
        row["reason"],
        row["merged_at"],
        str(row["actor_kind"]),
        row["actor_id"],
    )


async def find_merge(connection: Any, merge_id: UUID) -> Any:
    """Return a merge with everything that is kept of it; None where there is none."""
    return await connection.fetchrow(_FIND, merge_id)


async def end_merge(
    connection: Any, survivor: UUID, merge_id: UUID, at: datetime, by: UUID | None
) -> None:
    """Note that a merge was undone."""
    await connection.execute(_END, survivor, merge_id, at, by)


async def later_merge(
    connection: Any, survivor: UUID, merged_at: datetime, merge_id: UUID
) -> UUID | None:
    """Return the last merge into a card that stands and came after this one."""
    found: UUID | None = await connection.fetchval(_LATER, survivor, merged_at, merge_id)
    return found


async def merge_of(connection: Any, survivor: UUID, loser: UUID) -> UUID | None:
    """Return the merge that stands by which a card was merged into another."""
    found: UUID | None = await connection.fetchval(_MERGE_OF, survivor, str(loser))
    return found


async def noted(connection: Any, survivor: UUID, merge_id: UUID, table: str) -> list[Any]:
    """Return the rows of a table that the manifest names: id, and whose it was."""
    return list(await connection.fetch(_NOTED, survivor, merge_id, table))


async def set_primaries(connection: Any, customer_id: UUID, flags: Mapping[UUID, bool]) -> None:
    """Set which of a card's identities are primary."""
    await connection.execute(_SET_PRIMARY, customer_id, list(flags), list(flags.values()))


async def replace_consents(
    connection: Any, customer_ids: Sequence[UUID], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Let these rows be all that stands of the consent of these cards."""
    await connection.execute(_CLEAR_CONSENTS, list(customer_ids))
    if rows:
        await connection.execute(_WRITE_CONSENTS, as_json(rows))


async def statements_since(
    connection: Any, survivor: UUID, merge_id: UUID, since: datetime, made: Sequence[UUID]
) -> list[Any]:
    """Return what was stated with a card since a merge; ``made`` are the merge's own records."""
    return list(await connection.fetch(_STATEMENTS_SINCE, survivor, since, list(made), merge_id))


async def remove_statements(connection: Any, survivor: UUID, ids: Sequence[UUID]) -> None:
    """Take the statements out of the history that a merge made itself."""
    await connection.execute(_REMOVE_STATEMENTS, survivor, list(ids))


async def copy_statements(
    connection: Any, survivor: UUID, copies: Sequence[tuple[UUID, UUID, UUID]]
) -> None:
    """Write statements (card, new id, id) of a card with other cards too."""
    if copies:
        owners, ids, originals = (list(part) for part in zip(*copies, strict=True))
        await connection.execute(_COPY_STATEMENTS, survivor, owners, ids, originals)


async def settle_pairs(
    connection: Any, customer_ids: Sequence[UUID], at: datetime, by: UUID | None
) -> list[tuple[UUID, UUID]]:
    """Decide that open pairs of these cards are the same customer; return which they were."""
    rows = await connection.fetch(_SETTLE_PAIRS, list(customer_ids), at, by)
    return [(row["first_id"], row["second_id"]) for row in rows]


async def reopen_pairs(
    connection: Any, pairs: Sequence[tuple[UUID, UUID]], decided_at: datetime
) -> None:
    """Let pairs be open again that a merge settled, and nobody decided about since."""
    if pairs:
        first, second = (list(part) for part in zip(*pairs, strict=True))
        await connection.execute(_REOPEN_PAIRS, first, second, decided_at)
