"""Values of fields that a chain adds to its cards, checked against what defines them.

A value has one form, so that equal ones are equal in the database: numbers are JSON numbers (whole
ones without a point), days are ISO 8601 text, several choices stand once each in the order of the
definition. :func:`json_schema` says the same in JSON Schema 2020-12, for front ends that build
forms. It has no word for the bounds of days; those stand there as ``formatMinimum`` and
``formatMaximum``, which form builders know and plain validators skip.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from app.vocabulary import FieldType

MAXIMUM_TEXT: Final = 2000
DEFAULT_MAXIMUM_TEXT: Final = 500
MAXIMUM_NUMBER: Final = 999_999_999_999_999
"""Whole numbers up to here are exact wherever JSON is read."""
FIRST_YEAR, LAST_YEAR = 1800, 9990
WITH_CHOICES: Final = frozenset({FieldType.CHOICE, FieldType.MULTI_CHOICE})

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,6})?", re.ASCII)
_LENGTH: Final = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
# Control characters but for line feed and tab, as in every other text of a card.
_UNFIT: Final = re.compile("[\u0000-\u0008\u000b-\u001f\u007f-\u009f\ud800-\udfff]")
_FIT_IN_ECMA: Final = r"^[^\u0000-\u0008\u000b-\u001f\u007f-\u009f]*$"
_YEARS_IN_ECMA: Final = r"^(1[89][0-9]{2}|[2-8][0-9]{3}|9[0-8][0-9]{2}|99[0-8][0-9]|9990)-"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the values that a field can have, with its labels."""

    code: str
    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Definition:
    """What a field is: bounds are text, of the value for numbers and days, of the length for text.

    ``choices`` are empty but for choice and multi_choice.
    """

    code: str
    type: FieldType
    label_en: str
    label_zh: str
    section: str = "basics"
    choices: tuple[Choice, ...] = ()
    is_required: bool = False
    minimum: str | None = None
    maximum: str | None = None
    help_en: str | None = None
    help_zh: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something is not acceptable, at a place, in both languages; never repeats a value."""

    place: tuple[str, ...]
    code: str
    detail: str
    detail_zh: str


class NotAllowedError(ValueError):
    """A value that the definition does not allow."""

    def __init__(self, code: str, detail: str, detail_zh: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.detail_zh = detail_zh


@dataclass(frozen=True, slots=True)
class Checked:
    """All values of a card as they would stand, and what is wrong with those that were given."""

    values: Mapping[str, Any]
    refusals: tuple[Refusal, ...]


def check_values(
    definitions: Sequence[Definition],
    given: Mapping[str, Any],
    *,
    stands: Mapping[str, Any] | None = None,
    has_to_be_whole: bool = True,
) -> Checked:
    """Check values against the definitions in use.

    Without ``stands`` it is a new card: every required field has to be there if
    ``has_to_be_whole``, and null is no value. With it, what is given is laid over what stands: null
    takes a value away, except a required one; what is not given stays, whatever it is. Values of
    fields out of use can be taken away and not given.
    """
    known = {definition.code: definition for definition in definitions}
    before = stands or {}
    values, refusals = dict(before), []
    for code, value in given.items():
        definition = known.get(code)
        if stands is not None and value is None and (definition or code in before):
            if definition and definition.is_required:
                refusals.append(_required(code))
            values.pop(code, None)
            continue
        if definition is None:
            refusals.append(
                Refusal((code,), "unknown", "There is no such field.", "没有此自定义字段。")
            )
            continue
        try:
            values[code] = canonical(definition, value)
        except NotAllowedError as error:
            refusals.append(Refusal((code,), error.code, error.detail, error.detail_zh))
    if stands is None and has_to_be_whole:
        refusals.extend(
            _required(definition.code)
            for definition in definitions
            if definition.is_required and definition.code not in given
        )
    return Checked(values, tuple(refusals))


def _required(code: str) -> Refusal:
    return Refusal((code,), "missing", "Required.", "必填。")


def canonical(definition: Definition, value: Any) -> Any:
    """Return the one form of a value that the definition allows.

    Raises:
        NotAllowedError: it does not allow it.
    """
    match definition.type:
        case FieldType.TEXT:
            return _text(definition, value)
        case FieldType.NUMBER:
            return _number(definition, value)
        case FieldType.DATE:
            return _day(definition, value)
        case FieldType.YES_NO:
            if not isinstance(value, bool):
                raise NotAllowedError("bool-type", "Must be true or false.", "须为 true 或 false。")
            return value
        case FieldType.CHOICE:
            if value not in _codes(definition) or not isinstance(value, str):
                raise _no_choice()
            return value
        case FieldType.MULTI_CHOICE:
            return _choices(definition, value)


def from_text(definition: Definition, written: str) -> Any:
    """Return the value that a filter's text means; of several choices it names one.

    Bounds do not count: cards may have values from before they were drawn.

    Raises:
        NotAllowedError: no value of this field is written so.
    """
    value: Any = written
    if definition.type is FieldType.NUMBER:
        if not _NUMBER.fullmatch(written):
            raise _no_number()
        value = _as_number(written)
    elif definition.type is FieldType.YES_NO:
        value = {"true": True, "false": False}.get(written)
    elif definition.type is FieldType.MULTI_CHOICE:
        value = [written]
    longest = str(MAXIMUM_TEXT) if definition.type is FieldType.TEXT else None
    return canonical(replace(definition, minimum=None, maximum=longest), value)


def _text(definition: Definition, value: Any) -> str:
    if not isinstance(value, str):
        raise NotAllowedError("string-type", "Must be text.", "须为文本。")
    shortest, longest = _lengths(definition)
    if not shortest <= len(value) <= longest:
        raise NotAllowedError(
            "length", f"{shortest} to {longest} characters.", f"须为 {shortest}–{longest} 个字符。"
        )
    if _UNFIT.search(value):
        raise NotAllowedError("text", "Control characters are not text.", "不可含控制字符。")
    return value


def _lengths(definition: Definition) -> tuple[int, int]:
    shortest = int(definition.minimum or 1)
    return shortest, int(definition.maximum or max(DEFAULT_MAXIMUM_TEXT, shortest))


def _number(definition: Definition, value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _no_number()
    least, most = _limits(definition)
    # Written so that NaN, which is in no order, is refused.
    if not least <= value <= most:
        raise NotAllowedError("range", f"{least} to {most}.", f"须在 {least} 至 {most} 之间。")
    return int(value) if value == int(value) else value


def _limits(definition: Definition) -> tuple[int | float, int | float]:
    least = -MAXIMUM_NUMBER if definition.minimum is None else _as_number(definition.minimum)
    most = MAXIMUM_NUMBER if definition.maximum is None else _as_number(definition.maximum)
    return least, most


def _as_number(written: str) -> int | float:
    value = float(written)
    return int(value) if value == int(value) else value


def _day(definition: Definition, value: Any) -> str:
    day = _parsed_day(value)
    if day is None:
        raise NotAllowedError(
            "day",
            f"Must be a day: YYYY-MM-DD, of the years {FIRST_YEAR} to {LAST_YEAR}.",
            f"须为日期：YYYY-MM-DD，{FIRST_YEAR}–{LAST_YEAR} 年。",
        )
    first, last = definition.minimum or "", definition.maximum or "9999"
    if not first <= day.isoformat() <= last:
        raise NotAllowedError(
            "range",
            f"{first or '…'} to {definition.maximum or '…'}.",
            f"须在 {first or '…'} 至 {definition.maximum or '…'} 之间。",
        )
    return day.isoformat()


def _parsed_day(value: Any) -> date | None:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        return None
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return None
    return day if FIRST_YEAR <= day.year <= LAST_YEAR else None


def _codes(definition: Definition) -> list[str]:
    return [choice.code for choice in definition.choices]


def _choices(definition: Definition, value: Any) -> list[str]:
    if not isinstance(value, list) or not value:
        raise NotAllowedError(
            "list-type", "Must be a list of at least one code.", "须为至少含一个编码的列表。"
        )
    codes = _codes(definition)
    if any(not isinstance(code, str) or code not in codes for code in value):
        raise _no_choice()
    if len(set(value)) < len(value):
        raise NotAllowedError("duplicate", "Each code once.", "每个编码只能出现一次。")
    return sorted(value, key=codes.index)


def _no_choice() -> NotAllowedError:
    return NotAllowedError("enum", "Must be one of the field's choices.", "须为该字段的选项之一。")


def _no_number() -> NotAllowedError:
    return NotAllowedError("float-type", "Must be a number.", "须为数字。")


# --- Definitions ------------------------------------------------------------------------------


def check_definition(
    field_type: FieldType,
    choices: Sequence[Choice] | None,
    minimum: str | None,
    maximum: str | None,
) -> tuple[Refusal, ...]:
    """Return what contradicts itself in a definition."""
    refusals = list(_check_choices(field_type, choices))
    bounds = {"minimum": minimum, "maximum": maximum}
    for name, bound in bounds.items():
        if bound is not None and not _is_bound(field_type, bound):
            refusals.append(Refusal((name,), "bound", *_BOUNDS[field_type]))
    if refusals or minimum is None or maximum is None:
        return tuple(refusals)
    is_number = field_type is not FieldType.DATE
    if (float(minimum) > float(maximum)) if is_number else (minimum > maximum):
        refusals.append(
            Refusal(
                ("maximum",), "range", "The maximum is below the minimum.", "最大值小于最小值。"
            )
        )
    return tuple(refusals)


_NO_BOUNDS: Final = (
    "Only texts, numbers and dates have bounds.", "只有文本、数字与日期字段可设界限。",
)  # fmt: skip
_BOUNDS: Final[Mapping[FieldType, tuple[str, str]]] = {
    FieldType.TEXT: (
        f"A length: a whole number from 1 to {MAXIMUM_TEXT}.",
        f"须为长度：1–{MAXIMUM_TEXT} 的整数。",
    ),
    FieldType.NUMBER: (
        "A number of at most 15 digits and 6 decimals.",
        "须为数字：整数最多 15 位，小数最多 6 位。",
    ),
    FieldType.DATE: ("A day: YYYY-MM-DD.", "须为日期：YYYY-MM-DD。"),
    FieldType.CHOICE: _NO_BOUNDS,
    FieldType.MULTI_CHOICE: _NO_BOUNDS,
    FieldType.YES_NO: _NO_BOUNDS,
}  # fmt: skip


def _is_bound(field_type: FieldType, bound: str) -> bool:
    match field_type:
        case FieldType.TEXT:
            return _LENGTH.fullmatch(bound) is not None and int(bound) <= MAXIMUM_TEXT
        case FieldType.NUMBER:
            return _NUMBER.fullmatch(bound) is not None and abs(float(bound)) <= MAXIMUM_NUMBER
        case FieldType.DATE:
            return _parsed_day(bound) is not None
        case _:
            return False


def _check_choices(field_type: FieldType, choices: Sequence[Choice] | None) -> list[Refusal]:
    if field_type not in WITH_CHOICES:
        if choices is None:
            return []
        return [
            Refusal(
                ("choices",), "not-for-this-type", "Only choice and multi_choice have choices.",
                "只有单选与多选字段有选项。",
            )
        ]  # fmt: skip
    if not choices:
        return [Refusal(("choices",), "missing", "At least one choice.", "至少一个选项。")]
    seen: set[str] = set()
    repeated = []
    for index, choice in enumerate(choices):
        if choice.code in seen:
            repeated.append(
                Refusal(
                    ("choices", str(index), "code"), "duplicate", "Each code once.",
                    "每个编码只能出现一次。",
                )
            )  # fmt: skip
        seen.add(choice.code)
    return repeated


def removed_choices(before: Collection[Choice], after: Collection[Choice]) -> list[str]:
    """Return the codes that are no longer among the choices, in their old order."""
    kept = {choice.code for choice in after}
    return [choice.code for choice in before if choice.code not in kept]


# --- JSON Schema ------------------------------------------------------------------------------


def json_schema(definitions: Sequence[Definition], *, chinese: bool) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a new card's ``custom``; titles in one language.

    Both languages stand under ``x-labels``, the part of the form under ``x-section``, the place in
    it under ``x-order``.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            definition.code: {
                **_labels(definition.label_en, definition.label_zh, chinese=chinese),
                **_help(definition, chinese=chinese),
                "x-section": definition.section,
                "x-order": order,
                **_value_schema(definition, chinese=chinese),
            }
            for order, definition in enumerate(definitions)
        },
        "required": [definition.code for definition in definitions if definition.is_required],
        "additionalProperties": False,
    }


def _labels(en: str, zh: str, *, chinese: bool) -> dict[str, Any]:
    return {"title": zh if chinese else en, "x-labels": {"en": en, "zh": zh}}


def _help(definition: Definition, *, chinese: bool) -> dict[str, Any]:
    first, second = definition.help_en, definition.help_zh
    shown = (second or first) if chinese else (first or second)
    return {"description": shown} if shown else {}


def _value_schema(definition: Definition, *, chinese: bool) -> dict[str, Any]:
    match definition.type:
        case FieldType.TEXT:
            shortest, longest = _lengths(definition)
            return {
                "type": "string", "minLength": shortest, "maxLength": longest,
                "pattern": _FIT_IN_ECMA,
            }  # fmt: skip
        case FieldType.NUMBER:
            least, most = _limits(definition)
            return {"type": "number", "minimum": least, "maximum": most}
        case FieldType.DATE:
            bounds = {"formatMinimum": definition.minimum, "formatMaximum": definition.maximum}
            return {
                "type": "string", "format": "date", "pattern": _YEARS_IN_ECMA,
                **{name: bound for name, bound in bounds.items() if bound is not None},
            }  # fmt: skip
        case FieldType.YES_NO:
            return {"type": "boolean"}
        case FieldType.CHOICE:
            return {"type": "string", "oneOf": _constants(definition, chinese=chinese)}
        case FieldType.MULTI_CHOICE:
            return {
                "type": "array", "minItems": 1, "uniqueItems": True,
                "items": {"type": "string", "oneOf": _constants(definition, chinese=chinese)},
            }  # fmt: skip


def _constants(definition: Definition, *, chinese: bool) -> list[dict[str, Any]]:
    return [
        {"const": choice.code, **_labels(choice.en, choice.zh, chinese=chinese)}
        for choice in definition.choices
    ]
