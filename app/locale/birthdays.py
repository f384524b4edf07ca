"""Which birthdays can be: days that exist, in the calendar they are kept in."""

from calendar import monthrange
from datetime import date, timedelta
from typing import Final

DAYS_IN_LONGEST_LUNAR_MONTH: Final = 30
DAYS_IN_SHORTEST_LUNAR_MONTH: Final = 29
EARLIEST_LUNAR_NEW_YEAR: Final = (1, 21)
"""The lunar year begins between 21 January and 21 February."""
_A_LEAP_YEAR = 2000


def solar_day_exists(year: int | None, month: int, day: int) -> bool:
    """Tell whether a solar month (1 to 12) has such a day; 29 February can be without a year."""
    return 1 <= day <= monthrange(year or _A_LEAP_YEAR, month)[1]


def lunar_day_exists(day: int) -> bool:
    """Tell whether a lunar month can have such a day.

    Which months have 30 days, and which years have which leap month, is left open: people keep
    the day they were told.
    """
    return 1 <= day <= DAYS_IN_LONGEST_LUNAR_MONTH


def earliest_solar_day(lunar_year: int, month: int, day: int, *, is_leap_month: bool) -> date:
    """Return a solar day that a lunar day cannot lie before.

    No lunar month is shorter than 29 days, and a leap month follows the month it is named after.
    """
    months_before = month if is_leap_month else month - 1
    return date(lunar_year, *EARLIEST_LUNAR_NEW_YEAR) + timedelta(
        days=DAYS_IN_SHORTEST_LUNAR_MONTH * months_before + day - 1
    )
