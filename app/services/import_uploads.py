"""Files of imports that arrive over a line, which may be slow or fall silent.

No connection to the database is held while a part is waited for: each is stored in a short
transaction. Until the last one is there they have numbers below 0, where nobody looks for the
file; then they become it in one transaction, if they are all there.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import Database, raw_connection, retrying
from app.core.errors import ConflictError, UnavailableError
from app.models import ImportJob
from app.queries import imports as queries
from app.rules.access import Actor
from app.services.imports import (
    TAKES_A_FILE,
    check_status,
    empty_file,
    get_import,
    in_parts,
    lock_import,
    take_file,
)

_NUMBERS_OF_AN_UPLOAD: Final = 10_000
_UPLOADS: Final = 2**31 // _NUMBERS_OF_AN_UPLOAD - 1


async def check_takes_file(session: AsyncSession, import_id: UUID) -> None:
    """Let pass an import that a file may be sent to.

    Raises:
        NotFoundError: there is no such import.
        ConflictError: it is being checked, runs, or has ended.
    """
    check_status(await get_import(session, import_id), TAKES_A_FILE)


async def receive_file(
    database: Database,
    actor: Actor,
    import_id: UUID,
    arriving: AsyncIterator[bytes],
    gap_seconds: float,
) -> ImportJob:
    """Keep a file as it arrives, and have it checked; another one that was there is forgotten.

    Raises:
        NotFoundError: there is no such import.
        ConflictError: it is being checked, runs, or has ended; or another file was there first.
        InvalidInputError: the file is empty.
        UnavailableError: nothing more came for ``gap_seconds``.
    """
    # Each upload has numbers of its own; who has drawn another's numbers is refused by the key.
    first = -(1 + secrets.randbelow(_UPLOADS)) * _NUMBERS_OF_AN_UPLOAD
    count, size = 0, 0
    try:
        async for part in in_parts(_without_gaps(arriving, gap_seconds)):
            await _add(database, import_id, first + count, part)
            count += 1
            size += len(part)
        if size == 0:
            raise empty_file()
        return await _adopt(database, actor, import_id, first, count, size)
    except BaseException:
        # Also where the request's deadline has passed; what a killed process leaves goes with the
        # import's next file, or with the import.
        if count:
            await _discard(database, import_id, first, count)
        raise


async def _without_gaps(
    arriving: AsyncIterator[bytes], gap_seconds: float
) -> AsyncGenerator[bytes, None]:
    while True:
        limit = asyncio.timeout(gap_seconds)
        try:
            async with limit:
                part = await anext(arriving, None)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise UnavailableError(
                f"Nothing more of the file came for {gap_seconds:g} seconds.",
                code="deadline-exceeded",
                detail_zh=f"已有 {gap_seconds:g} 秒未收到文件的后续内容。",
            ) from error
        if part is None:
            return
        yield part


async def _add(database: Database, import_id: UUID, number: int, part: bytes) -> None:
    async def add(session: AsyncSession) -> None:
        await queries.add_chunk(await raw_connection(session), import_id, number, part)

    await retrying(database, add)


async def _adopt(
    database: Database, actor: Actor, import_id: UUID, first: int, count: int, size: int
) -> ImportJob:
    async def adopt(session: AsyncSession) -> ImportJob:
        job = await lock_import(session, import_id)
        check_status(job, TAKES_A_FILE)
        if not await queries.adopt_chunks(await raw_connection(session), import_id, first, count):
            raise ConflictError(
                "Another file of this import came first; send this one again to replace it.",
                detail_zh="该导入的另一文件已先到达；如需替换，请重新发送此文件。",
            )
        await take_file(session, actor, job, size)
        return job

    return await retrying(database, adopt)


async def _discard(database: Database, import_id: UUID, first: int, count: int) -> None:
    async def discard(session: AsyncSession) -> None:
        await queries.discard_chunks(await raw_connection(session), import_id, first, count)

    await retrying(database, discard)
