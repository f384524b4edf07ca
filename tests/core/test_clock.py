"""The one clock: put where a test wants it, for one task or for all."""

import asyncio
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from app.core import clock

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_the_machines_clock_is_aware_and_in_utc() -> None:
    assert clock.now().utcoffset() == timedelta(0)


def test_a_clock_stands_where_it_was_put_and_moves_when_it_is_moved() -> None:
    fixed = clock.FixedClock(NOON)
    with clock.using(fixed):
        assert clock.now() == clock.now() == NOON
        fixed.advance(timedelta(hours=-1))
        assert clock.now() == datetime(2026, 11, 21, 11, tzinfo=UTC)
        fixed.move_to(datetime(2027, 1, 1, 8, tzinfo=timezone(timedelta(hours=8))))
        assert clock.now().isoformat() == "2027-01-01T00:00:00+00:00"
    assert clock.now() < datetime(2200, 1, 1, tzinfo=UTC)
    assert clock.now() != fixed.now()


def test_a_naive_instant_is_no_time() -> None:
    naive = NOON.replace(tzinfo=None)
    with pytest.raises(ValueError, match="aware"):
        clock.FixedClock(naive)
    with pytest.raises(ValueError, match="aware"):
        clock.FixedClock(NOON).move_to(naive)


@pytest.mark.parametrize(
    ("hour", "minute", "day"),
    [(15, 59, date(2026, 11, 21)), (16, 0, date(2026, 11, 22))],
    ids=["a minute before midnight", "midnight"],
)
def test_a_business_day_ends_at_the_chains_midnight(hour: int, minute: int, day: date) -> None:
    instant = NOON.replace(hour=hour, minute=minute)
    assert clock.business_day(instant, SHANGHAI) == day
    with clock.using(clock.FixedClock(instant)):
        assert clock.today(SHANGHAI) == day


async def test_another_task_sees_another_clock_unless_it_is_put_everywhere() -> None:
    asked, told = asyncio.Event(), asyncio.Event()
    seen: list[datetime] = []

    async def look() -> None:
        asked.set()
        await told.wait()
        seen.append(clock.now())

    already_running = asyncio.create_task(look())
    await asked.wait()
    with clock.using(clock.FixedClock(NOON)):
        assert clock.now() == NOON
        told.set()
        await already_running
    assert seen[0] != NOON

    asked, told = asyncio.Event(), asyncio.Event()
    already_running = asyncio.create_task(look())
    await asked.wait()
    with clock.using(clock.FixedClock(NOON), everywhere=True):
        told.set()
        await already_running
    assert seen[1] == NOON


def test_the_innermost_clock_holds() -> None:
    later = NOON + timedelta(days=1)
    with clock.using(clock.FixedClock(NOON), everywhere=True):
        with clock.using(clock.FixedClock(later)):
            assert clock.now() == later
        assert clock.now() == NOON


def test_durations_only_grow() -> None:
    assert clock.monotonic_seconds() <= clock.monotonic_seconds()
