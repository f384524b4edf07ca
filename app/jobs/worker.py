"""The worker: takes jobs off the queue, and starts the night, and what an upgrade asks for.

Any number may run, on any machine. A worker outlives its database: when the connection breaks it
tries again until it is back.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import asyncpg
import structlog
from pgqueuer import PgQueuer
from pgqueuer.errors import RetryRequested
from pgqueuer.models import Job as QueuedJob

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.core.dsn import plain_dsn
from app.core.errors import HuikeError
from app.core.queue import enqueue, read_payload
from app.jobs.nightly import STEPS, newest_due_night
from app.jobs.registry import AT_ONCE_AT_MOST, JOBS, NIGHT, SEARCH, Job, JobContext
from app.queries.search_keys import RULE
from app.services import nights, search_keys

log = structlog.get_logger()

NIGHT_WATCH_SECONDS: Final = 60.0
MAXIMUM_ATTEMPTS: Final = 8
_FIRST_RETRY_SECONDS: Final = 2.0
_LONGEST_RETRY_SECONDS: Final = 300.0
_FIRST_RECONNECT_SECONDS: Final = 0.2
_LONGEST_RECONNECT_SECONDS: Final = 5.0
_CONNECT_SECONDS: Final = 5.0
_COMMAND_SECONDS: Final = 30.0
# A job that is to be tried again sends no notification when its time has come.
_POLL: Final = timedelta(seconds=3)
_BATCH: Final = 10
# What is left of the graceful limit after a job was told to end, for its status to be written.
_LAST_WORDS_SECONDS: Final = 2.0


async def run_worker(
    database_url: str,
    settings: Settings,
    stop: asyncio.Event,
    *,
    jobs: Mapping[str, Job] = JOBS,
    night_watch_seconds: float = NIGHT_WATCH_SECONDS,
) -> None:
    """Work until ``stop`` is set; a job that runs then has the graceful limit to end.

    One that doesn't make it is put back on the queue for another worker.
    """
    own = settings.model_copy(update={"pool_size": 2, "pool_overflow": 3})
    database = Database(database_url, own, application_name="huike-worker")
    worker = _Worker(JobContext(database, database_url, settings), stop, jobs, night_watch_seconds)
    log.info("worker_started")
    try:
        await worker.run()
    finally:
        await database.close()
        log.info("worker_stopped")


async def queue_due_night(database: Database, settings: Settings) -> bool:
    """Queue the newest due night unless it has run or waits already; tell whether it was queued."""
    as_of = newest_due_night(clock.now(), settings.zone)
    async with database.transaction() as session:
        if await nights.finished_steps(session, as_of) >= {name for name, _ in STEPS}:
            return False
        queued = await enqueue(
            session, NIGHT, {"as_of": as_of.isoformat()}, dedupe_key=f"{NIGHT}:{as_of}"
        )
    if queued is not None:
        log.info("night_queued", as_of=as_of.isoformat(), job_id=queued)
    return queued is not None


async def queue_search_build(database: Database) -> bool:
    """Queue the making of all search keys unless this version has made them or it waits already.

    That is how cards of before an upgrade come to be found without anybody's doing.
    """
    async with database.transaction() as session:
        if await search_keys.is_built(session):
            return False
        queued = await enqueue(session, SEARCH, {}, dedupe_key=f"{SEARCH}:{RULE}")
    if queued is not None:
        log.info("search_build_queued", job_id=queued)
    return queued is not None


class _Worker:
    def __init__(
        self,
        context: JobContext,
        stop: asyncio.Event,
        jobs: Mapping[str, Job],
        night_watch_seconds: float,
    ) -> None:
        self.context = context
        self.stop = stop
        self.jobs = jobs
        self.night_watch_seconds = night_watch_seconds
        self.cut_off = asyncio.Event()

    async def run(self) -> None:
        """Connect and work, again and again, until told to stop."""
        watch = asyncio.create_task(self._watch_nights())
        limit = asyncio.create_task(self._limit_the_end())
        pause = _FIRST_RECONNECT_SECONDS
        try:
            while not self.stop.is_set():
                try:
                    await self._work_on_one_connection()
                    pause = _FIRST_RECONNECT_SECONDS
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                    log.warning("worker_lost_database", error=type(error).__name__)
                except Exception:
                    log.exception("worker_failed")
                await self._pause(pause)
                pause = min(pause * 2, _LONGEST_RECONNECT_SECONDS)
        finally:
            for task in (watch, limit):
                task.cancel()
            await asyncio.wait([watch, limit])

    async def _work_on_one_connection(self) -> None:
        connection = await asyncpg.connect(
            plain_dsn(self.context.database_url),
            timeout=_CONNECT_SECONDS,
            command_timeout=_COMMAND_SECONDS,
            server_settings={"application_name": "huike-worker-queue"},
        )
        try:
            queuer = PgQueuer.from_asyncpg_connection(connection)
            for name, job in self.jobs.items():
                self._register(queuer, name, job)
            # Otherwise the loss would be noticed at the next poll.
            connection.add_termination_listener(lambda _connection: queuer.shutdown.set())
            stopping = asyncio.create_task(self._pass_on_stop(queuer))
            log.info("worker_connected")
            try:
                await queuer.qm.run(dequeue_timeout=_POLL, batch_size=_BATCH)
            finally:
                stopping.cancel()
        finally:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.close(timeout=1)

    async def _pass_on_stop(self, queuer: PgQueuer) -> None:
        await self.stop.wait()
        queuer.shutdown.set()

    def _register(self, queuer: PgQueuer, name: str, job: Job) -> None:
        async def run_one(queued: QueuedJob) -> None:
            await self._run_job(name, job, queued)

        # What fails for good is held for inspection, not deleted.
        queuer.entrypoint(name, on_failure="hold", concurrency_limit=AT_ONCE_AT_MOST.get(name, 0))(
            run_one
        )

    async def _run_job(self, name: str, job: Job, queued: QueuedJob) -> None:
        with structlog.contextvars.bound_contextvars(job_id=queued.id, job=name):
            started = clock.monotonic_seconds()
            is_last_try = queued.attempts + 1 >= MAXIMUM_ATTEMPTS
            context = replace(self.context, is_last_try=is_last_try)
            try:
                await self._run_within_limit(job, context, read_payload(queued.payload))
            except RetryRequested:
                log.warning("job_cut_off")
                raise
            except Exception as error:
                if is_last_try:
                    log.exception("job_held", attempts=queued.attempts + 1)
                    raise
                delay = min(_FIRST_RETRY_SECONDS * 2**queued.attempts, _LONGEST_RETRY_SECONDS)
                if isinstance(error, HuikeError):
                    log.warning("job_failed", code=error.code, retry_in_seconds=delay)
                else:
                    log.exception("job_failed", retry_in_seconds=delay)
                # The type alone: a message may carry what doesn't belong into the queue's log.
                raise RetryRequested(timedelta(seconds=delay), type(error).__name__) from None
            log.info("job_done", duration_ms=round((clock.monotonic_seconds() - started) * 1000))

    async def _run_within_limit(
        self, job: Job, context: JobContext, payload: Mapping[str, Any]
    ) -> None:
        work = asyncio.ensure_future(job(context, payload))
        cut_off = asyncio.create_task(self.cut_off.wait())
        try:
            await asyncio.wait({work, cut_off}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise RetryRequested(timedelta(0), "worker stopped")
            work.result()
        finally:
            for task in (work, cut_off):
                task.cancel()
            await asyncio.wait({work, cut_off})

    async def _limit_the_end(self) -> None:
        await self.stop.wait()
        limit = self.context.settings.graceful_stop_seconds
        await asyncio.sleep(max(limit - _LAST_WORDS_SECONDS, limit / 2))
        self.cut_off.set()

    async def _watch_nights(self) -> None:
        while not self.stop.is_set():
            try:
                await queue_search_build(self.context.database)
                await queue_due_night(self.context.database, self.context.settings)
            except HuikeError as error:
                log.warning("night_watch_failed", code=error.code)
            except Exception:
                log.exception("night_watch_failed")
            await self._pause(self.night_watch_seconds)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stop.wait(), seconds)
