"""The scan for duplicates: all its portions, one after the other."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.core.database import Database, retrying
from app.services import duplicate_scan
from app.services.duplicate_decisions import queue_scan
from app.services.duplicate_scan import Scanned

log = structlog.get_logger()

STATEMENT_TIMEOUT_SECONDS: Final = 60.0

Portion = Callable[[AsyncSession, UUID | None], Awaitable[Scanned]]


async def run_scan(database_url: str, settings: Settings, *, full: bool) -> Mapping[str, int]:
    """Scan with a connection of its own, whose statements may take long; return counts.

    What is still to be compared stands on the cards' rows: broken off, it goes on as the next one.

    Raises:
        UnavailableError: the database went away.
    """
    own = settings.model_copy(update={"pool_size": 1, "pool_overflow": 0})
    database = Database(
        database_url,
        own,
        statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS,
        application_name="huike-duplicates",
    )
    try:
        if full:
            await mark_all_cards(database)
        return await scan_duplicates(database)
    finally:
        await database.close()


async def run_scan_job(
    database: Database, database_url: str, settings: Settings, *, full: bool
) -> None:
    """Scan for a worker; a full scan marks all cards and leaves them to a scan that can go on.

    Raises:
        UnavailableError: the database went away.
    """
    if not full:
        await run_scan(database_url, settings, full=False)
        return
    await mark_all_cards(database)
    async with database.transaction() as session:
        await queue_scan(session, full=False)


async def mark_all_cards(database: Database) -> int:
    """Have the next scan compare all cards; return how many it were.

    Raises:
        UnavailableError: the database went away.
    """
    counts: dict[str, int] = {}
    await _all_portions(database, duplicate_scan.mark_all, counts)
    return counts["marked"]


async def scan_duplicates(database: Database) -> Mapping[str, int]:
    """Compare the cards that were changed, made or marked since the last scan; return counts.

    Broken off, it leaves what it did, and the next scan goes on; several at once share the work.

    Raises:
        UnavailableError: the database went away.
    """
    started = clock.monotonic_seconds()
    counts: dict[str, int] = {}
    for step in (duplicate_scan.take_up_stale, duplicate_scan.compare_next, duplicate_scan.finish):
        await _all_portions(database, step, counts)
    log.info(
        "duplicates_scanned",
        duration_ms=round((clock.monotonic_seconds() - started) * 1000),
        counts=dict(counts),
    )
    return counts


async def _all_portions(database: Database, step: Portion, counts: dict[str, int]) -> None:
    after: UUID | None = None

    async def work(session: AsyncSession) -> Scanned:
        return await step(session, after)

    while True:
        portion = await retrying(database, work)
        for name, count in portion.counts.items():
            counts[name] = counts.get(name, 0) + count
        after = portion.last_card
        if after is None:
            return
