"""Imports that are cancelled where nobody is at them, or just when they are read once more."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.rules.access import SYSTEM
from app.services import import_checks, import_purchases, import_runs, imports, statistics
from app.services.imports import JOB
from tests.support.cards import create_card
from tests.support.import_files import ask, step, upload
from tests.support.world import World

FILE = "小票号,日期,会员卡号,金额\n" + "".join(
    f"X{number},2026-11-0{number},HK1,{number}.00\n" for number in range(1, 7)
)


async def test_a_check_that_nobody_goes_on_with_can_be_ended(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    job = await upload(client, world, FILE.encode(), kind="purchases", source="till-1")
    async with database.transaction() as session:
        # As a worker leaves it that fails for good.
        await session.execute(text("UPDATE import_job SET status = 'checking'"))
        await session.execute(text("DELETE FROM pgqueuer"))
    job = await ask(client, world, job, "cancel")
    async with database.transaction() as session:
        assert list(await session.scalars(text("SELECT entrypoint FROM pgqueuer"))) == [JOB]
    job = await step(client, world, database, settings, job)
    assert job["status"] == "cancelled"


async def test_an_import_that_is_cancelled_before_its_check_begins_stays_cancelled(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    job = await upload(client, world, FILE.encode(), kind="purchases", source="till-1")
    begin = import_checks.begin_check

    async def cancelled_first(session: Any, settings: Settings, import_id: UUID) -> Any:
        await imports.cancel_import(session, SYSTEM, import_id)
        return await begin(session, settings, import_id)

    monkeypatch.setattr(import_checks, "begin_check", cancelled_first)
    assert (await step(client, world, database, settings, job))["status"] == "cancelled"


async def test_an_import_that_is_cancelled_when_all_is_read_is_cancelled(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    job = await upload(client, world, FILE.encode(), kind="purchases", source="till-1")
    finish = import_checks.finish_check

    async def cancelled_first(session: Any, reader: Any, check: Any) -> None:
        await imports.cancel_import(session, SYSTEM, check.import_id)
        await finish(session, reader, check)

    monkeypatch.setattr(import_checks, "finish_check", cancelled_first)
    assert (await step(client, world, database, settings, job))["status"] == "cancelled"
    async with database.transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM import_line")) == 0


async def test_a_table_of_far_too_many_columns_is_refused(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    content = ",".join(f"c{number}" for number in range(501)).encode() + b"\n1\n"
    job = await upload(client, world, content, kind="cards")
    job = await step(client, world, database, settings, job)
    assert (job["status"], job["problem"]["code"]) == ("failed", "too-many-columns")
    assert job["columns"] == []


async def test_a_run_that_is_cancelled_while_its_rows_are_read_again_settles_what_it_wrote(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(import_purchases, "ROWS_AT_ONCE", 2)
    await create_card(client, world, identities=[{"kind": "member_number", "value": "HK1"}])
    job = await upload(client, world, FILE.encode(), kind="purchases", source="till-1")
    job = await step(client, world, database, settings, job)
    job = await ask(client, world, job, "run")
    async with database.transaction() as session:
        assert await import_runs.run_portion(session, settings, UUID(job["id"]))
        # The server was killed, and has cleared what is not in its log.
        await session.execute(text("DELETE FROM import_line"))
    stage = import_checks.stage

    async def cancelled_first(session: Any, reader: Any, check: Any, parts: Any) -> bool:
        await imports.cancel_import(session, SYSTEM, check.import_id)
        return await stage(session, reader, check, parts)

    monkeypatch.setattr(import_checks, "stage", cancelled_first)
    job = await step(client, world, database, settings, job)
    assert (job["status"], job["written"]["receipts"]) == ("cancelled", 2)
    async with database.transaction() as session:
        assert (await statistics.check(session, clock.today(settings.zone)))["different"] == 0
        assert await session.scalar(text("SELECT net::text FROM customer_stats")) == "3.00"
    job = await ask(client, world, job, "undo")
    job = await step(client, world, database, settings, job)
    assert (job["status"], job["written"]["removed"]) == ("undone", 2)


async def test_a_file_that_ends_whoever_reads_it_is_given_up(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    job = await upload(client, world, FILE.encode(), kind="purchases", source="till-1")
    taken = []

    async def killed(session: Any, import_id: UUID, number: int) -> bytes:
        taken.append(number)
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(import_checks, "read_part", killed)
        for _ in range(import_checks.TAKES_ALLOWED):
            with pytest.raises(MemoryError):
                await step(client, world, database, settings, job)
        job = await step(client, world, database, settings, job)
    assert (job["status"], job["problem"]["code"], len(taken)) == ("failed", "never-read", 3)
    # Another file, or the same one once more when whoever reads it has more room.
    answer = await client.put(
        f"/v1/imports/{job['id']}/file",
        headers={**world.headers("manager"), "Content-Type": "application/octet-stream"},
        content=FILE.encode(),
    )
    assert answer.status_code == 200
    job = await step(client, world, database, settings, job)
    assert (job["status"], job["counts"]["good"]) == ("checked", 6)
