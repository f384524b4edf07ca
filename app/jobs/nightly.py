"""The night: what is brought up to date once a day, for any day, as often as one likes."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.core.database import Database, retrying
from app.core.exclusive import alone
from app.services import (
    completeness,
    customer_profiles,
    duplicate_decisions,
    erasures,
    housekeeping,
    nights,
    search_keys,
    statistics,
    tier_calibrations,
    tier_nights,
    tier_overrides,
    tier_policy_publishing,
    tier_reviews,
)

log = structlog.get_logger()

NIGHT_BEGINS: Final = time(2, 0)
"""On the clock of the chain's time zone."""
STATEMENT_TIMEOUT_SECONDS: Final = 15 * 60.0

REMAINING: Final = "remaining"

Portion: TypeAlias = Callable[[AsyncSession, Settings, date], Awaitable[Mapping[str, int]]]


async def _metrics(session: AsyncSession, settings: Settings, as_of: date) -> Mapping[str, int]:
    return await statistics.refresh_due(session, as_of)


async def _tier_policies(
    session: AsyncSession, settings: Settings, as_of: date
) -> Mapping[str, int]:
    counts = await tier_policy_publishing.activate_due(session, settings, as_of)
    return {**counts, **await tier_calibrations.calibrate_active(session, settings, as_of)}


async def _profiles(session: AsyncSession, settings: Settings, as_of: date) -> Mapping[str, int]:
    return await customer_profiles.refresh_profiles(session, as_of)


async def _housekeeping(
    session: AsyncSession, settings: Settings, as_of: date
) -> Mapping[str, int]:
    # What has run out has run out now, whichever day the night is for.
    return await housekeeping.forget_expired(session, settings, clock.now())


async def _erasures(session: AsyncSession, settings: Settings, as_of: date) -> Mapping[str, int]:
    # Who is due is due now; a night for a past day erases nobody earlier or later.
    now = clock.now()
    counts = dict(await erasures.erase_inactive(session, settings, now))
    if counts[REMAINING]:
        return counts
    return {**counts, **await erasures.carry_out_due(session, settings, now)}


async def _search(session: AsyncSession, settings: Settings, as_of: date) -> Mapping[str, int]:
    return await search_keys.give_missing(session)


async def _duplicates(session: AsyncSession, settings: Settings, as_of: date) -> Mapping[str, int]:
    # A scan may take longer than a night should: a worker runs it beside.
    return {"queued": int(await duplicate_decisions.queue_scan(session, full=False))}


STEPS: Final[tuple[tuple[str, Portion], ...]] = (
    ("metrics", _metrics),
    ("tier_policies", _tier_policies),
    (customer_profiles.STEP, _profiles),
    ("tier_overrides", tier_overrides.end_overrides),
    (tier_reviews.STEP, tier_reviews.lapse_outdated),
    ("tiers", tier_nights.reconcile),
    ("tier_notices", tier_nights.carry_out_notices),
    ("tier_evaluation", tier_nights.evaluate),
    (completeness.STEP, completeness.reconcile),
    ("search", _search),
    ("duplicates", _duplicates),
    ("housekeeping", _housekeeping),
    ("erasures", _erasures),
)
"""In order: profiles and tiers read the figures that the metrics bring up to date.

A step does a portion of its work and says how much is ``remaining``; it is called again, each time
in a transaction of its own, until nothing is.
"""


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one step did."""

    step: str
    counts: Mapping[str, int]
    duration_ms: int


def newest_due_night(now: datetime, zone: ZoneInfo) -> date:
    """Return the as-of day of the newest night that should have run by ``now``.

    The night of a day begins at 02:00 of that day on the chain's clock, and brings the figures to
    what they are on the day that has just begun. Where that hour is skipped the night begins at
    the next instant there is; where it comes twice it begins at the first.

    After an outage only this one has to run: every step compares what is with what should be on
    its as-of day and adds nothing to the night before, so older nights would write what this one
    writes over.
    """
    local = now.astimezone(zone)
    began = local.replace(tzinfo=None).time() >= NIGHT_BEGINS
    return local.date() if began else local.date() - timedelta(days=1)


async def run_night(
    database_url: str,
    settings: Settings,
    as_of: date,
    steps: tuple[tuple[str, Portion], ...] = STEPS,
) -> list[StepReport]:
    """Run every step for a day, each at most once at a time in the whole chain of machines.

    Raises:
        UnavailableError: the database went away; what was done stays, and a second run goes on.
    """
    # Two connections: the portions run one after the other.
    own = settings.model_copy(update={"pool_size": 2, "pool_overflow": 0})
    database = Database(
        database_url,
        own,
        statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS,
        application_name="huike-night",
    )
    try:
        return [await _run_step(database, settings, as_of, *step) for step in steps]
    finally:
        await database.close()


async def _run_step(
    database: Database, settings: Settings, as_of: date, step: str, portion: Portion
) -> StepReport:
    async with alone(database.url, f"night {step}"):
        started = clock.monotonic_seconds()
        log.info("night_step_started", as_of=as_of.isoformat(), step=step)
        async with database.transaction() as session:
            await nights.begin_step(session, as_of, step, clock.now())
        counts = await _all_portions(database, settings, as_of, step, portion)
        duration_ms = round((clock.monotonic_seconds() - started) * 1000)
        async with database.transaction() as session:
            await nights.finish_step(session, as_of, step, clock.now(), duration_ms, counts)
    log.info(
        "night_step_finished",
        as_of=as_of.isoformat(),
        step=step,
        duration_ms=duration_ms,
        counts=dict(counts),
    )
    return StepReport(step, counts, duration_ms)


async def _all_portions(
    database: Database, settings: Settings, as_of: date, step: str, portion: Portion
) -> Mapping[str, int]:
    async def work(session: AsyncSession) -> Mapping[str, int]:
        return await portion(session, settings, as_of)

    total: dict[str, int] = {}
    while True:
        counts = dict(await retrying(database, work))
        remaining = counts.pop(REMAINING, 0)
        for name, count in counts.items():
            total[name] = total.get(name, 0) + count
        if remaining == 0:
            return total
        if not any(counts.values()):
            # It would go round for ever.
            raise RuntimeError(f"the night's step {step} leaves {remaining} and does nothing")
