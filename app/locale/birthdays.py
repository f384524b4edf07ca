"""Which birthdays can be, and when they come next: in the calendar they are kept in."""

from calendar import isleap, monthrange
from datetime import date
from typing import Final

from app.locale import lunar

_A_LEAP_YEAR: Final = 2000


def solar_day_exists(year: int | None, month: int, day: int) -> bool:
    """Tell whether a solar month (1 to 12) has such a day; 29 February can be without a year."""
    return 1 <= day <= monthrange(year or _A_LEAP_YEAR, month)[1]


def lunar_month_exists(year: int | None, month: int, *, is_leap_month: bool) -> bool:
    """Tell whether a lunar year has such a month.

    Without a year, and beyond the years whose tables were checked, any leap month is believed.
    """
    if year is None or not lunar.FIRST_YEAR <= year <= lunar.LAST_YEAR:
        return True
    return lunar.find_month(year, month, is_leap_month=is_leap_month) is not None


def lunar_day_exists(year: int | None, month: int, day: int, *, is_leap_month: bool) -> bool:
    """Tell whether a lunar month has such a day.

    Without a year, and beyond the years whose tables were checked, any month may have thirty.
    """
    days = lunar.LONGEST_MONTH_DAYS
    if year is not None and lunar.FIRST_YEAR <= year <= lunar.LAST_YEAR:
        found = lunar.find_month(year, month, is_leap_month=is_leap_month)
        days = found.days if found else 0
    return 1 <= day <= days


def lunar_day_is_after(
    year: int, month: int, day: int, today: date, *, is_leap_month: bool
) -> bool:
    """Tell whether a lunar day is later than a solar day; days that are not are read as kept."""
    if abs(year - today.year) > 1:
        return year > today.year
    return lunar.anniversary_in(year, month, day, is_leap_month=is_leap_month) > today


def next_birthday(
    month: int, day: int, *, is_lunar: bool, is_leap_month: bool, on_or_after: date
) -> date:
    """Return the solar day on which a birthday comes next, that day included.

    A solar birthday of 29 February is kept on the 28th in common years: where a month lacks the
    day, its last one takes its place (China's Civil Code, article 202). Lunar ones are kept as
    :func:`app.locale.lunar.anniversary_in` says.
    """
    if is_lunar:
        return lunar.next_solar_date(
            month, day, is_leap_month=is_leap_month, on_or_after=on_or_after
        )
    this_year = _solar_anniversary(on_or_after.year, month, day)
    if this_year >= on_or_after:
        return this_year
    return _solar_anniversary(on_or_after.year + 1, month, day)


def _solar_anniversary(year: int, month: int, day: int) -> date:
    if (month, day) == (2, 29) and not isleap(year):
        return date(year, 2, 28)
    return date(year, month, day)
