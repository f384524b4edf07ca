"""Bodies of erasures: asked for, done or deferred."""

from datetime import date, datetime
from uuid import UUID

from pydantic import Field

from app.schemas.common import LabelledCode, Output, example_code
from app.vocabulary import ActorKind, DeferralReason, ErasureStatus


class DeferralRead(Output):
    """What still needs the person's data."""

    reason: LabelledCode = Field(
        description="Of the vocabulary `deferral_reason`.",
        examples=[example_code(DeferralReason.RETURN_PERIOD)],
    )
    until: date | None = Field(
        description="The first day without it; null where nobody can tell yet.",
        examples=["2026-12-22"],
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
        description="When a deferred one is looked at again, in the night; null otherwise.",
        examples=["2026-12-22"],
    )
    requested_at: datetime
    actor_kind: ActorKind
    actor_id: UUID | None = Field(description="Null for the service itself.")
    ended_at: datetime | None = Field(description="When it was done or cancelled.")
