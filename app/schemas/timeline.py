"""A card's timeline: entries of several kinds, each with a shape of its own."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.schemas.common import BilingualText, Output
from app.vocabulary import (
    ActorKind,
    Channel,
    ConsentChannel,
    ConsentProof,
    ConsentPurpose,
    ConsentState,
    Direction,
    Instant,
    InteractionOutcome,
    MergeStatus,
    Money,
    PurchaseKind,
    PurchaseStatus,
    TierCause,
    TierLevel,
    TimelineKind,
)


class _Entry(Output):
    """What every entry has."""

    at: Instant = Field(description="When it happened.")
    id: UUID = Field(description="Of what the entry tells: the receipt, the interaction, …")


class TimelinePurchase(_Entry):
    """A receipt. Its amount is positive for sales and for refunds alike."""

    kind: Literal[TimelineKind.PURCHASE]
    purchase_kind: PurchaseKind = Field(examples=["sale"])
    status: PurchaseStatus = Field(description="`voided`: as if it had never been.")
    amount: Money
    currency: str = Field(examples=["CNY"])
    store_id: UUID
    receipt_number: str = Field(examples=["20261121-0042"])
    refund_of_id: UUID | None
    voided_at: Instant | None


class TimelineInteraction(_Entry):
    """A contact with the customer."""

    kind: Literal[TimelineKind.INTERACTION]
    channel: Channel
    direction: Direction
    subject: str = Field(examples=["询问教辅到货"])
    outcome: InteractionOutcome | None
    duration_seconds: int | None
    next_step_on: date | None
    next_step_done_at: Instant | None
    store_id: UUID | None
    staff_id: UUID | None
    purchase_id: UUID | None
    cost: Money


class TimelineTierChange(_Entry):
    """A tier that the card got, or what carries the one it has from now on (the same level)."""

    kind: Literal[TimelineKind.TIER_CHANGE]
    level: TierLevel
    previous_level: TierLevel | None = Field(description="Null for the first one.")
    cause: TierCause
    purchase_id: UUID | None = Field(description="The receipt that earned it.")
    sentences: BilingualText = Field(description="Why, as it was explained then.")


class TimelineConsent(_Entry):
    """What the customer said about being contacted."""

    kind: Literal[TimelineKind.CONSENT]
    purpose: ConsentPurpose
    channel: ConsentChannel
    state: ConsentState
    proof: ConsentProof
    recorded_at: Instant


class TimelineMerge(_Entry):
    """Cards that were merged into this one."""

    kind: Literal[TimelineKind.MERGE]
    loser_ids: list[UUID]
    status: MergeStatus
    undone_at: Instant | None
    actor_kind: ActorKind
    actor_id: UUID | None


TimelineEntry = Annotated[
    TimelinePurchase | TimelineInteraction | TimelineTierChange | TimelineConsent | TimelineMerge,
    Field(discriminator="kind"),
]


class TimelinePage(Output):
    """A page of a timeline; ``next_cursor`` is null on the last one."""

    items: list[TimelineEntry]
    next_cursor: str | None = Field(description="Send it as `cursor` to get the next page.")
