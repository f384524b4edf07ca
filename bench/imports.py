"""A million rows of purchases from a file, against one set-based insert of the same rows."""

import asyncio
import csv
import io
import os
import random
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

import asyncpg
from alembic import command

from app.core.config import Settings
from app.core.database import Database
from app.core.embedded_postgres import EmbeddedServer, ensure_database, temporary_server
from app.core.logging import configure_logging
from app.core.migrations import alembic_config
from app.jobs.imports import STATEMENT_TIMEOUT_SECONDS, advance
from app.rules.access import SYSTEM
from app.schemas.imports import ImportCreate
from app.services import imports
from app.services.import_answers import import_report
from app.vocabulary import ImportKind

ROWS = int(os.environ.get("BENCH_IMPORT_ROWS", "1000000"))
CARDS = 50_000
DATABASE, OWNER, SERVICE = "huike_bench_imports", "huike_owner", "huike_service"
_CHAIN = (
    """
    INSERT INTO store (id, code, name, opening_hours, is_active, version, created_at, updated_at)
    VALUES (gen_random_uuid(), 'S01', 'Bench', '{}', true, 1, now(), now())
    """,
    """
    INSERT INTO source (id, code, name, kind, store_id, mode, receipt_rule, currency, is_active,
                        version, created_at, updated_at)
    SELECT gen_random_uuid(), 'till-1', 'till-1', 'till', id, 'live', 'ever', 'CNY', true, 1,
        now(), now() FROM store
    """,
    f"""
    CREATE TEMPORARY TABLE person AS
    SELECT n, gen_random_uuid() AS id, 'HK' || lpad(n::text, 6, '0') AS member
    FROM generate_series(1, {CARDS}) AS n
    """,
    """
    INSERT INTO customer (id, kind, status, name, birth_month_is_leap, origin, registered_on,
                          version, created_at, updated_at)
    SELECT id, 'individual', 'active', member, false, 'store', current_date - 900, 1, now(), now()
    FROM person
    """,
    """
    INSERT INTO identity (kind, system, value, customer_id, created_at)
    SELECT 'member_number', '', member, id, now() FROM person
    """,
    """
    INSERT INTO tier_assignment (customer_id, id, level, cause, policy_id, policy_version,
                                 valid_from, explanation)
    SELECT person.id, gen_random_uuid(), 'small', 'initial', policy.id, 1, now(), '{}'
    FROM person, tier_policy AS policy WHERE policy.scope = 'individual'
    """,
)
_KEEP = (
    "CREATE UNLOGGED TABLE kept_receipt AS SELECT * FROM receipt",
    "CREATE UNLOGGED TABLE kept_purchase AS SELECT * FROM purchase",
    "CREATE UNLOGGED TABLE kept_line AS SELECT * FROM purchase_line",
    "TRUNCATE receipt, purchase_line, purchase",
)
_SAME_ROWS = (
    "INSERT INTO receipt SELECT * FROM kept_receipt",
    "INSERT INTO purchase SELECT * FROM kept_purchase",
    "INSERT INTO purchase_line SELECT * FROM kept_line",
)


@dataclass(frozen=True, slots=True)
class ImportTimes:
    """Seconds of the steps, and of the one insert."""

    rows: int
    megabytes: float
    upload: float
    check: float
    run: float
    insert: float
    undo: float

    def lines(self) -> str:
        """Return the table for the results."""
        whole = self.check + self.run
        parts = (
            ("upload into the database", self.upload),
            ("check: read, verify, stage", self.check),
            ("run: write, settle figures and tiers", self.run),
            ("check and run", whole),
            ("one set-based insert of the same rows", self.insert),
            ("undo", self.undo),
        )
        table = "\n".join(
            f"| {name} | {seconds:,.1f} | {self.rows / seconds:,.0f} |"
            f" {seconds / self.insert:.2f} |"
            for name, seconds in parts
        )
        return (
            f"\nA file of {self.rows:,} rows of purchases ({self.megabytes:.0f} MB, GB18030):\n\n"
            f"| what | seconds | rows a second | inserts |\n|---|---:|---:|---:|\n{table}\n"
        )


def purchases_file(rows: int, cards: int = CARDS) -> bytes:
    """Return a file of receipts of about two lines, of customers who buy more or less often."""
    chance = random.Random(7)
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["小票号", "日期", "会员卡号", "商品编码", "书名", "数量", "单价", "金额"])
    first = date.today() - timedelta(days=700)
    written = receipt = 0
    while written < rows:
        receipt += 1
        day = first + timedelta(days=receipt * 699 * 2 // max(rows, 1) % 699)
        moment = f"{day} {chance.randint(9, 21):02d}:{chance.randint(0, 59):02d}"
        member = f"HK{min(int(chance.paretovariate(0.9)) * 7919 % cards + 1, cards):06d}"
        if chance.random() < 0.5:
            member = f"HK{chance.randint(1, cards):06d}"
        for _ in range(min(chance.choice((1, 1, 2, 3, 3)), rows - written)):
            book, quantity = chance.randint(1, 5000), chance.choice((1, 1, 1, 2))
            price = 1990 + book % 60 * 100
            table.writerow(
                [f"R{receipt:08d}", moment, member, f"B{book:05d}", f"书名第{book}号", quantity,
                 f"{price / 100:.2f}", f"{price * quantity / 100:.2f}"]
            )  # fmt: skip
            written += 1
    return text.getvalue().encode("gb18030")


async def _parts(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 65_536):
        yield content[start : start + 65_536]


async def _timed(database: Database, settings: Settings, import_id: UUID) -> float:
    began = time.perf_counter()
    await advance(database, settings, import_id)
    return time.perf_counter() - began


async def measure_imports(server: EmbeddedServer, rows: int = ROWS) -> ImportTimes:
    """Import, insert the same rows at once, and undo, in a database of its own."""
    await ensure_database(server, database=DATABASE, owner=OWNER, service=SERVICE)
    await asyncio.to_thread(command.upgrade, alembic_config(server.url(DATABASE, OWNER)), "head")
    owner = await asyncpg.connect(server.dsn(DATABASE, OWNER))
    for statement in _CHAIN:
        await owner.execute(statement)
    await owner.execute("VACUUM ANALYZE")
    content = purchases_file(rows)
    settings = Settings(_env_file=None)
    database = Database(
        server.url(DATABASE, SERVICE),
        settings,
        statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS,
    )
    body = ImportCreate(kind=ImportKind.PURCHASES, source="till-1", file_name="bench.csv")
    began = time.perf_counter()
    async with database.transaction() as session:
        job = await imports.create_import(session, SYSTEM, body)
        await imports.store_file(session, SYSTEM, job.id, _parts(content))
    upload = time.perf_counter() - began
    check = await _timed(database, settings, job.id)
    async with database.transaction() as session:
        await imports.run_import(session, SYSTEM, job.id)
    run = await _timed(database, settings, job.id)
    async with database.transaction() as session:
        print(import_report(await imports.get_import(session, job.id)).text_en)
    for statement in _KEEP:
        await owner.execute(statement)
    insert = 0.0
    async with owner.transaction():
        for statement in _SAME_ROWS:
            began = time.perf_counter()
            await owner.execute(statement)
            insert += time.perf_counter() - began
    async with database.transaction() as session:
        await imports.undo_import(session, SYSTEM, job.id)
    undo = await _timed(database, settings, job.id)
    await database.close()
    await owner.close()
    return ImportTimes(rows, len(content) / 1e6, upload, check, run, insert, undo)


async def _alone() -> None:
    async with temporary_server() as server:
        print((await measure_imports(server)).lines())


if __name__ == "__main__":
    configure_logging("json", "ERROR")
    sys.exit(asyncio.run(_alone()))
