"""Bodies of staff, their absences, and the hand-over of their cards."""

from datetime import date, datetime
from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, SecretStr, StringConstraints
from pydantic_core import PydanticKnownError

from app.schemas.common import DAY_SCHEMA, Day, Input, Output
from app.schemas.patch import Patch, omittable
from app.vocabulary import AbsenceReason, LongText, Role, ShortText

MINIMUM_PASSWORD_LENGTH: Final = 10
MAXIMUM_PASSWORD_LENGTH: Final = 128

Username = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{1,63}$", max_length=64, to_lower=True),
    Field(description="Kept in lower case; letters, digits, `.`, `_`, `-`.", examples=["li.wen"]),
]


def _right_length(password: SecretStr) -> SecretStr:
    # Of a secret pydantic itself would count items, not characters.
    length = len(password.get_secret_value())
    if length < MINIMUM_PASSWORD_LENGTH:
        raise PydanticKnownError("string_too_short", {"min_length": MINIMUM_PASSWORD_LENGTH})
    if length > MAXIMUM_PASSWORD_LENGTH:
        raise PydanticKnownError("string_too_long", {"max_length": MAXIMUM_PASSWORD_LENGTH})
    return password


Password = Annotated[
    SecretStr,
    AfterValidator(_right_length),
    Field(
        description="Left out or null: one is generated and shown once, in the answer.",
        examples=["vier-Reiher-am-Teich"],
        json_schema_extra={
            "minLength": MINIMUM_PASSWORD_LENGTH,
            "maxLength": MAXIMUM_PASSWORD_LENGTH,
        },
    ),
]


def _unique(store_ids: list[UUID]) -> list[UUID]:
    if len(set(store_ids)) != len(store_ids):
        raise ValueError("a shop stands in the list once")
    return store_ids


StoreIds = Annotated[
    list[UUID],
    AfterValidator(_unique),
    Field(
        max_length=1000,
        description="The shops that store managers, clerks and customer service are bound to, at "
        "least one; empty for the other roles, whose is the whole chain.",
        examples=[["0193a1c2-d3e4-7f00-8000-000000000001"]],
    ),
]
AbsenceDay = Annotated[
    Day,
    Field(ge=date(2000, 1, 1), le=date(2199, 12, 31), examples=["2026-12-01"]),
    DAY_SCHEMA,
]


class StaffCreate(Input):
    """A new member of staff with an account."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "username": "li.wen",
                    "display_name": "李文",
                    "role": "clerk",
                    "store_ids": ["0193a1c2-d3e4-7f00-8000-000000000001"],
                }
            ]
        }
    )

    username: Username
    display_name: ShortText
    role: Role
    store_ids: StoreIds = Field(default_factory=list)
    password: Password | None = None


class StaffChange(Patch):
    """What may be changed of a member of staff."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"display_name": "李文"}]})

    display_name: ShortText = omittable()
    role: Role = omittable(description="A role that is not bound to shops drops its shops.")
    store_ids: StoreIds = omittable()


class PasswordReset(Input):
    """A new password; the account's tokens are revoked."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})

    password: Password | None = None


class HandOver(Input):
    """Who takes over."""

    to_staff_id: UUID = Field(examples=["0193a1c2-d3e4-7f00-8000-000000000002"])


class AbsenceCreate(Input):
    """Days away, both ends included."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "starts_on": "2026-12-01",
                    "ends_on": "2026-12-05",
                    "reason": "leave",
                    "note": None,
                }
            ]
        }
    )

    starts_on: AbsenceDay
    ends_on: AbsenceDay
    reason: AbsenceReason
    note: LongText | None = None


class StaffRead(Output):
    """A member of staff."""

    id: UUID
    username: str = Field(examples=["li.wen"])
    display_name: str = Field(examples=["李文"])
    role: Role
    store_ids: list[UUID]
    is_disabled: bool
    disabled_at: datetime | None
    version: int = Field(examples=[1])
    created_at: datetime
    updated_at: datetime


class StaffCreated(StaffRead):
    """A new member of staff, with a password if one was generated."""

    generated_password: str | None = Field(
        description="Shown once: null when you gave one, and when this answer is repeated.",
        examples=["k7mq-2xvd-9htr-w4np"],
    )


class PasswordWasReset(Output):
    """What came of a password reset."""

    generated_password: str | None = Field(
        description="Shown once; null when you gave one.", examples=["k7mq-2xvd-9htr-w4np"]
    )


class HandedOver(Output):
    """What came of a hand-over."""

    cards: int = Field(description="How many cards changed hands.", examples=[42])


class AbsenceRead(Output):
    """Days away, both ends included."""

    id: UUID
    staff_id: UUID
    starts_on: date
    ends_on: date
    reason: AbsenceReason
    note: str | None
    created_at: datetime
