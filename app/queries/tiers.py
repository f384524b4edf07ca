"""Tiers of many cards at once: what they hold, what they move to.

Raw asyncpg, since the till's transaction runs them with arrays of ids.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg

from app.queries.rows import as_json

_ACTIVE_POLICIES = """
SELECT p.id, p.scope, p.version, p.name, p.method, p.body::text AS body,
    (CASE WHEN p.method = 'composite' THEN c.body ELSE c.body || '{"knots": {}}' END)::text
        AS calibration
FROM tier_policy AS p LEFT JOIN tier_calibration AS c ON c.policy_id = p.id
WHERE p.status = 'active'
"""
_HELD = """
SELECT c.id AS customer_id, c.kind,
    EXISTS (SELECT FROM tier_review AS r
            WHERE r.customer_id = c.id AND r.status = 'open') AS has_review,
    (SELECT jsonb_agg(jsonb_build_object('id', t.id, 'level', t.level, 'cause', t.cause,
                                         'valid_from', t.valid_from, 'purchase_id', t.purchase_id,
                                         'ends_on', t.ends_on)
                      ORDER BY t.valid_to, t.valid_from, t.id)
     FROM tier_assignment AS t WHERE t.customer_id = c.id) AS history
FROM customer AS c
WHERE c.id = ANY($1::uuid[])
"""
_CLOSE = """
UPDATE tier_assignment SET valid_to = greatest($2, valid_from)
WHERE customer_id = ANY($1::uuid[]) AND valid_to IS NULL
RETURNING customer_id, valid_to
"""
_CURRENT = """
SELECT customer_id, id, level, cause, policy_id, ends_on, set_by_id, reason
FROM tier_assignment
WHERE customer_id = ANY($1::uuid[]) AND valid_to IS NULL
"""
_REOPEN = "UPDATE tier_assignment SET valid_to = NULL WHERE customer_id = $1 AND id = $2"
_LEAVE_OUT = """
WITH gone AS (
    DELETE FROM tier_assignment WHERE customer_id = $1 AND id = $2 RETURNING valid_to
)
UPDATE tier_assignment AS t SET valid_to = gone.valid_to FROM gone
WHERE t.customer_id = $1 AND t.id = $3 AND gone.valid_to IS NOT NULL
"""
_REMOVE = "DELETE FROM tier_assignment WHERE customer_id = $1 AND id = $2"
_INSERT = """
INSERT INTO tier_assignment
    (customer_id, id, level, cause, policy_id, policy_version, valid_from, valid_to, purchase_id,
     explanation, ends_on, set_by_id, reason)
SELECT customer_id, id, level, cause, policy_id, policy_version, valid_from,
    CASE WHEN is_passing THEN valid_from END, purchase_id, explanation, ends_on, set_by_id, reason
FROM jsonb_to_recordset($1::jsonb) AS r (
    customer_id uuid, id uuid, level text, cause text, policy_id uuid, policy_version integer,
    valid_from timestamptz, is_passing boolean, purchase_id uuid, explanation jsonb,
    ends_on date, set_by_id uuid, reason text)
"""
_DISTRIBUTION = """
WITH window_purchases AS (
    SELECT p.customer_id,
        sum(CASE WHEN p.kind = 'sale' THEN p.amount ELSE -p.amount END) AS net,
        bool_or(p.kind = 'sale') AS bought
    FROM purchase AS p
    WHERE p.status = 'posted' AND p.business_day > $2::date - $3::integer
        AND p.business_day <= $2::date
    GROUP BY p.customer_id
)
SELECT t.level, count(*) AS customers, sum(w.net)::numeric(28,2) AS amount
FROM window_purchases AS w
JOIN customer AS c ON c.id = w.customer_id AND c.kind = $1
JOIN tier_assignment AS t ON t.customer_id = w.customer_id
    AND t.valid_from < $4 AND (t.valid_to IS NULL OR t.valid_to >= $4)
WHERE w.bought AND ($5::uuid[] IS NULL OR c.home_store_id = ANY($5::uuid[]))
GROUP BY t.level
"""
# The same from the statistics: what they hold of a card's window is what the receipts would give.
_DISTRIBUTION_NOW = """
SELECT t.level, count(*) AS customers, sum(s.net_365)::numeric(28,2) AS amount
FROM customer_stats AS s
JOIN customer AS c ON c.id = s.customer_id AND c.kind = $1
JOIN tier_assignment AS t ON t.customer_id = s.customer_id
    AND t.valid_from < $2 AND (t.valid_to IS NULL OR t.valid_to >= $2)
WHERE s.purchases_365 > 0 AND ($3::uuid[] IS NULL OR c.home_store_id = ANY($3::uuid[]))
GROUP BY t.level
"""
# That holds while no purchase has left the window since, and no till is ahead of midnight.
_STATISTICS_ARE_OF = """
SELECT NOT EXISTS (SELECT FROM customer_stats WHERE window_changes_on <= $1)
    AND NOT EXISTS (
        SELECT FROM store AS s
        WHERE EXISTS (SELECT FROM purchase AS p WHERE p.store_id = s.id AND p.business_day > $1))
"""
_NET_SPEND = """
SELECT coalesce(sum(CASE WHEN kind = 'sale' THEN amount ELSE -amount END), 0)::numeric(28,2)
FROM purchase WHERE customer_id = $1 AND status = 'posted' AND business_day >= $2
"""


async def active_policies(connection: "asyncpg.Connection[Any]") -> list["asyncpg.Record"]:
    """Return the policy in force for each scope, with its calibration if it has one, as JSON text.

    Knots are left out where no score is made of them.
    """
    return list(await connection.fetch(_ACTIVE_POLICIES))


async def held(
    connection: "asyncpg.Connection[Any]", customer_ids: Sequence[UUID]
) -> dict[UUID, "asyncpg.Record"]:
    """Return each card's kind, whether a review waits, and its tiers, oldest first."""
    rows = await connection.fetch(_HELD, list(customer_ids))
    return {row["customer_id"]: row for row in rows}


async def assign(
    connection: "asyncpg.Connection[Any]", at: datetime, rows: Sequence[Mapping[str, Any]]
) -> None:
    """End the current tiers of these cards at ``at`` and begin the new ones, without a gap.

    A tier that another machine, whose clock is ahead, began after ``at`` ends when it began.
    """
    closed = await connection.fetch(_CLOSE, [row["customer_id"] for row in rows], at)
    ends = {row["customer_id"]: row["valid_to"] for row in closed}
    begun = [{**row, "valid_from": ends.get(row["customer_id"], at)} for row in rows]
    await connection.execute(_INSERT, as_json(begun))


async def current(
    connection: "asyncpg.Connection[Any]", customer_ids: Sequence[UUID]
) -> dict[UUID, "asyncpg.Record"]:
    """Return id, level, cause and policy of each card's current tier."""
    rows = await connection.fetch(_CURRENT, list(customer_ids))
    return {row["customer_id"]: row for row in rows}


async def close(
    connection: "asyncpg.Connection[Any]", at: datetime, customer_ids: Sequence[UUID]
) -> None:
    """End the current tiers of these cards, which hold none from then on."""
    await connection.fetch(_CLOSE, list(customer_ids), at)


async def reopen(
    connection: "asyncpg.Connection[Any]", customer_id: UUID, assignment_id: UUID
) -> None:
    """Let an ended tier be the card's current one again; the card has to hold none."""
    await connection.execute(_REOPEN, customer_id, assignment_id)


async def remove(
    connection: "asyncpg.Connection[Any]", customer_id: UUID, assignment_id: UUID
) -> None:
    """Take a tier out of the history: that of a merge that never should have been."""
    await connection.execute(_REMOVE, customer_id, assignment_id)


async def leave_out(
    connection: "asyncpg.Connection[Any]", customer_id: UUID, assignment_id: UUID, before_id: UUID
) -> None:
    """Take an ended tier out of the history; the one before it lasted until then."""
    await connection.execute(_LEAVE_OUT, customer_id, assignment_id, before_id)


async def distribution(
    connection: "asyncpg.Connection[Any]",
    kind: str,
    as_of: date,
    window_days: int,
    end_of_day: datetime,
    store_ids: Sequence[UUID] | None,
) -> list["asyncpg.Record"]:
    """Return level, customers and net amount of who bought in the window ending with ``as_of``.

    ``end_of_day`` is the first instant after the business day: the tier in force just before it.
    """
    return list(
        await connection.fetch(
            _DISTRIBUTION,
            kind,
            as_of,
            window_days,
            end_of_day,
            None if store_ids is None else list(store_ids),
        )
    )


async def statistics_are_of(connection: "asyncpg.Connection[Any]", day: date) -> bool:
    """Tell whether the statistics hold exactly what the window that ends with the day holds.

    Ask for today only: of an earlier day they no longer know.
    """
    are_of: bool = await connection.fetchval(_STATISTICS_ARE_OF, day)
    return are_of


async def distribution_now(
    connection: "asyncpg.Connection[Any]",
    kind: str,
    end_of_day: datetime,
    store_ids: Sequence[UUID] | None,
) -> list["asyncpg.Record"]:
    """Return what :func:`distribution` does, from the statistics."""
    stores = None if store_ids is None else list(store_ids)
    return list(await connection.fetch(_DISTRIBUTION_NOW, kind, end_of_day, stores))


async def net_spend(
    connection: "asyncpg.Connection[Any]", customer_id: UUID, first_day: date
) -> Decimal:
    """Return a card's sales less refunds from ``first_day`` on."""
    net: Decimal = await connection.fetchval(_NET_SPEND, customer_id, first_day)
    return net
