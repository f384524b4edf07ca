"""What all bodies share: how inputs and outputs are read and written."""

import re
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.vocabulary import Code

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _only_iso_days(value: object) -> object:
    # Pydantic would also take seconds since 1970 and instants at midnight for a day.
    if isinstance(value, str) and not _DAY.fullmatch(value):
        raise PydanticCustomError("day", "Input should be a day: YYYY-MM-DD")
    if not isinstance(value, str | date):
        raise PydanticCustomError("day", "Input should be a day: YYYY-MM-DD")
    return value


def _within_reach(value: date) -> date:
    # Windows are counted back and on from days; at the very ends of the calendar they can't be.
    if not 1800 <= value.year <= 9990:
        raise PydanticCustomError("day_range", "Input should be of the years 1800 to 9990")
    return value


Day = Annotated[date, BeforeValidator(_only_iso_days), AfterValidator(_within_reach)]
"""A day of the chain's time zone."""
DAY_SCHEMA = WithJsonSchema({"type": "string", "format": "date"})
"""Limits of days have no words in JSON Schema, and pydantic would make some up."""


class Input(BaseModel):
    """A request body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Output(BaseModel):
    """A response body: every field is always there."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


class BilingualText(Output):
    """The same sentence in both languages."""

    en: str = Field(examples=["Bought for 1,040.00 yuan within 365 days: main."])
    zh: str = Field(examples=["近365天消费1,040.00元，为主要客户。"])


class LabelledCode(Output):
    """A code with its labels."""

    code: str = Field(description="The code as it stands in other answers.", examples=["main"])
    en: str = Field(description="English label.", examples=["Main"])
    zh: str = Field(description="Chinese label.", examples=["主要客户"])

    @classmethod
    def of(cls, code: Code) -> "LabelledCode":
        """Return a vocabulary's member with its labels."""
        return cls(code=str(code), en=code.label.en, zh=code.label.zh)


def example_code(code: Code) -> dict[str, str]:
    """Return a vocabulary's member as the example of a field of that vocabulary."""
    return LabelledCode.of(code).model_dump()
