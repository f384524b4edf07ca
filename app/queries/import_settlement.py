"""What an import brought to cards, as far as a tier can depend on it.

Raw asyncpg. Most cards stay where they are: of these it is enough to know that. Of the others'
receipts a tier cares for few: those that reach a level that none before them reached, and the last
one. What lies between is added to the next of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.queries.imports import event_of
from app.queries.rows import as_json

# Of each card all its receipts are read, by its key: the planner knows nothing yet of rows that
# were written a moment ago. A receipt that has gone over to another card was settled there.
# A card with a refund of a sale can fall and rise again, so that each of its receipts may count.
# Whoever waits for an upgrade is looked at in any case.
_TELLING = """
WITH rules AS (
    SELECT * FROM jsonb_to_recordset($3::jsonb)
        AS r (scope text, first_day date, levels text[], scores numeric[])
), card AS MATERIALIZED (
    SELECT c.id, r.first_day, r.scores, coalesce(array_position(r.levels, t.level), 0) AS held,
        cardinality(r.scores) = 0 OR EXISTS (SELECT FROM tier_review AS w
            WHERE w.customer_id = c.id AND w.status = 'open') AS is_asked
    FROM customer AS c JOIN rules AS r ON r.scope = c.kind
    LEFT JOIN tier_assignment AS t ON t.customer_id = c.id AND t.valid_to IS NULL
    WHERE c.id = ANY($2::uuid[])
), posted AS (
    SELECT p.customer_id, p.id, p.occurred_at, p.refund_of_id, p.event_id = $1 AS is_brought,
        c.scores, c.held, c.is_asked, CASE WHEN p.business_day < c.first_day THEN 0
            WHEN p.kind = 'sale' THEN p.amount ELSE -p.amount END AS adds
    FROM purchase AS p JOIN card AS c ON c.id = p.customer_id
    WHERE p.customer_id = ANY($2::uuid[]) AND p.status = 'posted'
), summed AS (
    SELECT *, sum(adds) OVER (PARTITION BY customer_id ORDER BY is_brought, occurred_at, id
        ROWS UNBOUNDED PRECEDING) AS net
    FROM posted
), ranked AS (
    SELECT *, width_bucket(net, scores) AS rank FROM summed WHERE is_brought
), weighed AS (
    SELECT *, max(rank) OVER (PARTITION BY customer_id ORDER BY is_brought, occurred_at, id
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached,
        lead(true) OVER (PARTITION BY customer_id ORDER BY is_brought, occurred_at, id)
            IS NULL AS is_last,
        bool_or(refund_of_id IS NOT NULL) OVER (PARTITION BY customer_id) AS takes_back,
        bool_or(refund_of_id IS NOT NULL OR is_asked OR rank > held)
            OVER (PARTITION BY customer_id) AS may_move
    FROM ranked
)
SELECT customer_id, CASE WHEN may_move THEN id END AS id, refund_of_id,
    net - lag(net, 1, net - adds)
        OVER (PARTITION BY customer_id ORDER BY is_brought, occurred_at, id) AS adds
FROM weighed
WHERE is_last OR may_move AND (takes_back OR reached IS NULL OR rank > reached)
ORDER BY customer_id, is_brought, occurred_at, id
"""


@dataclass(frozen=True, slots=True)
class CountedFrom:
    """From which day on receipts count for a kind of customer, and what net spends reach levels.

    Both ascending; empty where a score is no sum of receipts.
    """

    first_day: date
    levels: Sequence[str]
    scores: Sequence[Decimal]


async def telling_purchases(
    connection: Any, import_id: UUID, cards: Sequence[UUID], rules: Mapping[str, CountedFrom]
) -> list[tuple[UUID, UUID | None, UUID | None, Decimal]]:
    """Return what an import brought to these cards: (card, purchase, sale it refunds, added).

    In the order in which it was bought. A card whose tier nothing of it can move is there once,
    without a purchase. ``rules`` are by kind of customer.
    """
    scopes = [
        {
            "scope": scope,
            "first_day": rule.first_day.isoformat(),
            "levels": list(rule.levels),
            "scores": [str(score) for score in rule.scores],
        }
        for scope, rule in rules.items()
    ]
    rows = await connection.fetch(_TELLING, event_of(import_id), list(cards), as_json(scopes))
    return [tuple(row.values()) for row in rows]
