"""The lunar calendar: day by day against a second library, and where the two differ, the sky."""

from datetime import UTC, date, datetime, timedelta

import ephem  # type: ignore[import-untyped]  # it comes without types
import pytest
import sxtwl  # type: ignore[import-untyped]  # it comes without types
from hypothesis import given
from hypothesis import strategies as st

from app.locale.lunar import (
    FIRST_YEAR,
    LAST_YEAR,
    LunarDay,
    anniversary_in,
    find_month,
    leap_month_of,
    months_of,
    next_solar_date,
    to_lunar,
    to_solar,
)

FIRST_DAY, LAST_DAY = date(1900, 1, 31), date(2100, 2, 8)
DISPUTED = date(2057, 9, 28)
ONE_DAY = timedelta(days=1)

days = st.dates(FIRST_DAY, LAST_DAY)
lunar_days = st.tuples(st.integers(1, 12), st.integers(1, 30), st.booleans())


def by_sxtwl(day: date) -> LunarDay:
    """Return the lunar day as the second library has it."""
    found = sxtwl.fromSolar(day.year, day.month, day.day)
    return LunarDay(
        found.getLunarYear(), found.getLunarMonth(), found.getLunarDay(), found.isLunarLeap()
    )


def test_every_day_of_two_centuries_is_that_of_a_second_library_but_for_one_month() -> None:
    different = []
    day = FIRST_DAY
    while day <= LAST_DAY:
        ours = to_lunar(day)
        assert to_solar(ours) == day
        if ours != by_sxtwl(day):
            different.append(day)
        day += ONE_DAY
    assert different == [DISPUTED + number * ONE_DAY for number in range(30)]


def test_the_month_that_both_libraries_have_otherwise_begins_with_its_new_moon() -> None:
    # ephem guesses how far the Earth's rotation will lag; the instant without that guess is sure.
    new_moon = ephem.next_new_moon("2057/9/15")
    lag = timedelta(seconds=ephem.delta_t(new_moon))
    terrestrial = new_moon.datetime().replace(tzinfo=UTC) + lag
    midnight_in_beijing = datetime(2057, 9, 28, 16, tzinfo=UTC)
    lag_that_would_make_it_the_28th = (terrestrial - midnight_in_beijing).total_seconds()
    assert 100 < lag_that_would_make_it_the_28th < 120
    lag_today_seconds = 69.2
    assert lag_today_seconds < lag_that_would_make_it_the_28th
    assert to_lunar(DISPUTED) == LunarDay(2057, 8, 30)
    assert to_lunar(DISPUTED + ONE_DAY) == LunarDay(2057, 9, 1)


def test_years_have_twelve_months_or_thirteen_that_follow_each_other() -> None:
    for year in range(FIRST_YEAR, LAST_YEAR + 1):
        months = months_of(year)
        assert len(months) == (12 if leap_month_of(year) is None else 13)
        following = [*months[1:], months_of(year + 1)[0]]
        assert [month.first_day + month.days * ONE_DAY for month in months] == [
            month.first_day for month in following
        ]
        assert {month.days for month in months} == {29, 30}


@pytest.mark.parametrize(
    ("lunar", "solar"),
    [
        pytest.param(LunarDay(1900, 1, 1), date(1900, 1, 31), id="the first day"),
        pytest.param(LunarDay(1979, 12, 29), date(1980, 2, 15), id="New Year's eve of 1979"),
        pytest.param(LunarDay(2023, 1, 1), date(2023, 1, 22), id="New Year's day of 2023"),
        pytest.param(LunarDay(2023, 2, 1), date(2023, 2, 20), id="second month of 2023"),
        pytest.param(LunarDay(2023, 2, 1, True), date(2023, 3, 22), id="its leap month"),
        pytest.param(LunarDay(2024, 8, 15), date(2024, 9, 17), id="Mid-Autumn of 2024"),
        pytest.param(LunarDay(2025, 6, 1, True), date(2025, 7, 25), id="leap sixth of 2025"),
        pytest.param(LunarDay(2025, 12, 29), date(2026, 2, 16), id="New Year's eve of 2025"),
        pytest.param(LunarDay(2033, 11, 1, True), date(2033, 12, 22), id="leap eleventh of 2033"),
        pytest.param(LunarDay(2099, 12, 30), date(2100, 2, 8), id="the last day"),
    ],
)
def test_known_days(lunar: LunarDay, solar: date) -> None:
    assert to_solar(lunar) == solar
    assert to_lunar(solar) == lunar


@pytest.mark.parametrize(
    "lunar",
    [
        pytest.param(LunarDay(2024, 2, 1, True), id="no leap month in that year"),
        pytest.param(LunarDay(2025, 5, 1, True), id="another leap month in that year"),
        pytest.param(LunarDay(2025, 12, 30), id="the thirtieth of a short month"),
        pytest.param(LunarDay(2025, 1, 0), id="day 0"),
        pytest.param(LunarDay(2025, 13, 1), id="month 13"),
    ],
)
def test_days_that_are_not_are_refused(lunar: LunarDay) -> None:
    with pytest.raises(ValueError, match="no such day"):
        to_solar(lunar)


@pytest.mark.parametrize(
    ("month", "day", "is_leap", "on_or_after", "expected"),
    [
        pytest.param(8, 15, False, date(2024, 9, 17), date(2024, 9, 17), id="today"),
        pytest.param(8, 15, False, date(2024, 9, 18), date(2025, 10, 6), id="yesterday"),
        pytest.param(12, 20, False, date(2024, 1, 15), date(2024, 1, 30), id="of the old year"),
        pytest.param(1, 1, False, date(2024, 1, 15), date(2024, 2, 10), id="of the year to come"),
        pytest.param(6, 1, True, date(2025, 1, 29), date(2025, 7, 25), id="leap month, it comes"),
        pytest.param(6, 1, True, date(2025, 7, 26), date(2026, 7, 14), id="leap month, plain year"),
        pytest.param(6, 1, False, date(2025, 6, 1), date(2025, 6, 25), id="plain one of the two"),
        pytest.param(6, 1, False, date(2025, 6, 26), date(2026, 7, 14), id="leap one is not it"),
        pytest.param(12, 30, False, date(2025, 2, 1), date(2026, 2, 16), id="30th of a short one"),
        pytest.param(12, 30, False, date(2026, 2, 17), date(2027, 2, 5), id="short again"),
        pytest.param(6, 30, True, date(2025, 1, 29), date(2025, 8, 22), id="short leap month"),
    ],
)
def test_when_a_lunar_day_comes_next(
    month: int, day: int, is_leap: bool, on_or_after: date, expected: date
) -> None:
    assert next_solar_date(month, day, is_leap_month=is_leap, on_or_after=on_or_after) == expected


@given(wanted=lunar_days, today=days)
def test_the_next_day_is_not_before_today_within_thirteen_months_and_stays_next_until_it_comes(
    wanted: tuple[int, int, bool], today: date
) -> None:
    month, day, is_leap = wanted
    found = next_solar_date(month, day, is_leap_month=is_leap, on_or_after=today)
    assert today <= found <= today + timedelta(days=414)
    again = next_solar_date(month, day, is_leap_month=is_leap, on_or_after=found)
    assert again == found
    lunar = to_lunar(found)
    assert lunar.month == month
    assert lunar.day == day or (lunar.day, day) == (29, 30)
    if is_leap != lunar.is_leap_month:
        assert is_leap
        assert find_month(lunar.year, month, is_leap_month=True) is None


@given(year=st.integers(FIRST_YEAR, LAST_YEAR), wanted=lunar_days)
def test_a_day_that_a_year_has_is_its_own_anniversary(
    year: int, wanted: tuple[int, int, bool]
) -> None:
    month, day, is_leap = wanted
    kept = anniversary_in(year, month, day, is_leap_month=is_leap)
    try:
        real = to_solar(LunarDay(year, month, day, is_leap))
    except ValueError:
        assert to_lunar(kept) != LunarDay(year, month, day, is_leap)
    else:
        assert kept == real
