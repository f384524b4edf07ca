"""Bodies of the audit trail."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from app.schemas.common import Output
from app.vocabulary import Action, ActorKind


class AuditEntryRead(Output):
    """Who did what to which object; names of fields, never values."""

    id: UUID
    at: datetime
    actor_kind: ActorKind
    actor_id: UUID | None = Field(description="Null for the service itself.")
    action: Action = Field(examples=["changed"])
    object_type: str = Field(examples=["store"])
    object_id: UUID
    fields: list[str] = Field(examples=[["name", "opening_hours"]])
    request_id: str | None
