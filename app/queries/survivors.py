"""Which card a merged one's id leads to, and which cards were merged into one. Raw asyncpg.

A merged card names the card it was merged into, which may have been merged in turn: the chain is
followed by primary keys, link by link, in one statement however many cards are asked about.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from app.vocabulary import CustomerStatus

_SURVIVORS = """
WITH RECURSIVE chain (asked_id, id, merged_into_id, status) AS (
    SELECT id, id, merged_into_id, status FROM customer WHERE id = ANY($1::uuid[])
    UNION ALL
    SELECT chain.asked_id, c.id, c.merged_into_id, c.status
    FROM chain JOIN customer AS c ON c.id = chain.merged_into_id
)
SELECT asked_id, id, status FROM chain WHERE merged_into_id IS NULL
"""
_MERGED = """
WITH RECURSIVE below (root_id, id) AS (
    SELECT merged_into_id, id FROM customer WHERE merged_into_id = ANY($1::uuid[])
    UNION ALL
    SELECT below.root_id, c.id
    FROM below JOIN customer AS c ON c.merged_into_id = below.id
)
SELECT root_id, array_agg(id ORDER BY id) AS ids FROM below GROUP BY root_id
"""


async def survivors_of(connection: Any, customer_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Return the card that each of these leads to: itself, unless it was merged.

    Ids of no card are left out, and those of persons whose data were erased.
    """
    if not customer_ids:
        return {}
    rows = await connection.fetch(_SURVIVORS, list(customer_ids))
    return {
        UUID(str(row["asked_id"])): UUID(str(row["id"]))
        for row in rows
        if row["status"] != CustomerStatus.ERASED
    }


async def find_survivor(connection: Any, customer_id: UUID) -> tuple[UUID, CustomerStatus] | None:
    """Return the card that an id leads to, and its status; None where it is no card's."""
    row = await connection.fetchrow(_SURVIVORS, [customer_id])
    return row and (UUID(str(row["id"])), CustomerStatus(row["status"]))


async def merged_into(connection: Any, customer_ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """Return the cards that were merged into each of these, by however many steps, by id."""
    if not customer_ids:
        return {}
    rows = await connection.fetch(_MERGED, list(customer_ids))
    return {UUID(str(row["root_id"])): [UUID(str(one)) for one in row["ids"]] for row in rows}
