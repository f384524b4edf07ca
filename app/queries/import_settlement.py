"""What an import brought to cards, as far as a tier can depend on it.

Raw asyncpg. Of a card's receipts a tier cares for few: those that reach a level that none before
them reached, and the last one. What lies between is added to the next of them.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.queries.imports import event_of
from app.queries.rows import as_json

# Of each card all its receipts are read, by its key: the planner knows nothing yet of rows that
# were written a moment ago. A receipt that has gone over to another card was settled there.
# A card with a refund of a sale can fall and rise again, so that each of its receipts may count.
_TELLING = """
WITH rules AS (
    SELECT * FROM jsonb_to_recordset($3::jsonb)
        AS r (scope text, first_day date, scores numeric[])
), card AS MATERIALIZED (
    SELECT c.id, r.first_day, r.scores FROM customer AS c JOIN rules AS r ON r.scope = c.kind
    WHERE c.id = ANY($2::uuid[])
), posted AS (
    SELECT p.customer_id, p.id, p.occurred_at, p.refund_of_id, p.event_id = $1 AS is_brought,
        c.scores, CASE WHEN p.business_day < c.first_day THEN 0 WHEN p.kind = 'sale' THEN p.amount
            ELSE -p.amount END AS adds
    FROM purchase AS p JOIN card AS c ON c.id = p.customer_id
    WHERE p.customer_id = ANY($2::uuid[]) AND p.status = 'posted'
), summed AS (
    SELECT *, sum(adds) OVER (PARTITION BY customer_id ORDER BY is_brought, occurred_at, id) AS net
    FROM posted
), ranked AS (
    SELECT *, width_bucket(net, scores) AS rank FROM summed WHERE is_brought
), weighed AS (
    SELECT *, max(rank) OVER (PARTITION BY customer_id ORDER BY is_brought, occurred_at, id
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached,
        lead(true) OVER (PARTITION BY customer_id ORDER BY is_brought, occurred_at, id)
            IS NULL AS is_last,
        bool_or(refund_of_id IS NOT NULL) OVER (PARTITION BY customer_id) AS takes_back
    FROM ranked
)
SELECT customer_id, id, refund_of_id, net - lag(net, 1, net - adds)
    OVER (PARTITION BY customer_id ORDER BY is_brought, occurred_at, id) AS adds
FROM weighed
WHERE takes_back OR is_last OR reached IS NULL OR rank > reached
ORDER BY customer_id, is_brought, occurred_at, id
"""


async def telling_purchases(
    connection: Any,
    import_id: UUID,
    cards: Sequence[UUID],
    rules: Mapping[str, tuple[date, Sequence[Decimal]]],
) -> list[tuple[UUID, UUID, UUID | None, Decimal]]:
    """Return what an import brought to these cards: (card, purchase, sale it refunds, added).

    In the order in which it was bought. ``rules`` says for each kind of customer from which day
    on receipts count, and what net spends reach a level, ascending.
    """
    scopes = [
        {"scope": scope, "first_day": day.isoformat(), "scores": [str(score) for score in scores]}
        for scope, (day, scores) in rules.items()
    ]
    rows = await connection.fetch(_TELLING, event_of(import_id), list(cards), as_json(scopes))
    return [tuple(row.values()) for row in rows]
