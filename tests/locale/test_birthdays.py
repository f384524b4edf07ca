"""Which birthdays can be."""

from datetime import date

import pytest

from app.locale.birthdays import earliest_solar_day, lunar_day_exists, solar_day_exists


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


def test_a_lunar_month_has_thirty_days_at_most() -> None:
    assert [day for day in range(33) if lunar_day_exists(day)] == list(range(1, 31))


@pytest.mark.parametrize(
    ("lunar", "really"),
    [
        pytest.param((2023, 1, 1, False), date(2023, 1, 22), id="New Year's day of 2023"),
        pytest.param((2023, 2, 1, True), date(2023, 3, 22), id="leap second month of 2023"),
        pytest.param((2024, 8, 15, False), date(2024, 9, 17), id="Mid-Autumn of 2024"),
        pytest.param((2025, 6, 1, True), date(2025, 7, 25), id="leap sixth month of 2025"),
        pytest.param((2025, 12, 29, False), date(2026, 2, 16), id="New Year's eve of 2025"),
    ],
)
def test_the_earliest_day_is_never_after_the_real_one_and_less_than_two_months_before(
    lunar: tuple[int, int, int, bool], really: date
) -> None:
    year, month, day, is_leap_month = lunar
    earliest = earliest_solar_day(year, month, day, is_leap_month=is_leap_month)
    assert 0 <= (really - earliest).days < 60
