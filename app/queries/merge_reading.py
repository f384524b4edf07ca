"""What a merge looks at before it decides: cards, what they own, and whether that has changed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.queries.customer_tables import CUSTOMER_TABLES, OnMerge

_CARDS = "SELECT id, to_jsonb(c) AS card FROM customer AS c WHERE id = ANY($1::uuid[])"
# No insert that refers to one of the cards is under way once this lock is had.
_LOCK_CARDS = "SELECT id FROM customer WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"
_IDENTITIES = """
SELECT id, customer_id, kind, system, value, label, is_primary FROM customer_identity
WHERE customer_id = ANY($1::uuid[]) ORDER BY customer_id, id
"""
_ERASURES = "SELECT customer_id FROM erasure WHERE status = 'deferred' AND customer_id = ANY($1)"
_PAIRS = """
SELECT first_id, second_id, state FROM duplicate_pair
WHERE first_id = ANY($1::uuid[]) OR second_id = ANY($1::uuid[])
ORDER BY first_id, second_id
"""
_CONSENTS = """
SELECT customer_id, purpose, channel, state, since, record_id FROM customer_consent
WHERE customer_id = ANY($1::uuid[]) ORDER BY customer_id, purpose, channel
"""
_COMPARED: Final = tuple(
    table.name
    for table in CUSTOMER_TABLES
    if table.on_merge in {OnMerge.MOVES, OnMerge.JOINS} and table.name != "customer"
)
# A sum over the rows' hashes notices whatever was added, removed or changed, in whatever order.
_STATE = " UNION ALL ".join(
    f"SELECT '{name}' AS name, t.customer_id, count(*) AS rows,"  # noqa: S608 - built from constants, and numbers of our own
    f" sum(hashtextextended(t::text, 0)::numeric)::text AS hash"
    f" FROM {name} AS t WHERE t.customer_id = ANY($1::uuid[]) GROUP BY t.customer_id"
    for name in _COMPARED
)
_LATER_PURCHASES = """
SELECT customer_id, id, kind, status, amount, business_day, occurred_at, refund_of_id, source_id,
    event_id, recorded_at, voided_at
FROM purchase
WHERE customer_id = ANY($1::uuid[]) AND (recorded_at >= $2 OR voided_at >= $2)
ORDER BY occurred_at, id
"""
_EVENT_CUSTOMERS = """
SELECT e.source_id, e.event_id, e.body -> 'customer' AS customer
FROM unnest($1::uuid[], $2::text[]) AS w (source_id, event_id)
JOIN pos_event AS e ON e.source_id = w.source_id AND e.event_id = w.event_id
"""


async def cards(connection: Any, customer_ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return all columns of these cards as JSON values, by id."""
    rows = await connection.fetch(_CARDS, list(customer_ids))
    return {row["id"]: row["card"] for row in rows}


async def lock_cards(connection: Any, customer_ids: Sequence[UUID]) -> None:
    """Lock these cards in the order of ids, against whatever refers to them too."""
    await connection.execute(_LOCK_CARDS, list(customer_ids))


async def identities(connection: Any, customer_ids: Sequence[UUID]) -> list[Any]:
    """Return the identities of these cards."""
    return list(await connection.fetch(_IDENTITIES, list(customer_ids)))


async def open_erasures(connection: Any, customer_ids: Sequence[UUID]) -> frozenset[UUID]:
    """Return which of these cards wait for their erasure."""
    rows = await connection.fetch(_ERASURES, list(customer_ids))
    return frozenset(row["customer_id"] for row in rows)


async def pairs(connection: Any, customer_ids: Sequence[UUID]) -> list[Any]:
    """Return the pairs that may be duplicates and name one of these cards."""
    return list(await connection.fetch(_PAIRS, list(customer_ids)))


async def consents(connection: Any, customer_ids: Sequence[UUID]) -> list[Any]:
    """Return what stands of the consent of these cards."""
    return list(await connection.fetch(_CONSENTS, list(customer_ids)))


async def state(connection: Any, customer_ids: Sequence[UUID]) -> list[list[str]]:
    """Return count and hash of the rows of each table that a merge moves or joins, by card.

    Equal answers, nothing changed. Derived tables are left out: they follow from these.
    """
    rows = await connection.fetch(_STATE, list(customer_ids))
    return sorted(
        [row["name"], str(row["customer_id"]), str(row["rows"]), row["hash"]] for row in rows
    )


async def later_purchases(
    connection: Any, customer_ids: Sequence[UUID], since: datetime
) -> list[Any]:
    """Return receipts of these cards that were recorded or voided since an instant."""
    return list(await connection.fetch(_LATER_PURCHASES, list(customer_ids), since))


async def customers_named(
    connection: Any, keys: Sequence[tuple[UUID, str]]
) -> dict[tuple[UUID, str], Any]:
    """Return whom the events with these keys (source, event id) name, as they were sent."""
    if not keys:
        return {}
    sources, events = (list(part) for part in zip(*keys, strict=True))
    rows = await connection.fetch(_EVENT_CUSTOMERS, sources, events)
    return {(row["source_id"], row["event_id"]): row["customer"] for row in rows}
