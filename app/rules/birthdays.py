"""Which birthdays can be: days that exist, in the calendar they are kept in."""

from calendar import monthrange
from datetime import date, timedelta

from app.vocabulary import BirthdayCalendar

DAYS_IN_LONGEST_LUNAR_MONTH = 30
DAYS_IN_SHORTEST_LUNAR_MONTH = 29
EARLIEST_LUNAR_NEW_YEAR = (1, 21)
"""The lunar year begins between 21 January and 21 February (GB/T 33661-2017)."""
_A_LEAP_YEAR = 2000


def day_exists(
    calendar: BirthdayCalendar, year: int | None, month: int, day: int, *, is_leap_month: bool
) -> bool:
    """Tell whether a month can have such a day.

    Without a year a solar 29 February can be. Which lunar months have 30 days and which years
    have which leap month is left open: people keep the day they were told.
    """
    if calendar is BirthdayCalendar.LUNAR:
        return 1 <= day <= DAYS_IN_LONGEST_LUNAR_MONTH
    return not is_leap_month and 1 <= day <= monthrange(year or _A_LEAP_YEAR, month)[1]


def earliest_solar_day(
    calendar: BirthdayCalendar, year: int, month: int, day: int, *, is_leap_month: bool
) -> date:
    """Return the solar day of a birth, or for a lunar one a day it cannot have been before.

    No lunar month is shorter than 29 days, and a leap month follows the month it is named after.
    """
    if calendar is BirthdayCalendar.SOLAR:
        return date(year, month, day)
    months_before = month if is_leap_month else month - 1
    return date(year, *EARLIEST_LUNAR_NEW_YEAR) + timedelta(
        days=DAYS_IN_SHORTEST_LUNAR_MONTH * months_before + day - 1
    )
