"""Levels that were set by hand: which have ended, and what else was said of the card."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

_ENDED = """
SELECT customer_id FROM tier_assignment
WHERE valid_to IS NULL AND ends_on < $1
ORDER BY ends_on, customer_id
LIMIT $2
"""
_RUNNING = """
SELECT customer_id, ends_on FROM tier_assignment
WHERE customer_id = ANY($1::uuid[]) AND valid_to IS NULL AND cause = 'override'
"""
_TAKEN_BACK = """
SELECT w.customer_id, p.refund_of_id AS purchase_id
FROM unnest($1::uuid[], $2::timestamptz[]) AS w (customer_id, since)
JOIN purchase AS p ON p.customer_id = w.customer_id
WHERE p.refund_of_id IS NOT NULL AND p.status = 'posted' AND p.recorded_at >= w.since
UNION
SELECT w.customer_id, p.id
FROM unnest($1::uuid[], $2::timestamptz[]) AS w (customer_id, since)
JOIN purchase AS p ON p.customer_id = w.customer_id
WHERE p.kind = 'sale' AND p.voided_at >= w.since
"""
_LAPSE_NOTICES = """
UPDATE tier_notice SET status = 'lapsed', closed_at = $2
WHERE customer_id = ANY($1::uuid[]) AND status = 'open'
"""


async def ended(connection: "asyncpg.Connection[Any]", as_of: date, limit: int) -> list[UUID]:
    """Return cards whose override held until a day before ``as_of``, longest ago first."""
    return [row["customer_id"] for row in await connection.fetch(_ENDED, as_of, limit)]


async def running(
    connection: "asyncpg.Connection[Any]", customer_ids: Sequence[UUID]
) -> dict[UUID, date]:
    """Return the last day of the overrides of those of these cards that have one."""
    rows = await connection.fetch(_RUNNING, list(customer_ids))
    return {row["customer_id"]: row["ends_on"] for row in rows}


async def taken_back(
    connection: "asyncpg.Connection[Any]", since: Mapping[UUID, datetime]
) -> dict[UUID, set[UUID]]:
    """Return the purchases of each card that were taken back, wholly or in part, since then."""
    found: dict[UUID, set[UUID]] = defaultdict(set)
    rows = await connection.fetch(_TAKEN_BACK, list(since), list(since.values()))
    for row in rows:
        found[row["customer_id"]].add(row["purchase_id"])
    return found


async def lapse_notices(
    connection: "asyncpg.Connection[Any]", at: datetime, customer_ids: Sequence[UUID]
) -> None:
    """Close the open notices of these cards: they are not called for any more."""
    await connection.execute(_LAPSE_NOTICES, list(customer_ids), at)
