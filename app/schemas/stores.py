"""Bodies of shops."""

from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise
from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from app.schemas.common import Input, Output
from app.schemas.patch import Patch, omittable
from app.vocabulary import CodeText, LongText, ShortText

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

TimeOfDay = Annotated[
    str, StringConstraints(pattern=r"^(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")
]
Interval = Annotated[list[TimeOfDay], Field(min_length=2, max_length=2)]


def _checked_hours(hours: Mapping[str, list[Interval]]) -> dict[str, list[list[str]]]:
    """Return the hours with all seven days, in the week's order.

    Raises:
        ValueError: an unknown day, an interval that ends before it starts, or intervals of a day
            that overlap or stand out of order.
    """
    if set(hours) - set(DAYS):
        raise ValueError("days are mon, tue, wed, thu, fri, sat, sun")
    for intervals in hours.values():
        for opens, closes in intervals:
            if opens >= closes:
                raise ValueError("a shop closes after it opens; what crosses midnight is two days'")
        if any(later[0] < earlier[1] for earlier, later in pairwise(intervals)):
            raise ValueError("a day's intervals stand in order and don't overlap")
    return {day: list(hours.get(day, [])) for day in DAYS}


OpeningHours = Annotated[
    dict[str, Annotated[list[Interval], Field(max_length=12)]],
    AfterValidator(_checked_hours),
    Field(
        description="For each day of the week, the intervals the shop is open, in the chain's time "
        'zone: `["HH:MM", "HH:MM"]`, in order, not overlapping. `24:00` closes a day; open around '
        'the clock is `[["00:00", "24:00"]]`. A day that is left out is closed.',
        examples=[{"mon": [["09:00", "12:00"], ["13:00", "21:00"]], "sun": [["00:00", "24:00"]]}],
        json_schema_extra={"propertyNames": {"enum": list(DAYS)}},
    ),
]

_EXAMPLE: JsonDict = {
    "code": "S01",
    "name": "明湖路店",
    "region": "华东",
    "address": "明湖路 18 号",
    "phone": "021-5550 0101",
    "opening_hours": {"mon": [["09:00", "21:00"]], "sat": [["09:00", "24:00"]]},
}


class StoreCreate(Input):
    """A new shop."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    code: CodeText
    name: ShortText
    region: ShortText | None = None
    address: LongText | None = None
    phone: ShortText | None = None
    opening_hours: OpeningHours


class StoreChange(Patch):
    """What may be changed of a shop; null empties region, address and phone."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "明湖路旗舰店"}]})

    name: ShortText = omittable()
    region: ShortText | None = omittable()
    address: LongText | None = omittable()
    phone: ShortText | None = omittable()
    opening_hours: OpeningHours = omittable()
    is_active: bool = omittable(description="A closed shop stays in history and takes no staff.")


class StoreRead(Output):
    """A shop."""

    id: UUID
    code: str = Field(examples=["S01"])
    name: str = Field(examples=["明湖路店"])
    region: str | None
    address: str | None
    phone: str | None
    opening_hours: dict[str, list[list[str]]] = Field(
        description="The intervals of each day, in the chain's time zone.",
        examples=[{"mon": [["09:00", "21:00"]], "tue": []}],
    )
    is_active: bool
    version: int = Field(examples=[1])
    created_at: datetime
    updated_at: datetime
