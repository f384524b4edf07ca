"""Imports: made, given their file, changed, started, cancelled, undone, reported."""

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.database import raw_connection
from app.core.errors import ConflictError, InvalidInputError, PreconditionFailedError
from app.core.ids import new_id
from app.core.queue import enqueue
from app.models import ImportJob, Source
from app.queries import imports as queries
from app.rules.access import Actor
from app.rules.import_columns import FIELDS
from app.schemas.imports import ImportChange, ImportCreate
from app.services.changes import not_found, page_of, unacceptable
from app.services.trail import record_action
from app.vocabulary import Action, ImportKind, ImportStatus, OnExisting

OBJECT_TYPE: Final = "import"
JOB: Final = "import"
"""The name under which an import's next step is queued."""
PART_BYTES: Final = 1_000_000
ENDED: Final = frozenset({ImportStatus.DONE, ImportStatus.UNDONE, ImportStatus.CANCELLED})
TAKES_A_FILE: Final = frozenset(
    {ImportStatus.AWAITING_FILE, ImportStatus.UPLOADED, ImportStatus.CHECKED, ImportStatus.FAILED}
)


async def create_import(session: AsyncSession, actor: Actor, given: ImportCreate) -> ImportJob:
    """Make an import that waits for its file.

    Raises:
        InvalidInputError: purchases without the source they come from, or no such source.
    """
    source_id = None
    if given.source is not None:
        source_id = await session.scalar(
            select(col(Source.id)).where(col(Source.code) == given.source)
        )
        if source_id is None:
            raise unacceptable("/source", "unknown", "There is no such source.", "没有这个来源。")
    elif given.kind is ImportKind.PURCHASES:
        raise unacceptable(
            "/source",
            "missing",
            "Purchases come from a till or web shop: name its code.",
            "购买记录须注明收银来源的编码。",
        )
    _check_fields(given.kind, given.mapping)
    now = clock.now()
    job = ImportJob(
        id=new_id(),
        kind=given.kind,
        status=ImportStatus.AWAITING_FILE,
        source_id=source_id,
        on_existing=given.on_existing or OnExisting.SKIP,
        file_name=given.file_name,
        wanted=given.mapping,
        columns=[],
        mapping={},
        sample=[],
        counts={},
        created_by_kind=actor.kind,
        created_by_id=actor.id,
        created_at=now,
        updated_at=now,
    )
    session.add(job)
    await session.flush()
    await record_action(session, actor, Action.CREATED, OBJECT_TYPE, job.id, ["kind", "source"])
    return job


def _check_fields(kind: ImportKind, mapping: dict[str, str | None] | None) -> None:
    known = {field.name for field in FIELDS[kind]}
    for field in mapping or {}:
        if field not in known:
            raise unacceptable(
                "/mapping",
                "unknown",
                f"Such a file has these fields: {', '.join(sorted(known))}.",
                f"此类文件可用的字段：{'、'.join(sorted(known))}。",
            )


async def get_import(session: AsyncSession, import_id: UUID) -> ImportJob:
    """Return an import.

    Raises:
        NotFoundError: there is none.
    """
    job = await session.get(ImportJob, import_id, populate_existing=True)
    if job is None:
        raise not_found()
    return job


async def list_imports(
    session: AsyncSession,
    *,
    kind: ImportKind | None,
    status: ImportStatus | None,
    limit: int,
    after: Sequence[Any] | None,
) -> tuple[list[ImportJob], list[Any] | None]:
    """Return a page of imports, newest first, and where the next one starts."""
    position = (col(ImportJob.created_at), col(ImportJob.id))
    query = select(ImportJob).order_by(*(part.desc() for part in position)).limit(limit + 1)
    if kind is not None:
        query = query.where(col(ImportJob.kind) == kind)
    if status is not None:
        query = query.where(col(ImportJob.status) == status)
    if after is not None:
        query = query.where(
            tuple_(*position) < tuple_(datetime.fromisoformat(after[0]), UUID(after[1]))
        )
    rows = (await session.scalars(query)).all()
    return page_of(rows, limit, lambda job: [job.created_at, job.id])


async def lock_import(session: AsyncSession, import_id: UUID) -> ImportJob:
    """Return an import as it is now, locked until the transaction ends.

    Raises:
        NotFoundError: there is none.
    """
    job = await session.scalar(
        select(ImportJob)
        .where(col(ImportJob.id) == import_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if job is None:
        raise not_found()
    return job


# --- The file ---------------------------------------------------------------------------------


async def store_file(
    session: AsyncSession, actor: Actor, import_id: UUID, parts: AsyncIterable[bytes]
) -> ImportJob:
    """Keep a file that is at hand, and have it checked; another one that was there is forgotten.

    One that arrives over a line is received by :mod:`app.services.import_uploads`.

    Raises:
        NotFoundError: there is no such import.
        ConflictError: it is being checked, runs, or has ended.
        InvalidInputError: the file is empty.
    """
    job = await lock_import(session, import_id)
    check_status(job, TAKES_A_FILE)
    connection = await raw_connection(session)
    await queries.forget(connection, import_id, "file")
    number, size = 0, 0
    async for part in in_parts(parts):
        await queries.add_chunk(connection, import_id, number, part)
        number += 1
        size += len(part)
    if size == 0:
        raise empty_file()
    await take_file(session, actor, job, size)
    return job


async def in_parts(arriving: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """Yield bytes that come as they come in parts of the size that is stored."""
    pending = bytearray()
    async for part in arriving:
        pending += part
        while len(pending) >= PART_BYTES:
            yield bytes(pending[:PART_BYTES])
            del pending[:PART_BYTES]
    if pending:
        yield bytes(pending)


def empty_file() -> InvalidInputError:
    """Return the refusal of a file without a byte."""
    return unacceptable("", "empty", "The file is empty.", "文件为空。")


async def take_file(session: AsyncSession, actor: Actor, job: ImportJob, size: int) -> None:
    """Have a file that is there checked; what was read of another one is forgotten."""
    await queries.forget(await raw_connection(session), job.id, "rows", "lines", "findings")
    job.file_bytes = size
    await _to_be_checked(session, job)
    await record_action(session, actor, Action.CHANGED, OBJECT_TYPE, job.id, ["file"])


async def _to_be_checked(session: AsyncSession, job: ImportJob) -> None:
    job.status, job.problem, job.reading = ImportStatus.UPLOADED, None, None
    job.columns, job.mapping, job.sample, job.counts = [], {}, [], {}
    job.staged = job.rows_total = job.rows_done = 0
    job.is_cancelling = False
    await save(session, job)
    await queue_step(session, job)


async def queue_step(session: AsyncSession, job: ImportJob) -> None:
    """Have a worker take the import's next step."""
    await enqueue(
        session, JOB, {"import_id": str(job.id)}, dedupe_key=f"{JOB}:{job.id}:{job.version}"
    )


async def save(session: AsyncSession, job: ImportJob) -> None:
    """Write a locked import's next version."""
    job.version += 1
    job.updated_at = clock.now()
    await session.flush()


# --- What is asked for ------------------------------------------------------------------------


async def change_import(
    session: AsyncSession, actor: Actor, import_id: UUID, seen: int, given: ImportChange
) -> ImportJob:
    """Change which columns mean what, and what is done with known customers; check anew.

    Raises:
        NotFoundError: there is no such import.
        PreconditionFailedError: it is in another version.
        ConflictError: it is being checked, runs, or has ended.
        InvalidInputError: no such field.
    """
    job = await lock_import(session, import_id)
    if job.version != seen:
        raise PreconditionFailedError(
            "The import has changed since you read it.",
            detail_zh="该导入在您读取之后已有变化。",
            members={"changed_fields": ["status"]},
        )
    check_status(job, TAKES_A_FILE)
    changed = given.changes()
    _check_fields(job.kind, changed.get("mapping"))
    if "mapping" in changed:
        job.wanted = changed["mapping"]
    if "on_existing" in changed:
        job.on_existing = changed["on_existing"]
    if not changed:
        return job
    if job.status is ImportStatus.AWAITING_FILE:
        await save(session, job)
    else:
        await _to_be_checked(session, job)
    await record_action(session, actor, Action.CHANGED, OBJECT_TYPE, job.id, changed)
    return job


async def run_import(session: AsyncSession, actor: Actor, import_id: UUID) -> ImportJob:
    """Have a checked import written; rows with errors are left out.

    Raises:
        NotFoundError: there is no such import.
        ConflictError: it has not been checked, runs already, or has ended.
    """
    job = await lock_import(session, import_id)
    check_status(job, {ImportStatus.CHECKED})
    job.status, job.started_at = ImportStatus.RUNNING, clock.now()
    job.phase, job.position, job.rows_done, job.settled_to = "write", 0, 0, None
    await save(session, job)
    await queue_step(session, job)
    await record_action(session, actor, Action.IMPORTED, OBJECT_TYPE, job.id, ["status"])
    return job


async def cancel_import(session: AsyncSession, actor: Actor, import_id: UUID) -> ImportJob:
    """End an import: at once, or where it runs, after the portion it is at.

    What was written stays, and can be undone.

    Raises:
        NotFoundError: there is no such import.
        ConflictError: it has ended already, or is being undone.
    """
    job = await lock_import(session, import_id)
    check_status(job, frozenset(ImportStatus) - ENDED - {ImportStatus.UNDOING})
    if job.status in {ImportStatus.RUNNING, ImportStatus.CHECKING}:
        job.is_cancelling = True
    else:
        job.status, job.finished_at, job.sample = ImportStatus.CANCELLED, clock.now(), []
        await queries.forget(await raw_connection(session), import_id, "file", "rows", "lines")
    await save(session, job)
    if job.is_cancelling:
        # Whoever was at it may have given it up.
        await queue_step(session, job)
    await record_action(session, actor, Action.CANCELLED, OBJECT_TYPE, job.id, ["status"])
    return job


async def undo_import(session: AsyncSession, actor: Actor, import_id: UUID) -> ImportJob:
    """Have everything taken back that an import wrote, unless something depends on it since.

    Raises:
        NotFoundError: there is no such import.
        ConflictError: it has not run, or was undone.
    """
    job = await lock_import(session, import_id)
    check_status(job, {ImportStatus.DONE, ImportStatus.CANCELLED})
    job.status, job.phase, job.settled_to = ImportStatus.UNDOING, "undo", None
    # From the end: refunds go before the sales that they refer to.
    job.position = 2**62
    job.rows_done, job.finished_at = 0, None
    job.rows_total = await queries.items(await raw_connection(session), import_id)
    await save(session, job)
    await queue_step(session, job)
    await record_action(session, actor, Action.UNDONE, OBJECT_TYPE, job.id, ["status"])
    return job


def check_status(job: ImportJob, wanted: set[ImportStatus] | frozenset[ImportStatus]) -> None:
    """Let pass an import in one of these states.

    Raises:
        ConflictError: it is in another one (409 ``invalid-transition``).
    """
    if job.status not in wanted:
        raise ConflictError(
            f"The import is {job.status}; that is not possible now.",
            code="invalid-transition",
            detail_zh=f"该导入的状态为“{job.status.label.zh}”，不允许此操作。",
            members={"import_status": str(job.status)},
        )
