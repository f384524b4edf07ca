"""Statistics re-aggregated from the receipts, for some customers or for all, in one statement.

Raw asyncpg: the same text serves the till's transaction, the night and the rebuild, and its
parameters are arrays and dates that need no compiling.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.rules.tier_figures import HALF_DAYS, WINDOW_DAYS

COLUMNS = (
    "first_purchase_on", "last_purchase_on", "repeat_purchase_days", "purchases", "refunds",
    "gross", "refunded", "net", "costed", "margin", "purchases_365", "purchase_days_365",
    "gross_365", "refunded_365", "net_365", "costed_365", "margin_365", "window_changes_on",
    "largest_365", "net_180", "net_prior_180",
)  # fmt: skip

BEFORE_ALL: Final = UUID(int=0)
BEHIND_ALL: Final = UUID(int=2**128 - 1)
"""Portions in the order of ids begin behind the one and end with the other at the latest."""

# $1 is the as-of day. Days after it count too: a till's clock may be minutes ahead of midnight, and
# a row that a night for a past day brings forward must not lose what was bought since.
# A customer whose every receipt was voided keeps a row of zeros: a row stands for "has receipts".
# OFFSET 0 makes the flags be computed once a receipt and not once a figure; the order is that of
# the index, so that nothing is sorted, not even for counting days.
_POSTED = f"""
    SELECT {{card}} AS customer_id, business_day, amount, costed_amount, cost,
        kind = 'sale' AS is_sale,
        business_day > $1::date - {WINDOW_DAYS} AS is_in_window,
        business_day > $1::date - {2 * HALF_DAYS} AS is_in_halves,
        business_day > $1::date - {HALF_DAYS} AS is_in_half
    FROM purchase WHERE status = 'posted' AND {{cards}}
    ORDER BY customer_id, business_day
    OFFSET 0
"""  # noqa: S608 - built from constants of this module
_PARTS = {
    "half": "is_in_half",
    "prior": "is_in_halves AND NOT is_in_half",
    "rest": "is_in_window AND NOT is_in_halves",
    "old": "NOT is_in_window",
}
_SIGNED = "CASE WHEN is_sale THEN {0} ELSE -{0} END"


def _sum(expression: str, condition: str) -> str:
    return f"coalesce(sum({expression}) FILTER (WHERE {condition}), 0.00)"


# Each receipt is added once: sums of parts of time that do not overlap are put together below.
_SUMMED = ",\n        ".join(
    f"{_sum(expression, condition)} AS {name}"
    for name, expression, condition in (
        *((f"net_{part}", _SIGNED.format("amount"), days) for part, days in _PARTS.items()),
        ("refunded_in", "amount", "NOT is_sale AND is_in_window"),
        ("refunded_old", "amount", "NOT is_sale AND NOT is_in_window"),
        ("costed_in", _SIGNED.format("costed_amount"), "is_in_window"),
        ("costed_old", _SIGNED.format("costed_amount"), "NOT is_in_window"),
        ("cost_in", _SIGNED.format("cost"), "is_in_window"),
        ("cost_old", _SIGNED.format("cost"), "NOT is_in_window"),
    )
)
_AGGREGATE = f"""
    SELECT customer_id, first_purchase_on, last_purchase_on,
        greatest(days - 1, 0)::integer AS repeat_purchase_days,
        sales::integer AS purchases,
        (receipts - sales)::integer AS refunds,
        net_in + net_old + refunded_in + refunded_old AS gross,
        refunded_in + refunded_old AS refunded,
        net_in + net_old AS net,
        costed_in + costed_old AS costed,
        costed_in + costed_old - cost_in - cost_old AS margin,
        sales_in::integer AS purchases_365,
        days_in::integer AS purchase_days_365,
        net_in + refunded_in AS gross_365,
        refunded_in AS refunded_365,
        net_in AS net_365,
        costed_in AS costed_365,
        costed_in - cost_in AS margin_365,
        window_changes_on,
        largest_in AS largest_365,
        net_half AS net_180,
        net_prior AS net_prior_180
    FROM (
        SELECT *, net_half + net_prior + net_rest AS net_in
        FROM (
            SELECT customer_id,
                {_SUMMED},
                count(*) AS receipts,
                count(*) FILTER (WHERE is_sale) AS sales,
                count(*) FILTER (WHERE is_sale AND is_in_window) AS sales_in,
                count(DISTINCT business_day) FILTER (WHERE is_sale) AS days,
                count(DISTINCT business_day) FILTER (WHERE is_sale AND is_in_window) AS days_in,
                min(business_day) FILTER (WHERE is_sale) AS first_purchase_on,
                max(business_day) FILTER (WHERE is_sale) AS last_purchase_on,
                coalesce(max(amount) FILTER (WHERE is_sale AND is_in_window), 0.00) AS largest_in,
                min(CASE
                    WHEN is_in_half THEN business_day + {HALF_DAYS}
                    WHEN is_in_halves THEN business_day + {2 * HALF_DAYS}
                    WHEN is_in_window THEN business_day + {WINDOW_DAYS}
                END) AS window_changes_on
            FROM posted
            GROUP BY customer_id
        ) AS summed
    ) AS put_together
"""  # noqa: S608 - built from constants of this module


def _aggregated(cards: str, card: str = "customer_id") -> str:
    return f"posted AS ({_POSTED.format(cards=cards, card=card)}),\na AS ({_AGGREGATE})"


_NAMES = ", ".join(COLUMNS)
_COUNTS = frozenset(
    {"repeat_purchase_days", "purchases", "refunds", "purchases_365", "purchase_days_365"}
)
_ZEROS = ", ".join(
    f"a.{name}"
    if name.endswith("_on")
    else f"coalesce(a.{name}, {'0' if name in _COUNTS else '0.00'})"
    for name in COLUMNS
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
WITH {_aggregated("customer_id = ANY($2::uuid[])")},
fresh (customer_id, {_NAMES}) AS (
    SELECT wanted.customer_id, {_ZEROS}
    FROM unnest($2::uuid[]) AS wanted (customer_id) LEFT JOIN a USING (customer_id)
),
written AS ({_WRITE})
SELECT * FROM fresh
"""  # noqa: S608 - built from constants, and numbers of our own
_JOINT = f"""
WITH {_aggregated("customer_id = ANY($2::uuid[])", "$3::uuid")}
SELECT {_ZEROS} FROM (SELECT $3::uuid AS customer_id) AS wanted LEFT JOIN a USING (customer_id)
"""  # noqa: S608 - built from constants, and numbers of our own
_FRESH_ALL = f"""
{_aggregated("true")},
fresh (customer_id, {_NAMES}) AS (
    SELECT wanted.customer_id, {_ZEROS}
    FROM (SELECT DISTINCT customer_id FROM purchase) AS wanted LEFT JOIN a USING (customer_id)
)
"""  # noqa: S608 - built from constants, and numbers of our own
# Whether there is a receipt at all is asked of those cards alone that have none which is posted.
_HAS_RECEIPT = "(SELECT true FROM purchase AS p WHERE p.customer_id = {card} LIMIT 1)"
_REBUILD_SOME = f"""
WITH {_aggregated("customer_id = ANY($2::uuid[])")},
fresh (customer_id, {_NAMES}) AS (
    SELECT wanted.customer_id, {_ZEROS}
    FROM unnest($2::uuid[]) AS wanted (customer_id) LEFT JOIN a USING (customer_id)
    WHERE CASE WHEN a.customer_id IS NULL THEN {_HAS_RECEIPT.format(card="wanted.customer_id")}
        ELSE true END
),
written AS ({_WRITE})
SELECT (SELECT count(*) FROM written) AS written, (SELECT count(*) FROM fresh) AS bought
"""  # noqa: S608 - built from constants, and numbers of our own
_REMOVE_STRAY = """
DELETE FROM customer_stats AS s
WHERE s.customer_id = ANY($1::uuid[])
    AND NOT EXISTS (SELECT 1 FROM purchase AS p WHERE p.customer_id = s.customer_id)
"""
_LAST_OF_NEXT = "SELECT id FROM customer WHERE id > $1 ORDER BY id OFFSET $2 - 1 LIMIT 1"
# In the order of ids, from one index each: no receipt is looked up for its own sake.
_DIFFERING = f"""
WITH {_aggregated("customer_id > $2 AND customer_id <= $3")}
SELECT c.id
FROM customer AS c
LEFT JOIN a ON a.customer_id = c.id
LEFT JOIN customer_stats AS s ON s.customer_id = c.id AND s.customer_id > $2 AND s.customer_id <= $3
WHERE c.id > $2 AND c.id <= $3
    AND CASE
        WHEN a.customer_id IS NULL AND {_HAS_RECEIPT.format(card="c.id")} IS NULL
            THEN s.customer_id IS NOT NULL
        ELSE s.customer_id IS NULL
            OR ({", ".join(f"s.{name}" for name in COLUMNS)}) IS DISTINCT FROM ({_ZEROS})
    END
ORDER BY c.id LIMIT $4
"""  # noqa: S608 - built from constants of this module
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
"""  # noqa: S608 - built from constants, and numbers of our own
# In the order of the index alone: one that asked for more would sort all who are due each time.
_DUE = """
SELECT customer_id FROM customer_stats WHERE window_changes_on <= $1
ORDER BY window_changes_on LIMIT $2
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


async def last_of_next(
    connection: "asyncpg.Connection[Any]", after: UUID, count: int
) -> UUID | None:
    """Return the last of so many cards behind ``after``, in the order of ids; None for fewer.

    With a purchase or not. What lies between is then read in order, without a list of it.
    """
    last: UUID | None = await connection.fetchval(_LAST_OF_NEXT, after, count)
    return last


async def differing(
    connection: "asyncpg.Connection[Any]", as_of: date, after: UUID, last: UUID, limit: int
) -> list[UUID]:
    """Return the first cards behind ``after``, up to ``last``, whose row is not what it should be.

    Nothing is locked: a card that is right in the one look at its row and its receipts needs
    nothing, whatever a till does next. One that is not has to be locked and made anew.
    """
    rows = await connection.fetch(_DIFFERING, as_of, after, last, limit)
    return [row["id"] for row in rows]


async def rebuild(
    connection: "asyncpg.Connection[Any]", as_of: date, customer_ids: Sequence[UUID]
) -> int:
    """Re-aggregate these locked cards and remove rows without receipts; return how many it were."""
    wanted = list(dict.fromkeys(customer_ids))
    if not wanted:
        return 0
    row = await connection.fetchrow(_REBUILD_SOME, as_of, wanted)
    assert row is not None
    changed: int = row["written"]
    if row["bought"] < len(wanted):
        removed = await connection.execute(_REMOVE_STRAY, wanted)
        changed += int(removed.split()[-1])
    return changed


async def compare(connection: "asyncpg.Connection[Any]", as_of: date) -> dict[str, int]:
    """Compare the table with a full aggregation: customers, rows due for the night, differences."""
    row = await connection.fetchrow(_COMPARE, as_of)
    assert row is not None
    return dict(row)
