"""What ``huike import`` does: the same services as the API's, with a person at the terminal."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Final
from uuid import UUID

from pydantic import ValidationError
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.jobs.imports import advance
from app.rules.access import SYSTEM
from app.schemas.imports import ImportCreate, ImportRead
from app.services import imports
from app.services.import_answers import import_read, import_report
from app.vocabulary import ImportStatus

_LOOK_EVERY_SECONDS: Final = 0.5
_READ_BYTES: Final = 1_000_000
_STEPS: Final = {
    ImportStatus.UPLOADED: "Reading 读取", ImportStatus.CHECKING: "Checking 检查",
    ImportStatus.RUNNING: "Writing 写入", ImportStatus.UNDOING: "Undoing 撤销",
}  # fmt: skip


class ImportCommandError(Exception):
    """The command can't go on; its text says why."""


async def import_file(
    database: Database,
    settings: Settings,
    path: Path,
    body: Mapping[str, object],
    *,
    confirm: Callable[[], bool],
) -> None:
    """Upload a file into the database, check it, show the preview, and run it if confirmed.

    Raises:
        ImportCommandError: the file can't be imported.
    """
    console = Console()
    try:
        given = ImportCreate.model_validate({"file_name": path.name[:100], **body})
    except ValidationError as error:
        raise ImportCommandError(error.errors(include_input=False)[0]["msg"]) from error
    async with database.transaction() as session:
        job = await imports.create_import(session, SYSTEM, given)
        await imports.store_file(session, SYSTEM, job.id, _parts(path))
    console.print(f"Import {job.id}; go on with it by: huike import --resume {job.id}")
    await resume(database, settings, job.id, confirm=confirm)


async def resume(
    database: Database, settings: Settings, import_id: UUID, *, confirm: Callable[[], bool]
) -> None:
    """Take an import from where it is to its end.

    Raises:
        ImportCommandError: the file can't be imported.
    """
    console = Console()
    seen = await _worked(database, settings, import_id)
    if seen.status is ImportStatus.CHECKED:
        _show(console, seen)
        await _tell(console, database, import_id)
        if not confirm():
            console.print(f"Not run. Run it later by: huike import --resume {import_id}")
            return
        async with database.transaction() as session:
            await imports.run_import(session, SYSTEM, import_id)
        seen = await _worked(database, settings, import_id)
    await _tell(console, database, import_id)
    if seen.status is ImportStatus.FAILED:
        raise ImportCommandError("The file can't be imported as it is.")


async def undo(database: Database, settings: Settings, import_id: UUID) -> None:
    """Take back everything that an import wrote."""
    async with database.transaction() as session:
        job = await imports.get_import(session, import_id)
        if job.status is not ImportStatus.UNDOING:
            await imports.undo_import(session, SYSTEM, import_id)
    await _worked(database, settings, import_id)
    await _tell(Console(), database, import_id)


async def _parts(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while part := await asyncio.to_thread(file.read, _READ_BYTES):
            yield part


async def _read(database: Database, import_id: UUID) -> ImportRead:
    async with database.transaction() as session:
        return import_read(await imports.get_import(session, import_id), clock.now())


async def _worked(database: Database, settings: Settings, import_id: UUID) -> ImportRead:
    """Do what the import waits for, with a bar; a worker may be at it already."""
    seen = await _read(database, import_id)
    work = asyncio.create_task(advance(database, settings, import_id))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns) as progress:
        bar = progress.add_task("", total=None)
        while not work.done():
            await asyncio.wait({work}, timeout=_LOOK_EVERY_SECONDS)
            seen = await _read(database, import_id)
            is_read = seen.status in {ImportStatus.UPLOADED, ImportStatus.CHECKING}
            done = seen.progress.rows_total if is_read else seen.progress.rows_done
            total = None if is_read else seen.progress.rows_total
            what = _STEPS.get(seen.status, str(seen.status))
            if seen.progress.step == "settle":
                what = "Figures and tiers 统计与层级"
            progress.update(bar, description=what, completed=done, total=total)
    await work
    return await _read(database, import_id)


def _show(console: Console, seen: ImportRead) -> None:
    table = Table(title=Text(f"{seen.file_name}: {seen.kind.label.en} {seen.kind.label.zh}"))
    for column in seen.columns:
        table.add_column(Text(f"{column.name}\n→ {column.field or '-'}"))
    for row in seen.sample:
        # What stands in brackets in a cell is its own, and no style.
        table.add_row(*map(Text, row[: len(seen.columns)]))
    console.print(table)


async def _tell(console: Console, database: Database, import_id: UUID) -> None:
    async with database.transaction() as session:
        told = import_report(await imports.get_import(session, import_id))
    for sentence in told.sentences:
        console.print(f"  {sentence.zh}  {sentence.en}", highlight=False, markup=False)


def read_mapping(text: str | None) -> dict[str, str | None] | None:
    """Return a mapping from ``field=column,field=column`` or a JSON object.

    Raises:
        ImportCommandError: it is neither.
    """
    if text is None:
        return None
    try:
        if text.lstrip().startswith("{"):
            return dict(json.loads(text))
        pairs = [part.partition("=") for part in text.split(",")]
    except ValueError as error:
        raise ImportCommandError("--mapping is no JSON object") from error
    if not all(sign for _, sign, _ in pairs):
        raise ImportCommandError("--mapping wants field=column,field=column")
    return {field.strip(): column.strip() or None for field, _, column in pairs}


def read_id(text: str) -> UUID:
    """Return the id of an import.

    Raises:
        ImportCommandError: it is none.
    """
    try:
        return UUID(text)
    except ValueError as error:
        raise ImportCommandError("this is not the id of an import") from error
