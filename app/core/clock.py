"""The only place that reads a clock.

Everything that needs the time asks a :class:`Clock`, so that tests, the demo chain and
``huike nightly --as-of`` can say what time it is. Instants are aware and in UTC; business days are
days of the chain's time zone.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo


class Clock(Protocol):
    """Something that knows the current instant."""

    def now(self) -> datetime:
        """Return the current instant, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the machine's current instant in UTC."""
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands where it was put until somebody moves it."""

    def __init__(self, instant: datetime) -> None:
        if instant.tzinfo is None:
            raise ValueError("a clock needs an aware instant")
        self._instant = instant.astimezone(UTC)

    def now(self) -> datetime:
        """Return the instant the clock was last put to."""
        return self._instant

    def move_to(self, instant: datetime) -> None:
        """Put the clock to another aware instant, earlier or later."""
        if instant.tzinfo is None:
            raise ValueError("a clock needs an aware instant")
        self._instant = instant.astimezone(UTC)

    def advance(self, by: timedelta) -> None:
        """Move the clock by a duration, which may be negative."""
        self._instant += by


_system: Clock = SystemClock()
_current: ContextVar[Clock | None] = ContextVar("huike_clock", default=None)
_process: list[Clock] = [_system]


def now() -> datetime:
    """Return the current instant, aware, in UTC, from the clock in force."""
    return (_current.get() or _process[-1]).now()


def business_day(instant: datetime, timezone: ZoneInfo) -> date:
    """Return the day of ``instant`` in the chain's time zone."""
    return instant.astimezone(timezone).date()


def today(timezone: ZoneInfo) -> date:
    """Return the current business day of the chain."""
    return business_day(now(), timezone)


def monotonic_seconds() -> float:
    """Return seconds of a clock that only runs forward; for durations, never for dates."""
    return time.perf_counter()


@contextmanager
def using(clock: Clock, *, everywhere: bool = False) -> Iterator[None]:
    """Let ``clock`` be the clock in force inside the block.

    With ``everywhere`` the whole process sees it, tasks that are already running included;
    otherwise only the current task and those it starts.
    """
    if everywhere:
        _process.append(clock)
        try:
            yield
        finally:
            _process.remove(clock)
        return
    token = _current.set(clock)
    try:
        yield
    finally:
        _current.reset(token)
