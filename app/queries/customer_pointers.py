"""What is keyed by something else and names a card: identities, receipt numbers, tills' events.

The rows stay where they are and name another card. What to look for is read from the card's own
rows first, and given by value: the two need not lie on the same machine.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

_RECEIPTS_OF = """
SELECT source_id, receipt_key, id, customer_id FROM purchase WHERE customer_id = ANY($1::uuid[])
ORDER BY source_id, receipt_key
"""
_LOCK_RECEIPTS = """
SELECT r.source_id
FROM unnest($1::uuid[], $2::text[]) AS w (source_id, receipt_key)
JOIN receipt AS r ON r.source_id = w.source_id AND r.receipt_key = w.receipt_key
ORDER BY r.source_id, r.receipt_key
FOR NO KEY UPDATE OF r
"""
_POINT_RECEIPTS = """
UPDATE receipt AS r SET customer_id = w.customer_id
FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[])
    AS w (source_id, receipt_key, purchase_id, customer_id)
WHERE r.source_id = w.source_id AND r.receipt_key = w.receipt_key
    AND r.purchase_id = w.purchase_id AND r.customer_id IS DISTINCT FROM w.customer_id
"""
_IDENTITIES_OF = """
SELECT kind, system, value, customer_id FROM customer_identity WHERE customer_id = ANY($1::uuid[])
ORDER BY kind, system, value
"""
_POINT_IDENTITIES = """
UPDATE identity AS i SET customer_id = w.customer_id
FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[])
    AS w (kind, system, value, customer_id)
WHERE i.kind = w.kind AND i.system = w.system AND i.value = w.value
    AND i.customer_id IS DISTINCT FROM w.customer_id
"""
_TAKE_EVENTS = "UPDATE pos_event SET customer_id = $1 WHERE customer_id = ANY($2::uuid[])"
_GIVE_EVENTS_BACK = """
UPDATE pos_event SET customer_id = $2 WHERE customer_id = $1 AND purchase_id = ANY($3::uuid[])
"""


async def lock_receipts(connection: Any, customer_ids: Sequence[UUID]) -> None:
    """Lock the receipt numbers of these cards, in the order in which tills lock them."""
    rows = await connection.fetch(_RECEIPTS_OF, list(customer_ids))
    await connection.execute(
        _LOCK_RECEIPTS,
        [row["source_id"] for row in rows],
        [row["receipt_key"] for row in rows],
    )


async def _point_receipts(connection: Any, _survivor: UUID, owners: Sequence[UUID]) -> None:
    rows = await connection.fetch(_RECEIPTS_OF, list(owners))
    await connection.execute(
        _POINT_RECEIPTS,
        [row["source_id"] for row in rows],
        [row["receipt_key"] for row in rows],
        [row["id"] for row in rows],
        [row["customer_id"] for row in rows],
    )


async def _point_identities(connection: Any, _survivor: UUID, owners: Sequence[UUID]) -> None:
    rows = await connection.fetch(_IDENTITIES_OF, list(owners))
    columns = ("kind", "system", "value", "customer_id")
    await connection.execute(_POINT_IDENTITIES, *([row[name] for row in rows] for name in columns))


async def _point_events(connection: Any, survivor: UUID, owners: Sequence[UUID]) -> None:
    if list(owners) == [survivor]:
        return
    rows = await connection.fetch(_RECEIPTS_OF, list(owners))
    for owner in owners:
        receipts = [row["id"] for row in rows if row["customer_id"] == owner]
        await connection.execute(_GIVE_EVENTS_BACK, survivor, owner, receipts)


async def _take_events(connection: Any, survivor: UUID, losers: Sequence[UUID]) -> None:
    await connection.execute(_TAKE_EVENTS, survivor, list(losers))


async def _nothing(_connection: Any, _survivor: UUID, _losers: Sequence[UUID]) -> None:
    pass


Statement = Callable[[Any, UUID, Sequence[UUID]], Awaitable[None]]

POINTERS: Final[Mapping[str, tuple[Statement, Statement]]] = {
    "identity": (_nothing, _point_identities),
    "receipt": (_nothing, _point_receipts),
    "pos_event": (_take_events, _point_events),
}
"""For each table that POINTS: what to do for the losers of a merge, and for whoever owns the rows
that it follows, once those have moved (the survivor after a merge, the losers after its end)."""


async def point_to_survivor(connection: Any, survivor: UUID, losers: Sequence[UUID]) -> None:
    """Let everything that names one of the losers name the survivor; what they own has moved."""
    for of_losers, of_owners in POINTERS.values():
        await of_losers(connection, survivor, losers)
        await of_owners(connection, survivor, [survivor])


async def point_back(connection: Any, survivor: UUID, losers: Sequence[UUID]) -> None:
    """Let what names the survivor name the losers again where it is about what they own."""
    for _, of_owners in POINTERS.values():
        await of_owners(connection, survivor, losers)
