"""What the rules of erasure have to know, for any number of cards in one statement. Raw asyncpg."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.rules.erasure import ErasureFacts

_IMPORT_IS_OPEN = """
    EXISTS (
        SELECT FROM import_job AS j
        WHERE j.status IN ('uploaded', 'checking', 'checked', 'running', 'undoing'))
"""
# One that is made after the erasure was asked for does not put it off once more.
_LAST_IMPORT_ON = """
    (SELECT max((CASE WHEN j.status IN ('checking', 'running', 'undoing') THEN j.updated_at
         ELSE j.created_at END AT TIME ZONE $2)::date)
     FROM import_job AS j
     WHERE j.status IN ('uploaded', 'checking', 'checked', 'running', 'undoing')
         AND NOT EXISTS (
             SELECT FROM erasure AS e
             WHERE e.customer_id = w.id AND e.status = 'deferred'
                 AND e.requested_at < j.created_at))
"""
# A merge moves the purchases of those it takes: the surviving card has them all.
_FACTS = f"""
SELECT w.id,
    (SELECT max(p.business_day) FROM purchase AS p
     WHERE p.customer_id = w.id AND p.status = 'posted' AND p.kind = 'sale') AS last_sale_on,
    (SELECT max((m.merged_at AT TIME ZONE $2)::date) FROM customer_merge AS m
     WHERE m.customer_id = w.id AND m.status = 'done') AS last_merge_on,
    {_LAST_IMPORT_ON} AS last_import_on
FROM unnest($1::uuid[]) AS w (id)
"""  # noqa: S608 - built from constants of this module
_ERASED_SINCE = """
SELECT DISTINCT customer_id FROM erasure WHERE status = 'done' AND ended_at >= $1
"""
_INACTIVE = f"""
SELECT c.id FROM customer AS c
WHERE c.status = 'archived' AND c.archived_at < $1 AND ($3::uuid[] IS NULL OR c.id = ANY($3))
    AND NOT {_IMPORT_IS_OPEN}
    AND NOT EXISTS (SELECT FROM purchase AS p WHERE p.customer_id = c.id AND p.occurred_at >= $1)
    AND NOT EXISTS (
        SELECT FROM interaction AS i WHERE i.customer_id = c.id AND i.occurred_at >= $1)
    AND NOT EXISTS (
        SELECT FROM erasure AS e WHERE e.customer_id = c.id AND e.status = 'deferred')
ORDER BY c.id LIMIT $2
"""  # noqa: S608 - built from constants, and numbers of our own


async def facts_of(
    connection: "asyncpg.Connection[Any]", customer_ids: Sequence[UUID], timezone: str
) -> dict[UUID, ErasureFacts]:
    """Return what is known of each of these persons, by the id of their surviving card."""
    rows = await connection.fetch(_FACTS, list(customer_ids), timezone)
    return {
        UUID(str(row["id"])): ErasureFacts(
            last_sale_on=row["last_sale_on"],
            last_merge_on=row["last_merge_on"],
            last_import_on=row["last_import_on"],
        )
        for row in rows
    }


async def erased_since(connection: "asyncpg.Connection[Any]", since: datetime) -> list[UUID]:
    """Return the cards that were erased since an instant."""
    return [UUID(str(row["customer_id"])) for row in await connection.fetch(_ERASED_SINCE, since)]


async def inactive_since(
    connection: "asyncpg.Connection[Any]",
    since: datetime,
    limit: int,
    among: Sequence[UUID] | None = None,
) -> list[UUID]:
    """Return archived cards that nobody bought with or was in contact with since an instant.

    There are none while a file is under way: it may write any of them.
    """
    rows = await connection.fetch(_INACTIVE, since, limit, among)
    return [UUID(str(row["id"])) for row in rows]
