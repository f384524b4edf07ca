"""Bodies of the catalogue."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.config import JsonDict

from app.schemas.common import Input, Output
from app.schemas.patch import Patch, omittable
from app.vocabulary import CodeText, Money, NonNegativeMoney, ShortText


def _isbn13(value: object) -> object:
    """Return an ISBN as its 13 digits, without hyphens and spaces (ISO 2108).

    Raises:
        ValueError: not 13 digits of the prefixes 978 and 979, or the check digit is wrong.
    """
    if not isinstance(value, str):
        return value
    digits = value.replace("-", "").replace(" ", "")
    if len(digits) != 13 or not (digits.isascii() and digits.isdigit()):
        raise ValueError("an ISBN-13 has 13 digits, hyphens and spaces aside")
    if not digits.startswith(("978", "979")):
        raise ValueError("an ISBN-13 starts with 978 or 979")
    if sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10:
        raise ValueError("the check digit is wrong")
    return digits


Isbn = Annotated[
    str,
    BeforeValidator(_isbn13),
    Field(
        max_length=32,
        description="ISBN-13, with or without hyphens; kept as 13 digits.",
        examples=["978-7-5500-0001-8"],
    ),
]

_EXAMPLE: JsonDict = {
    "sku": "BK-000123",
    "isbn": "978-7-5500-0001-8",
    "title": "江南小巷的清晨",
    "category": "文学",
    "list_price": "58.00",
    "unit_cost": "34.80",
}


class ProductCreate(Input):
    """A new title or article."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    sku: CodeText
    isbn: Isbn | None = None
    title: ShortText
    category: ShortText
    list_price: NonNegativeMoney | None = None
    unit_cost: NonNegativeMoney | None = None


class ProductChange(Patch):
    """What may be changed of a title or article; null empties ISBN and prices."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"list_price": "62.00"}]})

    isbn: Isbn | None = omittable()
    title: ShortText = omittable()
    category: ShortText = omittable()
    list_price: NonNegativeMoney | None = omittable()
    unit_cost: NonNegativeMoney | None = omittable()
    is_active: bool = omittable(description="False once it is no longer sold.")


class ProductRead(Output):
    """A title or article."""

    id: UUID
    sku: str = Field(examples=["BK-000123"])
    isbn: str | None = Field(examples=["9787550000018"])
    title: str = Field(examples=["江南小巷的清晨"])
    category: str = Field(examples=["文学"])
    list_price: Money | None
    unit_cost: Money | None
    is_active: bool
    version: int = Field(examples=[1])
    created_at: datetime
    updated_at: datetime
