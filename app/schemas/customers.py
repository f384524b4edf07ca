"""Bodies of customer cards."""

from datetime import date, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
)
from pydantic_core import PydanticCustomError

from app.locale.names import tidy_name
from app.schemas.card_parts import (
    EARLIEST_YEAR,
    Birthday,
    BirthdayInput,
    Completeness,
    CustomChanges,
    CustomValue,
    CustomValues,
    Family,
    FamilyMember,
    TradingTerms,
    TradingTermsInput,
    Words,
)
from app.schemas.common import DAY_SCHEMA, Day, Input, LabelledCode, Output, example_code
from app.schemas.patch import Patch, omittable
from app.vocabulary import (
    ActorKind,
    CleanText,
    CodeText,
    CustomerKind,
    CustomerOrigin,
    CustomerStatus,
    Gender,
    IdentityKind,
    LongText,
    MaritalStatus,
    ShortText,
    SizeBand,
    TierLevel,
)

MAXIMUM_NAME_LENGTH: Final = 100
MAXIMUM_IDENTITIES: Final = 50
"""Of one card; what a card consists of is always read whole."""


def _tidy(name: str) -> str:
    tidy = tidy_name(name)
    if not 1 <= len(tidy) <= MAXIMUM_NAME_LENGTH:
        raise PydanticCustomError(
            "name", f"Input should have 1 to {MAXIMUM_NAME_LENGTH} visible characters"
        )
    return tidy


RegistrationDay = Annotated[
    Day, Field(ge=date(EARLIEST_YEAR, 1, 1), le=date(9999, 12, 31)), DAY_SCHEMA
]
Name = Annotated[
    ShortText,
    AfterValidator(_tidy),
    Field(description="Full-width letters and digits become ordinary ones.", examples=["王小明"]),
]


IdentityValue = Annotated[
    str,
    StringConstraints(min_length=1, max_length=254),
    CleanText,
    Field(
        description="As people write it; kept in one form (phones in E.164).",
        examples=["13800138000"],
    ),
]
IdentitySystem = Annotated[
    CodeText, Field(description="The other system's code; for `external` only.", examples=["erp"])
]


class IdentityReference(Input):
    """What finds a card: one value of one kind."""

    kind: IdentityKind = Field(examples=["phone"])
    system: IdentitySystem | None = None
    value: IdentityValue


class IdentityInput(IdentityReference):
    """An identity to be kept on a card."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"kind": "email", "value": "xiaoming@example.com", "is_primary": True}]
        }
    )

    label: ShortText | None = Field(default=None, examples=["mobile"])
    is_primary: StrictBool = Field(
        default=False, description="The one to use of its kind; a card has one of each at most."
    )


ALLOWANCE: Final = "allow_duplicate"
"""The member that is about the request, and no field of a card."""
AllowDuplicate = Annotated[
    StrictBool,
    Field(description="Whether to go on where another card looks like the same customer's."),
]


class NewIdentity(IdentityInput):
    """An identity to be added to a card."""

    allow_duplicate: AllowDuplicate = False


class CardIdentity(Output):
    """An identity of a card, in the form in which it is kept."""

    id: UUID
    kind: IdentityKind
    system: str | None
    value: str = Field(
        description="Phones, e-mail addresses and WeChat ids with their middle hidden.",
        examples=["+86138****8000"],
    )
    is_masked: bool = Field(
        description="Whether a part is hidden; `POST …/disclosures` shows it whole.",
        examples=[True],
    )
    label: str | None
    is_primary: bool


_FOR_INDIVIDUALS = "For individuals only."
_FOR_ORGANIZATIONS = "For organizations only."


class CustomerCreate(Input):
    """A new card."""

    kind: CustomerKind = Field(examples=["individual"])
    name: Name
    gender: Gender | None = Field(default=None, description=_FOR_INDIVIDUALS)
    birthday: BirthdayInput | None = Field(default=None, description=_FOR_INDIVIDUALS)
    marital_status: MaritalStatus | None = Field(default=None, description=_FOR_INDIVIDUALS)
    occupation: ShortText | None = Field(
        default=None, description=_FOR_INDIVIDUALS, examples=["teacher"]
    )
    employer: ShortText | None = Field(default=None, description=_FOR_INDIVIDUALS)
    job_title: ShortText | None = Field(default=None, description=_FOR_INDIVIDUALS)
    industry: ShortText | None = Field(default=None, description=_FOR_ORGANIZATIONS)
    size_band: SizeBand | None = Field(default=None, description=_FOR_ORGANIZATIONS)
    region: ShortText | None = Field(default=None, examples=["上海市徐汇区"])
    address: LongText | None = None
    origin: CustomerOrigin = Field(default=CustomerOrigin.STORE)
    home_store_id: UUID | None = None
    owner_staff_id: UUID | None = Field(
        default=None, description="The member of staff who looks after the customer."
    )
    note: LongText | None = None
    registered_on: RegistrationDay | None = Field(
        default=None, description="Today when left out.", examples=["2026-11-21"]
    )
    tags: Words = Field(default_factory=list, examples=[["vip", "rare-books"]])
    interests: Words = Field(default_factory=list, examples=[["history", "cooking"]])
    family: Family = Field(default_factory=list, description=_FOR_INDIVIDUALS)
    terms: TradingTermsInput | None = Field(default=None, description=_FOR_ORGANIZATIONS)
    custom: CustomValues = Field(
        default_factory=dict,
        description="Values of the chain's own fields by code; required ones have to be there.",
    )
    identities: Annotated[list[IdentityInput], Field(max_length=MAXIMUM_IDENTITIES)] = Field(
        default_factory=list
    )
    allow_duplicate: AllowDuplicate = False


class CustomerUpdate(Patch):
    """A change of a card: what is left out stays, null empties."""

    name: Name = omittable()
    gender: Gender | None = None
    birthday: BirthdayInput | None = None
    marital_status: MaritalStatus | None = None
    occupation: ShortText | None = None
    employer: ShortText | None = None
    job_title: ShortText | None = None
    industry: ShortText | None = None
    size_band: SizeBand | None = None
    region: ShortText | None = None
    address: LongText | None = None
    origin: CustomerOrigin = omittable()
    home_store_id: UUID | None = None
    owner_staff_id: UUID | None = None
    note: LongText | None = Field(default=None, examples=["Prefers to be called in the evening."])
    registered_on: RegistrationDay = omittable()
    tags: Words = omittable()
    interests: Words = omittable()
    family: Family = omittable()
    terms: TradingTermsInput | None = None
    custom: CustomChanges = omittable(
        description="Only the fields that are named change; null takes a value away."
    )
    allow_duplicate: AllowDuplicate = False

    def changes(self) -> dict[str, Any]:
        """Return the fields that were sent with their values."""
        return {name: value for name, value in super().changes().items() if name != ALLOWANCE}


class Card(Output):
    """A customer card as it is now."""

    id: UUID
    kind: CustomerKind
    status: CustomerStatus
    name: str = Field(examples=["王小明"])
    tier: LabelledCode | None = Field(
        description="The current tier.",
        examples=[example_code(TierLevel.MAIN)],
    )
    gender: Gender | None
    birthday: Birthday | None
    marital_status: MaritalStatus | None
    occupation: str | None
    employer: str | None
    job_title: str | None
    industry: str | None
    size_band: SizeBand | None
    region: str | None
    address: str | None
    origin: CustomerOrigin
    home_store_id: UUID | None
    owner_staff_id: UUID | None
    note: str | None
    registered_on: date
    tags: list[str] = Field(examples=[["vip"]])
    interests: list[str] = Field(examples=[["history"]])
    family: list[FamilyMember]
    terms: TradingTerms | None
    custom: dict[str, CustomValue] = Field(
        description="Values of the chain's own fields by code, those out of use included.",
        examples=[{}],
    )
    completeness: Completeness
    verified_on: date | None = Field(description="When somebody last made sure that it is true.")
    verified_by_id: UUID | None
    identities: list[CardIdentity]
    merged_ids: list[UUID] = Field(
        description="Cards that were merged into this one; their ids go on leading here."
    )
    archived_at: datetime | None
    version: int = Field(description="The same as in the `ETag`.", examples=[1])
    created_at: datetime
    updated_at: datetime


class CardChange(Output):
    """One change of a card."""

    version: int = Field(description="The version that the change made.", examples=[2])
    changed_at: datetime
    actor_kind: ActorKind
    actor_id: UUID | None = Field(description="Null for the service itself.")
    changes: dict[str, Annotated[list[Any], Field(min_length=2, max_length=2)]] = Field(
        description="For each field what it was and what it became, masked as on the card.",
        examples=[{"name": ["王小明", "王晓明"]}],
    )


CustomerSort = Literal["-created_at", "created_at", "-updated_at", "updated_at", "-name", "name"]
"""Sort keys of the list; ``-`` is descending. Each has an index with the id behind it."""
StatusFilter = Literal["active", "archived", "any"]
