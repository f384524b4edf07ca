"""The worker: runs jobs, retries them, survives its database, stops in time, starts the night."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.core import clock
from app.core.clock import FixedClock
from app.core.config import Settings
from app.core.database import Database
from app.core.queue import enqueue, read_payload
from app.jobs import worker
from app.jobs.nightly import STEPS, newest_due_night
from app.jobs.registry import AT_ONCE_AT_MOST, JOBS, NIGHT, Job, JobContext
from app.jobs.worker import queue_due_night, run_worker
from app.services import nights
from app.services.reports import JOB as REPORT

PATIENCE_SECONDS = 15.0


@asynccontextmanager
async def working(
    database: Database, settings: Settings, jobs: Mapping[str, Job]
) -> AsyncIterator[asyncio.Event]:
    """Run a worker for a block; yield its stop event. It has to end by itself."""
    stop = asyncio.Event()
    task = asyncio.create_task(
        run_worker(database.url, settings, stop, jobs=jobs, night_watch_seconds=3600)
    )
    try:
        yield stop
    finally:
        stop.set()
        await asyncio.wait_for(task, PATIENCE_SECONDS)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something to become true. Raises: TimeoutError."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await condition():
            await asyncio.sleep(0.02)


async def add(database: Database, name: str, **payload: Any) -> None:
    async with database.transaction() as session:
        await enqueue(session, name, payload)


async def statuses(database: Database, name: str) -> list[tuple[str, int]]:
    """Return status and attempts of the jobs of a name that are on the queue."""
    async with database.transaction() as session:
        rows = await session.execute(
            text(
                "SELECT status::text, attempts FROM pgqueuer WHERE entrypoint = :name ORDER BY id"
            ),
            {"name": name},
        )
        return [(row.status, row.attempts) for row in rows]


@pytest.fixture(autouse=True)
async def no_night_is_due(fresh_database: Database, settings: Settings) -> None:
    """Say that the night which is due has run, for tests that are about other jobs."""
    as_of = newest_due_night(clock.now(), settings.zone)
    async with fresh_database.transaction() as session:
        for step, _ in STEPS:
            await nights.begin_step(session, as_of, step, clock.now())
            await nights.finish_step(session, as_of, step, clock.now(), 1, {})


class Recorder:
    """A job that notes what it was given, and fails the first few times."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.calls: list[Mapping[str, Any]] = []

    async def __call__(self, context: JobContext, payload: Mapping[str, Any]) -> None:
        self.calls.append(payload)
        await context.database.ping()
        if self.failures:
            self.failures -= 1
            raise LookupError("personal words that must not be kept")

    async def was_called(self) -> bool:
        return bool(self.calls)


async def test_a_queued_job_is_run_with_its_payload_and_leaves_the_queue(
    fresh_database: Database, settings: Settings
) -> None:
    job = Recorder()
    await add(fresh_database, "greet", store="S01")

    async with working(fresh_database, settings, {"greet": job}):
        await until(job.was_called)

    assert job.calls == [{"store": "S01"}]
    assert await statuses(fresh_database, "greet") == []


async def test_a_job_queued_while_the_worker_waits_is_run_at_once(
    fresh_database: Database, settings: Settings
) -> None:
    first, second = Recorder(), Recorder()
    await add(fresh_database, "first")

    async with working(fresh_database, settings, {"first": first, "second": second}):
        await until(first.was_called)
        queued_at = clock.monotonic_seconds()
        await add(fresh_database, "second")
        await until(second.was_called)
        waited = clock.monotonic_seconds() - queued_at

    # The queue is looked at every three seconds; a notification does not wait for that.
    assert waited < 2


async def test_a_job_that_fails_is_tried_again_later(
    fresh_database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_FIRST_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(worker, "_POLL", timedelta(seconds=0.1))
    job, other = Recorder(failures=2), Recorder()
    await add(fresh_database, "fails")
    await add(fresh_database, "works")

    async def tried_three_times() -> bool:
        return len(job.calls) == 3

    async with working(fresh_database, settings, {"fails": job, "works": other}):
        await until(tried_three_times)

    assert len(other.calls) == 1
    assert await statuses(fresh_database, "fails") == []


async def test_a_job_that_keeps_failing_is_held_for_inspection_without_its_words(
    fresh_database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_FIRST_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(worker, "_POLL", timedelta(seconds=0.1))
    monkeypatch.setattr(worker, "MAXIMUM_ATTEMPTS", 3)
    job = Recorder(failures=99)
    await add(fresh_database, "fails")

    async def is_held() -> bool:
        return [status for status, _ in await statuses(fresh_database, "fails")] == ["failed"]

    async with working(fresh_database, settings, {"fails": job}):
        await until(is_held)

    assert len(job.calls) == 3


async def test_a_job_is_told_that_it_is_tried_for_the_last_time(
    fresh_database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_FIRST_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(worker, "_POLL", timedelta(seconds=0.1))
    monkeypatch.setattr(worker, "MAXIMUM_ATTEMPTS", 3)
    told: list[bool] = []

    async def fails(context: JobContext, _payload: Mapping[str, Any]) -> None:
        told.append(context.is_last_try)
        raise LookupError

    async def is_held() -> bool:
        return [status for status, _ in await statuses(fresh_database, "fails")] == ["failed"]

    await add(fresh_database, "fails")
    async with working(fresh_database, settings, {"fails": fails}):
        await until(is_held)

    assert told == [False, False, True]


async def test_no_more_reports_are_made_at_the_same_time_than_the_database_bears(
    fresh_database: Database, settings: Settings
) -> None:
    inside: list[int] = [0]
    most: list[int] = [0]
    done: list[str] = []

    async def makes_a_report(_context: JobContext, payload: Mapping[str, Any]) -> None:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        await asyncio.sleep(0.1)
        inside[0] -= 1
        done.append(payload["report_id"])

    async def all_are_made() -> bool:
        return len(done) == 5

    for number in range(5):
        await add(fresh_database, REPORT, report_id=str(number))
    async with (
        working(fresh_database, settings, {REPORT: makes_a_report}),
        working(fresh_database, settings, {REPORT: makes_a_report}),
    ):
        await until(all_are_made)

    assert sorted(done) == ["0", "1", "2", "3", "4"]
    assert most == [AT_ONCE_AT_MOST[REPORT]]


async def test_a_payload_nobody_can_read_holds_up_nothing_else(
    fresh_database: Database, settings: Settings
) -> None:
    async with fresh_database.transaction() as session:
        await enqueue(session, "odd", {})
        await session.execute(text("UPDATE pgqueuer SET payload = 'no json'"))
    odd, good = Recorder(), Recorder()
    await add(fresh_database, "good")

    async with working(fresh_database, settings, {"odd": odd, "good": good}):
        await until(good.was_called)

    assert odd.calls == []
    assert [status for status, _ in await statuses(fresh_database, "odd")] == ["queued"]


async def test_a_worker_outlives_the_loss_of_its_connections(
    fresh_database: Database, settings: Settings
) -> None:
    before, after = Recorder(), Recorder()
    await add(fresh_database, "before")

    async with working(fresh_database, settings, {"before": before, "after": after}):
        await until(before.was_called)
        async with fresh_database.transaction() as session:
            ended = await session.scalars(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND application_name LIKE 'huike-worker%'"
                )
            )
            assert list(ended)
        await add(fresh_database, "after")
        await until(after.was_called)

    assert len(after.calls) == 1


async def test_a_worker_waits_for_a_database_that_is_not_there_yet_and_still_stops(
    settings: Settings, tmp_path: Any
) -> None:
    stop = asyncio.Event()
    away = f"postgresql+asyncpg://huike@/huike?host={tmp_path}"
    task = asyncio.create_task(run_worker(away, settings, stop))

    await asyncio.sleep(0.5)
    assert not task.done()
    stop.set()

    await asyncio.wait_for(task, 5)


async def test_stopping_lets_a_running_job_end(
    fresh_database: Database, settings: Settings
) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def takes_a_while(_context: JobContext, _payload: Mapping[str, Any]) -> None:
        begun.set()
        await asyncio.sleep(0.5)
        ended.set()

    await add(fresh_database, "slow")
    async with working(fresh_database, settings, {"slow": takes_a_while}) as stop:
        await asyncio.wait_for(begun.wait(), PATIENCE_SECONDS)
        stop.set()

    assert ended.is_set()
    assert await statuses(fresh_database, "slow") == []


async def test_a_job_that_outlasts_the_graceful_limit_goes_back_on_the_queue(
    fresh_database: Database, settings: Settings
) -> None:
    begun, was_cancelled = asyncio.Event(), asyncio.Event()
    hasty = settings.model_copy(update={"graceful_stop_seconds": 1})

    async def never_ends(_context: JobContext, _payload: Mapping[str, Any]) -> None:
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            was_cancelled.set()

    await add(fresh_database, "endless")
    async with working(fresh_database, hasty, {"endless": never_ends}) as stop:
        await asyncio.wait_for(begun.wait(), PATIENCE_SECONDS)
        stop.set()
        stopped_at = clock.monotonic_seconds()

    assert was_cancelled.is_set()
    assert clock.monotonic_seconds() - stopped_at < 5
    assert [status for status, _ in await statuses(fresh_database, "endless")] == ["queued"]


# --- The night --------------------------------------------------------------------------------


async def queued_nights(database: Database) -> list[str]:
    async with database.transaction() as session:
        rows = await session.scalars(
            text("SELECT payload FROM pgqueuer WHERE entrypoint = 'night' ORDER BY id")
        )
        return [read_payload(raw)["as_of"] for raw in rows]


async def test_a_due_night_is_queued_once_however_many_workers_watch(
    fresh_database: Database, settings: Settings
) -> None:
    with clock.using(FixedClock(datetime(2030, 1, 4, 18, 0, tzinfo=UTC))):
        queued = await asyncio.gather(
            *(queue_due_night(fresh_database, settings) for _ in range(4))
        )

    assert sorted(queued) == [False, False, False, True]
    assert await queued_nights(fresh_database) == ["2030-01-05"]


async def test_after_an_outage_of_days_only_the_newest_night_is_queued(
    fresh_database: Database, settings: Settings
) -> None:
    moving = FixedClock(datetime(2030, 1, 4, 18, 0, tzinfo=UTC))
    with clock.using(moving):
        await record_night(fresh_database, date(2030, 1, 5))
        assert await queue_due_night(fresh_database, settings) is False

        moving.advance(timedelta(days=6, hours=5))
        assert await queue_due_night(fresh_database, settings) is True

    assert await queued_nights(fresh_database) == ["2030-01-11"]


async def record_night(database: Database, as_of: date, steps: int = len(STEPS)) -> None:
    """Say that the first steps of a night have run."""
    async with database.transaction() as session:
        for step, _ in STEPS[:steps]:
            await nights.begin_step(session, as_of, step, clock.now())
            await nights.finish_step(session, as_of, step, clock.now(), 1, {})


async def test_a_night_that_broke_off_is_queued_again(
    fresh_database: Database, settings: Settings
) -> None:
    with clock.using(FixedClock(datetime(2030, 1, 4, 18, 0, tzinfo=UTC))):
        await record_night(fresh_database, date(2030, 1, 5), steps=len(STEPS) - 1)

        assert await queue_due_night(fresh_database, settings) is True


async def test_a_worker_finds_the_due_night_and_runs_it(
    fresh_database: Database, settings: Settings
) -> None:
    as_of = date(2030, 1, 5)

    async def has_run() -> bool:
        async with fresh_database.transaction() as session:
            return await nights.finished_steps(session, as_of) == {name for name, _ in STEPS}

    with clock.using(FixedClock(datetime(2030, 1, 4, 18, 30, tzinfo=UTC))):
        async with working(fresh_database, settings, JOBS):
            await until(has_run)

    assert await statuses(fresh_database, NIGHT) == []
