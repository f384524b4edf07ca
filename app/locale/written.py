"""Days, times, amounts and quantities as people and programs write them into tables."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Final

from app.locale.birthdays import lunar_day_exists, solar_day_exists
from app.locale.names import fold_width

_EXCEL_DAY_ZERO: Final = date(1899, 12, 30)
_EARLIEST_SERIAL, _LATEST_SERIAL = 10_000, 90_000
_YEAR_FIRST = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*[日号]?")
_DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
_YEAR_LAST = re.compile(r"(\d{1,2})[-/](\d{1,2})[-/](\d{4})")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?)?")
_SERIAL = re.compile(r"(\d{5})(?:\.(\d+))?")
_TIME = re.compile(
    r"(上午|下午|晚上|AM|PM)?\s*(\d{1,2})[:：时](\d{1,2})(?:[:：分](\d{1,2})(?:\.\d+)?)?[秒分]?"
    r"\s*(AM|PM)?",
    re.IGNORECASE,
)
_OFFSET = re.compile(r"(.*\d)\s*(Z|[+-]\d{2}:?\d{2})$")
_AFTER_NOON = {"下午", "晚上", "pm"}
_CURRENCY = re.compile(r"(?i)CNY|RMB|人民币|[¥￥$€元圆\s']")
_THOUSANDS = re.compile(r"-?\d{1,3}(,\d{3})+(\.\d*)?")
_SCIENTIFIC = re.compile(r"\d(?:\.\d+)?E\+?\d+", re.IGNORECASE)
_DURATION = re.compile(
    r"(?:(\d{1,4}(?:\.\d+)?)\s*(?:个?小时|时|hours?|hrs?|h))?\s*"
    r"(?:(\d{1,4}(?:\.\d+)?)\s*(?:分钟?|minutes?|mins?|m))?\s*"
    r"(?:(\d{1,6}(?:\.\d+)?)\s*(?:秒钟?|seconds?|secs?|s))?",
    re.IGNORECASE,
)
# What binary numbers leave behind an amount that had two decimals.
_NOISE = Decimal("0.00001")
_DECIMALS_LOOKED_AT = 20
_CENT, _MILLI = Decimal("0.01"), Decimal("0.001")
_LUNAR_MONTHS = {
    name: number
    for number, names in enumerate(
        ("正 一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一 冬", "十二 腊"), 1
    )
    for name in names.split()
}
_LUNAR = re.compile(
    r"(?:农历|阴历|旧历)?\s*(?:(\d{4})年)?\s*(闰)?(十[一二]|[正一二三四五六七八九十冬腊]|\d{1,2})月"
    r"(初?[一二三四五六七八九十廿卅]{1,3}|\d{1,2})日?"
)
_CALENDAR_WORD = re.compile(r"^(?:农历|阴历|旧历)|[(（](?:农历|阴历|农|阴)[)）]$")
_LUNAR_WORD = re.compile("[初廿卅正腊冬闰]")
_CHINESE_NUMERALS = re.compile(r"[一二三四五六七八九十]+月[一二三四五六七八九十]+")
_MONTH_AND_DAY = re.compile(r"(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?")
_DIGITS = {c: n for n, c in enumerate("〇一二三四五六七八九")}


@dataclass(frozen=True, slots=True)
class WrittenInstant:
    """A day with the seconds since its midnight, and the offset, where they were written."""

    day: date
    seconds: int | None
    offset: str | None = None


class AmbiguousDayError(ValueError):
    """Day and month could each be the other."""


def read_instant(text: str) -> WrittenInstant | None:
    """Return the day and time that were written, None where it is none.

    Raises:
        AmbiguousDayError: such as 03/04/2026, which is March in one country and April in another.
    """
    text = fold_width(text).strip()
    offset = None
    if len(text) > 12 and (found := _OFFSET.fullmatch(text)):
        text, offset = found.group(1), found.group(2)
    day_text, seconds = text, None
    if found := _TIME.search(text):
        if (seconds := _seconds(found)) is None:
            return None
        day_text = (text[: found.start()] + text[found.end() :]).strip(" T,")
    elif (found := _COMPACT.fullmatch(text)) and found.group(4):
        hour, minute, second = (int(part or 0) for part in found.group(4, 5, 6))
        if hour > 23 or minute > 59 or second > 59:
            return None
        day_text, seconds = text[:8], hour * 3600 + minute * 60 + second
    elif found := _SERIAL.fullmatch(text):
        return _of_serial(int(found.group(1)), found.group(2))
    day = read_day(day_text)
    return None if day is None else WrittenInstant(day, seconds, offset)


def read_seconds(text: str) -> int | None:
    """Return the seconds since midnight that a time of day means."""
    found = _TIME.fullmatch(fold_width(text).strip())
    return _seconds(found) if found else None


def read_day(text: str) -> date | None:
    """Return the day that was written, None where it is none.

    Raises:
        AmbiguousDayError: day and month could each be the other.
    """
    text = fold_width(text).strip()
    try:
        if found := _YEAR_FIRST.fullmatch(text):
            return date(*(int(part) for part in found.groups()))
        if found := _COMPACT.fullmatch(text):
            return date(*(int(part) for part in found.group(1, 2, 3)))
        if found := _DAY_FIRST.fullmatch(text):
            day, month, year = (int(part) for part in found.groups())
            return date(year, month, day)
        if found := _YEAR_LAST.fullmatch(text):
            first, second, year = (int(part) for part in found.groups())
            if first <= 12 and second <= 12 and first != second:
                raise AmbiguousDayError
            return date(year, second, first) if first > 12 else date(year, first, second)
        if found := _SERIAL.fullmatch(text):
            instant = _of_serial(int(found.group(1)), found.group(2))
            return instant.day if instant else None
    except AmbiguousDayError:
        raise
    except ValueError:
        return None
    return None


def _of_serial(days: int, fraction: str | None) -> WrittenInstant | None:
    if not _EARLIEST_SERIAL <= days <= _LATEST_SERIAL:
        return None
    day = _EXCEL_DAY_ZERO + timedelta(days=days)
    if not fraction:
        return WrittenInstant(day, None)
    # The last half second of a day is the next one's beginning.
    more, seconds = divmod(round(Decimal(f"0.{fraction}") * 86_400), 86_400)
    return WrittenInstant(day + timedelta(days=more), seconds)


def _seconds(found: re.Match[str]) -> int | None:
    half = (found.group(1) or found.group(5) or "").lower()
    hour, minute, second = (int(part or 0) for part in found.group(2, 3, 4))
    if half in _AFTER_NOON and hour < 12:
        hour += 12
    elif half in {"am", "上午"} and hour == 12:
        hour = 0
    if hour > 23 or minute > 59 or second > 59:
        return None
    return hour * 3600 + minute * 60 + second


def read_number(text: str) -> Decimal | None:
    """Return an amount or quantity: currency, thousands, full width, brackets for below zero."""
    text = _CURRENCY.sub("", fold_width(text))
    is_negative = False
    if text.startswith("(") and text.endswith(")"):
        text, is_negative = text[1:-1], True
    if text.endswith("-"):
        text, is_negative = text[:-1], True
    text = text.replace("−", "-").replace("–", "-").removeprefix("+")
    if "," in text:
        if _THOUSANDS.fullmatch(text):
            text = text.replace(",", "")
        elif text.count(",") == 1 and len(text) - text.index(",") <= 3:
            text = text.replace(".", "").replace(",", ".")
        else:
            return None
    if not text.isascii() or "_" in text:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    # Not compared: the power of ten may be larger than decimals can be counted with.
    if not number.is_finite() or (number and number.adjusted() >= 12):
        return None
    if number.adjusted() < -_DECIMALS_LOOKED_AT:
        return Decimal(0)
    return -number if is_negative else number


def read_cents(text: str) -> int | None:
    """Return an amount in hundredths; more than two decimals are refused, but for their noise."""
    return _scaled(read_number(text), _CENT)


def read_thousandths(text: str) -> int | None:
    """Return a quantity in thousandths."""
    return _scaled(read_number(text), _MILLI)


def read_minutes(text: str) -> Decimal | None:
    """Return minutes: a number alone, or hours, minutes and seconds with their units."""
    text = fold_width(text).strip()
    if (number := read_number(text)) is not None:
        return number
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        return None
    hours, minutes, seconds = (Decimal(part or 0) for part in found.groups())
    return hours * 60 + minutes + seconds / 60


def _scaled(number: Decimal | None, unit: Decimal) -> int | None:
    if number is None:
        return None
    rounded = number.quantize(unit, ROUND_HALF_UP)
    return None if abs(rounded - number) > _NOISE else int(rounded / unit)


def is_scientific(text: str) -> bool:
    """Tell whether a spreadsheet has turned a long number into powers of ten: digits are lost."""
    return bool(_SCIENTIFIC.fullmatch(fold_width(text).strip()))


def read_birthday(text: str) -> tuple[bool, int | None, int, int, bool] | None:
    """Return (is lunar, year, month, day, is leap month) of a written birthday.

    Raises:
        AmbiguousDayError: day and month could each be the other.
    """
    text = fold_width(text).strip()
    # 八月十五 is the Mid-Autumn Festival; 十一月十一日 may well be a day of the solar calendar.
    is_lunar = bool(_CALENDAR_WORD.search(text) or _LUNAR_WORD.search(text))
    is_lunar |= bool(_CHINESE_NUMERALS.fullmatch(text))
    if is_lunar:
        return _lunar(_CALENDAR_WORD.sub("", text).strip())
    found = read_instant(text)
    if found is not None:
        return False, found.day.year, found.day.month, found.day.day, False
    if alone := _MONTH_AND_DAY.fullmatch(text):
        month, day = int(alone.group(1)), int(alone.group(2))
        if 1 <= month <= 12 and solar_day_exists(None, month, day):
            return False, None, month, day, False
    return None


def _lunar(text: str) -> tuple[bool, int | None, int, int, bool] | None:
    found = _LUNAR.fullmatch(text)
    if found is None:
        if written := _YEAR_FIRST.fullmatch(text):
            year, month, day = (int(part) for part in written.groups())
        elif alone := _MONTH_AND_DAY.fullmatch(text):
            year, month, day = 0, int(alone.group(1)), int(alone.group(2))
        else:
            return None
        is_leap = False
    else:
        year = int(found.group(1) or 0)
        is_leap = bool(found.group(2))
        month_text, day_text = found.group(3), found.group(4)
        month = int(month_text) if month_text.isdigit() else _LUNAR_MONTHS[month_text]
        day = int(day_text) if day_text.isdigit() else _lunar_day(day_text)
    if not 1 <= month <= 12 or not lunar_day_exists(
        year or None, month, day, is_leap_month=is_leap
    ):
        return None
    return True, year or None, month, day, is_leap


def _lunar_day(text: str) -> int:
    text = text.removeprefix("初").replace("廿", "二十").replace("卅", "三十")
    if "十" not in text:
        return _DIGITS.get(text, 0)
    tens, _, ones = text.partition("十")
    return (_DIGITS.get(tens, 0) if tens else 1) * 10 + (_DIGITS.get(ones, 0) if ones else 0)
