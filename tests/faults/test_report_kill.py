"""A worker killed while it makes a report: another makes it anew, from the start."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.jobs.reports import make_report
from app.models import Report
from app.rules.access import SYSTEM
from app.services import concentrations, reports
from app.services.report_kinds import CONCENTRATION
from app.vocabulary import CustomerKind, ReportStatus
from tests.conftest import client_of
from tests.support.events import sale
from tests.support.shop import Shop
from tests.support.world import build_world

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60
WORKER = """
import asyncio, sys
from uuid import UUID
from app.core.config import Settings
from app.core.logging import configure_logging
from app.jobs.reports import run_report_job
configure_logging("json", "ERROR")
asyncio.run(
    run_report_job(sys.argv[1], Settings(_env_file=None), UUID(sys.argv[2]), is_last_try=False)
)
"""


async def state(database: Database, report_id: UUID) -> tuple[ReportStatus, int]:
    async with database.transaction() as session:
        row = await session.execute(
            select(col(Report.status), col(Report.progress)).where(col(Report.id) == report_id)
        )
        status, progress = row.one()
        return status, progress


async def test_a_report_whose_worker_is_killed_is_made_anew(
    fresh_database: Database, settings: Settings
) -> None:
    world = await build_world(fresh_database)
    async with client_of(fresh_database, settings) as client:
        shop = Shop(client, world, fresh_database, settings)
        await shop.card()
        await shop.send(sale("58.00"))
    today = clock.today(settings.zone)
    question = concentrations.concentration_question(settings, CustomerKind.INDIVIDUAL, today, 365)
    async with fresh_database.transaction() as session:
        at_once = await reports.ask(session, settings, SYSTEM, CONCENTRATION, question)
        asked = await reports.ask(
            session, settings, SYSTEM, CONCENTRATION, question, in_background=True
        )
    assert asked.report is not None
    report_id = asked.report.id

    # Given a worker that waits in the midst of its report,
    async with fresh_database.transaction() as session:
        await session.execute(text("LOCK TABLE customer IN ACCESS EXCLUSIVE MODE"))
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, fresh_database.url, str(report_id)],
            cwd=PROJECT,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
        )
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await state(fresh_database, report_id) != (ReportStatus.RUNNING, 10):
                assert worker.poll() is None
                # The lock's own transaction may not stand idle for long.
                await session.execute(text("SELECT 1"))
                await asyncio.sleep(0.05)
        # when it is killed,
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    assert await state(fresh_database, report_id) == (ReportStatus.RUNNING, 10)

    # then another makes the report that would have been made at once.
    await make_report(fresh_database, settings, report_id, is_last_try=False)
    async with fresh_database.transaction() as session:
        report = await reports.get_report(session, SYSTEM, [CONCENTRATION.kind], report_id)
    assert (report.status, report.progress) == (ReportStatus.DONE, 100)
    assert report.result == at_once.result
    assert report.result["amount"] == "58.00"
