"""Bodies of machines that call the API, and of their keys."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field

from app.schemas.common import Input, Output
from app.schemas.patch import Patch, omittable
from app.vocabulary import Instant, Permission, ShortText


def _each_once(scopes: Sequence[Permission]) -> list[Permission]:
    return sorted(set(scopes))


Scopes = Annotated[
    list[Permission],
    AfterValidator(_each_once),
    Field(
        max_length=100,
        description="The permissions it is given; any but the administration of people, keys and "
        "tills (`staff:write`, `api_clients:write`, `sources:write`).",
        examples=[["customers:read", "purchases:read"]],
    ),
]


class ApiClientCreate(Input):
    """A new machine."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "会员网页", "scopes": ["customers:read"]}]}
    )

    name: ShortText
    scopes: Scopes


class ApiClientChange(Patch):
    """What may be changed of a machine."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"scopes": ["customers:read"]}]})

    name: ShortText = omittable()
    scopes: Scopes = omittable()


class ApiKeyCreate(Input):
    """A new key."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"expires_at": "2027-11-21T00:00:00+08:00"}]}
    )

    expires_at: Instant | None = Field(
        default=None, description="When it ends by itself; null: never."
    )


class ApiKeyRead(Output):
    """A key that is not revoked, without the key."""

    id: UUID
    prefix: str = Field(description="How it begins, to tell keys apart.", examples=["hkk_1f0a9c3e"])
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")


class ApiKeyCreated(ApiKeyRead):
    """A new key."""

    key: str | None = Field(
        description="To be sent as `X-API-Key`. Shown once: null when this answer is repeated.",
        examples=["hkk_1f0a9c3e…"],
    )


class ApiClientRead(Output):
    """A machine that calls the API."""

    id: UUID
    name: str = Field(examples=["会员网页"])
    scopes: list[Permission]
    is_disabled: bool
    disabled_at: datetime | None
    keys: list[ApiKeyRead] = Field(description="At most two.")
    version: int = Field(examples=[1])
    created_at: datetime
    updated_at: datetime
