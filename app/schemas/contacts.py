"""Bodies of the people at an organization."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field, StrictBool, StringConstraints

from app.schemas.common import Input, Output
from app.schemas.customers import Name
from app.schemas.patch import Patch, omittable
from app.vocabulary import CleanText, ContactRole, LongText, ShortText

Phone = Annotated[
    str,
    StringConstraints(min_length=1, max_length=40),
    CleanText,
    Field(description="As people write it; kept in E.164.", examples=["13800138000"]),
]
Email = Annotated[
    str,
    StringConstraints(min_length=1, max_length=254),
    CleanText,
    Field(examples=["chen@school.example.com"]),
]


class ContactCreate(Input):
    """A person at an organization."""

    name: Name
    title: ShortText | None = Field(default=None, examples=["采购主任"])
    role: ContactRole = Field(default=ContactRole.OTHER, examples=["purchasing"])
    decides: StrictBool = Field(default=False, description="Whether they decide what is bought.")
    phone: Phone | None = None
    email: Email | None = None
    note: LongText | None = None


class ContactChange(Patch):
    """A change of a person at an organization: what is left out stays, null empties."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"decides": True}]})

    name: Name = omittable()
    title: ShortText | None = None
    role: ContactRole = omittable()
    decides: StrictBool = omittable()
    phone: Phone | None = None
    email: Email | None = None
    note: LongText | None = None


class ContactRead(Output):
    """A person at an organization."""

    id: UUID
    name: str = Field(examples=["陈老师"])
    title: str | None
    role: ContactRole
    decides: bool
    phone: str | None = Field(description="With its middle hidden.", examples=["+86138****8000"])
    email: str | None = Field(description="With its middle hidden.")
    is_masked: bool = Field(
        description="Whether a part is hidden; `POST …/disclosures` shows it whole."
    )
    note: str | None
    created_at: datetime
    updated_at: datetime
