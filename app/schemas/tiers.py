"""Tiers as answers: which, why, and what would change it."""

from datetime import date
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import Field, PlainSerializer

from app.schemas.common import BilingualText, LabelledCode, Output, example_code
from app.vocabulary import (
    CustomerKind,
    Instant,
    Money,
    PolicyMethod,
    TierCause,
    TierLevel,
    Total,
)

Percent = Annotated[
    Decimal,
    PlainSerializer(lambda share: f"{share:.1f}", return_type=str, when_used="json"),
    Field(description="Percent, one decimal.", examples=["4.3"]),
]


class TierPolicyRef(Output):
    """The policy version that decided."""

    id: UUID
    version: int
    name: str = Field(examples=["Three tiers by net spend"])


class TierFigures(Output):
    """What was looked at: net spend within the window, both ends included."""

    as_of: date
    window_from: date = Field(examples=["2025-11-22"])
    window_to: date
    window_days: int = Field(examples=[365])
    net_spend: Total = Field(examples=["1040.00"])
    refunded: Total = Field(examples=["0.00"])
    purchases: int = Field(examples=[9])


class TierRule(Output):
    """The rule that applied."""

    method: PolicyMethod
    metric: str = Field(examples=["net_spend"])
    level: TierLevel
    at_least: Money | None = Field(examples=["1000.00"])


class TierNext(Output):
    """What would lift the card."""

    level: TierLevel
    at_least: Money
    missing: Total


class TierKeepRule(Output):
    """What keeps the level at an evaluation."""

    at_least: Money
    factor: str
    not_before: date = Field(description="The first evaluation that may look at it.")
    notice_days: int


class TierExplanation(Output):
    """Why the card got this tier, as stored when it did."""

    inputs: TierFigures
    rule: TierRule
    policy: TierPolicyRef
    cause: TierCause
    next: TierNext | None
    keep: TierKeepRule | None
    sentences: BilingualText


class TierToday(Output):
    """How the card stands today against the policy in force."""

    as_of: date
    window_from: date = Field(examples=["2025-11-22"])
    net_spend: Total = Field(examples=["1040.00"])
    next: TierNext | None = Field(description="Null at the top.")


class TierKeep(Output):
    """What it takes to keep the level."""

    at_least: Money = Field(description="Net spend that the evaluation will ask for.")
    evaluated_on: date = Field(description="The first evaluation that may take the level away.")
    window_from: date = Field(description="The first day that will count then.")
    still_counting: Total = Field(description="Of today's spend, what will count then.")
    missing: Total = Field(description="To be spent until then.")
    notice_days: int = Field(description="How long the customer is told before a fall.")
    sentences: BilingualText


class TierRead(Output):
    """A card's tier, why, and what would change it."""

    customer_id: UUID
    level: LabelledCode = Field(examples=[example_code(TierLevel.MAIN)])
    since: Instant
    cause: LabelledCode = Field(examples=[example_code(TierCause.UPGRADE)])
    purchase_id: UUID | None = Field(description="The purchase that earned it.")
    explanation: TierExplanation
    today: TierToday
    keep: TierKeep | None = Field(description="Null at the lowest level.")


class TierPeriod(Output):
    """A tier that a card held, from ``valid_from`` until just before ``valid_to``."""

    id: UUID
    level: TierLevel
    cause: TierCause
    valid_from: Instant
    valid_to: Instant | None = Field(description="Null for the current one.")
    purchase_id: UUID | None
    policy_id: UUID
    policy_version: int
    explanation: TierExplanation


class DistributionLevel(Output):
    """A row of the distribution table."""

    level: LabelledCode = Field(examples=[example_code(TierLevel.MAIN)])
    customers: int = Field(examples=[93])
    customers_share: Percent
    amount: Total = Field(examples=["232730.00"])
    amount_share: Percent = Field(examples=["40.0"])


class TierDistribution(Output):
    """Who bought within the window, by the tier they held at the end of the day."""

    as_of: date
    window_from: date = Field(examples=["2025-11-22"])
    kind: CustomerKind
    customers: int = Field(examples=[2166])
    amount: Total = Field(examples=["581780.00"])
    levels: list[DistributionLevel] = Field(description="From the highest to the lowest.")
