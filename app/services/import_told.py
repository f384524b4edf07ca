"""What is told of an import: what was found in its rows, what undoing left, the report."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.models import ImportFinding, ImportItem, ImportJob
from app.rules import import_findings
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
    return [_found(row, job.columns) for row in page], following


def _found(row: ImportFinding, columns: Sequence[str]) -> FoundRow:
    about = import_findings.FINDINGS[row.code]
    place = row.column_number
    name = columns[place - 1] if 0 < place <= len(columns) else None
    return FoundRow(
        row.row_number, place or None, name, row.code, about.treatment, about.en, about.zh
    )


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
    return import_findings.report(
        job.counts.get("checked", {}),
        job.counts.get("run", {}),
        is_run=job.phase != "",
        is_undone=job.status in {ImportStatus.UNDOING, ImportStatus.UNDONE},
    )
