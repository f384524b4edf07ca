"""What is wrong with a part of a draft: its place, a stable code, a sentence in both languages.

The sentences never repeat what was sent, but for numbers that were read as such.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeGuard, TypeVar

from app.vocabulary import Code

Word = TypeVar("Word", bound=Code)
_DECIMAL: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,4})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about one part of a draft; ``pointer`` is a JSON pointer into its body."""

    pointer: str
    code: str
    detail: str
    detail_zh: str


def at(*parts: str | int) -> str:
    """Return a JSON pointer (RFC 6901) of these parts."""
    return "".join("/" + str(part)[:100].replace("~", "~0").replace("/", "~1") for part in parts)


def one_of(words: type[Word], value: Any) -> Word | None:
    """Return the vocabulary's member that a value is the code of, None if it is none."""
    try:
        return words(value) if isinstance(value, str) else None
    except ValueError:
        return None


def is_integer(value: Any) -> TypeGuard[int]:
    """Tell whether a value is a whole number; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_decimal(value: Any) -> TypeGuard[str]:
    """Tell whether a value is a decimal as drafts have them: text, not negative."""
    return isinstance(value, str) and _DECIMAL.fullmatch(value) is not None


def days(value: Any, pointer: str, least: int, most: int) -> Iterator[Finding]:
    """Find what is wrong with a number of days, which has to be there."""
    if value is None:
        yield missing(pointer)
    elif not is_integer(value):
        yield Finding(pointer, "int-type", "Must be a whole number.", "须为整数。")
    elif not least <= value <= most:
        yield Finding(
            pointer, "range", f"{least} to {most} days.", f"须在 {least} 至 {most} 天之间。"
        )


def missing(pointer: str) -> Finding:
    """Return that a value has to be there."""
    return Finding(pointer, "missing", "Required.", "必填。")


def extra(pointer: str) -> Finding:
    """Return that a name means nothing here."""
    return Finding(pointer, "extra-forbidden", "There is no such field.", "没有此字段。")


def no_object(pointer: str) -> Finding:
    """Return that an object was wanted."""
    return Finding(pointer, "model-type", "Must be an object.", "须为对象。")


def decimal_wanted(pointer: str, value: Any) -> Finding:
    """Return that a decimal was wanted."""
    if value is None:
        return missing(pointer)
    return Finding(
        pointer,
        "amount",
        'Must be a decimal such as "58.00", not negative.',
        "须为非负的十进制数，如 58.00。",
    )


def choice(pointer: str, words: type[Code], value: Any) -> Finding:
    """Return that one of a vocabulary's codes was wanted."""
    if value is None:
        return missing(pointer)
    return Finding(
        pointer,
        "enum",
        f"Must be one of {', '.join(words)}.",
        f"须为以下之一：{'、'.join(words)}。",
    )
