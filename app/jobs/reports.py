"""Reports at work: made from the start, each once at a time, with their progress written."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.database import Database, retrying
from app.core.exclusive import alone
from app.models import Report
from app.services import reports
from app.services.report_kinds import REPORTS
from app.services.reports import ReportType
from app.vocabulary import ReportKind

log = structlog.get_logger()

STATEMENT_TIMEOUT_SECONDS: Final = 15 * 60.0


async def run_report_job(
    database_url: str, settings: Settings, report_id: UUID, *, is_last_try: bool
) -> None:
    """Make a report on connections of its own, whose statements may take long."""
    own = settings.model_copy(update={"pool_size": 2, "pool_overflow": 0})
    database = Database(
        database_url,
        own,
        statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS,
        application_name="huike-report",
    )
    try:
        await make_report(database, settings, report_id, is_last_try=is_last_try)
    finally:
        await database.close()


async def make_report(
    database: Database,
    settings: Settings,
    report_id: UUID,
    *,
    is_last_try: bool,
    types: Mapping[ReportKind, ReportType] = REPORTS,
) -> None:
    """Make a report that waits, or whose making broke off; one that has ended stays as it is.

    What it writes and its result are one transaction; progress is told in others meanwhile.
    """
    async with alone(database.url, f"report {report_id}"):

        async def begin(session: AsyncSession) -> Report | None:
            return await reports.begin(session, report_id)

        report = await retrying(database, begin)
        if report is None:
            return

        async def progress(percent: int) -> None:
            async with database.transaction() as session:
                await reports.note_progress(session, report_id, percent)

        async def make(session: AsyncSession) -> None:
            made = types[report.kind]
            result = await made.make(session, settings, report.parameters, progress)
            await reports.finish(session, report_id, result)

        try:
            await retrying(database, make)
        except Exception as error:
            is_final = reports.is_final(error)
            if is_final or is_last_try:
                async with database.transaction() as session:
                    await reports.fail(session, report_id, error)
            if not is_final:
                raise
            log.warning("report_refused", report_id=str(report_id), kind=str(report.kind))
