"""What the 360° view reads beside the card: each in one bounded statement. Raw asyncpg."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import asyncpg

MAXIMUM_RECEIPTS: Final = 500
"""How many of the newest receipts of the window favourite categories are made of."""
MAXIMUM_PAIRS: Final = 100
"""More possible duplicates of one card are not counted."""

# Through the index of statistics, newest first: a card that buys all day costs no more.
_CATEGORIES = f"""
WITH receipt AS (
    SELECT customer_id, id, kind FROM purchase
    WHERE customer_id = $1 AND status = 'posted' AND business_day >= $2
    ORDER BY business_day DESC LIMIT {MAXIMUM_RECEIPTS}
)
SELECT l.category,
    sum(CASE WHEN r.kind = 'sale' THEN l.amount ELSE -l.amount END)::numeric(28,2) AS amount
FROM receipt AS r
JOIN purchase_line AS l ON l.customer_id = $1 AND l.purchase_id = r.id
WHERE l.category IS NOT NULL
GROUP BY l.category
HAVING sum(CASE WHEN r.kind = 'sale' THEN l.amount ELSE -l.amount END) > 0
ORDER BY amount DESC, l.category
LIMIT $3
"""  # noqa: S608 - built from constants of this module
# As the work list: what was merged or erased since a scan found it looks like nobody any more.
_DUPLICATES = f"""
SELECT count(*) FROM (
    (SELECT 1 FROM duplicate_pair WHERE first_id = $1 AND state = 'open' AND NOT EXISTS (
        SELECT FROM customer WHERE id = second_id AND status IN ('merged', 'erased'))
     LIMIT {MAXIMUM_PAIRS})
    UNION ALL
    (SELECT 1 FROM duplicate_pair WHERE second_id = $1 AND state = 'open' AND NOT EXISTS (
        SELECT FROM customer WHERE id = first_id AND status IN ('merged', 'erased'))
     LIMIT {MAXIMUM_PAIRS})
) AS pair
"""  # noqa: S608 - built from constants, and numbers of our own


async def favourite_categories(
    connection: Any, customer_id: UUID, since: date, limit: int
) -> Sequence[tuple[str, Decimal]]:
    """Return what a card bought most of since a day, by amount less what was taken back."""
    rows: list[asyncpg.Record] = await connection.fetch(_CATEGORIES, customer_id, since, limit)
    return [(row["category"], row["amount"]) for row in rows]


async def count_possible_duplicates(connection: Any, customer_id: UUID) -> int:
    """Return with how many cards this one may be the same; as many as are counted at most."""
    count: int = await connection.fetchval(_DUPLICATES, customer_id)
    return min(count, MAXIMUM_PAIRS)
