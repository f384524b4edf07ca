"""Imports at work: a file is checked, written, undone, each from where it was left."""

import asyncio
import gc
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.database import Database, retrying
from app.core.exclusive import alone
from app.integrations.files.sniffing import UnreadableFileError
from app.jobs.duplicates import scan_duplicates
from app.services import import_checks, import_runs, import_undo, imports
from app.services.import_checks import Block, Check, next_block
from app.services.import_files import FileReader, MissingColumnsError
from app.vocabulary import ImportKind, ImportStatus

log = structlog.get_logger()

STATEMENT_TIMEOUT_SECONDS: Final = 5 * 60.0
_NOT_UTF8: Final = "gb18030"


async def run_import_job(database_url: str, settings: Settings, import_id: UUID) -> None:
    """Do what an import waits for, on connections of its own."""
    own = settings.model_copy(update={"pool_size": 2, "pool_overflow": 0})
    database = Database(
        database_url,
        own,
        statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS,
        application_name="huike-import",
    )
    try:
        await advance(database, settings, import_id)
    finally:
        await database.close()


async def advance(database: Database, settings: Settings, import_id: UUID) -> ImportStatus:
    """Do what an import waits for, once at a time in the whole chain; return its status then.

    Killed at any moment, it goes on where the last commit left it when it is called again.
    """
    async with alone(database.url, f"import {import_id}"):
        with _no_search_in_what_is_there():
            return await _advance(database, settings, import_id)


@contextmanager
def _no_search_in_what_is_there() -> Iterator[None]:
    """Leave the program itself out of the search for objects that hold each other.

    An import makes millions of objects, and to look at all others time and again takes a third of
    the worker's time.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


async def _advance(database: Database, settings: Settings, import_id: UUID) -> ImportStatus:
    status = await _status(database, import_id)
    log.info("import_step_started", import_id=str(import_id), status=str(status))
    if status in {ImportStatus.UPLOADED, ImportStatus.CHECKING}:
        await _check(database, settings, import_id)
    elif status is ImportStatus.RUNNING:
        await _run(database, settings, import_id)
    elif status is ImportStatus.UNDOING:
        await _undo(database, settings, import_id)
    ended = await _status(database, import_id)
    log.info("import_step_ended", import_id=str(import_id), status=str(ended))
    return ended


async def _status(database: Database, import_id: UUID) -> ImportStatus:
    async with database.transaction() as session:
        return (await imports.get_import(session, import_id)).status


async def _check(database: Database, settings: Settings, import_id: UUID) -> None:
    encoding: str | None = None
    while True:
        async with database.transaction() as session:
            if (await imports.get_import(session, import_id)).is_cancelling:
                await import_checks.cancel_check(session, import_id)
                return
        async with database.transaction() as session:
            check = await import_checks.begin_check(session, settings, import_id)
        if check is None:
            return
        reader = FileReader(check.kind, check.context, check.wanted, encoding)
        try:
            if not await _read(database, reader, check):
                async with database.transaction() as session:
                    await import_checks.cancel_check(session, import_id)
                return
            async with database.transaction() as session:
                await import_checks.finish_check(session, reader, check)
            return
        except UnicodeDecodeError as error:
            if encoding is None and reader.reading and reader.reading.encoding == "utf-8":
                # The beginning was plain Latin; what follows is not UTF-8.
                encoding = _NOT_UTF8
                continue
            await _fail(database, import_id, reader, error)
            return
        except (UnreadableFileError, MissingColumnsError) as error:
            await _fail(database, import_id, reader, error)
            return


async def _fail(database: Database, import_id: UUID, reader: FileReader, error: Exception) -> None:
    async with database.transaction() as session:
        await import_checks.fail_check(session, import_id, reader, error)


async def _read(database: Database, reader: FileReader, check: Check) -> bool:
    """Read the file from its first part to its last; tell whether it came to its end.

    While the database takes rows, the next ones are read already.
    """
    async with aclosing(_blocks(database, reader, check.import_id)) as blocks:
        following = asyncio.ensure_future(anext(blocks, None))
        try:
            while (block := await following) is not None:
                following = asyncio.ensure_future(anext(blocks, None))
                async with database.transaction() as session:
                    if not await import_checks.stage(session, reader, check, block):
                        return False
            return True
        finally:
            # What is being read ends first: a thread can't be stopped.
            await asyncio.gather(following, return_exceptions=True)


async def _blocks(
    database: Database, reader: FileReader, import_id: UUID
) -> AsyncGenerator[Block, None]:
    number = 0
    part = await _part(database, import_id, number)
    while part is not None:
        number += 1
        after = await _part(database, import_id, number)
        texts = reader.take(part, is_last=after is None)
        # In a thread: rows are read for seconds, and others want the loop meanwhile.
        while (block := await asyncio.to_thread(next_block, reader, texts)) is not None:
            yield block
        part = after


async def _part(database: Database, import_id: UUID, number: int) -> bytes | None:
    async with database.transaction() as session:
        return await import_checks.read_part(session, import_id, number)


async def _run(database: Database, settings: Settings, import_id: UUID) -> None:
    async with database.transaction() as session:
        is_staged = await import_runs.is_staged(session, import_id)
    if not is_staged:
        await _check(database, settings, import_id)

    async def portion(session: AsyncSession) -> bool:
        return await import_runs.run_portion(session, settings, import_id)

    while await retrying(database, portion):
        pass
    async with database.transaction() as session:
        job = await imports.get_import(session, import_id)
    if job.kind is ImportKind.CARDS and job.status is ImportStatus.DONE:
        # New cards that look like others go on the work list; nobody is asked a million times.
        await scan_duplicates(database)
        async with database.transaction() as session:
            await import_runs.count_lookalikes(session, import_id)


async def _undo(database: Database, settings: Settings, import_id: UUID) -> None:
    async def portion(session: AsyncSession) -> bool:
        return await import_undo.undo_portion(session, settings, import_id)

    while await retrying(database, portion):
        pass
