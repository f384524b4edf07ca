"""Which birthdays can be, and when they come next."""

from datetime import date

import pytest

from app.locale.birthdays import (
    lunar_day_exists,
    lunar_day_is_after,
    lunar_month_exists,
    next_birthday,
    solar_day_exists,
)


@pytest.mark.parametrize(
    ("year", "month", "day", "exists"),
    [
        (None, 2, 29, True),
        (None, 2, 30, False),
        (2024, 2, 29, True),
        (2023, 2, 29, False),
        (1900, 2, 29, False),
        (None, 4, 30, True),
        (None, 4, 31, False),
        (None, 12, 31, True),
        (None, 1, 0, False),
    ],
)
def test_a_solar_day_exists_in_its_month(
    year: int | None, month: int, day: int, exists: bool
) -> None:
    assert solar_day_exists(year, month, day) is exists


@pytest.mark.parametrize("year", [None, 1899, 2100])
def test_without_a_known_year_a_lunar_month_has_thirty_days_at_most(year: int | None) -> None:
    assert [day for day in range(33) if lunar_day_exists(year, 6, day, is_leap_month=True)] == list(
        range(1, 31)
    )


@pytest.mark.parametrize(
    ("year", "month", "day", "is_leap", "exists"),
    [
        pytest.param(2025, 12, 29, False, True, id="last day of a short month"),
        pytest.param(2025, 12, 30, False, False, id="one more"),
        pytest.param(2024, 12, 29, False, True, id="short as well"),
        pytest.param(2025, 6, 29, True, True, id="last day of a leap month"),
        pytest.param(2025, 6, 30, True, False, id="one more in a leap month"),
        pytest.param(2024, 6, 1, True, False, id="no such leap month"),
        pytest.param(1900, 8, 1, True, True, id="leap eighth month of 1900"),
        pytest.param(2099, 2, 1, True, True, id="leap second month of 2099"),
    ],
)
def test_a_lunar_day_exists_in_its_year(
    year: int, month: int, day: int, is_leap: bool, exists: bool
) -> None:
    assert lunar_day_exists(year, month, day, is_leap_month=is_leap) is exists


@pytest.mark.parametrize(
    ("year", "month", "exists"),
    [(2025, 6, True), (2025, 7, False), (2024, 6, False), (None, 6, True), (1899, 6, True)],
)
def test_a_leap_month_exists_in_its_year(year: int | None, month: int, exists: bool) -> None:
    assert lunar_month_exists(year, month, is_leap_month=True) is exists


@pytest.mark.parametrize(
    ("lunar", "today", "is_after"),
    [
        pytest.param((2025, 12, 29, False), date(2026, 2, 15), True, id="tomorrow"),
        pytest.param((2025, 12, 29, False), date(2026, 2, 16), False, id="today"),
        pytest.param((2025, 12, 30, False), date(2026, 2, 16), False, id="kept, and never was"),
        pytest.param((2027, 1, 1, False), date(2026, 2, 16), True, id="next year"),
        pytest.param((9990, 1, 1, True), date(2026, 2, 16), True, id="a far year"),
        pytest.param((1850, 1, 1, True), date(2026, 2, 16), False, id="long ago"),
    ],
)
def test_a_lunar_day_lies_in_the_future(
    lunar: tuple[int, int, int, bool], today: date, is_after: bool
) -> None:
    year, month, day, is_leap = lunar
    assert lunar_day_is_after(year, month, day, today, is_leap_month=is_leap) is is_after


@pytest.mark.parametrize(
    ("month", "day", "on_or_after", "expected"),
    [
        pytest.param(5, 23, date(2026, 5, 23), date(2026, 5, 23), id="today"),
        pytest.param(5, 23, date(2026, 5, 24), date(2027, 5, 23), id="yesterday"),
        pytest.param(1, 1, date(2026, 12, 31), date(2027, 1, 1), id="over the year's end"),
        pytest.param(2, 29, date(2028, 2, 1), date(2028, 2, 29), id="29 February, leap year"),
        pytest.param(2, 29, date(2027, 2, 1), date(2027, 2, 28), id="29 February, common year"),
        pytest.param(2, 29, date(2027, 3, 1), date(2028, 2, 29), id="then a leap year"),
        pytest.param(2, 28, date(2028, 2, 29), date(2029, 2, 28), id="28 February is not moved"),
    ],
)
def test_when_a_solar_birthday_comes_next(
    month: int, day: int, on_or_after: date, expected: date
) -> None:
    found = next_birthday(month, day, is_lunar=False, is_leap_month=False, on_or_after=on_or_after)
    assert found == expected


def test_when_a_lunar_birthday_comes_next() -> None:
    found = next_birthday(8, 15, is_lunar=True, is_leap_month=False, on_or_after=date(2026, 9, 26))
    assert found == date(2027, 9, 15)
