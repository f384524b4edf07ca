"""Bodies of profiles: scores, segment, group, next level, hollow signs, reasons to prune."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.schemas.common import BilingualText, LabelledCode, Output, example_code
from app.schemas.tier_reviews import HollowEvidenceRead
from app.schemas.tiers import Percent, TierPolicyRef
from app.vocabulary import (
    CustomerGroup,
    CustomerKind,
    PruningReason,
    RfmSegment,
    TierLevel,
    Total,
    Unit,
)

Score = Annotated[int, Field(description="From 1 to 5; more is better.", examples=[4])]
InUnit = Annotated[str, Field(description="In the policy's unit.", examples=["240.00"])]
Growth = Annotated[
    str | None,
    Field(
        description="Log ratio of the net spend of the last 180 days to that of the 180 before, "
        "each with 50.00 added, from -1.000 to 1.000. Null for who never bought.",
        examples=["0.318"],
    ),
]
Pace = Annotated[
    Total,
    Field(description="Net spend of 365 days at the speed of the last 180.", examples=["512.30"]),
]
AsOf = Annotated[
    date | None,
    Field(description="The day that the night made profiles for; null before the first one."),
]
Segment = Annotated[LabelledCode, Field(examples=[example_code(RfmSegment.LOYAL)])]
Group = Annotated[LabelledCode, Field(examples=[example_code(CustomerGroup.VALUE)])]
Level = Annotated[LabelledCode, Field(examples=[example_code(TierLevel.ORDINARY)])]


class ListedProfile(Output):
    """What lists and reports have of a card until the next night."""

    as_of: AsOf
    segment: Segment
    group: Group


class RecencyRead(Output):
    """A score loses one for each cut point that the days lie beyond."""

    score: Score
    days_since_last_purchase: int = Field(examples=[12])
    cuts: list[int] = Field(examples=[[30, 61, 122, 240]])


class FrequencyRead(Output):
    """A score gains one for each cut point that the days with a purchase reach."""

    score: Score
    purchase_days: int = Field(description="Of 365 days.", examples=[9])
    cuts: list[int] = Field(examples=[[1, 3, 6, 11]])


class MonetaryRead(Output):
    """A score gains one for each cut point that the net spend reaches."""

    score: Score
    net_spend: Total = Field(description="Of 365 days.", examples=["812.40"])
    cuts: list[Total] = Field(examples=[["58.00", "171.50", "360.00", "822.00"]])


class RfmScoresRead(Output):
    """The three scores, each with its figure and the cut points behind it."""

    recency: RecencyRead
    frequency: FrequencyRead
    monetary: MonetaryRead


class SegmentRead(Output):
    """The segment of the scores, and its published condition."""

    segment: Segment
    condition: BilingualText


class GroupReasonRead(Output):
    """A condition that was looked at, met or not."""

    group: LabelledCode = Field(
        description="The group that it speaks for: of `over_served` all have to be met, of "
        "`potential` one.",
        examples=[example_code(CustomerGroup.POTENTIAL)],
    )
    number: str | None = Field(
        description="The card's: money, days or growth. Null where it is not known.",
        examples=["0.318"],
    )
    limit: str | None = Field(
        description="What it is held against. Null where that is not known.", examples=["0.2"]
    )
    is_met: bool
    sentences: BilingualText


class GroupRead(Output):
    """The group; the first of over-served, prospective, value, potential whose conditions hold."""

    group: Group
    reasons: list[GroupReasonRead]


class GrowthRead(Output):
    """How spend grows, and its pace."""

    growth: Growth
    net_180: Total = Field(description="Net spend of the last 180 days.")
    net_prior_180: Total = Field(description="Of the 180 days before those.")
    pace: Pace


class ContributionRead(Output):
    """What is left of a year's purchases."""

    amount: Total | None = Field(
        description="Margin less cost to serve, of 365 days. Null for who never bought, and where "
        "no cost of goods is known.",
        examples=["212.40"],
    )
    margin: Total | None = Field(examples=["224.40"])
    service_cost: Total = Field(examples=["12.00"])


class NextLevelRead(Output):
    """The level above what the figures earn."""

    level: Level
    at_least: InUnit
    score: InUnit
    missing: InUnit
    unit: LabelledCode = Field(examples=[example_code(Unit.MONEY)])
    is_held: bool = Field(description="Whether the card holds that level or a higher one already.")
    is_near: bool = Field(description="Whether the score is within 20 % of it.")
    is_on_pace: bool = Field(description="Whether the pace lies above it.")
    has_potential: bool = Field(description="Near and growing, or on pace.")
    sentences: BilingualText


class PruningReasonRead(Output):
    """What speaks for ending what a customer costs. A person decides; nothing is done by itself."""

    reason: LabelledCode = Field(examples=[example_code(PruningReason.SILENT_YET_SERVED)])
    number: str = Field(
        description="The contribution, or the days since the last purchase.", examples=["812"]
    )
    service_cost: Total = Field(description="Of 365 days.", examples=["14.00"])
    sentences: BilingualText


class ProfileFindings(Output):
    """What a card's figures say, with every number behind it."""

    scores: RfmScoresRead | None = Field(description="Null for who never bought.")
    segment: SegmentRead
    group: GroupRead
    growth: GrowthRead
    contribution: ContributionRead
    next_level: NextLevelRead | None = Field(description="Null at the top.")
    hollow: HollowEvidenceRead | None = Field(description="Null where nothing looks hollow.")
    pruning: list[PruningReasonRead] = Field(description="Empty where nothing speaks for it.")


class CustomerProfileRead(Output):
    """What a card's figures say of it by the cut points of the policy in force."""

    customer_id: UUID
    as_of: date = Field(description="The day of the last night; before the first one, today.")
    policy: TierPolicyRef
    calibrated_on: date | None = Field(
        description="The day of the snapshot that cut points and reference values are of."
    )
    findings: ProfileFindings | None = Field(
        description="By the figures of this moment. Null while the policy has no cut points."
    )
    listed: ListedProfile | None = Field(
        description="What lists and reports have of the card; a receipt since then may say "
        "otherwise. Null where the night has not seen it yet."
    )
    sentences: BilingualText


class ProfiledCard(Output):
    """The card in question."""

    id: UUID
    kind: CustomerKind
    name: str = Field(examples=["王小明"])
    home_store_id: UUID | None


class UpgradePotentialRead(Output):
    """A card that is about to earn the next level; numbers are of the night named by ``as_of``."""

    customer: ProfiledCard
    level: LabelledCode | None = Field(
        description="The tier it holds now.", examples=[example_code(TierLevel.SMALL)]
    )
    next_level: Level
    at_least: InUnit
    missing: InUnit
    growth: Growth
    pace: Pace
    group: Group
    sentences: BilingualText


class UpgradePotential(Output):
    """A page of cards with potential."""

    as_of: AsOf
    unit: LabelledCode = Field(
        description="What scores are counted in.", examples=[example_code(Unit.MONEY)]
    )
    items: list[UpgradePotentialRead]
    next_cursor: str | None = Field(description="Send it as `cursor` to get the next page.")


class PruningCandidateRead(Output):
    """A card that somebody may want to think about; nothing is done by itself."""

    customer: ProfiledCard
    level: LabelledCode | None = Field(
        description="The tier it holds now.", examples=[example_code(TierLevel.SMALL)]
    )
    group: Group
    contribution: Total | None = Field(
        description="As of the night named by `as_of`.", examples=["-3.20"]
    )
    reasons: list[PruningReasonRead] = Field(description="By the figures of this moment.")


class PruningCandidates(Output):
    """A page of candidates; one may be shorter than asked for, or empty, and not the last."""

    as_of: AsOf
    items: list[PruningCandidateRead]
    next_cursor: str | None = Field(description="Send it as `cursor` to get the next page.")


class RfmCutPoints(Output):
    """Where scores change, as frozen with the policy version."""

    days_since_last_purchase: list[int] = Field(examples=[[30, 61, 122, 240]])
    purchase_days: list[int] = Field(examples=[[1, 3, 6, 11]])
    net_spend: list[Total] = Field(examples=[["58.00", "171.50", "360.00", "822.00"]])


class ScoreRange(Output):
    """Scores from the first to the last, both included."""

    first: int = Field(examples=[4])
    last: int = Field(examples=[5])


class RfmSegmentShare(Output):
    """A segment, its boundary, and who is in it."""

    segment: Segment
    condition: BilingualText
    recency: ScoreRange | None = Field(description="Null for who never bought.")
    frequency: ScoreRange | None = Field(description="Null for who never bought.")
    frequency_and_money_at_least: str | None = Field(
        description="The least mean of both scores. Null for who never bought.", examples=["4"]
    )
    customers: int = Field(examples=[1240])
    customers_share: Percent
    amount: Total = Field(description="Net spend of 365 days.", examples=["612000.00"])
    amount_share: Percent


class RfmSegments(Output):
    """Customers and amounts by segment; boundaries in the order in which they are tested."""

    as_of: AsOf
    kind: CustomerKind
    calibrated_on: date | None
    cuts: RfmCutPoints | None = Field(
        description="Null while the policy has no cut points: nobody is in a segment then."
    )
    customers: int = Field(examples=[2166])
    amount: Total = Field(examples=["1530000.00"])
    segments: list[RfmSegmentShare]


class CustomerGroupShare(Output):
    """A group and who is in it."""

    group: Group
    customers: int = Field(examples=[433])
    customers_share: Percent
    amount: Total = Field(description="Net spend of 365 days.", examples=["812000.00"])
    amount_share: Percent


class GroupReferences(Output):
    """What cards are held against: of the calibration's snapshot, frozen with the version."""

    value_contribution: Total = Field(description="Where the top fifth by contribution begins.")
    service_cost_median: Total
    service_cost_total: Total
    contribution_total: Total


class CustomerGroups(Output):
    """Customers and amounts by group, in the order in which groups are tested."""

    as_of: AsOf
    kind: CustomerKind
    calibrated_on: date | None
    references: GroupReferences | None = Field(
        description="Null while the policy has none: nobody is in a group then."
    )
    customers: int = Field(examples=[2166])
    amount: Total = Field(examples=["1530000.00"])
    groups: list[CustomerGroupShare]
