"""Parts of a card that have parts of their own: birthdays, family, terms, completeness."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    StrictBool,
    StrictInt,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from app.locale.birthdays import lunar_day_exists, lunar_month_exists, solar_day_exists
from app.schemas.common import Input, Output
from app.vocabulary import (
    BirthdayCalendar,
    CleanText,
    CompletenessPart,
    FamilyRelation,
    LongText,
    Money,
    NonNegativeMoney,
    PlainAmount,
    ShortText,
    money_text,
)

EARLIEST_YEAR: Final = 1850
MAXIMUM_FAMILY: Final = 20
MAXIMUM_TAGS: Final = 50
MAXIMUM_FIELDS: Final = 200


class BirthdayInput(Input):
    """A day of a year, solar or lunar; the year only when it is known."""

    calendar: BirthdayCalendar = Field(examples=["lunar"])
    year: Annotated[StrictInt, Field(ge=EARLIEST_YEAR, le=9990)] | None = Field(
        default=None, description="Of the birthday's own calendar.", examples=[1990]
    )
    month: Annotated[StrictInt, Field(ge=1, le=12)] = Field(examples=[8])
    day: Annotated[StrictInt, Field(ge=1, le=31)] = Field(examples=[15])
    is_leap_month: StrictBool = Field(
        default=False, description="Whether it is the lunar leap month of that number."
    )

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        if self.calendar is BirthdayCalendar.LUNAR:
            if not lunar_month_exists(self.year, self.month, is_leap_month=self.is_leap_month):
                raise PydanticCustomError(
                    "no_such_leap_month", "The lunar year has no such leap month"
                )
            exists = lunar_day_exists(
                self.year, self.month, self.day, is_leap_month=self.is_leap_month
            )
        elif self.is_leap_month:
            raise PydanticCustomError("leap_month", "Only lunar years have leap months")
        else:
            exists = solar_day_exists(self.year, self.month, self.day)
        if not exists:
            raise PydanticCustomError("no_such_day", "This month has no such day")
        return self


class Birthday(Output):
    """A day of a year, solar or lunar, and when it comes next."""

    calendar: BirthdayCalendar
    year: int | None = Field(description="Null where it is not known.")
    month: int
    day: int
    is_leap_month: bool
    next_on: date = Field(
        description="The solar day on which it comes next, today included. A lunar birthday of a "
        "leap month is kept in the plain month where the year has no such leap month, the 30th on "
        "the 29th of a short month; a solar 29 February on the 28th."
    )
    is_today: bool = Field(description="By the chain's clock.")


class FamilyMemberInput(Input):
    """Somebody of the customer's family."""

    relation: FamilyRelation = Field(examples=["child"])
    name: ShortText | None = Field(default=None, examples=["王小小"])
    birthday: BirthdayInput | None = None
    note: LongText | None = None


class FamilyMember(Output):
    """Somebody of the customer's family."""

    relation: FamilyRelation
    name: str | None
    birthday: Birthday | None
    note: str | None


DiscountPercent = Annotated[
    Decimal,
    PlainAmount,
    Field(ge=0, le=100, max_digits=5, decimal_places=2, allow_inf_nan=False),
    PlainSerializer(money_text, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(100(\.0{1,2})?|[0-9]{1,2}(\.[0-9]{1,2})?)$",
            "description": "Percent off the list price, as a decimal string with ≤ 2 decimals.",
            "examples": ["5.00"],
        }
    ),
]


class TradingTermsInput(Input):
    """On what terms an organization buys; what is left out is not agreed."""

    payment_days: Annotated[StrictInt, Field(ge=0, le=3650)] | None = Field(
        default=None, description="Days until a bill has to be paid.", examples=[30]
    )
    credit_limit: NonNegativeMoney | None = None
    discount_percent: DiscountPercent | None = None
    invoice_title: ShortText | None = Field(default=None, examples=["晨光文化有限公司"])
    tax_number: Annotated[str, StringConstraints(pattern=r"^[0-9A-Z]{6,20}$"), CleanText] | None = (
        Field(
            default=None,
            description="The taxpayer's number as it stands on invoices.",
            examples=["91310000MA1FL0AB12"],
        )
    )
    note: LongText | None = None


class TradingTerms(Output):
    """On what terms an organization buys."""

    payment_days: int | None
    credit_limit: Money | None
    discount_percent: DiscountPercent | None
    invoice_title: str | None
    tax_number: str | None
    note: str | None


class CompletenessPartRead(Output):
    """One thing that a complete card says."""

    part: CompletenessPart
    weight: int = Field(examples=[25])
    is_present: bool


class Completeness(Output):
    """How much of what a card of its kind should say it says."""

    score: int = Field(description="From 0 to 100.", examples=[65])
    parts: list[CompletenessPartRead] = Field(description="Heavier parts first.")


def _each_once(words: list[str]) -> list[str]:
    return list(dict.fromkeys(words))


Word = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50), CleanText
]
Words = Annotated[
    list[Word],
    Field(max_length=MAXIMUM_TAGS, description="Repeated ones count once."),
    AfterValidator(_each_once),
]
Family = Annotated[list[FamilyMemberInput], Field(max_length=MAXIMUM_FAMILY)]
FieldCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
CUSTOM_VALUE_SCHEMA: Final[dict[str, Any]] = {
    "anyOf": [
        {"type": "string"},
        {"type": "number"},
        {"type": "boolean"},
        {"type": "array", "items": {"type": "string"}},
    ],
    "description": "What the field's definition allows; see `/v1/custom-fields/schema`.",
}
CustomValue = Annotated[Any, WithJsonSchema(CUSTOM_VALUE_SCHEMA)]
CustomValueOrNull = Annotated[
    Any,
    WithJsonSchema(
        {**CUSTOM_VALUE_SCHEMA, "anyOf": [*CUSTOM_VALUE_SCHEMA["anyOf"], {"type": "null"}]}
    ),
]
CustomValues = Annotated[dict[FieldCode, CustomValue], Field(max_length=MAXIMUM_FIELDS)]
CustomChanges = Annotated[dict[FieldCode, CustomValueOrNull], Field(max_length=MAXIMUM_FIELDS)]


def as_stored(value: Any) -> Any:
    """Return parts of a body as the card keeps them, in JSON's types."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [as_stored(part) for part in value]
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return value
