"""Tiers as answers: which, why, and what would change it."""

from datetime import date
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import Field, PlainSerializer

from app.schemas.common import (
    BilingualText,
    Day,
    Input,
    LabelledCode,
    Output,
    example_code,
)
from app.vocabulary import (
    CustomerKind,
    Indicator,
    IndicatorAbsence,
    Instant,
    PolicyMethod,
    ShareOf,
    TierCause,
    TierLevel,
    Total,
    Unit,
)
from app.vocabulary.fields import Reason

Percent = Annotated[
    Decimal,
    PlainSerializer(lambda share: f"{share:.1f}", return_type=str, when_used="json"),
    Field(description="Percent, one decimal.", examples=["4.3"]),
]


SetReason = Annotated[
    Reason,
    Field(
        description="Why; kept with the tier, and shown with it.",
        examples=["常年团购，约定保级"],
    ),
]
Score = Annotated[
    str,
    Field(
        description="Counted in `unit`: money and points as decimal strings, days and times whole.",
        examples=["1040.00"],
    ),
]


class TierPolicyRef(Output):
    """The policy version that decided."""

    id: UUID
    version: int
    name: str = Field(examples=["Three tiers by net spend"])


class TierIndicator(Output):
    """A figure that was looked at; of a composite policy, with what it gave to the score."""

    indicator: Indicator
    value: str | None = Field(description="Null where it was left out.", examples=["1040.00"])
    percentile: int | None = Field(
        description="Its place among all who bought, 0 to 100, when the policy was calibrated."
    )
    weight: str = Field(
        description="Its weight once that of those left out was shared among the others.",
        examples=["1.0000"],
    )
    points: str | None = Field(description="What it gave of the 100 points.")
    absence: IndicatorAbsence | None = Field(description="Why it was left out.")


class TierFigures(Output):
    """What was looked at: figures within the window, both ends included."""

    as_of: date
    window_from: date = Field(examples=["2025-11-22"])
    window_to: date
    window_days: int = Field(examples=[365])
    net_spend: Total = Field(examples=["1040.00"])
    refunded: Total = Field(examples=["0.00"])
    purchases: int = Field(examples=[9])
    last_purchase_on: date | None = Field(
        description="Null where there is none, and in reasons stored before it was kept."
    )
    indicators: list[TierIndicator] = Field(
        description="What the score is made of: one of a threshold or share policy."
    )


class TierLevelAsked(Output):
    """What a level asks for."""

    level: TierLevel
    at_least: Score
    top_percent: str | None = Field(
        description="The share, cumulated from the top, that it begins.", examples=["20"]
    )


class TierRule(Output):
    """The rule that applied."""

    method: PolicyMethod
    metric: Indicator | None = Field(
        description="Null for a composite policy.", examples=["net_spend"]
    )
    level: TierLevel
    at_least: Score | None = Field(
        description="Null where the policy does not know the level.", examples=["1000.00"]
    )
    top_percent: str | None
    share_of: ShareOf | None
    calibrated_on: date | None = Field(
        description="The day of the snapshot that top shares and percentiles were taken from."
    )
    levels: list[TierLevelAsked] = Field(
        description="From the highest to the lowest; empty in reasons stored before it was kept."
    )


class TierNext(Output):
    """What would lift the card."""

    level: TierLevel
    at_least: Score
    missing: Score
    spend: Total | None = Field(
        description="A purchase that gets there, all else unchanged; null where no amount does.",
        examples=["32.00"],
    )


class TierKeepRule(Output):
    """What keeps the level at an evaluation."""

    at_least: Score
    factor: str
    not_before: date = Field(description="The first evaluation that may look at it.")
    window_from: date = Field(description="The first day that will count then.")
    notice_days: int
    sentences: BilingualText


class TierExplanation(Output):
    """Why the card got this tier, as stored when it did."""

    inputs: TierFigures
    rule: TierRule
    policy: TierPolicyRef
    score: Score
    unit: Unit
    cause: TierCause
    next: TierNext | None
    keep: TierKeepRule | None
    sentences: BilingualText


class TierToday(Output):
    """How the card stands today against the policy in force."""

    as_of: date
    window_from: date = Field(examples=["2025-11-22"])
    net_spend: Total = Field(examples=["1040.00"])
    score: Score
    unit: Unit
    indicators: list[TierIndicator]
    next: TierNext | None = Field(description="Null at the top.")
    sentences: BilingualText = Field(description="The reason with today's figures.")


class TierKeep(Output):
    """What it takes to keep the level."""

    at_least: Score = Field(description="The score that the evaluation will ask for.")
    evaluated_on: date = Field(description="The first evaluation that may take the level away.")
    window_from: date = Field(description="The first day that will count then.")
    still_counting: Score = Field(description="The score then, if nothing is bought until then.")
    missing: Score = Field(description="To be scored until then.")
    spend: Total | None = Field(
        description="A purchase until then that keeps it; null where no amount does.",
        examples=["282.40"],
    )
    notice_days: int = Field(description="How long the customer is told before a fall.")
    sentences: BilingualText


class TierOverride(Output):
    """A level that somebody set by hand: receipts and evaluations leave it alone."""

    ends_on: date = Field(description="The last day it holds.")
    set_by_id: UUID | None = Field(description="The member of staff; null for an API client.")
    set_by_name: str | None = Field(examples=["王经理"])
    reason: str | None = Field(
        description="Null once the person was erased.", examples=["常年团购，约定保级"]
    )


class TierOpenNotice(Output):
    """That the level will be lost if nothing happens until then."""

    id: UUID
    level: TierLevel
    next_level: TierLevel = Field(description="What the card will fall to.")
    noticed_on: date
    falls_on: date


class TierOpenReview(Output):
    """An upgrade that waits for a person, since the turnover behind it looks hollow."""

    id: UUID
    level: TierLevel
    next_level: TierLevel = Field(description="What the card would rise to.")
    is_severe: bool
    opened_at: Instant


class TierOverrideCreate(Input):
    """A level to be set by hand, in place of one that was set before."""

    level: TierLevel = Field(description="A level of the policy in force.")
    reason: SetReason
    ends_on: Day = Field(
        description="The last day it holds: today, or at most two years from now.",
        examples=["2027-06-30"],
    )


class TierOverrideEnd(Input):
    """Why a level set by hand ends before its time."""

    reason: SetReason


class TierRead(Output):
    """A card's tier, why, and what would change it."""

    customer_id: UUID
    level: LabelledCode = Field(examples=[example_code(TierLevel.MAIN)])
    since: Instant
    cause: LabelledCode = Field(examples=[example_code(TierCause.UPGRADE)])
    purchase_id: UUID | None = Field(description="The purchase that earned it.")
    explanation: TierExplanation
    today: TierToday
    keep: TierKeep | None = Field(
        description="Null at the lowest level, and while it is set by hand."
    )
    notice: TierOpenNotice | None = Field(description="Null where no fall was announced.")
    review: TierOpenReview | None = Field(description="Null where no upgrade waits.")
    override: TierOverride | None = Field(description="Null where nobody set it by hand.")


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
    ends_on: date | None = Field(description="Set by hand: the last day it was to hold.")
    set_by_id: UUID | None = Field(description="Set or ended by hand: who did it.")
    reason: str | None = Field(description="Set or ended by hand: why.")
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
