"""The jobs that can be queued, by the names they are queued under."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, TypeAlias
from uuid import UUID

from app.core.config import Settings
from app.core.database import Database
from app.jobs.duplicates import run_scan_job
from app.jobs.imports import run_import_job
from app.jobs.nightly import run_night
from app.jobs.reports import run_report_job
from app.jobs.upkeep import build_search
from app.services.duplicate_decisions import SCAN_JOB
from app.services.imports import JOB as IMPORT
from app.services.reports import JOB as REPORT


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a job is given: the worker's own database, and where it is for a job that opens one.

    ``is_last_try`` says that a failure ends it for good.
    """

    database: Database
    database_url: str
    settings: Settings
    is_last_try: bool = False


Job: TypeAlias = Callable[[JobContext, Mapping[str, Any]], Awaitable[None]]

NIGHT: Final = "night"
SEARCH: Final = "search"


async def _night(context: JobContext, payload: Mapping[str, Any]) -> None:
    as_of = date.fromisoformat(payload["as_of"])
    await run_night(context.database_url, context.settings, as_of)


async def _import(context: JobContext, payload: Mapping[str, Any]) -> None:
    await run_import_job(context.database_url, context.settings, UUID(payload["import_id"]))


async def _search(context: JobContext, payload: Mapping[str, Any]) -> None:
    await build_search(context.database)


async def _scan_duplicates(context: JobContext, payload: Mapping[str, Any]) -> None:
    await run_scan_job(
        context.database, context.database_url, context.settings, full=payload["full"]
    )


async def _report(context: JobContext, payload: Mapping[str, Any]) -> None:
    await run_report_job(
        context.database_url,
        context.settings,
        UUID(payload["report_id"]),
        is_last_try=context.is_last_try,
    )


JOBS: Final[Mapping[str, Job]] = {
    NIGHT: _night,
    SEARCH: _search,
    IMPORT: _import,
    SCAN_JOB: _scan_duplicates,
    REPORT: _report,
}
"""A job may run twice, late, and beside another of its kind: it reconciles."""

AT_ONCE_AT_MOST: Final[Mapping[str, int]] = {REPORT: 2}
"""Of these no more are taken at the same time: each keeps the database busy by itself."""
