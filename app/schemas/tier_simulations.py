"""What a simulation of a tier policy answers, and the list of those that were made."""

from datetime import date
from uuid import UUID

from pydantic import Field

from app.schemas.common import BilingualText, LabelledCode, Output, example_code
from app.schemas.tiers import Percent, TierPolicyRef
from app.vocabulary import (
    CustomerKind,
    Instant,
    ReportStatus,
    TierLevel,
    Total,
)


class SimulatedLevel(Output):
    """Who holds a level, or would."""

    level: LabelledCode = Field(examples=[example_code(TierLevel.MAIN)])
    customers: int = Field(examples=[93])
    customers_share: Percent
    buyers: int = Field(description="Those who bought within the window.", examples=[90])
    amount: Total = Field(description="Net spend within the window.", examples=["232730.00"])
    amount_share: Percent = Field(examples=["40.0"])


class SimulatedTransition(Output):
    """Who holds one level and would hold another, or the same."""

    before: TierLevel
    after: TierLevel
    customers: int = Field(examples=[17])
    buyers: int = Field(examples=[17])
    hollow: int = Field(
        description="Those whose turnover looks hollow by this calibration.", examples=[2]
    )
    amount: Total


class SimulatedTransitions(Output):
    """The transition matrix, by rows; what is not there has nobody."""

    at_once: list[SimulatedTransition]
    in_the_end: list[SimulatedTransition]


class Mover(Output):
    """One of those with the greatest net spend who would move."""

    customer_id: UUID
    before: TierLevel
    at_once: TierLevel
    in_the_end: TierLevel
    net_spend: Total
    purchases: int = Field(examples=[9])
    score: str = Field(description="In the policy's unit.", examples=["1040.00"])
    is_hollow: bool
    is_set_by_hand: bool = Field(description="Then nothing moves it at once.")
    sentences: BilingualText


class Movers(Output):
    """The greatest moves up and down, as the figures earn in the end."""

    up: list[Mover]
    down: list[Mover]


class LevelBenefitCost(Output):
    """What the benefits of a level cost in a year."""

    level: TierLevel
    before: Total
    at_once: Total
    in_the_end: Total


class BenefitCosts(Output):
    """What benefits cost in a year: discounts, visits, and what else is said with a level."""

    visit_cost: Total = Field(
        description="What a visit costs now, by the prices of channels.", examples=["30.00"]
    )
    levels: list[LevelBenefitCost]
    before: Total
    at_once: Total
    in_the_end: Total
    difference_at_once: Total
    difference_in_the_end: Total


class SimulationHint(Output):
    """What is worth knowing before publishing."""

    code: str = Field(examples=["ties"])
    sentences: BilingualText


class TierSimulation(Output):
    """What a draft would do to today's customers of its scope."""

    policy: TierPolicyRef
    scope: CustomerKind
    fingerprint: str = Field(
        description="Of what was simulated; publishing asks for it.", examples=["9f2c"]
    )
    in_force: TierPolicyRef = Field(description="The version that it was compared with.")
    as_of: date
    window_from: date = Field(examples=["2025-11-22"])
    customers: int = Field(description="All who hold a tier.", examples=[2166])
    buyers: int = Field(description="Those who bought within the window.", examples=[1870])
    amount: Total
    before: list[SimulatedLevel]
    at_once: list[SimulatedLevel] = Field(
        description="After the night that follows: up, and where a level is no longer known."
    )
    in_the_end: list[SimulatedLevel] = Field(
        description="What the figures earn: after the evaluations, with nothing set by hand."
    )
    transitions: SimulatedTransitions
    movers: Movers
    benefit_costs: BenefitCosts
    hints: list[SimulationHint]


class SimulationJob(Output):
    """A simulation that was asked for, and how far it is."""

    id: UUID = Field(description="Its result stands at `/v1/reports/jobs/{id}`.")
    status: ReportStatus = Field(examples=["done"])
    progress: int = Field(examples=[100])
    fingerprint: str = Field(examples=["9f2c"])
    is_current: bool = Field(description="Whether it is of the policy as it is now.")
    created_at: Instant
    finished_at: Instant | None
    requested_by_id: UUID | None
