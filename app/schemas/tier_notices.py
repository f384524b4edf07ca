"""Notices that a level will be lost, as answers."""

from datetime import date
from uuid import UUID

from pydantic import Field

from app.schemas.common import BilingualText, LabelledCode, Output, example_code
from app.schemas.tiers import TierPolicyRef
from app.vocabulary import Instant, NoticeStatus, TierLevel, Unit


class TierNoticeReason(Output):
    """Why the card is told, as stored when it was; amounts are in the policy's unit."""

    as_of: date
    window_from: date = Field(description="The first day that will count at the evaluation.")
    score: str = Field(description="On the day it was told.", examples=["640.00"])
    score_then: str = Field(
        description="What will still count at the evaluation if nothing more happens.",
        examples=["420.00"],
    )
    unit: Unit
    at_least: str = Field(description="What keeps the level.", examples=["900.00"])
    missing: str = Field(examples=["480.00"])
    spend: str | None = Field(
        description="The purchase that would keep the level; null where money alone does not.",
        examples=["480.00"],
    )
    policy: TierPolicyRef
    sentences: BilingualText


class TierNoticeRead(Output):
    """A notice that a card will lose its level at an evaluation."""

    id: UUID
    customer_id: UUID
    home_store_id: UUID | None
    owner_staff_id: UUID | None
    level: LabelledCode = Field(examples=[example_code(TierLevel.MAIN)])
    next_level: LabelledCode = Field(examples=[example_code(TierLevel.ORDINARY)])
    status: NoticeStatus = Field(examples=["open"])
    noticed_on: date
    falls_on: date = Field(description="The evaluation at which the card falls.")
    closed_at: Instant | None
    reason: TierNoticeReason
