"""Statistics re-aggregated from the receipts, for some customers or for all, in one statement.

Raw asyncpg: the same text serves the till's transaction, the night and the rebuild, and its
parameters are arrays and dates that need no compiling.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg

from app.rules.tier_policies import HALF_DAYS, WINDOW_DAYS

COLUMNS = (
    "first_purchase_on", "last_purchase_on", "repeat_purchase_days", "purchases", "refunds",
    "gross", "refunded", "net", "costed", "margin", "purchases_365", "purchase_days_365",
    "gross_365", "refunded_365", "net_365", "costed_365", "margin_365", "window_changes_on",
    "largest_365", "net_180", "net_prior_180",
)  # fmt: skip

# $1 is the as-of day. Days after it count too: a till's clock may be minutes ahead of midnight, and
# a row that a night for a past day brings forward must not lose what was bought since.
_SALE = "kind = 'sale'"
_IN_WINDOW = f"business_day > $1::date - {WINDOW_DAYS}"
_IN_HALF = f"business_day > $1::date - {HALF_DAYS}"
_IN_TWO_HALVES = f"business_day > $1::date - {2 * HALF_DAYS}"


def _sum(expression: str, condition: str) -> str:
    return f"coalesce(sum({expression}) FILTER (WHERE {condition}), 0)::numeric(28,2)"


_SIGNED = "CASE WHEN kind = 'sale' THEN {0} ELSE -({0}) END"
_AGGREGATE = f"""
    SELECT customer_id,
        min(business_day) FILTER (WHERE {_SALE}) AS first_purchase_on,
        max(business_day) FILTER (WHERE {_SALE}) AS last_purchase_on,
        greatest(count(DISTINCT business_day) FILTER (WHERE {_SALE}) - 1, 0)::integer
            AS repeat_purchase_days,
        (count(*) FILTER (WHERE {_SALE}))::integer AS purchases,
        (count(*) FILTER (WHERE NOT {_SALE}))::integer AS refunds,
        {_sum("amount", _SALE)} AS gross,
        {_sum("amount", f"NOT {_SALE}")} AS refunded,
        {_sum(_SIGNED.format("amount"), "true")} AS net,
        {_sum(_SIGNED.format("costed_amount"), "true")} AS costed,
        {_sum(_SIGNED.format("costed_amount - cost"), "true")} AS margin,
        (count(*) FILTER (WHERE {_SALE} AND {_IN_WINDOW}))::integer AS purchases_365,
        (count(DISTINCT business_day) FILTER (WHERE {_SALE} AND {_IN_WINDOW}))::integer
            AS purchase_days_365,
        {_sum("amount", f"{_SALE} AND {_IN_WINDOW}")} AS gross_365,
        {_sum("amount", f"NOT {_SALE} AND {_IN_WINDOW}")} AS refunded_365,
        {_sum(_SIGNED.format("amount"), _IN_WINDOW)} AS net_365,
        {_sum(_SIGNED.format("costed_amount"), _IN_WINDOW)} AS costed_365,
        {_sum(_SIGNED.format("costed_amount - cost"), _IN_WINDOW)} AS margin_365,
        least(
            min(business_day) FILTER (WHERE {_IN_WINDOW}) + {WINDOW_DAYS},
            min(business_day) FILTER (WHERE {_IN_TWO_HALVES}) + {2 * HALF_DAYS},
            min(business_day) FILTER (WHERE {_IN_HALF}) + {HALF_DAYS}
        ) AS window_changes_on,
        coalesce(max(amount) FILTER (WHERE {_SALE} AND {_IN_WINDOW}), 0)::numeric(28,2)
            AS largest_365,
        {_sum(_SIGNED.format("amount"), _IN_HALF)} AS net_180,
        {_sum(_SIGNED.format("amount"), f"{_IN_TWO_HALVES} AND NOT {_IN_HALF}")} AS net_prior_180
    FROM posted
    GROUP BY customer_id
"""  # noqa: S608 - built from constants of this module
# A customer whose every receipt was voided keeps a row of zeros: a row stands for "has receipts".
_POSTED = """
    SELECT customer_id, business_day, kind, amount, costed_amount, cost
    FROM purchase WHERE status = 'posted'
"""
_NAMES = ", ".join(COLUMNS)
_ZEROS = ", ".join(
    f"a.{name}" if name.endswith("_on") else f"coalesce(a.{name}, 0)" for name in COLUMNS
)
_CHANGED = (
    f"({', '.join(f'customer_stats.{name}' for name in COLUMNS)})"
    f" IS DISTINCT FROM ({', '.join(f'excluded.{name}' for name in COLUMNS)})"
)
_WRITE = f"""
    INSERT INTO customer_stats (customer_id, {_NAMES})
    SELECT customer_id, {_NAMES} FROM fresh
    ON CONFLICT (customer_id) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name in COLUMNS)}
    WHERE {_CHANGED}
    RETURNING 1
"""  # noqa: S608 - built from constants of this module

_REFRESH_SOME = f"""
WITH posted AS ({_POSTED} AND customer_id = ANY($2::uuid[])),
a AS ({_AGGREGATE}),
fresh (customer_id, {_NAMES}) AS (
    SELECT wanted.customer_id, {_ZEROS}
    FROM unnest($2::uuid[]) AS wanted (customer_id) LEFT JOIN a USING (customer_id)
),
written AS ({_WRITE})
SELECT * FROM fresh
"""  # noqa: S608
_JOINT = f"""
WITH posted AS (
    SELECT $3::uuid AS customer_id, business_day, kind, amount, costed_amount, cost
    FROM purchase WHERE status = 'posted' AND customer_id = ANY($2::uuid[])
),
a AS ({_AGGREGATE})
SELECT {_ZEROS} FROM (SELECT $3::uuid AS customer_id) AS wanted LEFT JOIN a USING (customer_id)
"""  # noqa: S608
_FRESH_ALL = f"""
posted AS ({_POSTED}),
a AS ({_AGGREGATE}),
fresh (customer_id, {_NAMES}) AS (
    SELECT wanted.customer_id, {_ZEROS}
    FROM (SELECT DISTINCT customer_id FROM purchase) AS wanted LEFT JOIN a USING (customer_id)
)
"""  # noqa: S608
_REBUILD_SOME = f"""
WITH posted AS ({_POSTED} AND customer_id = ANY($2::uuid[])),
a AS ({_AGGREGATE}),
fresh (customer_id, {_NAMES}) AS (
    SELECT wanted.customer_id, {_ZEROS}
    FROM (SELECT DISTINCT customer_id FROM purchase WHERE customer_id = ANY($2::uuid[])) AS wanted
    LEFT JOIN a USING (customer_id)
),
written AS ({_WRITE})
SELECT count(*) FROM written
"""  # noqa: S608
_REMOVE_STRAY = """
DELETE FROM customer_stats AS s
WHERE s.customer_id = ANY($1::uuid[])
    AND NOT EXISTS (SELECT 1 FROM purchase AS p WHERE p.customer_id = s.customer_id)
"""
_LOCK_NEXT_CARDS = """
SELECT id FROM customer WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2 FOR NO KEY UPDATE
"""
_COMPARE = f"""
WITH {_FRESH_ALL}
SELECT
    count(*) AS customers,
    count(*) FILTER (WHERE s.window_changes_on <= $1::date) AS due,
    count(*) FILTER (
        WHERE (s.window_changes_on > $1::date OR s.window_changes_on IS NULL)
        AND (s.customer_id IS NULL OR fresh.customer_id IS NULL
             OR ({", ".join(f"s.{name}" for name in COLUMNS)})
             IS DISTINCT FROM ({", ".join(f"fresh.{name}" for name in COLUMNS)}))
    ) AS different
FROM fresh FULL JOIN customer_stats AS s USING (customer_id)
"""  # noqa: S608
_DUE = """
SELECT customer_id FROM customer_stats WHERE window_changes_on <= $1
ORDER BY window_changes_on, customer_id LIMIT $2
"""
# In the order of ids, so that two who lock several cards never wait for each other in a circle.
_LOCK_CARDS = "SELECT id FROM customer WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"


async def refresh(
    connection: "asyncpg.Connection[Any]", as_of: date, customer_ids: Sequence[UUID]
) -> dict[UUID, "asyncpg.Record"]:
    """Re-aggregate these customers and return their rows; rows that are right are not written."""
    rows = await connection.fetch(_REFRESH_SOME, as_of, list(customer_ids))
    return {row["customer_id"]: row for row in rows}


async def joint(
    connection: "asyncpg.Connection[Any]", as_of: date, customer_ids: Sequence[UUID]
) -> dict[str, Any]:
    """Return what the row of one card would be that had all the receipts of these."""
    row = await connection.fetchrow(_JOINT, as_of, list(customer_ids), customer_ids[0])
    assert row is not None
    return dict(zip(COLUMNS, row, strict=True))


async def due(connection: "asyncpg.Connection[Any]", as_of: date, limit: int) -> list[UUID]:
    """Return customers who have a purchase that left the window, longest ago first."""
    return [row["customer_id"] for row in await connection.fetch(_DUE, as_of, limit)]


async def lock_cards(connection: "asyncpg.Connection[Any]", customer_ids: Sequence[UUID]) -> None:
    """Lock these cards until the transaction ends.

    Whoever re-aggregates has to hold the cards: its statement may otherwise have looked at the
    receipts before another transaction's receipt, and written after it.
    """
    await connection.execute(_LOCK_CARDS, list(customer_ids))


async def lock_next_cards(
    connection: "asyncpg.Connection[Any]", after: UUID | None, limit: int
) -> list[UUID]:
    """Lock and return the next cards in the order of ids, from the first one if ``after`` is None.

    Without a purchase or not: a card is then looked at after whatever a till did to it.
    """
    return [row["id"] for row in await connection.fetch(_LOCK_NEXT_CARDS, after, limit)]


async def rebuild(
    connection: "asyncpg.Connection[Any]", as_of: date, customer_ids: Sequence[UUID]
) -> int:
    """Re-aggregate these locked cards and remove rows without receipts; return how many it were."""
    written: int = await connection.fetchval(_REBUILD_SOME, as_of, list(customer_ids))
    removed = await connection.execute(_REMOVE_STRAY, list(customer_ids))
    return written + int(removed.split()[-1])


async def compare(connection: "asyncpg.Connection[Any]", as_of: date) -> dict[str, int]:
    """Compare the table with a full aggregation: customers, rows due for the night, differences."""
    row = await connection.fetchrow(_COMPARE, as_of)
    assert row is not None
    return dict(row)
