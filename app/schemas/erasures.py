"""Bodies of erasures: asked for, done or deferred."""

from datetime import date, datetime
from uuid import UUID

from pydantic import Field

from app.schemas.common import LabelledCode, Output
from app.vocabulary import ActorKind, ErasureStatus


class DeferralRead(Output):
    """What still needs the person's data."""

    reason: LabelledCode = Field(
        examples=[
            {
                "code": "return_period",
                "en": "A purchase can still be returned",
                "zh": "仍在退货期内",
            }
        ]
    )
    until: date | None = Field(
        description="The first day without it; null where nobody can tell yet."
    )


class ErasureRead(Output):
    """A request to erase what is personal, and what became of it."""

    id: UUID
    customer_id: UUID
    status: ErasureStatus = Field(examples=["deferred"])
    deferrals: list[DeferralRead] = Field(
        description="What held it when it was last looked at; empty when nothing did."
    )
    due_on: date | None = Field(
        description="When a deferred one is looked at again, in the night; null otherwise."
    )
    requested_at: datetime
    actor_kind: ActorKind
    actor_id: UUID | None = Field(description="Null for the service itself.")
    ended_at: datetime | None = Field(description="When it was done or cancelled.")
