"""What is told of an import: what was found in its rows, what undoing left, the report."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.models import ImportFinding, ImportItem, ImportJob
from app.rules import import_findings
from app.rules.import_columns import CODED_FIELDS
from app.rules.import_findings import Sentence
from app.services.changes import page_of
from app.services.imports import get_import
from app.vocabulary import ImportStatus


@dataclass(frozen=True, slots=True)
class FoundRow:
    """Something about a row: where, what, what was done about it."""

    row: int
    column: int | None
    column_name: str | None
    code: str
    treatment: str
    en: str
    zh: str


async def list_findings(
    session: AsyncSession,
    import_id: UUID,
    *,
    treatment: str | None,
    limit: int,
    after: Sequence[Any] | None,
) -> tuple[list[FoundRow], list[Any] | None]:
    """Return a page of what is the matter with rows, in their order.

    Raises:
        NotFoundError: there is no such import.
    """
    job = await get_import(session, import_id)
    position = (
        col(ImportFinding.row_number),
        col(ImportFinding.code),
        col(ImportFinding.column_number),
    )
    query = select(ImportFinding).where(col(ImportFinding.import_id) == import_id)
    if treatment is not None:
        codes = [f.code for f in import_findings.FINDINGS.values() if f.treatment == treatment]
        query = query.where(col(ImportFinding.code).in_(codes))
    if after is not None:
        query = query.where(tuple_(*position) > tuple_(*after))
    rows = (await session.scalars(query.order_by(*position).limit(limit + 1))).all()
    page, following = page_of(rows, limit, lambda f: [f.row_number, f.code, f.column_number])
    return [_found(job, row) for row in page], following


def _found(job: ImportJob, row: ImportFinding) -> FoundRow:
    about = import_findings.FINDINGS[row.code]
    place = row.column_number
    name = job.columns[place - 1] if 0 < place <= len(job.columns) else None
    en, zh = about.en, about.zh
    if row.code == "unknown-code":
        en, zh = _with_known_words(job, place, en, zh)
    return FoundRow(row.row_number, place or None, name, row.code, about.treatment, en, zh)


def _with_known_words(job: ImportJob, place: int, en: str, zh: str) -> tuple[str, str]:
    field = next((name for name, number in job.mapping.items() if number == place - 1), "")
    vocabulary = CODED_FIELDS[job.kind].get(field)
    if vocabulary is None:
        return en, zh
    words = ", ".join(str(code) for code in vocabulary)
    labels = "、".join(code.label.zh for code in vocabulary)
    return f"{en}: {words}", f"{zh}：{labels}"


@dataclass(frozen=True, slots=True)
class FoundKind:
    """What is the matter with rows in the same column: how many are listed, the first of them."""

    code: str
    treatment: str
    column_name: str | None
    en: str
    zh: str
    rows: int
    first: list[int]


async def kinds_of_findings(
    session: AsyncSession, import_id: UUID, *, first: int
) -> list[FoundKind]:
    """Return by code and column how many rows are listed, and the ``first`` ones of each.

    Raises:
        NotFoundError: there is no such import.
    """
    job = await get_import(session, import_id)
    row_number = col(ImportFinding.row_number)
    code, column = col(ImportFinding.code), col(ImportFinding.column_number)
    of_import = col(ImportFinding.import_id) == import_id
    counted = await session.execute(
        select(code, column, func.count())
        .where(of_import)
        .group_by(code, column)
        .order_by(func.min(row_number), code, column)
    )
    kinds = []
    for of_code, of_column, number in counted.all():
        rows = await session.scalars(
            select(ImportFinding)
            .where(of_import, code == of_code, column == of_column)
            .order_by(row_number)
            .limit(first)
        )
        found = [_found(job, row) for row in rows]
        about = found[0]
        kinds.append(
            FoundKind(
                about.code, about.treatment, about.column_name, about.en, about.zh, number,
                [one.row for one in found],
            )
        )  # fmt: skip
    return kinds


@dataclass(frozen=True, slots=True)
class KeptItem:
    """Something that undoing left, and why."""

    position: int
    object_id: UUID
    customer_id: UUID | None
    reason: str
    en: str
    zh: str


async def list_kept(
    session: AsyncSession, import_id: UUID, *, limit: int, after: Sequence[Any] | None
) -> tuple[list[KeptItem], list[Any] | None]:
    """Return a page of what undoing left.

    Raises:
        NotFoundError: there is no such import.
    """
    await get_import(session, import_id)
    query = (
        select(ImportItem)
        .where(col(ImportItem.import_id) == import_id, col(ImportItem.kept).is_not(None))
        .order_by(col(ImportItem.position))
        .limit(limit + 1)
    )
    if after is not None:
        query = query.where(col(ImportItem.position) > after[0])
    rows = (await session.scalars(query)).all()
    page, following = page_of(rows, limit, lambda item: [item.position])
    kept = []
    for item in page:
        assert item.kept is not None
        en, zh = import_findings.KEPT_REASONS[item.kept]
        kept.append(KeptItem(item.position, item.object_id, item.customer_id, item.kept, en, zh))
    return kept, following


def report_of(job: ImportJob) -> list[Sentence]:
    """Return what became of a file, in sentences of both languages."""
    if job.problem is not None:
        return [Sentence(job.problem["en"], job.problem["zh"])]
    used = set(job.mapping.values())
    unused = [name for place, name in enumerate(job.columns) if name and place not in used]
    return import_findings.report(
        job.kind,
        job.counts.get("checked", {}),
        job.counts.get("run", {}),
        unused=unused,
        is_run=job.phase != "",
        is_undone=job.status in {ImportStatus.UNDOING, ImportStatus.UNDONE},
    )
