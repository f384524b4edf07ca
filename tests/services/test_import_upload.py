"""A file that arrives slowly, breaks off, or comes beside another one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.pool import AsyncAdaptedQueuePool

from app.core.config import Settings
from app.core.database import Database
from app.core.errors import ConflictError, UnavailableError
from app.rules.access import SYSTEM
from app.schemas.imports import ImportCreate
from app.services import import_uploads, imports
from app.vocabulary import ImportKind, ImportStatus
from tests.conftest import client_of
from tests.support.world import World
from tests.web.probes import assert_problem

TEXT = "姓名,电话\n王小明,13800138000\n".encode()


async def made(database: Database) -> UUID:
    async with database.transaction() as session:
        body = ImportCreate(kind=ImportKind.CARDS, file_name="f.csv")
        return (await imports.create_import(session, SYSTEM, body)).id


async def stored(database: Database) -> list[tuple[Any, ...]]:
    async with database.transaction() as session:
        rows = await session.execute(text("SELECT number, body FROM import_chunk ORDER BY number"))
        return [tuple(row) for row in rows]


async def status(database: Database, import_id: UUID) -> ImportStatus:
    async with database.transaction() as session:
        return (await imports.get_import(session, import_id)).status


async def of(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_a_file_takes_the_place_of_the_one_before_in_parts_of_a_size(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "PART_BYTES", 4)
    import_id = await made(fresh_database)
    await import_uploads.receive_file(fresh_database, SYSTEM, import_id, of(b"old" * 9), 5)
    job = await import_uploads.receive_file(
        fresh_database, SYSTEM, import_id, of(b"ab", b"cdefghi", b"j"), 5
    )
    assert (job.status, job.file_bytes) == (ImportStatus.UPLOADED, 10)
    assert await stored(fresh_database) == [(0, b"abcd"), (1, b"efgh"), (2, b"ij")]


async def stalled() -> AsyncIterator[bytes]:
    yield b"abcdef"
    await asyncio.Event().wait()


async def test_uploads_that_fall_silent_hold_no_connection(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "PART_BYTES", 4)
    import_id = await made(fresh_database)
    pool = fresh_database.engine.pool
    assert isinstance(pool, AsyncAdaptedQueuePool)
    uploads = [
        asyncio.create_task(
            import_uploads.receive_file(fresh_database, SYSTEM, import_id, stalled(), 600)
        )
        for _ in range(20)
    ]
    async with asyncio.timeout(20):
        while len(await stored(fresh_database)) < len(uploads) or pool.checkedout():
            await asyncio.sleep(0.01)
    # Where the file is looked for, there is none.
    assert {number < 0 for number, _ in await stored(fresh_database)} == {True}
    for upload in uploads:
        upload.cancel()
    await asyncio.wait(uploads)
    assert await stored(fresh_database) == []
    assert await status(fresh_database, import_id) is ImportStatus.AWAITING_FILE


async def test_an_upload_of_which_nothing_more_comes_ends(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "PART_BYTES", 4)
    import_id = await made(fresh_database)
    with pytest.raises(UnavailableError) as told:
        await import_uploads.receive_file(fresh_database, SYSTEM, import_id, stalled(), 0.05)
    assert told.value.code == "deadline-exceeded"
    assert await stored(fresh_database) == []


async def test_an_upload_that_breaks_off_leaves_the_file_that_was_there(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "PART_BYTES", 4)
    import_id = await made(fresh_database)
    await import_uploads.receive_file(fresh_database, SYSTEM, import_id, of(b"old"), 5)

    async def broken() -> AsyncIterator[bytes]:
        yield b"abcdef"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await import_uploads.receive_file(fresh_database, SYSTEM, import_id, broken(), 5)
    assert await stored(fresh_database) == [(0, b"old")]


async def test_of_two_files_that_come_at_once_the_first_one_wins(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "PART_BYTES", 4)
    import_id = await made(fresh_database)

    async def overtaken() -> AsyncIterator[bytes]:
        yield b"abcdef"
        await import_uploads.receive_file(fresh_database, SYSTEM, import_id, of(b"first"), 5)
        yield b"ghijkl"

    with pytest.raises(ConflictError):
        await import_uploads.receive_file(fresh_database, SYSTEM, import_id, overtaken(), 5)
    assert await stored(fresh_database) == [(0, b"firs"), (1, b"t")]


async def test_a_file_for_an_import_that_has_ended_is_refused_before_it_comes(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    headers = world.headers("manager")
    answer = await client.post(
        "/v1/imports", headers=headers, json={"kind": "cards", "file_name": "f.csv"}
    )
    path = answer.headers["location"]
    empty = await client.put(f"{path}/file", headers=headers, content=b"")
    assert_problem(empty, 422, "validation")
    sent = await client.put(f"{path}/file", headers=headers, content=TEXT)
    assert (sent.status_code, sent.json()["status"]) == (200, "uploaded")
    assert sent.headers["etag"] == '"v2"'
    await client.post(f"{path}/cancel", headers=headers)

    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    short = settings.model_copy(update={"upload_gap_seconds": 0.05})
    async with client_of(database, short) as other:
        refused = await other.put(f"{path}/file", headers=headers, content=never())
    assert_problem(refused, 409, "invalid-transition")
