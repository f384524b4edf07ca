"""Constrained types of fields that bodies share, and how amounts are written."""

import re
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

MAXIMUM_MONEY: Final = Decimal("999999999999.99")
"""What numeric(14,2) holds."""
_DIGITS: Final = re.compile(r"[0-9+\-.eE_ ]*")


def money_text(amount: Decimal) -> str:
    """Return an amount as it stands in JSON: two decimals, no exponent, no grouping."""
    return f"{amount:.2f}"


def _no_control_characters(value: str) -> str:
    if any(
        unicodedata.category(character) == "Cc" and character not in "\n\t" for character in value
    ):
        raise ValueError("control characters are not allowed")
    if any(0xD800 <= ord(character) <= 0xDFFF for character in value):
        raise ValueError("lone surrogates are not allowed")
    return value


_AMOUNT: Final = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,6})?", re.ASCII)


def _plain_amount(value: object) -> object:
    # Decimal() would also take other digits, spaces, underscores and a zero with any exponent.
    # A JSON number may have been through binary floating point, and is refused too.
    if isinstance(value, Decimal):
        value = str(value)
    if isinstance(value, str) and _AMOUNT.fullmatch(value):
        return value
    raise PydanticCustomError("amount", "Input should be a decimal string such as 58.00")


PlainAmount = BeforeValidator(_plain_amount)


def _decimal_text(pattern: str, description: str, example: str) -> WithJsonSchema:
    return WithJsonSchema(
        {"type": "string", "pattern": pattern, "description": description, "examples": [example]}
    )


Money = Annotated[
    Decimal,
    PlainAmount,
    Field(
        ge=-MAXIMUM_MONEY,
        le=MAXIMUM_MONEY,
        max_digits=14,
        decimal_places=2,
        allow_inf_nan=False,
        description="An amount in the chain's currency, as a decimal string with ≤ 2 decimals.",
        examples=["58.00"],
    ),
    PlainSerializer(money_text, return_type=str, when_used="json"),
    _decimal_text(
        r"^-?[0-9]{1,12}(\.[0-9]{1,2})?$",
        "An amount in the chain's currency, as a decimal string with ≤ 2 decimals.",
        "58.00",
    ),
]
Total = Annotated[
    Decimal,
    Field(
        max_digits=28,
        decimal_places=2,
        description="A sum in the chain's currency, as a decimal string with 2 decimals.",
        examples=["1026.00"],
    ),
    PlainSerializer(money_text, return_type=str, when_used="json"),
]
NonNegativeMoney = Annotated[
    Money,
    Field(ge=0),
    _decimal_text(
        r"^[0-9]{1,12}(\.[0-9]{1,2})?$",
        "An amount in the chain's currency, not negative, as a decimal string with ≤ 2 decimals.",
        "58.00",
    ),
]
Quantity = Annotated[
    Decimal,
    PlainAmount,
    Field(
        gt=0,
        le=Decimal(1_000_000),
        max_digits=10,
        decimal_places=3,
        allow_inf_nan=False,
        description="A positive quantity with ≤ 3 decimals.",
        examples=["1"],
    ),
    _decimal_text(
        r"^[0-9]{1,7}(\.[0-9]{1,3})?$",
        "A positive quantity up to 1,000,000, as a decimal string with ≤ 3 decimals.",
        "1",
    ),
]
CleanText = AfterValidator(_no_control_characters)


def _that_says_something(value: str) -> str:
    # Letters and digits of any script: signs, spaces and what is invisible say nothing.
    said = [
        one for one in value if unicodedata.category(one)[0] in "LN" and one not in _HANGUL_FILLERS
    ]
    if len(said) < _FEWEST_IN_REASON:
        raise PydanticCustomError("reason", "Input should have at least 2 letters or digits")
    return value


_FEWEST_IN_REASON: Final = 2
_HANGUL_FILLERS: Final = "\u115f\u1160\u3164\uffa0"
"""Letters that nobody sees."""
Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=2, max_length=500),
    CleanText,
    AfterValidator(_that_says_something),
]
"""Why somebody sees values in full."""
ShortText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), CleanText
]
LongText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000), CleanText
]
CodeText = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"),
    Field(description="A code: letters, digits, `_`, `.`, `-`.", examples=["S01"]),
]
EventId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_:-]{0,127}$"),
    Field(description="The sender's id of an event: letters, digits, `_ : -`."),
]
ReceiptNumber = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]{0,63}$"),
    Field(description="The receipt's number as printed.", examples=["20261121-0042"]),
]


def _no_number(value: object) -> object:
    # Pydantic would also take seconds since 1970 for an instant, as a number or in digits.
    if isinstance(value, datetime) or (isinstance(value, str) and not _DIGITS.fullmatch(value)):
        return value
    raise PydanticCustomError("instant", "Input should be an instant with its offset (RFC 3339)")


def _within_reach(value: datetime) -> datetime:
    # Beyond lies what a wrong clock made; at the very ends no time zone can be applied.
    if not 1900 <= value.year <= 9990:
        raise PydanticCustomError("instant_range", "Input should be of the years 1900 to 9990")
    # PostgreSQL reads no offsets of 16 hours and more.
    return value.astimezone(UTC)


Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_no_number),
    AfterValidator(_within_reach),
    Field(
        description="An instant with its offset (RFC 3339).", examples=["2026-11-21T18:30:00+08:00"]
    ),
]
