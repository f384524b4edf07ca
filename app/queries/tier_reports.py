"""What reports add up over all cards: moves between levels, and who holds how much.

Raw asyncpg: one statement each, so that all its sums are of one moment.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg

from app.rules.concentration import MOST_PERCENT, TALLIED_PERCENTS, Tally

# A card's tiers follow each other without a gap unless it came or went, so a tier that begins when
# the one before it ended is a move. Those that end when they begin were passed through. Of cards
# that stayed in one tier all the time, by far the most, only the number is wanted: nothing of them
# is sorted. What began before the opening is still held then, what ended later than the closing is
# held at it.
_FLOWS = """
WITH relevant AS NOT MATERIALIZED (
    SELECT t.customer_id, t.id, t.level, t.policy_id, t.valid_from, t.valid_to,
        t.valid_from < $2 AS is_opening, coalesce(t.valid_to >= $3, true) AS is_closing
    FROM tier_assignment AS t
    JOIN customer AS c ON c.id = t.customer_id AND c.kind = $1
    WHERE t.valid_from < $3 AND (t.valid_to IS NULL OR t.valid_to >= $2)
        AND ($4::uuid[] IS NULL OR c.home_store_id = ANY($4::uuid[]))
), touched AS MATERIALIZED (
    SELECT *, lag(level) OVER w AS level_before, lag(valid_to) OVER w AS ended_before,
        lead(valid_from) OVER w AS begins_after
    FROM relevant
    WHERE valid_from >= $2 OR valid_to < $3
    WINDOW w AS (PARTITION BY customer_id ORDER BY valid_to, valid_from, id)
)
SELECT 'card' AS what, level AS before, level AS after, NULL::uuid AS policy_id, count(*) AS count
FROM relevant WHERE valid_from < $2 AND (valid_to IS NULL OR valid_to >= $3) GROUP BY level
UNION ALL
SELECT 'card', opening, closing, NULL, count(*)
FROM (
    SELECT max(level) FILTER (WHERE is_opening) AS opening,
        max(level) FILTER (WHERE is_closing) AS closing
    FROM touched GROUP BY customer_id
) AS of_cards
GROUP BY opening, closing
UNION ALL
SELECT 'move', CASE WHEN ended_before = valid_from THEN level_before END AS before, level,
    policy_id, count(*)
FROM touched WHERE NOT is_opening GROUP BY before, level, policy_id
UNION ALL
SELECT 'move', level, NULL, policy_id, count(*)
FROM touched WHERE NOT is_closing AND begins_after IS DISTINCT FROM valid_to
GROUP BY level, policy_id
"""
_SPENT = """
    SELECT p.customer_id, sum(CASE WHEN p.kind = 'sale' THEN p.amount ELSE -p.amount END) AS net
    FROM purchase AS p
    WHERE p.status = 'posted' AND p.business_day > $3::date - $4::integer
        AND p.business_day <= $3::date
    GROUP BY p.customer_id
    HAVING bool_or(p.kind = 'sale')
"""
# The same from the statistics, where they hold what that window holds.
_SPENT_NOW = """
    SELECT customer_id, net_365 AS net FROM customer_stats
    WHERE purchases_365 > 0 AND $3::date IS NOT NULL AND $4::integer IS NOT NULL
"""


def _tally_of(spent: str) -> str:
    return f"""
WITH spent AS ({spent}), ranked AS MATERIALIZED (
    SELECT s.net, greatest(s.net, 0) AS value, row_number() OVER w AS place,
        sum(greatest(s.net, 0)) OVER w AS reached
    FROM spent AS s
    JOIN customer AS c ON c.id = s.customer_id AND c.kind = $1
    WHERE $2::uuid[] IS NULL OR c.home_store_id = ANY($2::uuid[])
    WINDOW w AS (ORDER BY s.net DESC ROWS UNBOUNDED PRECEDING)
), sums AS (
    SELECT count(*) AS customers, coalesce(sum(value), 0) AS total,
        coalesce(sum(value * value), 0) AS squares, coalesce(sum(value * place), 0) AS placed,
        count(*) FILTER (WHERE net < 0) AS negative_customers,
        coalesce(sum(net) FILTER (WHERE net < 0), 0) AS negative_amount
    FROM ranked
)
SELECT sums.*,
    (SELECT min(place) FROM ranked WHERE reached * 100 >= sums.total * $6) AS making_most,
    (SELECT array_agg(r.reached ORDER BY wanted.percent)
     FROM unnest($5::integer[]) AS wanted (percent)
     JOIN ranked AS r ON r.place = (sums.customers * wanted.percent + 99) / 100) AS top
FROM sums
"""  # noqa: S608 - built from constants of this module


_TALLY = _tally_of(_SPENT)
_TALLY_NOW = _tally_of(_SPENT_NOW)


async def flows(
    connection: "asyncpg.Connection[Any]",
    kind: str,
    opening: datetime,
    closing: datetime,
    store_ids: Sequence[UUID] | None,
) -> list["asyncpg.Record"]:
    """Return counts: of each ``card``, by the levels just before both instants; of each ``move``.

    A card that held none at one of them has null there. A move without a level before is an
    arrival, without one after a departure; ``policy_id`` made it, or made what was left.
    """
    stores = None if store_ids is None else list(store_ids)
    return list(await connection.fetch(_FLOWS, kind, opening, closing, stores))


async def tally(
    connection: "asyncpg.Connection[Any]",
    kind: str,
    store_ids: Sequence[UUID] | None,
    as_of: date,
    window_days: int,
    *,
    from_statistics: bool,
) -> Tally:
    """Add up the net spends of all who bought in the window that ends with a day.

    The statistics hold the same for a window of 365 days, where they are of that day.
    """
    row = await connection.fetchrow(
        _TALLY_NOW if from_statistics else _TALLY,
        kind,
        None if store_ids is None else list(store_ids),
        as_of,
        window_days,
        list(TALLIED_PERCENTS),
        MOST_PERCENT,
    )
    assert row is not None
    top = row["top"] or [Decimal(0)] * len(TALLIED_PERCENTS)
    return Tally(
        customers=row["customers"],
        total=row["total"],
        squares=row["squares"],
        placed=row["placed"],
        top=dict(zip(TALLIED_PERCENTS, top, strict=True)),
        making_most=row["making_most"] or 0,
        negative_customers=row["negative_customers"],
        negative_amount=row["negative_amount"],
    )
