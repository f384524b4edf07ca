"""Bodies of signing in, and of who one is."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from app.schemas.common import LabelledCode, Output, example_code
from app.vocabulary import Permission, Role


class Token(Output):
    """An access token, shown once (RFC 6749, section 5.1)."""

    access_token: str = Field(examples=["hkt_4f…"])
    token_type: Literal["bearer"]
    expires_in: int = Field(
        description="Seconds until it ends at the latest; idle, sooner.", examples=[43200]
    )


class Me(Output):
    """Who is signed in and what they may do."""

    kind: Literal["staff", "api_client"]
    id: UUID
    name: str = Field(examples=["李文"])
    role: LabelledCode | None = Field(
        description="Null for API clients.",
        examples=[example_code(Role.CLERK)],
    )
    permissions: list[Permission] = Field(examples=[["customers:read", "customers:write"]])
    store_ids: list[UUID] | None = Field(
        description="The stores that bind them; null where the whole chain is theirs."
    )
