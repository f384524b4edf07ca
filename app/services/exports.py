"""Lists written to files: begun with a record of who takes what, read page by page, ended.

A file is written over many short transactions, since a client may take minutes to receive it. What
is added meanwhile at the list's beginning is not in it.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, BinaryIO, Final
from uuid import UUID

import structlog
from sqlalchemy import insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import Database, retrying
from app.core.errors import FieldError, InvalidInputError
from app.core.ids import new_id
from app.integrations.sheets import Cell, XlsxFile, csv_begin, csv_rows
from app.models import Export
from app.rules.access import Actor
from app.schemas.exports import ExportRequest
from app.services.changes import not_acceptable, page_of
from app.services.exporting.tables import Column, Place, Row, Scene, Table, cell_of, read_scene
from app.services.trail import record_action
from app.vocabulary import Action

log = structlog.get_logger()

ROWS_OF_A_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Begun:
    """An export that may be written: its record, the columns in their order, the names in them."""

    export_id: UUID
    columns: Sequence[Column[Any]]
    scene: Scene

    @property
    def names(self) -> list[str]:
        """The row of names, in the file's language."""
        return [self.scene.label(column.label) for column in self.columns]


async def begin_export(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    table: Table[Any],
    given: ExportRequest,
) -> Begun:
    """Record who takes which list away, and return what is needed to write it.

    The record is there before the first row leaves. Of values that are written in full though they
    are usually masked, a disclosure stands in the audit trail.

    Raises:
        InvalidInputError: there is no such column, or the list has too many rows.
    """
    columns = _chosen(await table.columns(session), given.columns)
    limit = settings.export_limit_rows
    if await _count(session, table, limit + 1) > limit:
        raise not_acceptable(
            [
                FieldError(
                    "/filters",
                    "too-many-rows",
                    f"A file has {limit} rows at most; narrow the list.",
                    f"每个文件最多 {limit} 行，请缩小筛选范围。",
                )
            ]
        )
    export_id = new_id()
    names = [column.name for column in columns]
    in_full = sorted(set(table.in_full()) & set(names))
    await session.execute(
        insert(Export).values(
            id=export_id,
            kind=table.kind,
            format=given.format,
            language=given.language,
            columns=names,
            filters=sorted(table.filter_names()),
            unmask_reason=getattr(given, "unmask_reason", None) if in_full else None,
            requested_at=clock.now(),
            actor_kind=actor.kind,
            actor_id=actor.id,
        )
    )
    await record_action(session, actor, Action.EXPORTED, "export", export_id, names)
    if in_full:
        await record_action(session, actor, Action.DISCLOSED, "export", export_id, in_full)
    return Begun(export_id, columns, await read_scene(session, given.language, settings.zone))


async def csv_chunks(
    database: Database, table: Table[Any], begun: Begun
) -> AsyncGenerator[bytes, None]:
    """Yield a CSV file, a page of the list at a time."""
    rows, head = 0, csv_begin(begun.names)
    async with aclosing(_pages(database, table, begun)) as pages:
        async for page in pages:
            rows += len(page)
            # The names come with the first page: where that fails, nothing was sent yet.
            yield head + csv_rows(page)
            head = b""
    await _end(database, begun, rows)


async def write_xlsx(database: Database, table: Table[Any], begun: Begun) -> BinaryIO:
    """Write an XLSX file to a temporary file, which goes when it is closed; return it."""
    rows = 0
    file = XlsxFile(begun.scene.label(table.kind.label), begun.names)
    try:
        async with aclosing(_pages(database, table, begun)) as pages:
            async for page in pages:
                rows += len(page)
                await asyncio.to_thread(file.add, page)
        finished = await asyncio.to_thread(file.finish)
        await _end(database, begun, rows)
    except BaseException:
        # Whoever gave up does not wait for the thread that may still be writing.
        asyncio.get_running_loop().run_in_executor(None, file.discard)
        raise
    return finished


async def list_exports(
    session: AsyncSession, *, limit: int, after: Sequence[Any] | None
) -> tuple[list[Export], list[Any] | None]:
    """Return a page of exports, newest first, and the position of the next page if there is one."""
    position = (col(Export.requested_at), col(Export.id))
    query = select(Export)
    if after is not None:
        query = query.where(
            tuple_(*position) < tuple_(datetime.fromisoformat(after[0]), UUID(after[1]))
        )
    found = await session.scalars(
        query.order_by(*(part.desc() for part in position)).limit(limit + 1)
    )
    return page_of(found.all(), limit, lambda export: [export.requested_at, export.id])


async def _count(session: AsyncSession, table: Table[Any], at_most: int) -> int:
    try:
        return await table.count(session, at_most)
    except InvalidInputError as error:
        # What a list finds wrong with its parameters, a file finds wrong with its filters.
        raise not_acceptable(
            [
                replace(part, pointer=part.pointer.replace("/query/", "/filters/", 1))
                for part in error.errors
            ]
        ) from error


def _chosen(columns: Sequence[Column[Row]], wanted: Sequence[str] | None) -> Sequence[Column[Row]]:
    if wanted is None:
        return [column for column in columns if not column.is_extra]
    by_name = {column.name: column for column in columns}
    unknown = [
        FieldError(
            f"/columns/{index}", "unknown", "The list has no such column.", "该列表没有此列。"
        )
        for index, name in enumerate(wanted)
        if name not in by_name
    ]
    if unknown:
        raise not_acceptable(unknown)
    return [by_name[name] for name in dict.fromkeys(wanted)]


async def _pages(
    database: Database, table: Table[Any], begun: Begun
) -> AsyncGenerator[list[list[Cell]], None]:
    """Yield the list's pages as cells; no transaction is open while one is taken in."""
    place: Place | None = None
    while True:

        async def read(
            session: AsyncSession, after: Place | None = place
        ) -> tuple[Sequence[Any], Place | None]:
            return await table.page(session, after, ROWS_OF_A_PAGE)

        found, place = await retrying(database, read)
        yield [
            [cell_of(column.read(row, begun.scene), begun.scene) for column in begun.columns]
            for row in found
        ]
        if place is None:
            return


async def _end(database: Database, begun: Begun, rows: int) -> None:
    async def note(session: AsyncSession) -> None:
        await session.execute(
            update(Export)
            .where(col(Export.id) == begun.export_id)
            .values(rows=rows, ended_at=clock.now())
        )

    await retrying(database, note)
    log.info("export_ended", export_id=str(begun.export_id), rows=rows)
