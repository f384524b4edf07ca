"""Reviews of many cards at once: what waits, what was refused, what becomes of them.

Raw asyncpg, since the till's transaction runs them with arrays of ids. The cards are locked.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.queries.rows import as_json

_STANDING = """
SELECT customer_id, id, next_level, status, decided_at FROM tier_review
WHERE customer_id = ANY($1::uuid[]) AND status IN ('open', 'refused')
ORDER BY customer_id, id DESC
"""
_OPEN = """
INSERT INTO tier_review
    (customer_id, id, policy_id, level, next_level, purchase_id, evidence, is_severe, status,
     opened_at)
SELECT customer_id, id, policy_id, level, next_level, purchase_id, evidence, is_severe, 'open', $2
FROM jsonb_to_recordset($1::jsonb) AS r (
    customer_id uuid, id uuid, policy_id uuid, level text, next_level text, purchase_id uuid,
    evidence jsonb, is_severe boolean)
"""
_REFRESH = """
UPDATE tier_review AS t
SET policy_id = r.policy_id, level = r.level, next_level = r.next_level, evidence = r.evidence,
    is_severe = r.is_severe,
    purchase_id = CASE WHEN r.is_raised THEN r.purchase_id ELSE t.purchase_id END
FROM jsonb_to_recordset($1::jsonb) AS r (
    customer_id uuid, id uuid, policy_id uuid, level text, next_level text, purchase_id uuid,
    evidence jsonb, is_severe boolean, is_raised boolean)
WHERE t.customer_id = r.customer_id AND t.id = r.id AND t.status = 'open'
    AND (t.policy_id, t.level, t.next_level, t.evidence)
        IS DISTINCT FROM (r.policy_id, r.level, r.next_level, r.evidence)
"""
_LAPSE = """
UPDATE tier_review SET status = 'lapsed', decided_at = $2
WHERE customer_id = ANY($1::uuid[]) AND status = 'open'
RETURNING customer_id, id
"""
_NEXT_WAITING = """
SELECT customer_id FROM tier_review
WHERE status = 'open' AND ($1::uuid IS NULL OR customer_id > $1)
ORDER BY customer_id
LIMIT $2
"""
# A card that was merged or erased waits for nothing any more, nor one whose level was set by hand.
_CANDIDATES = """
SELECT r.customer_id, r.next_level, c.kind, t.level,
    c.merged_into_id IS NULL AND c.status <> 'erased' AND coalesce(t.cause <> 'override', false)
        AS may_rise
FROM tier_review AS r
JOIN customer AS c ON c.id = r.customer_id
LEFT JOIN tier_assignment AS t ON t.customer_id = r.customer_id AND t.valid_to IS NULL
WHERE r.customer_id = ANY($1::uuid[]) AND r.status = 'open'
"""
_IS_TAKEN_BACK = """
SELECT NOT EXISTS (
        SELECT FROM purchase WHERE customer_id = $1 AND id = $2 AND status = 'posted')
    OR EXISTS (
        SELECT FROM purchase WHERE customer_id = $1 AND refund_of_id = $2 AND status = 'posted')
"""
_WAITING = """
SELECT r.customer_id, r.next_level, c.kind, t.level,
    c.status IN ('active', 'archived') AND t.level IS NOT NULL AND t.cause <> 'override' AS may_rise
FROM tier_review AS r
JOIN customer AS c ON c.id = r.customer_id
LEFT JOIN tier_assignment AS t ON t.customer_id = r.customer_id AND t.valid_to IS NULL
WHERE r.status = 'open' AND ($1::uuid IS NULL OR r.customer_id > $1)
ORDER BY r.customer_id
LIMIT $2
"""
_IS_TAKEN_BACK = """
SELECT EXISTS (
    SELECT FROM purchase
    WHERE customer_id = $1
        AND (id = $2 AND status <> 'posted' OR refund_of_id = $2 AND status = 'posted'))
"""
_WAITING = """
SELECT customer_id, next_level FROM tier_review
WHERE customer_id = ANY($1::uuid[]) AND status = 'open'
"""


async def standing(
    connection: "asyncpg.Connection[Any]", customer_ids: Sequence[UUID]
) -> list["asyncpg.Record"]:
    """Return the cards' reviews that are open or were refused, each card's newest first."""
    return list(await connection.fetch(_STANDING, list(customer_ids)))


async def waiting(
    connection: "asyncpg.Connection[Any]", customer_ids: Sequence[UUID]
) -> dict[UUID, str]:
    """Return the level that each of these cards waits for, of those that wait."""
    rows = await connection.fetch(_WAITING, list(customer_ids))
    return {row["customer_id"]: row["next_level"] for row in rows}


async def next_waiting(
    connection: "asyncpg.Connection[Any]", after: UUID | None, limit: int
) -> list[UUID]:
    """Return the next cards with an open review, in the order of ids."""
    return [row["customer_id"] for row in await connection.fetch(_NEXT_WAITING, after, limit)]


async def candidates(
    connection: "asyncpg.Connection[Any]", customer_ids: Sequence[UUID]
) -> list["asyncpg.Record"]:
    """Return those of these cards that wait, with what they hold and whether they may rise."""
    return list(await connection.fetch(_CANDIDATES, list(customer_ids)))


async def is_taken_back(
    connection: "asyncpg.Connection[Any]", customer_id: UUID, purchase_id: UUID
) -> bool:
    """Tell whether a card's purchase is not there any more, voided, or refunded in part."""
    is_so: bool = await connection.fetchval(_IS_TAKEN_BACK, customer_id, purchase_id)
    return is_so


async def open_reviews(
    connection: "asyncpg.Connection[Any]", at: datetime, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Begin reviews of cards that have no open one."""
    if rows:
        await connection.execute(_OPEN, as_json(rows), at)


async def refresh(connection: "asyncpg.Connection[Any]", rows: Sequence[Mapping[str, Any]]) -> None:
    """Bring open reviews up to what is known now; one that is raised gets another purchase."""
    if rows:
        await connection.execute(_REFRESH, as_json(rows))


async def lapse(
    connection: "asyncpg.Connection[Any]", at: datetime, customer_ids: Sequence[UUID]
) -> list["asyncpg.Record"]:
    """End the open reviews of these cards; return those that were open."""
    if not customer_ids:
        return []
    return list(await connection.fetch(_LAPSE, list(customer_ids), at))
