"""Customers and amounts by what their profiles say. Raw asyncpg: a pass over all profiles."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

import asyncpg

Column = Literal["segment", "customer_group"]

_SHARES: Final = """
SELECT p.{column} AS code, count(*) AS customers,
    coalesce(sum(s.net_365), 0)::numeric(28,2) AS amount
FROM customer_profile AS p
JOIN customer AS c ON c.id = p.customer_id AND c.kind = $1 AND c.status IN ('active', 'archived')
LEFT JOIN customer_stats AS s ON s.customer_id = p.customer_id
WHERE $2::uuid[] IS NULL OR c.home_store_id = ANY($2::uuid[])
GROUP BY p.{column}
"""


async def shares(
    connection: "asyncpg.Connection[Any]",
    column: Column,
    kind: str,
    store_ids: Sequence[UUID] | None,
) -> dict[str, tuple[int, Decimal]]:
    """Return how many customers of a kind each code has, and their net spend of 365 days."""
    stores = None if store_ids is None else list(store_ids)
    rows = await connection.fetch(_SHARES.format(column=column), kind, stores)
    return {row["code"]: (row["customers"], row["amount"]) for row in rows}
