"""Take back what an import wrote, portion by portion, from its end; what is referred to stays.

Raw asyncpg. The portion lies in a temporary table: what was written, whose it is now, and why it
has to stay, if it has to.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.core.errors import RetryTransactionError
from app.models import metadata
from app.queries.customer_tables import CUSTOMER_TABLES, OnMerge
from app.queries.survivors import survivors_of

_TABLE = """
CREATE TEMPORARY TABLE IF NOT EXISTS import_undo (
    position bigint PRIMARY KEY, object_id uuid NOT NULL, customer_id uuid, key text, before jsonb,
    kept text
) ON COMMIT DELETE ROWS;
DELETE FROM import_undo;
"""
_FILL = """
INSERT INTO import_undo (position, object_id, customer_id, key, before)
SELECT position, object_id, customer_id, key, before
FROM import_item
WHERE import_id = $1 AND position < $2 AND position >= (
    -- Refunds by themselves, so that a sale is looked at when those of the file are gone.
    SELECT CASE WHEN max(position) >= 1099511627776 THEN 1099511627776 ELSE 0 END
    FROM import_item WHERE import_id = $1 AND position < $2)
ORDER BY position DESC LIMIT $3
"""
_ANALYZE = "ANALYZE import_undo"
_RANGE = "SELECT min(position) AS position, count(*) AS items FROM import_undo"
_OWNERS = "SELECT DISTINCT customer_id FROM import_undo WHERE customer_id IS NOT NULL ORDER BY 1"
_LOCK_CARDS = """
SELECT count(*) FROM (
    SELECT id FROM customer WHERE id IN (SELECT customer_id FROM import_undo)
    ORDER BY id FOR NO KEY UPDATE) AS locked
"""
# Whoever refunds a sale holds its number: afterwards the refund is seen, or it has to wait.
_LOCK_NUMBERS = """
SELECT count(*) FROM (
    SELECT r.source_id FROM receipt AS r
    WHERE r.source_id = $1 AND r.receipt_key IN (SELECT key FROM import_undo)
    ORDER BY r.receipt_key FOR UPDATE OF r) AS locked
"""
# A receipt follows its card through merges, and joins a card that it waited for.
_OWNERS_NOW = """
UPDATE import_undo AS u SET customer_id = r.customer_id
FROM receipt AS r
WHERE r.source_id = $1 AND r.receipt_key = u.key AND r.purchase_id = u.object_id
    AND r.customer_id IS DISTINCT FROM u.customer_id
"""
_KEEP_RECEIPTS = """
UPDATE import_undo AS u SET kept = CASE
    WHEN EXISTS (SELECT FROM purchase AS p WHERE p.customer_id = u.customer_id
        AND p.refund_of_id = u.object_id) THEN 'has-refunds'
    WHEN EXISTS (SELECT FROM unattached_purchase AS p WHERE p.refund_of_id = u.object_id)
        THEN 'has-refunds'
    WHEN EXISTS (SELECT FROM purchase AS p WHERE p.customer_id = u.customer_id
        AND p.id = u.object_id AND p.status = 'voided') THEN 'was-voided'
    WHEN EXISTS (SELECT FROM unattached_purchase AS p WHERE p.id = u.object_id
        AND p.status = 'voided') THEN 'was-voided' END
"""
_REMOVE_RECEIPTS: Final = (
    """
    DELETE FROM purchase_line AS l USING import_undo AS u
    WHERE u.kept IS NULL AND l.customer_id = u.customer_id AND l.purchase_id = u.object_id
    """,
    """
    DELETE FROM purchase AS p USING import_undo AS u
    WHERE u.kept IS NULL AND p.customer_id = u.customer_id AND p.id = u.object_id
    """,
    """
    WITH gone AS (
        DELETE FROM unattached_purchase AS p USING import_undo AS u
        WHERE u.kept IS NULL AND u.customer_id IS NULL AND p.id = u.object_id
        RETURNING p.awaits_kind, p.awaits_system, p.awaits_value
    ), awaited AS (SELECT DISTINCT * FROM gone WHERE awaits_kind IS NOT NULL)
    DELETE FROM identity AS i USING awaited AS a
    WHERE i.kind = a.awaits_kind AND i.system = a.awaits_system AND i.value = a.awaits_value
        AND i.customer_id IS NULL
        AND NOT EXISTS (SELECT FROM unattached_purchase AS o
            WHERE (o.awaits_kind, o.awaits_system, o.awaits_value) = (i.kind, i.system, i.value)
                AND o.id NOT IN (SELECT object_id FROM import_undo WHERE kept IS NULL))
        AND NOT EXISTS (SELECT FROM unattached_interaction AS o
            WHERE (o.awaits_kind, o.awaits_system, o.awaits_value) = (i.kind, i.system, i.value))
    """,
)
_REMOVE_NUMBERS = """
DELETE FROM receipt AS r USING import_undo AS u
WHERE u.kept IS NULL AND r.source_id = $1 AND r.receipt_key = u.key AND r.purchase_id = u.object_id
"""
_CONTACT_OWNERS_NOW = """
UPDATE import_undo AS u SET customer_id = i.customer_id
FROM identity AS i
WHERE u.customer_id IS NULL AND u.key IS NOT NULL AND i.kind = split_part(u.key, E'\\t', 1)
    AND i.system = split_part(u.key, E'\\t', 2) AND i.value = split_part(u.key, E'\\t', 3)
    AND NOT EXISTS (SELECT FROM unattached_interaction AS o WHERE o.id = u.object_id)
"""
_OWNERS_THEN = """
UPDATE import_undo AS u SET customer_id = w.survivor_id
FROM unnest($1::uuid[], $2::uuid[]) AS w (id, survivor_id)
WHERE u.customer_id = w.id
"""
_KEEP_CONTACTS = """
UPDATE import_undo AS u SET kept = 'changed'
WHERE NOT EXISTS (SELECT FROM unattached_interaction AS o WHERE o.id = u.object_id)
    AND NOT EXISTS (SELECT FROM interaction AS i WHERE i.customer_id = u.customer_id
        AND i.id = u.object_id AND i.version = 1)
"""
_REMOVE_CONTACTS: Final = (
    """
    DELETE FROM interaction AS i USING import_undo AS u
    WHERE u.kept IS NULL AND i.customer_id = u.customer_id AND i.id = u.object_id
    """,
    """
    WITH gone AS (
        DELETE FROM unattached_interaction AS o USING import_undo AS u
        WHERE u.kept IS NULL AND o.id = u.object_id
        RETURNING o.awaits_kind, o.awaits_system, o.awaits_value
    ), awaited AS (SELECT DISTINCT * FROM gone WHERE awaits_kind IS NOT NULL)
    DELETE FROM identity AS i USING awaited AS a
    WHERE i.kind = a.awaits_kind AND i.system = a.awaits_system AND i.value = a.awaits_value
        AND i.customer_id IS NULL
        AND NOT EXISTS (SELECT FROM unattached_purchase AS o
            WHERE (o.awaits_kind, o.awaits_system, o.awaits_value) = (i.kind, i.system, i.value))
        AND NOT EXISTS (SELECT FROM unattached_interaction AS o
            WHERE (o.awaits_kind, o.awaits_system, o.awaits_value) = (i.kind, i.system, i.value)
                AND o.id NOT IN (SELECT object_id FROM import_undo WHERE kept IS NULL))
    """,
)
# A new card brings its identities, its first tier, its first version; what is derived goes with it.
_OF_A_NEW_CARD = {
    "customer", "customer_identity", "identity", "customer_change", "tier_assignment",
    "import_item", "outbox_event", "duplicate_card",
}  # fmt: skip
_DERIVED = [
    table.name
    for table in CUSTOMER_TABLES
    if table.on_merge is OnMerge.REBUILT and "customer_id" in metadata.tables[table.name].columns
]
_USES = " OR ".join(
    f"EXISTS (SELECT FROM {table.name} AS x WHERE x.customer_id = u.customer_id)"
    for table in CUSTOMER_TABLES
    if table.name not in _OF_A_NEW_CARD and table.name not in _DERIVED
)
_KEEP_CARDS = f"""
UPDATE import_undo AS u SET kept = CASE
    WHEN c.status = 'erased' THEN 'card-erased'
    WHEN c.status = 'merged' OR EXISTS (
        SELECT FROM customer AS o WHERE o.merged_into_id = c.id) THEN 'card-merged'
    WHEN c.version <> coalesce((u.before ->> 'version')::integer, 1) THEN 'card-changed'
    WHEN u.key IS NULL AND (EXISTS (
            SELECT FROM import_item AS i WHERE i.customer_id = u.customer_id
            AND i.import_id <> $1) OR {_USES}) THEN 'card-in-use' END
FROM customer AS c WHERE c.id = u.customer_id
"""  # noqa: S608 - built from names of tables
_NEW = "u.kept IS NULL AND u.key IS NULL"
_REMOVE_CARDS: Final = tuple(
    f"DELETE FROM {table} AS t USING import_undo AS u WHERE {_NEW} AND t.{column} = u.customer_id"  # noqa: S608 - built from constants, and numbers of our own
    for table, column in (
        *((name, "customer_id") for name in _DERIVED),
        ("tier_assignment", "customer_id"),
        ("customer_change", "customer_id"),
        ("customer_identity", "customer_id"),
        ("identity", "customer_id"),
        ("duplicate_card", "customer_id"),
        ("duplicate_pair", "first_id"),
        ("duplicate_pair", "second_id"),
        ("customer", "id"),
    )
)
_CHANGED = """
SELECT position, customer_id, before FROM import_undo
WHERE kept IS NULL AND key IS NOT NULL AND before IS NOT NULL ORDER BY position
"""
_TAKE_IDENTITIES: Final = (
    """
    DELETE FROM customer_identity AS t
    USING unnest($1::uuid[], $2::text[], $3::text[]) AS w (customer_id, kind, value)
    WHERE t.customer_id = w.customer_id AND t.kind = w.kind AND t.system = '' AND t.value = w.value
    """,
    """
    DELETE FROM identity AS t
    USING unnest($1::uuid[], $2::text[], $3::text[]) AS w (customer_id, kind, value)
    WHERE t.customer_id = w.customer_id AND t.kind = w.kind AND t.system = '' AND t.value = w.value
    """,
)
# Whose it is now has its figures made right when all is gone.
_NOTE_KEPT = """
UPDATE import_item AS i SET kept = u.kept, customer_id = u.customer_id
FROM import_undo AS u WHERE i.import_id = $1 AND i.position = u.position
    AND (u.kept IS NOT NULL OR i.customer_id IS DISTINCT FROM u.customer_id)
"""
_TOLD = """
SELECT count(*) FILTER (WHERE kept IS NULL AND before IS NULL) AS removed,
    count(*) FILTER (WHERE kept IS NULL AND before IS NOT NULL) AS restored, count(kept) AS kept
FROM import_undo
"""
# Tiers that its receipts had earned, by themselves or for a card that took over the one they were
# of, and what its refunds took of them in the same moment: what was before them stands again.
_REMOVE_TIERS = """
WITH earned AS MATERIALIZED (
    SELECT t.customer_id, t.id, t.valid_from FROM tier_assignment AS t
    WHERE t.customer_id = ANY($2::uuid[]) AND t.cause IN ('upgrade', 'merged') AND (
        -- Looked up for each tier: to begin with all that was written takes minutes.
        SELECT true FROM import_item AS i
        WHERE i.import_id = $1 AND i.customer_id = t.customer_id
            AND i.object_id = t.purchase_id AND i.kept IS NULL LIMIT 1)
)
DELETE FROM tier_assignment AS t USING earned AS e
WHERE t.customer_id = e.customer_id
    AND (t.id = e.id OR t.valid_from = e.valid_from AND t.cause IN ('reversal', 'carried'))
RETURNING t.customer_id
"""
_REOPEN_TIERS = """
UPDATE tier_assignment AS t SET valid_to = NULL
FROM (
    SELECT DISTINCT ON (customer_id) customer_id, id FROM tier_assignment
    WHERE customer_id = ANY($1::uuid[]) ORDER BY customer_id, valid_to DESC NULLS FIRST,
        valid_from DESC, id DESC
) AS last
WHERE t.customer_id = last.customer_id AND t.id = last.id AND t.valid_to IS NOT NULL
RETURNING t.customer_id, t.id, t.level
"""
_LAST_PURCHASES = """
SELECT DISTINCT ON (customer_id) customer_id, id FROM purchase
WHERE customer_id = ANY($1::uuid[]) AND status = 'posted' AND kind = 'sale'
ORDER BY customer_id, occurred_at DESC, id DESC
"""
_FORGET_ITEMS = "DELETE FROM import_item WHERE import_id = $1 AND kept IS NULL"


async def fill(connection: Any, import_id: UUID, before: int, limit: int) -> tuple[int | None, int]:
    """Lay what was written last into the temporary table; return its first position, its size."""
    await connection.execute(_TABLE)
    await connection.execute(_FILL, import_id, before, limit)
    await connection.execute(_ANALYZE)
    row = await connection.fetchrow(_RANGE)
    return row["position"], row["items"]


async def remove_receipts(connection: Any, source_id: UUID) -> None:
    """Remove receipts, but those that are referred to."""
    await connection.fetchval(_LOCK_NUMBERS, source_id)
    await connection.execute(_OWNERS_NOW, source_id)
    await connection.fetchval(_LOCK_CARDS)
    await connection.execute(_KEEP_RECEIPTS)
    for statement in _REMOVE_RECEIPTS:
        await connection.execute(statement)
    await connection.execute(_REMOVE_NUMBERS, source_id)


async def remove_contacts(connection: Any) -> None:
    """Remove contacts, but those that were changed.

    Raises:
        RetryTransactionError: a card was merged into another one while its lock was waited for.
    """
    await connection.execute(_CONTACT_OWNERS_NOW)
    await _follow_merges(connection)
    await connection.fetchval(_LOCK_CARDS)
    if await _follow_merges(connection):
        raise RetryTransactionError
    await connection.execute(_KEEP_CONTACTS)
    for statement in _REMOVE_CONTACTS:
        await connection.execute(statement)


async def _follow_merges(connection: Any) -> bool:
    """Let what was a merged card's be its survivor's; tell whether there was such a card."""
    survivors = await survivors_of(connection, await owners_now(connection))
    moved = {one: survivor for one, survivor in survivors.items() if survivor != one}
    if moved:
        await connection.execute(_OWNERS_THEN, list(moved), list(moved.values()))
    return bool(moved)


async def remove_cards(connection: Any, import_id: UUID) -> list["asyncpg.Record"]:
    """Remove new cards, but those in use; return those that were changed, to be changed back."""
    await connection.fetchval(_LOCK_CARDS)
    await connection.execute(_KEEP_CARDS, import_id)
    for statement in _REMOVE_CARDS:
        await connection.execute(statement)
    return list(await connection.fetch(_CHANGED))


async def take_identities(connection: Any, identities: Sequence[tuple[UUID, str, str]]) -> None:
    """Take identities off cards: (customer id, kind, value)."""
    if identities:
        parts = [list(part) for part in zip(*identities, strict=True)]
        for statement in _TAKE_IDENTITIES:
            await connection.execute(statement, *parts)


async def owners_now(connection: Any) -> list[UUID]:
    """Return the cards that the portion belongs to."""
    return [row["customer_id"] for row in await connection.fetch(_OWNERS)]


async def note_kept(connection: Any, import_id: UUID) -> "asyncpg.Record":
    """Keep the reasons of what stays, and whose it was.

    Return how much went, stands as before, and stayed.
    """
    await connection.execute(_NOTE_KEPT, import_id)
    row: asyncpg.Record = await connection.fetchrow(_TOLD)
    return row


async def take_tiers_back(
    connection: Any, import_id: UUID, cards: Sequence[UUID]
) -> list["asyncpg.Record"]:
    """Remove the tiers that removed receipts had earned; return the ones that stand again."""
    rows = await connection.fetch(_REMOVE_TIERS, import_id, list(cards))
    touched = sorted({row["customer_id"] for row in rows})
    return list(await connection.fetch(_REOPEN_TIERS, touched)) if touched else []


async def last_purchases(connection: Any, cards: Sequence[UUID]) -> dict[UUID, UUID]:
    """Return the last sale of each card that has one."""
    rows = await connection.fetch(_LAST_PURCHASES, list(cards))
    return {row["customer_id"]: row["id"] for row in rows}


async def forget_items(connection: Any, import_id: UUID) -> None:
    """Forget what is gone; what was kept stays listed."""
    await connection.execute(_FORGET_ITEMS, import_id)
