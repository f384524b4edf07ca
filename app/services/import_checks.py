"""Check a file: read it to its end, stage what can be imported, say what is wrong with the rest."""

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.integrations.files.sniffing import UnreadableFileError
from app.models import ChannelCost, ImportJob, Source, Staff, Store
from app.queries import imports as queries
from app.rules.import_columns import FIELDS
from app.services.import_files import FileReader, MissingColumnsError
from app.services.import_purchase_rows import PurchaseRows
from app.services.import_values import ImportContext
from app.services.imports import lock_import, save
from app.vocabulary import ImportKind, ImportStatus, ReceiptRule

TAKES_ALLOWED: Final = 3
"""How often a file is taken up without anything having come of it."""
_IS_CHECKED: Final = frozenset({ImportStatus.UPLOADED, ImportStatus.CHECKING, ImportStatus.RUNNING})


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of a file as COPY takes them, what was found in them, and how many were read so far."""

    text: bytes
    findings: Sequence[tuple[int, str, int]]
    rows_read: int


@dataclass(frozen=True, slots=True)
class Check:
    """What reading a file takes, once it has begun."""

    import_id: UUID
    kind: ImportKind
    context: ImportContext
    wanted: Mapping[str, str | None]
    source_id: UUID | None
    version: int


async def begin_check(session: AsyncSession, settings: Settings, import_id: UUID) -> Check | None:
    """Forget what an earlier check has staged, and gather what this one has to know.

    An import that runs, or has run in part, is staged anew as it was: only its rows were lost.
    None: it was cancelled, or has got on, since it was looked at.
    """
    job = await lock_import(session, import_id)
    if job.status not in _IS_CHECKED:
        return None
    takes = job.counts.get("takes", 0) + 1
    if takes > TAKES_ALLOWED:
        # It ended whoever read it, and would do so for ever.
        await _give_up(session, job)
        return None
    job.counts = {**job.counts, "takes": takes}
    connection = await raw_connection(session)
    await queries.forget(connection, import_id, "rows", "lines")
    if job.status is not ImportStatus.RUNNING:
        await queries.forget(connection, import_id, "findings")
        job.status, job.rows_done = ImportStatus.CHECKING, 0
        await save(session, job)
    context = await _context(session, settings, job)
    return Check(import_id, job.kind, context, job.wanted or {}, job.source_id, job.version)


async def _context(session: AsyncSession, settings: Settings, job: ImportJob) -> ImportContext:
    stores: dict[str, UUID] = {}
    rows = await session.execute(select(col(Store.id), col(Store.code), col(Store.name)))
    for store_id, code, name in rows:
        stores[name.casefold()] = store_id
        stores[code.casefold()] = store_id
    source = None if job.source_id is None else await session.get(Source, job.source_id)
    staff, costs = {}, {}
    if job.kind is ImportKind.INTERACTIONS:
        people = await session.execute(
            select(col(Staff.id), col(Staff.username), col(Staff.display_name))
        )
        for staff_id, username, display_name in people:
            staff[display_name.casefold()] = staff_id
            staff[username.casefold()] = staff_id
        for cost in await session.scalars(select(ChannelCost)):
            costs[str(cost.channel)] = (str(cost.per_contact), str(cost.per_minute))
    return ImportContext(
        import_id=job.id,
        zone=settings.zone,
        phone_region=settings.phone_region,
        # Read again after a crash, the same rows have to lie in the future as did before.
        now=datetime.fromisoformat(job.reading["read_at"])
        if job.status is ImportStatus.RUNNING and job.reading
        else clock.now(),
        stores=stores,
        store_id=source.store_id if source else None,
        receipt_rule=source.receipt_rule if source else ReceiptRule.EVER,
        staff=staff,
        costs=costs,
    )


async def read_part(session: AsyncSession, import_id: UUID, number: int) -> bytes | None:
    """Return a part of the file, None after the last one."""
    return await queries.chunk(await raw_connection(session), import_id, number)


def next_block(reader: FileReader, texts: Iterator[bytes]) -> Block | None:
    """Return the next rows of a part of the file, None after its last ones."""
    with _no_search_for_circles():
        text = next(texts, None)
    if text is None:
        return None
    findings = () if reader.rows is None else reader.rows.findings.taken()
    return Block(text, findings, reader.rows_read)


@contextmanager
def _no_search_for_circles() -> Iterator[None]:
    """Pause the search for objects that hold each other, for a fraction of a second.

    Rows are lists by the thousand that hold nothing but texts: to look at them time and again takes
    a tenth of the reading.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


async def stage(session: AsyncSession, reader: FileReader, check: Check, block: Block) -> bool:
    """Stage rows of the file; tell whether to go on: not where it was cancelled."""
    connection = await raw_connection(session)
    job = await lock_import(session, check.import_id)
    if reader.rows is not None:
        await queries.stage(connection, reader.rows.table, reader.rows.columns, block.text)
    if job.status is ImportStatus.CHECKING:
        await queries.add_findings(connection, check.import_id, block.findings)
        job.rows_total = block.rows_read
    job.updated_at = clock.now()
    _note_progress(job)
    return not job.is_cancelling


def _note_progress(job: ImportJob) -> None:
    if "takes" in job.counts:
        job.counts = {name: counts for name, counts in job.counts.items() if name != "takes"}


async def _give_up(session: AsyncSession, job: ImportJob) -> None:
    _note_progress(job)
    if job.status is ImportStatus.RUNNING:
        job.is_cancelling = True
        return
    await queries.forget(await raw_connection(session), job.id, "rows", "lines", "findings")
    job.status = ImportStatus.FAILED
    job.problem = {
        "code": "never-read",
        "en": f"Reading the file was begun {TAKES_ALLOWED} times and broke off each time; "
        "it may be too large inside. Save it as CSV.",
        "zh": f"读取文件 {TAKES_ALLOWED} 次均中断，内容可能过大，请另存为 CSV。",
        "fields": [],
    }
    await save(session, job)


async def finish_check(session: AsyncSession, reader: FileReader, check: Check) -> None:
    """Take incomplete receipts out, and show what was read."""
    assert reader.rows is not None
    assert reader.reading is not None
    connection = await raw_connection(session)
    job = await lock_import(session, check.import_id)
    if job.is_cancelling:
        await cancel_check(session, check.import_id)
        return
    dropped: list[Any] = []
    if isinstance(reader.rows, PurchaseRows):
        dropped = await _finish_receipts(connection, reader.rows, check)
    counts = dict(reader.rows.findings.counts)
    good = reader.rows.good - len(dropped)
    if dropped:
        counts["receipt-incomplete"] = len(dropped)
        counts["refused"] = counts.get("refused", 0) + len(dropped)
        for code, flag in (
            ("no-customer", "nobodys"),
            ("refund", "refunds"),
            ("zero-price", "free"),
        ):
            counts[code] = counts.get(code, 0) - sum(row[flag] for row in dropped)
        counts = {code: number for code, number in counts.items() if number}
    staged = await queries.staged(connection, reader.rows.table, check.import_id)
    if job.status is not ImportStatus.CHECKING:
        if staged != job.staged:
            # Shops or settings have changed since: what was written already would not fit.
            job.is_cancelling = True
        return
    job.staged = staged
    await queries.add_findings(
        connection,
        check.import_id,
        [(row["row_number"], "receipt-incomplete", 0) for row in dropped],
    )
    job.status = ImportStatus.CHECKED
    job.reading = {
        "format": reader.reading.format,
        "encoding": reader.reading.encoding or None,
        "delimiter": reader.reading.delimiter or None,
        "read_at": check.context.now.isoformat(),
    }
    job.columns, job.mapping, job.sample = reader.headers, reader.mapping, reader.sample
    job.counts = {"checked": {**counts, "rows": reader.rows_read, "good": good}, "run": {}}
    job.rows_total = good
    await save(session, job)


async def _finish_receipts(connection: Any, rows: PurchaseRows, check: Check) -> list[Any]:
    dropped: list[Any] = []
    bad = set(rows.bad_receipts)
    if not rows.has_room_for_sums:
        bad |= await queries.receipts_beyond_sums(connection, check.import_id)
    if bad:
        dropped = await queries.drop_receipts(connection, check.import_id, sorted(bad))
    shared, others = rows.shared_numbers()
    if others:
        assert check.source_id is not None
        sold = await queries.sold_numbers(connection, check.source_id, sorted(others))
        shared += [others[key] for key in sorted(sold)]
    if shared:
        await queries.renumber_refunds(connection, check.import_id, shared)
    return dropped


async def fail_check(
    session: AsyncSession, import_id: UUID, reader: FileReader, error: Exception
) -> None:
    """Say why a file can't be imported; another file or other columns may do."""
    job = await lock_import(session, import_id)
    if job.status is ImportStatus.RUNNING:
        # It could be read once. What was written already is settled, and can be undone.
        job.is_cancelling = True
        return
    await queries.forget(await raw_connection(session), import_id, "rows", "lines")
    job.status, job.columns, job.mapping = ImportStatus.FAILED, reader.headers, reader.mapping
    job.problem = _problem_of(job.kind, error)
    job.counts = {}
    await save(session, job)


def _problem_of(kind: ImportKind, error: Exception) -> dict[str, Any]:
    if isinstance(error, UnreadableFileError):
        return {"code": error.code, "en": str(error), "zh": error.message_zh, "fields": []}
    if isinstance(error, MissingColumnsError) and error.columns:
        return {
            "code": "column-unknown",
            "en": "The mapping names columns that the file does not have: "
            f"{', '.join(error.columns)}.",
            "zh": f"映射中的列在文件里不存在：{'、'.join(error.columns)}。",
            "fields": error.columns,
        }
    if isinstance(error, MissingColumnsError):
        lacking = [field for field in FIELDS[kind] if field.name in error.fields]
        en = ", ".join(f"{field.en} ({field.name})" for field in lacking)
        zh = "、".join(f"{field.zh}（{field.name}）" for field in lacking)
        return {
            "code": "columns-missing",
            "en": f"No column was found for: {en}. Name one in mapping.",
            "zh": f"未找到以下字段对应的列：{zh}。请在 mapping 中指定。",
            "fields": error.fields,
        }
    return {
        "code": "unreadable-file",
        "en": "The text is in no encoding that is known here; save it as UTF-8.",
        "zh": "无法识别文件编码，请另存为 UTF-8。",
        "fields": [],
    }


async def cancel_check(session: AsyncSession, import_id: UUID) -> None:
    """End a check that was cancelled; of a run, what was written is settled first."""
    job = await lock_import(session, import_id)
    if job.status is ImportStatus.RUNNING:
        return
    job.status, job.finished_at, job.sample = ImportStatus.CANCELLED, clock.now(), []
    await queries.forget(await raw_connection(session), import_id, "file", "rows", "lines")
    await save(session, job)
