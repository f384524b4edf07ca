"""The night: when it is due, once at a time, repeatable, recorded."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.core.database import Database, raw_connection
from app.core.errors import RetryTransactionError
from app.jobs.nightly import REMAINING, STEPS, StepReport, newest_due_night, run_night
from app.models import NightStep
from tests.conftest import client_of
from tests.support.events import sale
from tests.support.profiles import calibration, use_calibration
from tests.support.shop import Shop
from tests.support.world import build_world

AS_OF = date(2026, 11, 21)
SHANGHAI, BERLIN, NEW_YORK = (
    ZoneInfo(name) for name in ("Asia/Shanghai", "Europe/Berlin", "America/New_York")
)


# --- When it is due ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "zone", "expected"),
    [
        pytest.param("2026-11-20T17:59:59+00:00", SHANGHAI, "2026-11-20", id="a second before two"),
        pytest.param("2026-11-20T18:00:00+00:00", SHANGHAI, "2026-11-21", id="at two"),
        pytest.param("2026-11-21T15:59:59+00:00", SHANGHAI, "2026-11-21", id="end of the day"),
        pytest.param("2026-11-21T16:00:00+00:00", SHANGHAI, "2026-11-21", id="after midnight"),
        pytest.param("2026-02-28T18:00:00+00:00", SHANGHAI, "2026-03-01", id="into a new month"),
        # On 29 March 2026 two o'clock becomes three in Berlin: the hour is skipped.
        pytest.param("2026-03-29T00:59:59+00:00", BERLIN, "2026-03-28", id="before the skipped"),
        pytest.param("2026-03-29T01:00:00+00:00", BERLIN, "2026-03-29", id="at the skipped hour"),
        # On 25 October 2026 three becomes two in Berlin: the hour comes twice.
        pytest.param("2026-10-24T23:59:59+00:00", BERLIN, "2026-10-24", id="before the doubled"),
        pytest.param("2026-10-25T00:00:00+00:00", BERLIN, "2026-10-25", id="first two o'clock"),
        pytest.param("2026-10-25T01:00:00+00:00", BERLIN, "2026-10-25", id="second two o'clock"),
        # On 1 November 2026 two becomes one in New York: two o'clock comes once, an hour late.
        pytest.param("2026-11-01T06:59:59+00:00", NEW_YORK, "2026-10-31", id="second hour of one"),
        pytest.param("2026-11-01T07:00:00+00:00", NEW_YORK, "2026-11-01", id="two after all"),
    ],
)
def test_the_newest_night_that_should_have_run(now: str, zone: ZoneInfo, expected: str) -> None:
    assert newest_due_night(datetime.fromisoformat(now), zone) == date.fromisoformat(expected)


@given(
    start=st.integers(1_577_836_800, 1_893_456_000).map(lambda s: datetime.fromtimestamp(s, UTC)),
    minutes=st.integers(0, 3 * 24 * 60),
    zone=st.sampled_from([SHANGHAI, BERLIN, NEW_YORK, ZoneInfo("Australia/Lord_Howe")]),
)
def test_a_later_instant_never_makes_an_earlier_night_due(
    start: datetime, minutes: int, zone: ZoneInfo
) -> None:
    later = start + timedelta(minutes=minutes)

    assert newest_due_night(start, zone) <= newest_due_night(later, zone)


# --- The run ----------------------------------------------------------------------------------


class Step:
    """A step of ours that notes who is in it, and does its work in portions."""

    def __init__(self, portions: int = 1, failing: int = 0) -> None:
        self.portions = portions
        self.failing = failing
        self.done = 0
        self.inside = 0
        self.most_inside = 0
        self.days: list[date] = []

    async def __call__(
        self, session: AsyncSession, _settings: Settings, as_of: date
    ) -> Mapping[str, int]:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            await session.execute(text("SELECT pg_sleep(0.02)"))
            if self.failing:
                self.failing -= 1
                raise RetryTransactionError
            self.days.append(as_of)
            self.done += 1
            return {"cards": 10, REMAINING: max(self.portions - self.done, 0)}
        finally:
            self.inside -= 1


async def recorded(database: Database) -> dict[str, NightStep]:
    async with database.transaction() as session:
        return {row.step: row for row in await session.scalars(select(NightStep))}


async def test_the_steps_of_a_night_and_their_order() -> None:
    assert [name for name, _ in STEPS] == [
        "metrics", "tier_policies", "profiles", "tier_overrides", "tier_reviews", "tiers",
        "tier_notices", "tier_evaluation", "completeness", "search", "duplicates", "housekeeping",
        "erasures",
    ]  # fmt: skip


async def test_a_step_goes_on_until_nothing_remains_and_counts_it_all(
    fresh_database: Database, settings: Settings
) -> None:
    step = Step(portions=3)

    reports = await run_night(fresh_database.url, settings, AS_OF, (("cards", step),))

    assert step.days == [AS_OF] * 3
    assert [(report.step, report.counts) for report in reports] == [("cards", {"cards": 30})]
    row = (await recorded(fresh_database))["cards"]
    assert (row.as_of, row.counts, row.duration_ms) == (
        AS_OF,
        {"cards": 30},
        reports[0].duration_ms,
    )
    assert row.finished_at is not None
    assert row.finished_at >= row.started_at
    assert row.duration_ms is not None
    assert row.duration_ms >= 60


async def test_each_portion_is_a_transaction_of_its_own(
    fresh_database: Database, settings: Settings
) -> None:
    numbers: list[int] = []

    async def step(session: AsyncSession, _settings: Settings, _as_of: date) -> Mapping[str, int]:
        numbers.append(int(await session.scalar(text("SELECT pg_current_xact_id()::text")) or 0))
        return {"cards": 1, REMAINING: 2 - len(numbers)}

    await run_night(fresh_database.url, settings, AS_OF, (("cards", step),))

    assert len(set(numbers)) == 2


async def test_a_portion_that_collides_is_run_again(
    fresh_database: Database, settings: Settings
) -> None:
    step = Step(failing=2)

    (report,) = await run_night(fresh_database.url, settings, AS_OF, (("cards", step),))

    assert report.counts == {"cards": 10}


async def test_a_step_that_gets_nowhere_is_an_error_and_not_an_endless_night(
    fresh_database: Database, settings: Settings
) -> None:
    async def step(_session: AsyncSession, _settings: Settings, _as_of: date) -> Mapping[str, int]:
        return {"cards": 0, REMAINING: 5}

    with pytest.raises(RuntimeError, match="step cards leaves 5 and does nothing"):
        await run_night(fresh_database.url, settings, AS_OF, (("cards", step),))

    assert (await recorded(fresh_database))["cards"].finished_at is None


async def test_what_a_failed_step_follows_stays_done_and_what_follows_it_waits(
    fresh_database: Database, settings: Settings
) -> None:
    last = Step()

    async def failing(session: AsyncSession, *_: Any) -> Mapping[str, int]:
        await session.execute(text("SELECT 1 / 0"))
        return {}

    steps = (("first", Step()), ("second", failing), ("third", last))
    with pytest.raises(Exception, match="not acceptable to the database"):
        await run_night(fresh_database.url, settings, AS_OF, steps)

    rows = await recorded(fresh_database)
    assert rows["first"].finished_at is not None
    assert rows["second"].finished_at is None
    assert "third" not in rows
    assert last.done == 0


async def test_four_nights_at_once_run_each_step_once_at_a_time(
    fresh_database: Database, settings: Settings
) -> None:
    first, second = Step(portions=2), Step()
    steps = (("first", first), ("second", second))

    runs = await asyncio.gather(
        *(run_night(fresh_database.url, settings, AS_OF, steps) for _ in range(4))
    )

    assert (first.most_inside, second.most_inside) == (1, 1)
    assert [[report.step for report in reports] for reports in runs] == [["first", "second"]] * 4
    rows = await recorded(fresh_database)
    assert {name: row.finished_at is not None for name, row in rows.items()} == {
        "first": True,
        "second": True,
    }


async def tables_of(database: Database) -> dict[str, list[str]]:
    """Return every row that a night may write, as text."""
    found = {}
    async with database.transaction() as session:
        for table in (
            "customer_stats", "customer_profile", "tier_assignment", "outbox_event",
            "audit_entry", "access_token", "idempotency_key",
        ):  # fmt: skip
            rows = await session.scalars(text(f"SELECT t::text FROM {table} AS t ORDER BY 1"))
            found[table] = list(rows)
    return found


async def test_the_same_night_twice_gives_the_same_result(
    fresh_database: Database, settings: Settings
) -> None:
    evening = clock.FixedClock(datetime(2026, 11, 20, 12, tzinfo=UTC))
    with clock.using(evening, everywhere=True):
        world = await build_world(fresh_database)
        async with client_of(fresh_database, settings) as client:
            shop = Shop(client, world, fresh_database, settings)
            leaving, below, quiet = [await shop.card(f"HK{number}") for number in range(3)]
            await shop.batch(
                [
                    # On the night's day the first of each card's purchases leaves the window.
                    sale("40.00", member="HK0", at="2025-11-21T10:00:00+08:00"),
                    sale("7.00", member="HK0"),
                    sale("100.00", member="HK1", at="2025-11-21T10:00:00+08:00"),
                    sale("800.00", member="HK1"),
                    sale("5.00", member="HK2"),
                ]
            )
        await use_calibration(fresh_database, calibration(AS_OF))
        async with fresh_database.transaction() as session:
            # A new policy, by which one card holds less than it earns.
            await (await raw_connection(session)).execute(
                """UPDATE tier_policy SET body = jsonb_set(body, '{levels,0,at_least}', '"800.00"')
                   WHERE scope = 'individual'"""
            )
            await (await raw_connection(session)).execute(
                "UPDATE access_token SET revoked_at = $1 WHERE staff_id = $2",
                clock.now(),
                world.staff["clerk"],
            )
        evening.move_to(datetime(2026, 11, 20, 18, 1, tzinfo=UTC))

        first = await run_night(fresh_database.url, settings, AS_OF)

        assert counts_of(first) == {
            "metrics": {"refreshed": 2},
            "tier_policies": {},
            "profiles": {"checked": 3, "written": 3},
            "tier_overrides": {},
            "tier_reviews": {},
            "tiers": {"moved": 1},
            "tier_notices": {},
            "tier_evaluation": {},
            "completeness": {"checked": 3},
            "search": {},
            "duplicates": {"queued": 1},
            "housekeeping": {"access_tokens": 1},
            "erasures": {},
        }
        assert [str(await shop.net(card)) for card in (leaving, below, quiet)] == [
            "7.00", "800.00", "5.00",
        ]  # fmt: skip
        assert [await shop.level(card) for card in (leaving, below, quiet)] == [
            "small", "main", "small",
        ]  # fmt: skip
        written = await tables_of(fresh_database)
        evening.advance(timedelta(minutes=5))

        second = await run_night(fresh_database.url, settings, AS_OF)

        assert counts_of(second) == {
            "metrics": {},
            "tier_policies": {},
            "profiles": {"checked": 3},
            "tier_overrides": {},
            "tier_reviews": {},
            "tiers": {},
            "tier_notices": {},
            "tier_evaluation": {},
            "completeness": {"checked": 3},
            "search": {},
            "duplicates": {},
            "housekeeping": {},
            "erasures": {},
        }
        assert await tables_of(fresh_database) == written
    rows = await recorded(fresh_database)
    assert {(row.as_of, row.finished_at) for row in rows.values()} == {(AS_OF, evening.now())}


def counts_of(reports: list[StepReport]) -> dict[str, Mapping[str, int]]:
    """Return what each step counted, without what there was nothing of."""
    return {
        report.step: {name: count for name, count in report.counts.items() if count}
        for report in reports
    }
