"""Days, amounts and birthdays as people and programs write them."""

from datetime import date
from decimal import Decimal

import pytest

from app.locale.written import (
    AmbiguousDayError,
    is_scientific,
    read_birthday,
    read_cents,
    read_instant,
    read_minutes,
    read_thousandths,
)

DAY = date(2026, 11, 28)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-28", None),
        ("2026/11/28", None),
        ("２０２６－１１－２８", None),
        ("28.11.2026", None),
        ("20261128", None),
        ("2026年11月28日", None),
        ("28/11/2026", None),
        ("11/28/2026 6:30 PM", 66_600),
        ("46354", None),
        ("46354.75", 64_800),
        ("2026-11-28 18:30:05", 66_605),
        ("2026-11-28T18:30:05+08:00", 66_605),
        ("2026-11-28 下午6:30", 66_600),
        ("2026-11-28 12:10 AM", 600),
        ("20261128183005", 66_605),
        ("2026年11月28日 18时30分", 66_600),
    ],
)
def test_a_day_is_read_however_it_is_written(text: str, seconds: int | None) -> None:
    instant = read_instant(text)
    assert instant is not None
    assert (instant.day, instant.seconds) == (DAY, seconds)


@pytest.mark.parametrize("text", ["", "下周", "2026-02-30", "2026-11-28 25:00", "12", "20261340"])
def test_what_is_no_day_is_none(text: str) -> None:
    assert read_instant(text) is None


def test_a_day_that_could_be_another_is_refused() -> None:
    with pytest.raises(AmbiguousDayError):
        read_instant("03/04/2026")
    same = read_instant("04/04/2026")
    assert same is not None
    assert same.day == date(2026, 4, 4)


@pytest.mark.parametrize(
    ("text", "cents"),
    [
        ("58", 5800),
        ("¥1,234.50", 123_450),
        ("￥１２．５", 1250),
        ("(58.00)", -5800),
        ("（58.00）", -5800),
        ("58.00-", -5800),
        ("−58", -5800),
        ("1.234,56", 123_456),
        ("12,5", 1250),
        ("58.000000001", 5800),
        ("5 元", 500),
        ("0", 0),
        ("58.005", None),
        ("1,23,4", None),
        ("五十八", None),
        ("", None),
        ("nan", None),
        ("1e15", None),
        ("1_000", None),
    ],
)
def test_an_amount_is_read_to_the_cent_or_not_at_all(text: str, cents: int | None) -> None:
    assert read_cents(text) == cents


def test_quantities_have_three_decimals() -> None:
    assert (read_thousandths("0.125"), read_thousandths("2"), read_thousandths("0.1255")) == (
        125, 2000, None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "birthday"),
    [
        ("1990-08-15", (False, 1990, 8, 15, False)),
        ("8月15日", (False, None, 8, 15, False)),
        ("农历八月十五", (True, None, 8, 15, False)),
        ("八月十五", (True, None, 8, 15, False)),
        ("农历1990-08-15", (True, 1990, 8, 15, False)),
        ("1990年八月廿三", (True, 1990, 8, 23, False)),
        ("闰四月初三", (True, None, 4, 3, True)),
        ("腊月三十", (True, None, 12, 30, False)),
        ("正月初一", (True, None, 1, 1, False)),
        ("8-15(农历)", (True, None, 8, 15, False)),
        ("农历八月三十一", None),
        ("13月1日", None),
    ],
)
def test_a_birthday_is_read_in_its_own_calendar(
    text: str, birthday: tuple[bool, int | None, int, int, bool] | None
) -> None:
    assert read_birthday(text) == birthday


def test_a_number_that_a_spreadsheet_has_spoilt_is_noticed() -> None:
    assert is_scientific("1.38E+10")
    assert is_scientific("1.38e10")
    assert not is_scientific("13800138000")


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("3", "3"), ("2.5", "2.5"), ("3分钟", "3"), ("３ 分", "3"), ("3 min", "3"), ("90秒", "1.5"),
        ("1小时20分", "80"), ("2分30秒", "2.5"), ("1h 5m", "65"), ("很久", None), ("", None),
        ("分钟", None), ("3斤", None),
    ],
)  # fmt: skip
def test_a_duration_is_read_with_its_units(text: str, minutes: str | None) -> None:
    assert read_minutes(text) == (None if minutes is None else Decimal(minutes))
