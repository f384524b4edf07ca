"""A worker killed while it writes an import: another goes on, and nothing is there twice."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.jobs.imports import advance
from app.rules.access import SYSTEM
from app.schemas.imports import ImportCreate
from app.services import import_purchases, imports, statistics
from app.vocabulary import ImportKind, ImportStatus
from bench.imports import purchases_file
from tests.support.world import build_world

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[2]
ROWS, CARDS, AT_ONCE = 4_000, 80, 200
# Portions small enough that many of them are left when the process is killed.
WORKER = f"""
import asyncio, sys
from uuid import UUID
from app.core.config import Settings
from app.core.logging import configure_logging
from app.jobs.imports import run_import_job
from app.services import import_purchases
configure_logging("json", "ERROR")
import_purchases.ROWS_AT_ONCE = {AT_ONCE}
asyncio.run(run_import_job(sys.argv[1], Settings(_env_file=None), UUID(sys.argv[2])))
"""
TOTALS = """
SELECT (SELECT count(*) FROM purchase), (SELECT sum(amount) FROM purchase),
    (SELECT count(*) FROM purchase_line), (SELECT sum(amount) FROM purchase_line),
    (SELECT count(*) FROM receipt), (SELECT count(*) FROM unattached_purchase),
    (SELECT sum(net) FROM customer_stats),
    (SELECT count(*) FROM tier_assignment WHERE valid_to IS NULL AND level = 'main')
"""


async def prepared(database: Database, settings: Settings) -> UUID:
    """Write the small chain and its cards; upload and check a file; ask for it to be run."""
    await build_world(database)
    async with database.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO customer (id, kind, status, name, birth_month_is_leap, origin,"
                " registered_on, version, created_at, updated_at) SELECT gen_random_uuid(),"
                " 'individual', 'active', 'HK' || lpad(n::text, 6, '0'), false, 'store',"
                f" current_date, 1, now(), now() FROM generate_series(1, {CARDS - 5}) AS n"
            )
        )
        await session.execute(
            text(
                "INSERT INTO identity (kind, system, value, customer_id, created_at)"
                " SELECT 'member_number', '', name, id, now() FROM customer"
            )
        )
        await session.execute(
            text(
                "INSERT INTO tier_assignment (customer_id, id, level, cause, policy_id,"
                " policy_version, valid_from, explanation) SELECT c.id, gen_random_uuid(),"
                " 'small', 'initial', p.id, 1, now(), '{}' FROM customer AS c, tier_policy AS p"
                " WHERE p.scope = 'individual'"
            )
        )
        body = ImportCreate(kind=ImportKind.PURCHASES, source="till-1", file_name="f.csv")
        job = await imports.create_import(session, SYSTEM, body)

        async def parts() -> AsyncIterator[bytes]:
            yield purchases_file(ROWS, CARDS)

        await imports.store_file(session, SYSTEM, job.id, parts())
    assert await advance(database, settings, job.id) is ImportStatus.CHECKED
    async with database.transaction() as session:
        await imports.run_import(session, SYSTEM, job.id)
    return job.id


async def position(database: Database, import_id: UUID) -> int:
    async with database.transaction() as session:
        return (await imports.get_import(session, import_id)).rows_done


async def totals(database: Database, settings: Settings) -> tuple[Any, ...]:
    async with database.transaction() as session:
        checked = await statistics.check(session, clock.today(settings.zone))
        assert checked["different"] == 0
        return tuple((await session.execute(text(TOTALS))).one())


@pytest.fixture
async def whole(fresh_database: Database, settings: Settings) -> tuple[Any, ...]:
    """What a run without a kill makes, undone again: which leaves the tables as they were."""
    import_id = await prepared(fresh_database, settings)
    assert await advance(fresh_database, settings, import_id) is ImportStatus.DONE
    made = await totals(fresh_database, settings)
    async with fresh_database.transaction() as session:
        await imports.undo_import(session, SYSTEM, import_id)
    assert await advance(fresh_database, settings, import_id) is ImportStatus.UNDONE
    assert (await totals(fresh_database, settings))[:6] == (0, None, 0, None, 0, 0)
    async with fresh_database.transaction() as session:
        await session.execute(text("UPDATE import_job SET status = 'done'"))
    return made


async def test_a_worker_that_is_killed_leaves_an_import_to_be_gone_on_with_where_it_was(
    fresh_database: Database, settings: Settings, whole: tuple[Any, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    async def parts() -> AsyncIterator[bytes]:
        yield purchases_file(ROWS, CARDS)

    async with fresh_database.transaction() as session:
        body = ImportCreate(kind=ImportKind.PURCHASES, source="till-1", file_name="f.csv")
        import_id = (await imports.create_import(session, SYSTEM, body)).id
        await imports.store_file(session, SYSTEM, import_id, parts())
    await advance(fresh_database, settings, import_id)
    async with fresh_database.transaction() as session:
        await imports.run_import(session, SYSTEM, import_id)

    for left_after in (AT_ONCE * 3, AT_ONCE * 8):
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, fresh_database.url, str(import_id)],
            cwd=PROJECT,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
        )
        while await position(fresh_database, import_id) < left_after:
            assert worker.poll() is None
            await asyncio.sleep(0.01)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    killed_at = await position(fresh_database, import_id)
    assert AT_ONCE * 8 <= killed_at < ROWS
    # The server was killed as well, and has cleared what is not in its log.
    async with fresh_database.transaction() as session:
        await session.execute(text("DELETE FROM import_line"))
    monkeypatch.setattr(import_purchases, "ROWS_AT_ONCE", AT_ONCE * 4)

    assert await advance(fresh_database, settings, import_id) is ImportStatus.DONE
    assert await totals(fresh_database, settings) == whole
    async with fresh_database.transaction() as session:
        job = await imports.get_import(session, import_id)
    assert job.counts["run"]["rows"] == job.counts["checked"]["good"]
