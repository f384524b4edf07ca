"""Tiers as answers: which, why, and what would change it."""

from datetime import date
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import Field, PlainSerializer

from app.schemas.common import BilingualText, LabelledCode, Output
from app.vocabulary import (
    CustomerKind,
    Instant,
    Money,
    PolicyMethod,
    PolicyStatus,
    TierCause,
    TierLevel,
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
    name: str


class TierFigures(Output):
    """What was looked at: net spend within the window, both ends included."""

    as_of: date
    window_from: date
    window_to: date
    window_days: int
    net_spend: Money
    refunded: Money
    purchases: int


class TierRule(Output):
    """The rule that applied."""

    method: PolicyMethod
    metric: str
    level: TierLevel
    at_least: Money | None


class TierNext(Output):
    """What would lift the card."""

    level: TierLevel
    at_least: Money
    missing: Money


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
    window_from: date
    net_spend: Money
    next: TierNext | None = Field(description="Null at the top.")


class TierKeep(Output):
    """What it takes to keep the level."""

    at_least: Money = Field(description="Net spend that the evaluation will ask for.")
    evaluated_on: date = Field(description="The first evaluation that may take the level away.")
    window_from: date = Field(description="The first day that will count then.")
    still_counting: Money = Field(description="Of today's spend, what will count then.")
    missing: Money = Field(description="To be spent until then.")
    notice_days: int = Field(description="How long the customer is told before a fall.")
    sentences: BilingualText


class TierRead(Output):
    """A card's tier, why, and what would change it."""

    customer_id: UUID
    level: LabelledCode
    since: Instant
    cause: LabelledCode
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


class TierHistory(Output):
    """A card's tiers, newest first."""

    items: list[TierPeriod]


class TierLevelRead(Output):
    """A level of a policy."""

    level: TierLevel
    at_least: Money


class TierPolicyRead(Output):
    """One version of a policy."""

    id: UUID
    scope: CustomerKind
    version: int
    name: str
    status: PolicyStatus
    method: PolicyMethod
    window_days: int
    levels: list[TierLevelRead]
    keep_factor: str
    hold_days: int
    notice_days: int
    effective_on: date


class TierPolicies(Output):
    """All versions, by scope, newest first."""

    items: list[TierPolicyRead]


class DistributionLevel(Output):
    """A row of the distribution table."""

    level: LabelledCode
    customers: int
    customers_share: Percent
    amount: Money
    amount_share: Percent


class TierDistribution(Output):
    """Who bought within the window, by the tier they held at the end of the day."""

    as_of: date
    window_from: date
    kind: CustomerKind
    customers: int
    amount: Money
    levels: list[DistributionLevel]
