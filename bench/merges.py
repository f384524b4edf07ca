"""Measure a merge of two cards with 5,000 purchases, and its end: ``python -m bench.merges``.

Beside it stands one bare statement that copies the same receipts and lines into tables with the
same constraints: what a merge cannot do without.
"""

import asyncio
import time
from uuid import UUID

import asyncpg
from alembic import command

from app.core.config import Settings
from app.core.database import Database
from app.core.embedded_postgres import ensure_database, temporary_server
from app.core.logging import configure_logging
from app.core.migrations import alembic_config
from app.rules.access import SYSTEM
from app.schemas.merges import MergeExecute, MergeRequest
from app.services import merge_undo, merges
from bench.chain import CUSTOMERS, PURCHASES, write_chain
from bench.results import keep

DATABASE, OWNER, SERVICE = "huike_bench", "huike_owner", "huike_service"
LINES = 2
MANY = 5_000
# One card gets many receipts with their numbers, events and lines.
_FILL = (
    """
    INSERT INTO purchase (customer_id, id, kind, status, occurred_at, business_day, store_id,
                          source_id, event_id, receipt_key, receipt_number, currency, amount,
                          costed_amount, cost, recorded_at)
    SELECT $1::uuid, uuidv7(), 'sale', 'posted', now() - g * interval '2 hours',
        (now() - g * interval '2 hours')::date, store_id, id, 'm-' || g, 'm-' || g, 'm-' || g,
        'CNY', 20, 20, 14, now()
    FROM source, generate_series(1, $2::integer) AS g
    """,
    """
    INSERT INTO purchase_line (customer_id, purchase_id, line_number, quantity, unit_price, amount)
    SELECT customer_id, id, n, 1, 10, 10
    FROM purchase, generate_series(1, $2::integer) AS n WHERE customer_id = $1
        AND event_id LIKE 'm-%'
    """,
    """
    INSERT INTO receipt (source_id, receipt_key, purchase_id, customer_id, created_at)
    SELECT source_id, receipt_key, id, customer_id, now() FROM purchase
    WHERE customer_id = $1 AND event_id LIKE 'm-%' AND $2::integer > 0
    """,
    """
    INSERT INTO pos_event (source_id, event_id, kind, status, mode, body, body_hash, received_at,
                           customer_id, purchase_id)
    SELECT source_id, event_id, 'sale', 'applied', 'live', '{}', '', now(), customer_id, id
    FROM purchase WHERE customer_id = $1 AND event_id LIKE 'm-%' AND $2::integer > 0
    """,
)
_BARE = (
    """
    INSERT INTO bare_purchase
    SELECT $1, p.id, p.kind, p.status, p.occurred_at, p.business_day, p.store_id, p.source_id,
        p.event_id, p.receipt_key, p.receipt_number, p.refund_of_id, p.currency, p.amount,
        p.costed_amount, p.cost, p.cashier, p.voided_at, p.recorded_at
    FROM purchase AS p WHERE p.customer_id = $2
    """,
    """
    INSERT INTO bare_line
    SELECT $1, l.purchase_id, l.line_number, l.sku, l.isbn, l.title, l.category, l.quantity,
        l.unit_price, l.amount, l.unit_cost, l.refunds_line_number
    FROM purchase_line AS l WHERE l.customer_id = $2
    """,
)


async def _prepare(dsn: str) -> tuple[UUID, UUID]:
    connection = await asyncpg.connect(dsn)
    try:
        survivor, loser = (
            row["id"] for row in await connection.fetch("SELECT id FROM customer LIMIT 2")
        )
        for statement, number in zip(_FILL, (MANY, LINES, MANY, MANY), strict=True):
            await connection.execute(statement, loser, number)
        for name, table in (("bare_purchase", "purchase"), ("bare_line", "purchase_line")):
            await connection.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)")
        await connection.execute("VACUUM (ANALYZE)")
        return survivor, loser
    finally:
        await connection.close()


async def _bare(dsn: str, survivor: UUID, loser: UUID) -> float:
    connection = await asyncpg.connect(dsn)
    try:
        began = time.perf_counter()
        async with connection.transaction():
            for statement in _BARE:
                await connection.execute(statement, survivor, loser)
        return time.perf_counter() - began
    finally:
        await connection.close()


async def measure() -> str:
    """Return the results as lines of a table."""
    settings = Settings(_env_file=None)
    async with temporary_server() as server:
        await ensure_database(server, database=DATABASE, owner=OWNER, service=SERVICE)
        await asyncio.to_thread(
            command.upgrade, alembic_config(server.url(DATABASE, OWNER)), "head"
        )
        dsn = server.dsn(DATABASE, OWNER)
        await write_chain(dsn)
        survivor, loser = await _prepare(dsn)
        bare = await _bare(dsn, survivor, loser)
        database = Database(server.url(DATABASE, SERVICE), settings)
        seconds = []
        request = MergeRequest(surviving_id=survivor, loser_ids=[loser])
        began = time.perf_counter()
        async with database.transaction() as session:
            plan = await merges.preview_merge(session, SYSTEM, settings, request)
        seconds.append(("plan", time.perf_counter() - began))
        given = MergeExecute(surviving_id=survivor, loser_ids=[loser], fingerprint=plan.fingerprint)
        began = time.perf_counter()
        async with database.transaction() as session:
            done = await merges.execute_merge(session, SYSTEM, settings, given)
        seconds.append(("merge", time.perf_counter() - began))
        began = time.perf_counter()
        async with database.transaction() as session:
            await merge_undo.undo_merge(session, SYSTEM, settings, done.id)
        seconds.append(("undo", time.perf_counter() - began))
        await database.close()
    rows = "\n".join(
        f"| {name} | {taken * 1000:,.0f} | {taken / bare:.1f} |" for name, taken in seconds
    )
    return f"""In a chain of {CUSTOMERS:,} cards and {PURCHASES:,} purchases, a card with {MANY:,}
receipts of {LINES} lines is merged into another. Copying these receipts and lines into tables like
theirs takes {bare * 1000:,.0f} ms.

| what | ms | times a bare copy |
|---|---:|---:|
{rows}
"""


def main() -> None:
    """Measure, print, and keep."""
    configure_logging("json", "ERROR")
    keep("merges", asyncio.run(asyncio.wait_for(measure(), 180)))


if __name__ == "__main__":
    main()
