"""Imports as they are answered: columns with their fields, progress with its rate."""

from datetime import datetime
from typing import Final

from app.models import ImportJob
from app.rules.import_columns import FIELDS, REQUIRED
from app.schemas.imports import (
    ImportColumn,
    ImportFieldRead,
    ImportProblem,
    ImportProgress,
    ImportRead,
    ImportReading,
    ImportReport,
    ReportSentence,
)
from app.services.import_told import report_of
from app.vocabulary import ImportStatus

COLUMNS_LISTED: Final = 50
"""How many columns of each import a list shows."""


def import_read(job: ImportJob, now: datetime, *, most_columns: int | None = None) -> ImportRead:
    """Return an import as it is answered."""
    by_number = {number: name for name, number in job.mapping.items()}
    required = {name for group in REQUIRED[job.kind] for name in group}
    reading = job.reading
    return ImportRead(
        id=job.id,
        kind=job.kind,
        status=job.status,
        file_name=job.file_name,
        file_bytes=job.file_bytes,
        source_id=job.source_id,
        on_existing=job.on_existing,
        reading=ImportReading(
            format=reading["format"], encoding=reading["encoding"], delimiter=reading["delimiter"]
        )
        if reading
        else None,
        columns=[
            ImportColumn(number=number + 1, name=name, field=by_number.get(number))
            for number, name in enumerate(job.columns[:most_columns])
        ],
        fields=[
            ImportFieldRead(
                name=field.name, en=field.en, zh=field.zh, is_required=field.name in required
            )
            for field in FIELDS[job.kind]
        ],
        sample=[row[:most_columns] for row in job.sample],
        counts=job.counts.get("checked", {}),
        written=job.counts.get("run", {}),
        problem=ImportProblem.model_validate(job.problem) if job.problem else None,
        progress=_progress(job, now),
        version=job.version,
        created_at=job.created_at,
        updated_at=job.updated_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
    )


def _progress(job: ImportJob, now: datetime) -> ImportProgress:
    step, rate, left = None, None, None
    if job.status is ImportStatus.CHECKING:
        step = "check"
    elif job.status is ImportStatus.UNDOING:
        step = "undo"
    elif job.status is ImportStatus.RUNNING:
        step = job.phase
    if step == "write" and job.started_at is not None:
        seconds = (now - job.started_at).total_seconds()
        if seconds > 0 and job.rows_done:
            rate = round(job.rows_done / seconds)
            left = round((job.rows_total - job.rows_done) / max(rate, 1))
    return ImportProgress.model_validate(
        {
            "step": step,
            "rows_done": job.rows_done,
            "rows_total": job.rows_total,
            "rows_per_second": rate,
            "seconds_left": left,
        }
    )


def import_report(job: ImportJob) -> ImportReport:
    """Return what became of a file, for people."""
    sentences = report_of(job)
    return ImportReport(
        sentences=[ReportSentence(en=one.en, zh=one.zh) for one in sentences],
        text_en=" ".join(one.en for one in sentences),
        text_zh="".join(one.zh for one in sentences),
    )
