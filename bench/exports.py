"""Measure files of 20,000 cards and of a store's receipts: ``python -m bench.exports``.

Beside them stands a bare pass: the same rows over one cursor, as text, written nowhere. Seconds
are those that this process worked for, which others on the machine change least.
"""

import asyncio
import resource
import time
from typing import Any
from uuid import UUID

import asyncpg
from alembic import command

from app.core.config import Settings
from app.core.database import Database
from app.core.embedded_postgres import ensure_database, temporary_server
from app.core.logging import configure_logging
from app.core.migrations import alembic_config
from app.queries.card_filters import CardFilters
from app.rules.access import SYSTEM
from app.schemas.exports import CustomersExport, ExportRequest, PurchasesExport, ReceiptFilters
from app.services import exports
from app.services.exporting.cards import CardTable
from app.services.exporting.receipts import ReceiptTable
from app.services.exporting.tables import Table
from app.vocabulary import ExportFormat
from bench.chain import CUSTOMERS, write_chain
from bench.results import keep

DATABASE, OWNER, SERVICE = "huike_bench", "huike_owner", "huike_service"


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _busiest_store(dsn: str) -> tuple[UUID, int]:
    connection = await asyncpg.connect(dsn)
    try:
        row = await connection.fetchrow(
            "SELECT store_id, count(*) AS receipts FROM purchase GROUP BY 1 ORDER BY 2 DESC LIMIT 1"
        )
        assert row is not None
        return UUID(str(row["store_id"])), row["receipts"]
    finally:
        await connection.close()


async def _bare(dsn: str, table: str, store_id: UUID | None) -> float:
    narrowed = "" if store_id is None else f" WHERE store_id = '{store_id}'"
    statement = f"SELECT * FROM {table}{narrowed}"
    connection = await asyncpg.connect(dsn)
    try:
        began = time.process_time()
        async with connection.transaction():
            async for row in connection.cursor(statement, prefetch=500):
                ",".join(map(str, row.values()))
        return time.process_time() - began
    finally:
        await connection.close()


async def _file(
    database: Database, settings: Settings, table: Table[Any], given: ExportRequest
) -> tuple[float, int, float]:
    """Return seconds, bytes, and by how many megabytes the process grew."""
    before, size, began = _peak_megabytes(), 0, time.process_time()
    async with database.transaction() as session:
        begun = await exports.begin_export(session, SYSTEM, settings, table, given)
    if given.format is ExportFormat.CSV:
        async for chunk in exports.csv_chunks(database, table, begun):
            size += len(chunk)
    else:
        with await exports.write_xlsx(database, table, begun) as file:
            size = file.seek(0, 2)
    return time.process_time() - began, size, _peak_megabytes() - before


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
        database = Database(server.url(DATABASE, SERVICE), settings)
        store_id, receipts = await _busiest_store(dsn)
        lines = []
        for name, source in (("cards", "customer"), ("receipts", "purchase")):
            bare = await _bare(dsn, source, None if source == "customer" else store_id)
            for file_format in ExportFormat:
                table: Table[Any]
                given: ExportRequest
                if source == "customer":
                    table = CardTable(SYSTEM, CardFilters(), "-created_at", is_unmasked=False)
                    given = CustomersExport(format=file_format)
                else:
                    table = ReceiptTable(SYSTEM, ReceiptFilters(store_id=store_id))
                    given = PurchasesExport(format=file_format)
                seconds, size, grown = await _file(database, settings, table, given)
                lines.append(
                    f"| {name} | {file_format} | {seconds:.1f} | {seconds / bare:.0f} |"
                    f" {size / 1e6:.1f} | {grown:.0f} |"
                )
        await database.close()
    rows = "\n".join(lines)
    return f"""{CUSTOMERS:,} cards, {receipts:,} receipts of one store.

| list | file | seconds | times a bare pass | megabytes | process grew by MB |
|---|---|---:|---:|---:|---:|
{rows}
"""


def main() -> None:
    """Measure, print, and keep."""
    configure_logging("json", "ERROR")
    keep("exports", asyncio.run(asyncio.wait_for(measure(), 600)))


if __name__ == "__main__":
    main()
