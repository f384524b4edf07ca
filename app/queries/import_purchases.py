"""A portion of staged receipts becomes purchases: a few statements, however many receipts.

Raw asyncpg. The portion lies in two temporary tables of the transaction: its receipts and their
lines. The order is that of a till's transaction: identities, receipt numbers, cards, then writing.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.core.errors import RetryTransactionError
from app.core.ids import new_id
from app.queries.imports import event_of, walking

FIRST_REFUND = 2**40

# Refunds lie in portions of their own, so that they find the sales of the file written.
_BOUNDS = f"""
SELECT coalesce(max(position) FILTER (WHERE position < {FIRST_REFUND}), max(position)) AS upto,
    coalesce(nullif(count(*) FILTER (WHERE position < {FIRST_REFUND}), 0), count(*)) AS receipts
FROM (
    SELECT position FROM (
        SELECT position FROM import_line WHERE import_id = $1 AND position > $2
        ORDER BY position LIMIT $3) AS following
    GROUP BY position) AS receipt
"""  # noqa: S608 - built from constants of this module
_TABLES = """
CREATE TEMPORARY TABLE IF NOT EXISTS import_portion (
    position bigint NOT NULL, id uuid NOT NULL, receipt_key text NOT NULL,
    receipt_number text NOT NULL, original_key text, occurred_at timestamptz NOT NULL,
    store_id uuid NOT NULL, cashier text, who_kind text, who_system text, who_value text,
    customer_id uuid, original_id uuid, amount numeric(14,2) NOT NULL,
    costed numeric(14,2) NOT NULL, cost numeric(28,2) NOT NULL,
    rows integer NOT NULL, free_rows integer NOT NULL, nobodys_rows integer NOT NULL,
    is_claimed boolean NOT NULL DEFAULT true, was_awaited boolean NOT NULL DEFAULT false
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS import_portion_line (
    position bigint NOT NULL, line_number integer NOT NULL, row_number integer NOT NULL,
    receipt_key text NOT NULL, receipt_number text NOT NULL, original_key text,
    occurred_at timestamptz NOT NULL, store_id uuid NOT NULL, cashier text, who_kind text,
    who_system text, who_value text, sku text, isbn text, title text, category text,
    quantity numeric(10,3) NOT NULL, unit_price numeric(14,2) NOT NULL,
    amount numeric(14,2) NOT NULL, unit_cost numeric(14,2), refunds_line_number integer
) ON COMMIT DELETE ROWS;
DELETE FROM import_portion;
DELETE FROM import_portion_line;
"""
# What the catalogue knows fills what the file leaves out, as it does for tills.
_FILL_LINES = """
INSERT INTO import_portion_line
SELECT l.position, row_number() OVER (PARTITION BY l.position ORDER BY l.row_number), l.row_number,
    l.receipt_key, l.receipt_number, l.original_key, l.occurred_at, l.store_id, l.cashier,
    l.who_kind, l.who_system, l.who_value, l.sku, coalesce(l.isbn, by_sku.isbn, by_isbn.isbn),
    coalesce(l.title, by_sku.title, by_isbn.title),
    coalesce(l.category, by_sku.category, by_isbn.category), l.quantity, l.unit_price, l.amount,
    coalesce(l.unit_cost, by_sku.unit_cost, by_isbn.unit_cost)
FROM import_line AS l
LEFT JOIN product AS by_sku ON by_sku.sku = l.sku
LEFT JOIN product AS by_isbn ON by_isbn.isbn = l.isbn AND by_sku.id IS NULL
WHERE l.import_id = $1 AND l.position > $2 AND l.position <= $3
"""
# Lines of a receipt have its numbers alike, and name one customer or none.
_FILL_RECEIPTS = """
INSERT INTO import_portion
SELECT r.position, ($1::uuid[])[r.n], r.receipt_key, r.receipt_number, r.original_key,
    r.occurred_at, r.store_id, r.cashier, r.who_kind, r.who_system, r.who_value, i.customer_id,
    NULL, r.amount, r.costed, r.cost, r.rows, r.free_rows, r.nobodys_rows
FROM (
    SELECT position, row_number() OVER (ORDER BY position) AS n,
        (array_agg(receipt_key))[1] AS receipt_key,
        (array_agg(receipt_number))[1] AS receipt_number,
        min(original_key COLLATE "C") AS original_key, min(occurred_at) AS occurred_at,
        (array_agg(store_id) FILTER (WHERE line_number = 1))[1] AS store_id,
        min(cashier COLLATE "C") AS cashier, (array_agg(who_kind))[1] AS who_kind,
        (array_agg(who_system))[1] AS who_system, (array_agg(who_value))[1] AS who_value,
        sum(amount) AS amount,
        coalesce(sum(amount) FILTER (WHERE unit_cost IS NOT NULL), 0) AS costed,
        coalesce(sum(round(quantity * unit_cost, 2)) FILTER (WHERE unit_cost IS NOT NULL), 0)
            AS cost,
        count(*) AS rows, count(*) FILTER (WHERE amount = 0) AS free_rows,
        count(*) FILTER (WHERE who_kind IS NULL) AS nobodys_rows
    FROM import_portion_line GROUP BY position
) AS r
LEFT JOIN identity AS i ON i.kind = r.who_kind AND i.system = r.who_system
    AND i.value = r.who_value
"""
_RESOLVE = """
UPDATE import_portion AS p SET customer_id = i.customer_id
FROM identity AS i
WHERE p.original_id IS NULL AND i.kind = p.who_kind AND i.system = p.who_system
    AND i.value = p.who_value AND i.customer_id IS DISTINCT FROM p.customer_id
"""
_AWAITED = """
SELECT DISTINCT who_kind AS kind, who_system AS system, who_value AS value
FROM import_portion WHERE who_kind IS NOT NULL AND customer_id IS NULL AND original_id IS NULL
ORDER BY 1, 2, 3
"""
_AWAIT = f"""
INSERT INTO identity (kind, system, value, created_at)
SELECT kind, system, value, $1 FROM ({_AWAITED}) AS awaited
ON CONFLICT (kind, system, value) DO NOTHING
"""  # noqa: S608 - built from constants of this module
_LOCK_AWAITED = f"""
SELECT count(*) FROM (
    SELECT i.kind FROM identity AS i
    WHERE (i.kind, i.system, i.value) IN (SELECT kind, system, value FROM ({_AWAITED}) AS awaited)
    ORDER BY i.kind, i.system, i.value FOR SHARE OF i
) AS locked
"""  # noqa: S608 - built from constants, and numbers of our own
_LOCK_ORIGINALS = """
SELECT count(*) FROM (
    SELECT r.source_id FROM receipt AS r
    WHERE r.source_id = $1 AND r.receipt_key IN (
        SELECT original_key FROM import_portion WHERE original_key IS NOT NULL)
    ORDER BY r.receipt_key FOR SHARE OF r
) AS locked
"""
_SOLD = """
    SELECT p.position, r.purchase_id, r.customer_id, l.line_number, l.sku, l.isbn, l.title,
        l.quantity, l.amount
    FROM import_portion AS p
    JOIN receipt AS r ON r.source_id = $1 AND r.receipt_key = p.original_key
    JOIN purchase AS s ON s.customer_id = r.customer_id AND s.id = r.purchase_id
        AND s.kind = 'sale' AND s.status = 'posted'
    JOIN purchase_line AS l ON l.customer_id = s.customer_id AND l.purchase_id = s.id
    UNION ALL
    SELECT p.position, r.purchase_id, NULL, l.line_number, l.sku, l.isbn, l.title, l.quantity,
        l.amount
    FROM import_portion AS p
    JOIN receipt AS r ON r.source_id = $1 AND r.receipt_key = p.original_key
    JOIN unattached_purchase AS s ON s.id = r.purchase_id AND s.kind = 'sale'
        AND s.status = 'posted'
    CROSS JOIN jsonb_to_recordset(s.lines) AS l (line_number integer, sku text, isbn text,
        title text, quantity numeric, amount numeric)
"""
# A refund is of a sale where each of its lines takes back no more than a line of the sale was.
_MATCH_LINES = f"""
WITH sold AS ({_SOLD})
UPDATE import_portion_line AS l SET refunds_line_number = (
    SELECT min(sold.line_number) FROM sold
    WHERE sold.position = l.position AND sold.quantity >= l.quantity AND sold.amount >= l.amount
        AND CASE WHEN l.sku IS NOT NULL THEN sold.sku = l.sku
            WHEN l.isbn IS NOT NULL THEN sold.isbn = l.isbn
            WHEN l.title IS NOT NULL THEN sold.title = l.title ELSE true END)
WHERE l.position IN (SELECT position FROM import_portion WHERE original_key IS NOT NULL)
"""  # noqa: S608 - built from constants, and numbers of our own
_MATCH = f"""
WITH sold AS ({_SOLD})
UPDATE import_portion AS p
SET original_id = s.purchase_id, customer_id = s.customer_id
FROM (SELECT DISTINCT position, purchase_id, customer_id FROM sold) AS s
WHERE p.position = s.position AND NOT EXISTS (
    SELECT FROM import_portion_line AS l
    WHERE l.position = p.position AND l.refunds_line_number IS NULL)
"""  # noqa: S608 - built from constants, and numbers of our own
_UNMATCH_LINES = """
UPDATE import_portion_line AS l SET refunds_line_number = NULL
FROM import_portion AS p WHERE p.position = l.position AND p.original_id IS NULL
    AND l.refunds_line_number IS NOT NULL
"""
# A refund of a sale that waits for its customer waits with it.
_AWAIT_AS_ORIGINAL = """
UPDATE import_portion AS p SET who_kind = u.awaits_kind, who_system = u.awaits_system,
    who_value = u.awaits_value
FROM unattached_purchase AS u WHERE u.id = p.original_id AND p.customer_id IS NULL
"""
_CLAIM = """
WITH claimed AS (
    INSERT INTO receipt AS r (source_id, receipt_key, purchase_id, customer_id, created_at)
    SELECT $1, receipt_key, id, customer_id, $2 FROM import_portion ORDER BY receipt_key
    ON CONFLICT (source_id, receipt_key) DO UPDATE
    SET purchase_id = excluded.purchase_id, customer_id = excluded.customer_id
    WHERE r.purchase_id IS NULL
    RETURNING receipt_key, (xmax <> 0) AS was_awaited
)
UPDATE import_portion AS p SET is_claimed = c.receipt_key IS NOT NULL,
    was_awaited = coalesce(c.was_awaited, false)
FROM import_portion AS o LEFT JOIN claimed AS c ON c.receipt_key = o.receipt_key
WHERE o.position = p.position AND (c.receipt_key IS NULL OR c.was_awaited)
"""
# Its identities lead to the surviving card, unless it was merged since they were looked up.
_LOCK_CARDS = """
SELECT count(*) FILTER (WHERE status = 'merged') FROM (
    SELECT c.id, c.status FROM customer AS c
    WHERE c.id IN (SELECT customer_id FROM import_portion WHERE is_claimed)
    ORDER BY c.id FOR NO KEY UPDATE OF c
) AS locked
"""
_RECEIPT = f"""
    p.id, CASE WHEN p.position >= {FIRST_REFUND} THEN 'refund' ELSE 'sale' END, 'posted',
    p.occurred_at, (p.occurred_at AT TIME ZONE $4)::date, p.store_id, $1::uuid, $2::text,
    p.receipt_key, p.receipt_number, p.original_id, $5::text, p.amount, p.costed, p.cost,
    p.cashier, $3::timestamptz
"""
_RECEIPT_COLUMNS = """
    id, kind, status, occurred_at, business_day, store_id, source_id, event_id, receipt_key,
    receipt_number, refund_of_id, currency, amount, costed_amount, cost, cashier, recorded_at
"""
_WRITE = f"""
INSERT INTO purchase (customer_id, {_RECEIPT_COLUMNS})
SELECT p.customer_id, {_RECEIPT}
FROM import_portion AS p WHERE p.is_claimed AND p.customer_id IS NOT NULL
ORDER BY p.customer_id, p.id
"""  # noqa: S608 - built from constants, and numbers of our own
_LINE = """
    l.line_number, l.sku, l.isbn, l.title, l.category, l.quantity, l.unit_price, l.amount,
    l.unit_cost, l.refunds_line_number
"""
_LINE_COLUMNS = _LINE.replace(" l.", " ")
_WRITE_LINES = f"""
INSERT INTO purchase_line (customer_id, purchase_id, {_LINE_COLUMNS})
SELECT p.customer_id, p.id, {_LINE}
FROM import_portion AS p JOIN import_portion_line AS l USING (position)
WHERE p.is_claimed AND p.customer_id IS NOT NULL
ORDER BY p.customer_id, p.id, l.line_number
"""  # noqa: S608 - built from constants, and numbers of our own
_WRITE_UNATTACHED = f"""
INSERT INTO unattached_purchase
    ({_RECEIPT_COLUMNS}, awaits_kind, awaits_system, awaits_value, lines)
SELECT {_RECEIPT}, p.who_kind, p.who_system, p.who_value, (
    -- Amounts as text: a JSON number would come back as a float.
    SELECT jsonb_agg(jsonb_build_object('line_number', l.line_number, 'sku', l.sku, 'isbn', l.isbn,
        'title', l.title, 'category', l.category, 'quantity', l.quantity::text,
        'unit_price', l.unit_price::text, 'amount', l.amount::text,
        'unit_cost', l.unit_cost::text, 'refunds_line_number', l.refunds_line_number)
        ORDER BY l.line_number)
    FROM import_portion_line AS l WHERE l.position = p.position)
FROM import_portion AS p WHERE p.is_claimed AND p.customer_id IS NULL
"""  # noqa: S608 - built from constants, and numbers of our own
_NOTE_ITEMS = """
INSERT INTO import_item (import_id, position, object_id, customer_id, key)
SELECT $1, position, id, customer_id, receipt_key FROM import_portion WHERE is_claimed
ORDER BY position
"""
_TOLD = f"""
SELECT count(*) FILTER (WHERE is_claimed) AS receipts,
    coalesce(sum(rows) FILTER (WHERE is_claimed AND position >= {FIRST_REFUND}), 0) AS refund_rows,
    coalesce(sum(free_rows) FILTER (WHERE is_claimed), 0) AS free_rows,
    coalesce(sum(nobodys_rows) FILTER (WHERE is_claimed), 0) AS nobodys_rows,
    count(*) FILTER (WHERE is_claimed AND customer_id IS NULL AND who_kind IS NOT NULL)
        AS awaiting,
    count(*) FILTER (WHERE is_claimed AND original_id IS NOT NULL) AS linked_refunds,
    coalesce(sum(rows) FILTER (WHERE is_claimed), 0) AS rows,
    coalesce(sum(rows) FILTER (WHERE NOT is_claimed), 0) AS existing,
    coalesce(sum(rows), 0) AS all_rows
FROM import_portion
"""  # noqa: S608 - built from constants of this module
_EXISTING = """
SELECT l.row_number FROM import_portion AS p JOIN import_portion_line AS l USING (position)
WHERE NOT p.is_claimed ORDER BY l.row_number
"""
_AWAITED_KEYS = "SELECT receipt_key FROM import_portion WHERE was_awaited ORDER BY receipt_key"


@dataclass(frozen=True, slots=True)
class PortionFacts:
    """Whose file it is: what all receipts of an import have alike."""

    import_id: UUID
    source_id: UUID
    currency: str
    timezone: str


async def bounds(connection: Any, import_id: UUID, after: int, rows: int) -> tuple[int | None, int]:
    """Return where the next portion of about that many rows ends, and how many receipts it has."""
    async with walking(connection):
        row = await connection.fetchrow(_BOUNDS, import_id, after, rows)
    return row["upto"], row["receipts"]


async def fill(connection: Any, import_id: UUID, after: int, upto: int, receipts: int) -> None:
    """Lay the portion's receipts and lines into the transaction's temporary tables."""
    await connection.execute(_TABLES)
    lines = asyncio.ensure_future(connection.execute(_FILL_LINES, import_id, after, upto))
    try:
        # Ids are made while the database is at work.
        await asyncio.sleep(0)
        ids = [new_id() for _ in range(receipts)]
    finally:
        await lines
    await connection.execute("ANALYZE import_portion_line (position)")
    await connection.execute(_FILL_RECEIPTS, ids)
    await connection.execute(
        "ANALYZE import_portion (position, receipt_key, customer_id, who_value)"
    )


async def await_customers(connection: Any, at: datetime) -> None:
    """Let who has no card be awaited, and met where the card appears.

    Raises:
        RetryTransactionError: an identity went away at this very moment.
    """
    awaited = int((await connection.execute(_AWAIT, at)).split()[-1])
    wanted = len(await connection.fetch(_AWAITED))
    if awaited or wanted:
        if await connection.fetchval(_LOCK_AWAITED) != wanted:
            raise RetryTransactionError
        await connection.execute(_RESOLVE)


async def match_refunds(connection: Any, source_id: UUID) -> None:
    """Find the sales that refunds take back; a refund that fits none stands alone."""
    if await connection.fetchval(_LOCK_ORIGINALS, source_id):
        await connection.execute(_MATCH_LINES, source_id)
        await connection.execute(_MATCH, source_id)
        await connection.execute(_UNMATCH_LINES)
        await connection.execute(_AWAIT_AS_ORIGINAL)


async def claim(connection: Any, facts: PortionFacts, at: datetime) -> None:
    """Claim the receipt numbers, and note those that were free for undoing."""
    await connection.execute(_CLAIM, facts.source_id, at)
    await connection.execute(_NOTE_ITEMS, facts.import_id)


async def lock_cards(connection: Any) -> None:
    """Lock the cards of the claimed receipts.

    Raises:
        RetryTransactionError: a customer's card was merged into another one meanwhile.
    """
    if await connection.fetchval(_LOCK_CARDS):
        raise RetryTransactionError


async def write(connection: Any, facts: PortionFacts, at: datetime) -> None:
    """Write the claimed receipts with their lines."""
    common = (facts.source_id, event_of(facts.import_id), at, facts.timezone, facts.currency)
    await connection.execute(_WRITE, *common)
    await connection.execute(_WRITE_LINES)
    await connection.execute(_WRITE_UNATTACHED, *common)


async def commit_soon(connection: Any) -> None:
    """Let the transaction end before the disk has it: some tenths of a second later it does.

    What a crash of the server takes is written once more, since the pointer goes with it. Whoever
    writes after it is behind it in the log, and so never on the disk without it.
    """
    await connection.execute("SELECT set_config('synchronous_commit', 'off', true)")


async def told(connection: Any) -> "asyncpg.Record":
    """Return what became of the portion, in numbers."""
    row: asyncpg.Record = await connection.fetchrow(_TOLD)
    return row


async def rows_of_existing(connection: Any) -> list[int]:
    """Return the rows whose receipts were there already."""
    return [row["row_number"] for row in await connection.fetch(_EXISTING)]


async def awaited_keys(connection: Any) -> list[str]:
    """Return the claimed receipts for which an event of the till waits."""
    return [row["receipt_key"] for row in await connection.fetch(_AWAITED_KEYS)]
