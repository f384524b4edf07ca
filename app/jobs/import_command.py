"""What ``huike import`` does: the same services as the API's, with a person at the terminal."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from app.core.errors import FieldError, HuikeError, InvalidInputError
from app.jobs.imports import advance
from app.rules.access import SYSTEM
from app.schemas.imports import ImportCreate, ImportRead
from app.services import import_told, imports
from app.services.import_answers import import_read, import_report
from app.services.import_errors_csv import findings_csv
from app.vocabulary import ImportStatus
from app.web.findings import field_errors

_LOOK_EVERY_SECONDS: Final = 0.5
_READ_BYTES: Final = 1_000_000
_ROWS_SHOWN: Final = 2
_FIRST_ROWS: Final = 5
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
    with _telling_why():
        given = ImportCreate.model_validate({"file_name": path.name[:100], **body})
        async with database.transaction() as session:
            job = await imports.create_import(session, SYSTEM, given)
            await imports.store_file(session, SYSTEM, job.id, _parts(path))
    console.print(f"Import {job.id}; go on with it by:", highlight=False)
    console.print(_command("--resume", job.id), soft_wrap=True, highlight=False)
    await resume(database, settings, job.id, confirm=confirm)


async def resume(
    database: Database, settings: Settings, import_id: UUID, *, confirm: Callable[[], bool]
) -> None:
    """Take an import from where it is to its end.

    Raises:
        ImportCommandError: the file can't be imported.
    """
    console = Console()
    with _telling_why():
        seen = await _worked(database, settings, import_id)
    if seen.status is ImportStatus.CHECKED:
        _show(console, seen)
        await _tell(console, database, import_id)
        await _list_kinds(console, database, import_id)
        if not confirm():
            console.print("Not run. Run it later by:", highlight=False)
            console.print(_command("--resume", import_id), soft_wrap=True, highlight=False)
            return
        async with database.transaction() as session:
            await imports.run_import(session, SYSTEM, import_id)
        seen = await _worked(database, settings, import_id)
    if seen.status is ImportStatus.FAILED and seen.columns:
        _show(console, seen)
    await _tell(console, database, import_id)
    if seen.status is ImportStatus.FAILED:
        raise ImportCommandError("The file can't be imported as it is.")


async def undo(database: Database, settings: Settings, import_id: UUID) -> None:
    """Take back everything that an import wrote.

    Raises:
        ImportCommandError: there is no such import, or nothing of it to take back.
    """
    with _telling_why():
        async with database.transaction() as session:
            job = await imports.get_import(session, import_id)
            if job.status is not ImportStatus.UNDOING:
                await imports.undo_import(session, SYSTEM, import_id)
    await _worked(database, settings, import_id)
    await _tell(Console(), database, import_id)


async def list_errors(database: Database, import_id: UUID) -> None:
    """Print what is the matter with rows, as the table that the API gives to spreadsheets.

    Raises:
        ImportCommandError: there is no such import.
    """
    with _telling_why():
        async with database.transaction() as session:
            sys.stdout.write((await findings_csv(session, import_id)).decode("utf-8-sig"))


@contextmanager
def _telling_why() -> Iterator[None]:
    """Turn a refusal into its sentences: which field, and why."""
    try:
        yield
    except ValidationError as error:
        found = field_errors(error.errors(include_input=False))
        raise ImportCommandError(_sentences(found)) from error
    except InvalidInputError as error:
        raise ImportCommandError(_sentences(error.errors) or error.detail) from error
    except HuikeError as error:
        raise ImportCommandError(f"{error.detail} {error.detail_zh}") from error


def _sentences(errors: Sequence[FieldError]) -> str:
    return "\n".join(
        ": ".join(filter(None, (error.pointer.strip("/"), f"{error.detail} {error.detail_zh}")))
        for error in errors
    )


def _command(option: str, import_id: UUID) -> str:
    """Return how the command is called for an import: by the name by which it was called now."""
    called = sys.argv[0]
    return f"  {called if Path(called).name == 'huike' else 'huike'} import {option} {import_id}"


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
    with Progress(*columns, transient=True) as progress:
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
    """Show a line a column: beside each other they would not fit a terminal."""
    fields = {field.name: field.zh for field in seen.fields}
    table = Table(title=_shown(f"{seen.file_name}: {seen.kind.label.en} {seen.kind.label.zh}"))
    table.add_column("Column 列", overflow="fold")
    table.add_column("Taken for 对应字段", overflow="fold")
    rows = seen.sample[:_ROWS_SHOWN]
    for number, _ in enumerate(rows, 1):
        table.add_column(f"Row 行 {number}", overflow="fold")
    for place, column in enumerate(seen.columns):
        field = column.field
        table.add_row(
            _shown(column.name),
            Text("not used 未使用", "yellow") if field is None else f"{field} {fields[field]}",
            *(_shown(row[place] if place < len(row) else "") for row in rows),
        )
    console.print(table)


def _shown(text: str) -> Text:
    """Return what a file says as mere text: it must not steer the terminal."""
    return Text("".join(c if c.isprintable() else " " for c in text))


async def _list_kinds(console: Console, database: Database, import_id: UUID) -> None:
    """Print what is the matter with how many rows, which are the first, and where all stand."""
    async with database.transaction() as session:
        kinds = await import_told.kinds_of_findings(session, import_id, first=_FIRST_ROWS)
    if not kinds:
        return
    for heading, treatments in (("Errors 错误", {"refused"}), ("Noted 提示", {"skipped", "kept"})):
        of_it = [kind for kind in kinds if kind.treatment in treatments]
        if of_it:
            console.print(f"{heading}:", highlight=False)
        for kind in of_it:
            first = ", ".join(str(row) for row in kind.first)
            more = " …" if kind.rows > len(kind.first) else ""
            where = f"{kind.column_name}: " if kind.column_name else ""
            noun = "row" if kind.rows == 1 else "rows"
            console.print(
                _shown(f"  {kind.rows:,} × {where}{kind.zh} {kind.en} ({noun} {first}{more})")
            )
    console.print(
        f"All of them: GET /v1/imports/{import_id}/errors.csv, or", soft_wrap=True, highlight=False
    )
    console.print(_command("--errors", import_id), soft_wrap=True, highlight=False)


async def _tell(console: Console, database: Database, import_id: UUID) -> None:
    async with database.transaction() as session:
        told = import_report(await imports.get_import(session, import_id))
    for sentence in told.sentences:
        console.print(_shown(f"  {sentence.zh}  {sentence.en}"))


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
