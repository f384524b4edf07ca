"""What pydantic found wrong, in our words and both languages, without what was sent.

Pydantic's own messages are English and some of them repeat the value (a tag, a character of an
id); so each finding is told by its type and the limits of the field alone.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from app.core.errors import FieldError

MAXIMUM_FINDINGS = 100
"""A body can be wrong in more places than anybody reads."""

_MAXIMUM_NAME = 100
_CHOICE = re.compile("'([^']+)'")

# Placeholders are limits of the field, never values that were sent.
_WORDS: Mapping[str, tuple[str, str]] = {
    "missing": ("Required.", "必填。"),
    "extra_forbidden": ("There is no such field, or it can't be set.", "没有此字段，或不可设置。"),
    "model_attributes_type": ("Must be an object.", "须为对象。"),
    "model_type": ("Must be an object.", "须为对象。"),
    "dict_type": ("Must be an object.", "须为对象。"),
    "list_type": ("Must be a list.", "须为列表。"),
    "tuple_type": ("Must be a list.", "须为列表。"),
    "string_type": ("Must be text.", "须为文本。"),
    "string_too_short": ("At least {min_length} characters.", "至少 {min_length} 个字符。"),
    "string_too_long": ("At most {max_length} characters.", "最多 {max_length} 个字符。"),
    "string_pattern_mismatch": ("Must match {pattern}", "须符合 {pattern}"),
    "string_unicode": ("Must be valid Unicode.", "须为有效的 Unicode。"),
    "too_short": ("At least {min_length} items.", "至少 {min_length} 项。"),
    "too_long": ("At most {max_length} items.", "最多 {max_length} 项。"),
    "bool_type": ("Must be true or false.", "须为 true 或 false。"),
    "bool_parsing": ("Must be true or false.", "须为 true 或 false。"),
    "int_type": ("Must be a whole number.", "须为整数。"),
    "int_parsing": ("Must be a whole number.", "须为整数。"),
    "int_parsing_size": ("The number is too large.", "数值过大。"),
    "int_from_float": ("Must be a whole number.", "须为整数。"),
    "float_type": ("Must be a number.", "须为数字。"),
    "float_parsing": ("Must be a number.", "须为数字。"),
    "finite_number": ("NaN and Infinity are not numbers.", "NaN 与 Infinity 不是数字。"),
    "amount": ('Must be a decimal such as "58.00".', "须为十进制数，如 58.00。"),
    "decimal_type": ("Must be a decimal number.", "须为十进制数。"),
    "decimal_parsing": ("Must be a decimal number.", "须为十进制数。"),
    "decimal_max_digits": ("At most {max_digits} digits.", "最多 {max_digits} 位数字。"),
    "decimal_max_places": ("At most {decimal_places} decimals.", "最多 {decimal_places} 位小数。"),
    "decimal_whole_digits": (
        "At most {whole_digits} digits before the point.", "整数部分最多 {whole_digits} 位。",
    ),
    "greater_than": ("Must be more than {gt}.", "须大于 {gt}。"),
    "greater_than_equal": ("Must be {ge} or more.", "须不小于 {ge}。"),
    "less_than": ("Must be less than {lt}.", "须小于 {lt}。"),
    "less_than_equal": ("Must be {le} or less.", "须不大于 {le}。"),
    "multiple_of": ("Must be a multiple of {multiple_of}.", "须为 {multiple_of} 的倍数。"),
    "enum": ("Must be one of {expected}.", "须为 {expected} 之一。"),
    "literal_error": ("Must be one of {expected}.", "须为 {expected} 之一。"),
    "union_tag_invalid": ("Must be one of {expected_tags}.", "须为 {expected_tags} 之一。"),
    "union_tag_not_found": ("{discriminator} is required.", "缺少 {discriminator}。"),
    "uuid_type": ("Must be a UUID.", "须为 UUID。"),
    "uuid_parsing": ("Must be a UUID.", "须为 UUID。"),
    "uuid_version": ("Must be a UUID.", "须为 UUID。"),
    "date_type": ("Must be a day: YYYY-MM-DD.", "须为日期：YYYY-MM-DD。"),
    "date_parsing": ("Must be a day: YYYY-MM-DD.", "须为日期：YYYY-MM-DD。"),
    "date_from_datetime_parsing": ("Must be a day: YYYY-MM-DD.", "须为日期：YYYY-MM-DD。"),
    "date_from_datetime_inexact": ("Must be a day: YYYY-MM-DD.", "须为日期：YYYY-MM-DD。"),
    "day": ("Must be a day: YYYY-MM-DD.", "须为日期：YYYY-MM-DD。"),
    "time_type": ("Must be a time: HH:MM.", "须为时间：HH:MM。"),
    "time_parsing": ("Must be a time: HH:MM.", "须为时间：HH:MM。"),
    "datetime_type": ("Must be an instant (ISO 8601).", "须为 ISO 8601 时刻。"),
    "datetime_parsing": ("Must be an instant (ISO 8601).", "须为 ISO 8601 时刻。"),
    "datetime_from_date_parsing": ("Must be an instant (ISO 8601).", "须为 ISO 8601 时刻。"),
    "datetime_object_invalid": ("There is no such instant.", "没有这样的时刻。"),
    "timezone_aware": (
        "Must say its offset from UTC, for example +08:00.", "须注明时区偏移，例如 +08:00。",
    ),
    "instant": ("Must be an instant (ISO 8601).", "须为 ISO 8601 时刻。"),
    "instant_range": ("Must be of the years 1900 to 9990.", "年份须在 1900 至 9990 之间。"),
    "day_range": ("Must be of the years 1800 to 9990.", "年份须在 1800 至 9990 之间。"),
    "reason": ("At least 2 letters or digits.", "须至少包含 2 个文字或数字。"),
    "name": ("1 to 100 visible characters.", "须有 1–100 个可见字符。"),
    "no_such_day": ("This month has no such day.", "该月没有这一天。"),
    "no_such_leap_month": (
        "The lunar year has no such leap month.", "该农历年没有这个闰月。",
    ),
    "leap_month": ("Only lunar years have leap months.", "只有农历年有闰月。"),
}  # fmt: skip
_OTHERWISE = ("Not acceptable.", "不可接受。")


def field_errors(found: Iterable[Mapping[str, Any]]) -> list[FieldError]:
    """Return the first hundred findings without what was sent."""
    return [_told(finding) for finding in islice(found, MAXIMUM_FINDINGS)]


def pointer_of(location: Iterable[Any]) -> str:
    """Return a finding's place as a JSON pointer; the body's own parts stand bare.

    Parts are cut at 100 characters: the names of unknown fields are the client's.
    """
    parts = [str(part) for part in location]
    if parts[:1] == ["body"]:
        parts = parts[1:]
    return "".join("/" + _escaped(part) for part in parts)


def _escaped(part: str) -> str:
    cut = part[:_MAXIMUM_NAME].encode("utf-8", "replace").decode()
    return cut.replace("~", "~0").replace("/", "~1")


def _choices_in_chinese(limits: Mapping[str, Any]) -> dict[str, str]:
    """Return what may be chosen as Chinese lists it; pydantic writes ``'a', 'b' or 'c'``."""
    return {
        name: "、".join(_CHOICE.findall(limits[name])) or limits[name]
        for name in ("expected", "expected_tags")
        if isinstance(limits.get(name), str)
    }


def _told(finding: Mapping[str, Any]) -> FieldError:
    kind, limits = str(finding["type"]), finding.get("ctx") or {}
    ours = limits.get("error")
    if kind == "value_error" and isinstance(ours, ValueError):
        # A validator of ours: its sentence names the rule.
        en = zh = str(ours)
    else:
        try:
            english, chinese = _WORDS.get(kind, _OTHERWISE)
            en = english.format_map(limits)
            zh = chinese.format_map({**limits, **_choices_in_chinese(limits)})
        except KeyError:
            # It came without its limits. Of the messages with limits only a tag's repeats a value.
            en = zh = str(finding["msg"]) if kind != "union_tag_invalid" else _OTHERWISE[0]
    return FieldError(
        pointer=pointer_of(finding["loc"]), code=kind.replace("_", "-"), detail=en, detail_zh=zh
    )
