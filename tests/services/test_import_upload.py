"""A file that arrives slowly."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from app.core.config import Settings
from app.core.database import Database
from app.rules.access import SYSTEM
from app.schemas.imports import ImportCreate
from app.services import imports
from app.vocabulary import ImportKind


@pytest.mark.parametrize("parts", [[b"a", b"b"], [b"a"] * 40])
async def test_the_database_does_not_lose_patience_with_a_slow_line(
    fresh_database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch,
    parts: list[bytes],
) -> None:  # fmt: skip
    monkeypatch.setattr(imports, "SPEAK_EVERY_SECONDS", 0.2)

    async def slowly() -> AsyncIterator[bytes]:
        for part in parts:
            await asyncio.sleep(2.4 / len(parts))
            yield part

    async with fresh_database.transaction() as session:
        body = ImportCreate(kind=ImportKind.CARDS, file_name="f.csv")
        job = await imports.create_import(session, SYSTEM, body)
        await session.execute(text("SET LOCAL idle_in_transaction_session_timeout = '1s'"))
        await imports.store_file(session, SYSTEM, job.id, slowly())
    async with fresh_database.transaction() as session:
        assert await session.scalar(text("SELECT body FROM import_chunk")) == b"".join(parts)


async def test_an_upload_that_breaks_off_is_not_waited_for(
    fresh_database: Database, settings: Settings
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"a"
        raise ConnectionResetError

    async with fresh_database.transaction() as session:
        body = ImportCreate(kind=ImportKind.CARDS, file_name="f.csv")
        job = await imports.create_import(session, SYSTEM, body)
        with pytest.raises(ConnectionResetError):
            await imports.store_file(session, SYSTEM, job.id, broken())
