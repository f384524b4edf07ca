"""Bodies of disclosures: masked values shown in full, with who asked and why."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from app.schemas.common import Input, Output
from app.vocabulary import ActorKind, IdentityKind, fields

DisclosedField = Literal["identities", "contacts"]
Reason = Annotated[
    fields.Reason,
    Field(
        description="Why it is needed; kept, and shown to who watches over privacy.",
        examples=["顾客来电要求回拨"],
    ),
]


class DisclosureRequest(Input):
    """What of a card is to be seen in full, and why."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"fields": ["identities"], "reason": "顾客来电要求回拨"}]}
    )

    fields: Annotated[list[DisclosedField], Field(min_length=1, max_length=2)] = Field(
        description="`contacts` are the contact persons of an organization.",
        examples=[["identities"]],
    )
    identity_ids: Annotated[list[UUID], Field(min_length=1, max_length=50)] | None = Field(
        default=None, description="Of `identities` only these; all of them when left out."
    )
    reason: Reason

    @model_validator(mode="after")
    def _ids_of_identities(self) -> Self:
        if self.identity_ids is not None and "identities" not in self.fields:
            raise PydanticCustomError("identity_ids", "Ask for identities to see some of them")
        return self


class WholeIdentity(Output):
    """An identity of a card, unmasked."""

    id: UUID
    kind: IdentityKind
    system: str | None
    value: str = Field(examples=["+8613800138000"])
    label: str | None


class WholeContact(Output):
    """How a contact person is reached, unmasked."""

    id: UUID
    name: str = Field(examples=["王主任"])
    phone: str | None = Field(examples=["+8613800138000"])
    email: str | None = Field(examples=["wang@example.com"])


class Disclosed(Output):
    """What was asked to be seen in full, and the record of it."""

    id: UUID = Field(description="Of the record.")
    disclosed_at: datetime
    identities: list[WholeIdentity] | None = Field(description="Null when not asked for.")
    contacts: list[WholeContact] | None = Field(description="Null when not asked for.")


class DisclosureRead(Output):
    """The record of somebody who saw a card's values in full."""

    id: UUID
    fields: list[str] = Field(
        description="What was seen: `identities`, `contacts`, or `copy` for everything.",
        examples=[["identities"]],
    )
    reason: str = Field(
        description="Empty once the person was erased.", examples=["顾客来电要求回拨"]
    )
    disclosed_at: datetime
    actor_kind: ActorKind
    actor_id: UUID | None = Field(description="Null for the service itself.")
