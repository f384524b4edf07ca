"""Cost to serve, re-aggregated from the interactions, for some customers or for all.

As :mod:`app.queries.customer_stats` does it for receipts, and for the same reasons. Whoever
re-aggregates holds the cards (``customer_stats.lock_cards``).
"""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg

from app.rules.tier_figures import WINDOW_DAYS

COLUMNS = (
    "contacts", "inbound", "contacts_365", "inbound_365", "service_cost", "service_cost_365",
    "last_contact_at", "last_inbound_at", "window_changes_on",
)  # fmt: skip

# $1 is the as-of day; days after it count too, as they do for receipts.
_INBOUND = "direction = 'inbound'"
_IN_WINDOW = f"business_day > $1::date - {WINDOW_DAYS}"
_AGGREGATE = f"""
    SELECT customer_id,
        count(*)::integer AS contacts,
        (count(*) FILTER (WHERE {_INBOUND}))::integer AS inbound,
        (count(*) FILTER (WHERE {_IN_WINDOW}))::integer AS contacts_365,
        (count(*) FILTER (WHERE {_INBOUND} AND {_IN_WINDOW}))::integer AS inbound_365,
        sum(cost)::numeric(28,2) AS service_cost,
        coalesce(sum(cost) FILTER (WHERE {_IN_WINDOW}), 0)::numeric(28,2) AS service_cost_365,
        max(occurred_at) AS last_contact_at,
        max(occurred_at) FILTER (WHERE {_INBOUND}) AS last_inbound_at,
        min(business_day) FILTER (WHERE {_IN_WINDOW}) + {WINDOW_DAYS} AS window_changes_on
    FROM interaction
    WHERE {{condition}}
    GROUP BY customer_id
"""  # noqa: S608 - built from constants of this module
_NAMES = ", ".join(COLUMNS)
_SOME = _AGGREGATE.format(condition="customer_id = ANY($2::uuid[])")
_ALL = _AGGREGATE.format(condition="true")
_OURS = ", ".join(f"s.{name}" for name in COLUMNS)
_THEIRS = ", ".join(f"fresh.{name}" for name in COLUMNS)
_WRITE = f"""
WITH fresh AS ({_SOME}),
written AS (
    INSERT INTO customer_service_stats AS s (customer_id, {_NAMES})
    SELECT customer_id, {_NAMES} FROM fresh
    ON CONFLICT (customer_id) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name in COLUMNS)}
    WHERE ({_OURS}) IS DISTINCT FROM ({", ".join(f"excluded.{name}" for name in COLUMNS)})
    RETURNING 1
)
SELECT count(*) FROM written
"""  # noqa: S608 - built from constants, and numbers of our own
_JOINT = f"""
WITH each AS ({_SOME})
SELECT coalesce(sum(contacts), 0)::integer AS contacts,
    coalesce(sum(inbound), 0)::integer AS inbound,
    coalesce(sum(contacts_365), 0)::integer AS contacts_365,
    coalesce(sum(inbound_365), 0)::integer AS inbound_365,
    coalesce(sum(service_cost), 0)::numeric(28,2) AS service_cost,
    coalesce(sum(service_cost_365), 0)::numeric(28,2) AS service_cost_365,
    max(last_contact_at) AS last_contact_at, max(last_inbound_at) AS last_inbound_at
FROM each
"""  # noqa: S608 - built from constants, and numbers of our own
_DIFFERING = f"""
WITH fresh AS ({_AGGREGATE.format(condition="customer_id > $2 AND customer_id <= $3")}),
kept AS (SELECT * FROM customer_service_stats WHERE customer_id > $2 AND customer_id <= $3)
SELECT customer_id
FROM fresh FULL JOIN kept AS s USING (customer_id)
WHERE ({_OURS}) IS DISTINCT FROM ({_THEIRS})
ORDER BY customer_id LIMIT $4
"""  # noqa: S608 - built from constants, and numbers of our own
_REMOVE_STRAY = """
DELETE FROM customer_service_stats AS s
WHERE s.customer_id = ANY($1::uuid[])
    AND NOT EXISTS (SELECT 1 FROM interaction AS i WHERE i.customer_id = s.customer_id)
"""
_DUE = """
SELECT customer_id FROM customer_service_stats WHERE window_changes_on <= $1
ORDER BY window_changes_on LIMIT $2
"""
_COMPARE = f"""
WITH fresh AS ({_ALL})
SELECT
    count(*) AS customers,
    count(*) FILTER (WHERE s.window_changes_on <= $1::date) AS due,
    count(*) FILTER (
        WHERE coalesce(s.window_changes_on > $1::date, true)
        AND ({_OURS}) IS DISTINCT FROM ({_THEIRS})
    ) AS different
FROM fresh FULL JOIN customer_service_stats AS s USING (customer_id)
"""  # noqa: S608 - built from constants, and numbers of our own


async def refresh(
    connection: "asyncpg.Connection[Any]", as_of: date, customer_ids: Sequence[UUID]
) -> int:
    """Re-aggregate these locked cards; return how many rows were not right.

    A card without interactions has no row.
    """
    if not customer_ids:
        return 0
    written: int = await connection.fetchval(_WRITE, as_of, list(customer_ids))
    removed = await connection.execute(_REMOVE_STRAY, list(customer_ids))
    return written + int(removed.split()[-1])


async def joint(
    connection: "asyncpg.Connection[Any]", as_of: date, customer_ids: Sequence[UUID]
) -> dict[str, Any]:
    """Return the figures of one card that had all the interactions of these."""
    row = await connection.fetchrow(_JOINT, as_of, list(customer_ids))
    assert row is not None
    return dict(row)


async def due(connection: "asyncpg.Connection[Any]", as_of: date, limit: int) -> list[UUID]:
    """Return customers who have a contact that left the window, longest ago first."""
    return [row["customer_id"] for row in await connection.fetch(_DUE, as_of, limit)]


async def differing(
    connection: "asyncpg.Connection[Any]", as_of: date, after: UUID, last: UUID, limit: int
) -> list[UUID]:
    """Return the first cards behind ``after``, up to ``last``, whose row is not what it should be.

    Nothing is locked, as in :func:`app.queries.customer_stats.differing`.
    """
    rows = await connection.fetch(_DIFFERING, as_of, after, last, limit)
    return [row["customer_id"] for row in rows]


async def compare(connection: "asyncpg.Connection[Any]", as_of: date) -> dict[str, int]:
    """Compare the table with a full aggregation: customers, rows due for the night, differences."""
    row = await connection.fetchrow(_COMPARE, as_of)
    assert row is not None
    return dict(row)
