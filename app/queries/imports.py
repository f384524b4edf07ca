"""The parts of an import that are many: chunks of the file, staged rows, findings, items.

Raw asyncpg, since COPY takes a million rows in the time that an INSERT takes some thousands.
"""

import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

_ADD_CHUNK = "INSERT INTO import_chunk (import_id, number, body) VALUES ($1, $2, $3)"
_CHUNK = "SELECT body FROM import_chunk WHERE import_id = $1 AND number = $2"
_ADOPT_CHUNKS: Final = (
    "DELETE FROM import_chunk WHERE import_id = $1 AND NOT number BETWEEN $2 AND $2 + $3 - 1",
    "UPDATE import_chunk SET number = number - $2 WHERE import_id = $1",
)
_DISCARD_CHUNKS = """
DELETE FROM import_chunk WHERE import_id = $1 AND number BETWEEN $2 AND $2 + $3 - 1
"""
_FORGET: Final = {
    "file": "DELETE FROM import_chunk WHERE import_id = $1",
    "rows": "DELETE FROM import_row WHERE import_id = $1",
    "lines": "DELETE FROM import_line WHERE import_id = $1",
    "findings": "DELETE FROM import_finding WHERE import_id = $1",
}
_ADD_FINDINGS = """
INSERT INTO import_finding (import_id, row_number, code, column_number)
SELECT $1, * FROM unnest($2::integer[], $3::text[], $4::integer[])
    AS f (row_number, code, column_number)
ON CONFLICT DO NOTHING
"""
_DROP_RECEIPTS = """
DELETE FROM import_line WHERE import_id = $1 AND position = ANY($2::bigint[])
RETURNING row_number, who_kind IS NULL AS nobodys, position >= 1099511627776 AS refunds,
    amount = 0 AS free
"""
_BEYOND_SUMS = """
SELECT position FROM import_line WHERE import_id = $1
GROUP BY position HAVING sum(amount) > 999999999999.99
"""
_RENUMBER_REFUNDS = """
UPDATE import_line SET
    original_key = CASE
        -- Where there is a sale with the same number, a C before it is a part of the number.
        WHEN original_key = left(receipt_key, -length(receipt_number)) || substr(receipt_number, 2)
        THEN receipt_key ELSE coalesce(original_key, receipt_key) END,
    receipt_key = receipt_key || '-R', receipt_number = receipt_number || '-R'
WHERE import_id = $1 AND position = ANY($2::bigint[])
"""
_SOLD_NUMBERS = """
SELECT r.receipt_key FROM receipt AS r
WHERE r.source_id = $1 AND r.receipt_key = ANY($2::text[]) AND (
    EXISTS (SELECT FROM purchase AS p WHERE p.customer_id = r.customer_id AND p.id = r.purchase_id
            AND p.kind = 'sale')
    OR EXISTS (SELECT FROM unattached_purchase AS u WHERE u.id = r.purchase_id AND u.kind = 'sale'))
"""
_STAGED: Final = {
    "import_line": "SELECT count(*) FROM import_line WHERE import_id = $1 AND position > $2",
    "import_row": "SELECT count(*) FROM import_row WHERE import_id = $1 AND row_number > $2",
}
_LOOKALIKES = """
SELECT count(*) FROM duplicate_pair AS p
WHERE p.state = 'open' AND EXISTS (
    SELECT FROM import_item AS i
    WHERE i.import_id = $1 AND i.customer_id IN (p.first_id, p.second_id))
"""
_TOUCHED = """
SELECT DISTINCT customer_id FROM import_item
WHERE import_id = $1 AND customer_id > $2
ORDER BY customer_id LIMIT $3
"""
_SORTING = "SELECT set_config('enable_sort', $1, true)"
# The id of no card, and less than that of any.
_BEFORE_ALL: Final = UUID(int=0)


def event_of(import_id: UUID) -> str:
    """Return what the receipts of an import have in place of a till's event."""
    return f"import:{import_id}"


# What was taken for names of columns in a file that nobody could read may be anything.
_GIVE_UP = """
UPDATE import_job SET status = 'cancelled', finished_at = $2, updated_at = $2,
    version = version + 1, sample = '[]',
    columns = CASE status WHEN 'failed' THEN '[]' ELSE columns END,
    mapping = CASE status WHEN 'failed' THEN '{}' ELSE mapping END
WHERE id IN (
    SELECT id FROM import_job
    WHERE status IN ('awaiting_file', 'uploaded', 'checked', 'failed') AND updated_at <= $1
    ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED)
RETURNING id
"""
# An upload that was killed while its import ended has left parts that are nobody's.
_FORGET_ORPHANS = """
DELETE FROM import_chunk AS c USING import_job AS j
WHERE c.import_id = j.id AND c.number < 0 AND j.status IN ('done', 'undone', 'cancelled')
"""
_FORGET_GIVEN_UP = tuple(
    f"DELETE FROM {table} WHERE import_id = ANY($1::uuid[])"  # noqa: S608 - built from constants, and numbers of our own
    for table in ("import_chunk", "import_row", "import_line")
)


async def give_up(connection: Any, before: datetime, at: datetime, limit: int) -> int:
    """Cancel imports that nobody has touched since, and delete their files; return how many."""
    ids = [row["id"] for row in await connection.fetch(_GIVE_UP, before, at, limit)]
    for statement in _FORGET_GIVEN_UP:
        await connection.execute(statement, ids)
    await connection.execute(_FORGET_ORPHANS)
    return len(ids)


async def add_chunk(connection: Any, import_id: UUID, number: int, body: bytes) -> None:
    """Keep a part of the file."""
    await connection.execute(_ADD_CHUNK, import_id, number, body)


async def adopt_chunks(connection: Any, import_id: UUID, first: int, count: int) -> bool:
    """Make the parts from number ``first`` on the import's file, and delete all others.

    Tell whether they were all there; the parts themselves are not written once more.
    """
    for statement in _ADOPT_CHUNKS:
        arguments = (import_id, first, count) if "$3" in statement else (import_id, first)
        done = await connection.execute(statement, *arguments)
    return str(done) == f"UPDATE {count}"


async def discard_chunks(connection: Any, import_id: UUID, first: int, count: int) -> None:
    """Delete the parts from number ``first`` on."""
    await connection.execute(_DISCARD_CHUNKS, import_id, first, count)


async def chunk(connection: Any, import_id: UUID, number: int) -> bytes | None:
    """Return a part of the file, None after the last one."""
    body: bytes | None = await connection.fetchval(_CHUNK, import_id, number)
    return body


async def forget(connection: Any, import_id: UUID, *parts: str) -> None:
    """Delete the ``file``, staged ``rows`` or ``lines``, or the ``findings`` of an import."""
    for part in parts:
        await connection.execute(_FORGET[part], import_id)


async def stage(connection: Any, table: str, columns: Sequence[str], text: bytes) -> None:
    """Copy rows into a staging table; they are in COPY's text format."""
    if text:
        await connection.copy_to_table(table, source=io.BytesIO(text), columns=columns)


async def add_findings(
    connection: Any, import_id: UUID, findings: Sequence[tuple[int, str, int]]
) -> None:
    """Keep (row number, code, column number or 0)."""
    if findings:
        rows, codes, columns = (list(part) for part in zip(*findings, strict=True))
        await connection.execute(_ADD_FINDINGS, import_id, rows, codes, columns)


async def drop_receipts(
    connection: Any, import_id: UUID, positions: Sequence[int]
) -> list["asyncpg.Record"]:
    """Take receipts out of the staged ones; return the numbers of their rows, and what they were.

    Of each row: whether it is ``nobodys``, of ``refunds``, or ``free``.
    """
    return list(await connection.fetch(_DROP_RECEIPTS, import_id, list(positions)))


async def receipts_beyond_sums(connection: Any, import_id: UUID) -> set[int]:
    """Return the staged receipts whose lines together are more than an amount can be."""
    return {row["position"] for row in await connection.fetch(_BEYOND_SUMS, import_id)}


async def renumber_refunds(connection: Any, import_id: UUID, positions: Sequence[int]) -> None:
    """Give refunds that carry the number of their sale a number of their own."""
    await connection.execute(_RENUMBER_REFUNDS, import_id, list(positions))


async def sold_numbers(connection: Any, source_id: UUID, keys: Sequence[str]) -> set[str]:
    """Return which of these receipt numbers are of sales that are there already."""
    rows = await connection.fetch(_SOLD_NUMBERS, source_id, list(keys))
    return {row["receipt_key"] for row in rows}


async def staged(connection: Any, table: str, import_id: UUID, after: int = 0) -> int:
    """Return how many rows are staged behind a position."""
    count: int = await connection.fetchval(_STAGED[table], import_id, after)
    return count


async def items(connection: Any, import_id: UUID) -> int:
    """Return how many things an import wrote."""
    count: int = await connection.fetchval(
        "SELECT count(*) FROM import_item WHERE import_id = $1", import_id
    )
    return count


async def lookalikes(connection: Any, import_id: UUID) -> int:
    """Return how many pairs that wait for a decision have a card of the import in them."""
    count: int = await connection.fetchval(_LOOKALIKES, import_id)
    return count


@asynccontextmanager
async def walking(connection: Any) -> AsyncIterator[None]:
    """Have the next statement walk an index as far as it has to, in the order that it asks for.

    The planner knows nothing yet of rows that were written a moment ago: it takes them for few, and
    would sort all that are left each time.
    """
    await connection.execute(_SORTING, "off")
    yield
    await connection.execute(_SORTING, "on")


async def touched_cards(
    connection: Any, import_id: UUID, after: UUID | None, limit: int
) -> list[UUID]:
    """Return the next cards that an import wrote to, in the order of ids."""
    async with walking(connection):
        rows = await connection.fetch(_TOUCHED, import_id, after or _BEFORE_ALL, limit)
    return [row["customer_id"] for row in rows]
