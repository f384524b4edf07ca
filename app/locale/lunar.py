"""The lunar calendar (农历) and the solar days of its days.

Months come from lunar-python, one table a lunar year, and are kept; days are counted from them. So
a conversion costs a lookup where the library's own, made for almanacs, takes more than a
millisecond.

The tables were compared day by day with a second library (sxtwl) for all of the lunar years 1900 to
2099. They differ in one month only: whether the ninth month of 2057 begins on 28 or on 29
September. The month begins on the day of the new moon in Beijing, and that one falls at
16:01:50 TT (± 5 s; by ephem and by Meeus's series), while that day ends at 16:00:00 UTC: it is the
28th if the difference TT - UTC has grown beyond about 110 s by then, and the 29th otherwise. It is
69 s today and has stood still for ten years; ephem's own "23:59:49" comes from assuming 124 s. So
lunar-python's 29th is the better answer, and no correction is made. The Hong Kong Observatory's
table warns of that day; whoever publishes the calendar of 2057 will know.
"""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Final

from lunar_python import LunarYear  # type: ignore[import-untyped]  # it comes without types

FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2099
"""The lunar years for which the tables were checked; beyond, they are the library's word."""
LONGEST_MONTH_DAYS: Final = 30
_UNIX_EPOCH_JULIAN_DAY: Final = 2_440_588
_UNIX_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class LunarDay:
    """A day of the lunar calendar."""

    year: int
    month: int
    day: int
    is_leap_month: bool = False


@dataclass(frozen=True, slots=True)
class LunarMonth:
    """A month of a lunar year: the solar day it begins on and how many days (29 or 30) it has."""

    year: int
    month: int
    is_leap: bool
    first_day: date
    days: int


@cache
def months_of(year: int) -> tuple[LunarMonth, ...]:
    """Return the 12 or 13 months of a lunar year in their order."""
    # fromYear() of the library keeps one year only, behind a lock that an error leaves locked.
    return tuple(
        LunarMonth(
            year=year,
            month=abs(month.getMonth()),
            is_leap=month.isLeap(),
            first_day=_UNIX_EPOCH
            + timedelta(days=int(month.getFirstJulianDay()) - _UNIX_EPOCH_JULIAN_DAY),
            days=month.getDayCount(),
        )
        for month in LunarYear(year).getMonths()
        if month.getYear() == year
    )


def leap_month_of(year: int) -> int | None:
    """Return the number that a lunar year has twice, or None in a year of twelve months."""
    return next((month.month for month in months_of(year) if month.is_leap), None)


def find_month(year: int, month: int, *, is_leap_month: bool) -> LunarMonth | None:
    """Return a month of a lunar year, None where the year has no such leap month."""
    wanted = (month, is_leap_month)
    return next((had for had in months_of(year) if (had.month, had.is_leap) == wanted), None)


def to_solar(day: LunarDay) -> date:
    """Return the solar day of a lunar day.

    Raises:
        ValueError: there is no such day: no such leap month in that year, or a short month.
    """
    month = find_month(day.year, day.month, is_leap_month=day.is_leap_month)
    if month is None or not 1 <= day.day <= month.days:
        raise ValueError("the lunar year has no such day")
    return month.first_day + timedelta(days=day.day - 1)


def to_lunar(solar: date) -> LunarDay:
    """Return the lunar day of a solar day."""
    months = months_of(_lunar_year_of(solar))
    index = bisect_right(months, solar, key=lambda month: month.first_day) - 1
    month = months[index]
    return LunarDay(month.year, month.month, (solar - month.first_day).days + 1, month.is_leap)


def anniversary_in(year: int, month: int, day: int, *, is_leap_month: bool) -> date:
    """Return the solar day on which a lunar year keeps the anniversary of a lunar day.

    In a year without that leap month it is the plain month of its number; the 30th of a month of
    29 days is its 29th. So people keep it who keep it at all.
    """
    found = find_month(year, month, is_leap_month=is_leap_month) or find_month(
        year, month, is_leap_month=False
    )
    assert found is not None
    return found.first_day + timedelta(days=min(day, found.days) - 1)


def next_solar_date(month: int, day: int, *, is_leap_month: bool, on_or_after: date) -> date:
    """Return the first anniversary of a lunar day that is not before a solar day."""
    year = _lunar_year_of(on_or_after)
    this_year = anniversary_in(year, month, day, is_leap_month=is_leap_month)
    if this_year >= on_or_after:
        return this_year
    return anniversary_in(year + 1, month, day, is_leap_month=is_leap_month)


def _lunar_year_of(solar: date) -> int:
    return solar.year if months_of(solar.year)[0].first_day <= solar else solar.year - 1
