"""Bodies of tier policies: drafts as they are written, versions as they are read."""

from datetime import date
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import ConfigDict, Field, StrictBool, StrictInt, StringConstraints

from app.schemas.common import BilingualText, Day, Input, LabelledCode, Output, example_code
from app.schemas.patch import Patch, omittable
from app.vocabulary import (
    CustomerKind,
    Indicator,
    Instant,
    LongText,
    PolicyMethod,
    PolicyPreset,
    PolicyStatus,
    ShareOf,
    ShortText,
    TierLevel,
    Unit,
)

# The rules' own bounds, said to who writes a form; a test holds them to each other.
SHORTEST_WINDOW_DAYS: Final = 30
LONGEST_WINDOW_DAYS: Final = 1095
LONGEST_HOLD_DAYS: Final = 1095
LONGEST_NOTICE_DAYS: Final = 180
MAXIMUM_LEVELS: Final = len(TierLevel)
MAXIMUM_INDICATORS: Final = len(Indicator)
PolicyNumber = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{1,12}(\.[0-9]{1,4})?$"),
    Field(description="A decimal as text, not negative, with up to 4 decimals."),
]
WindowDays = Annotated[StrictInt, Field(ge=SHORTEST_WINDOW_DAYS, le=LONGEST_WINDOW_DAYS)]
VisitDays = Annotated[StrictInt, Field(ge=1, le=LONGEST_WINDOW_DAYS)]
NoticeDays = Annotated[StrictInt, Field(ge=0, le=LONGEST_NOTICE_DAYS)]
_LEVELS: Final[list[Any]] = [
    {"level": "main", "at_least": "1200.00", "benefits": {"discount_percent": "8"}},
    {"level": "ordinary", "at_least": "400.00", "benefits": {"discount_percent": "5"}},
    {"level": "small", "at_least": "0.00"},
]
_KEEP: Final[dict[str, Any]] = {"factor": "0.90", "hold_days": 180, "notice_days": 30}


class BenefitsInput(Input):
    """What a level is owed; what is left out is owed to nobody."""

    visit_every_days: VisitDays | None = Field(default=None, examples=[90])
    points_factor: PolicyNumber = Field(default="1", examples=["2"])
    discount_percent: PolicyNumber = Field(default="0", examples=["8"])
    response_factor: PolicyNumber = Field(
        default="1", description="The part of the usual time to answer in.", examples=["0.5"]
    )
    has_dedicated_staff: StrictBool = False
    yearly_cost: PolicyNumber = Field(
        default="0", description="What else each customer costs the chain.", examples=["30.00"]
    )


class LevelInput(Input):
    """A level and what reaches it: a score, or a top share cumulated from the top."""

    level: TierLevel
    at_least: PolicyNumber | None = Field(
        default=None, description="Of thresholds: the score that reaches it.", examples=["1000.00"]
    )
    top_percent: PolicyNumber | None = Field(
        default=None, description="Of shares and composites: the top share.", examples=["20"]
    )
    benefits: BenefitsInput | None = None


class IndicatorInput(Input):
    """An indicator of a composite policy; the weights add up to 1."""

    indicator: Indicator
    weight: PolicyNumber = Field(examples=["0.40"])


class KeepInput(Input):
    """What keeps a level at the evaluations, which are on the first day of each month."""

    factor: PolicyNumber = Field(
        description="The part of a level's score that keeps it.", examples=["0.90"]
    )
    hold_days: Annotated[StrictInt, Field(ge=0, le=LONGEST_HOLD_DAYS)] = Field(
        description="How long a level is kept before it may be lost."
    )
    notice_days: NoticeDays = Field(description="How long before a fall the customer is told.")
    grace_days: NoticeDays = Field(default=0, description="How long a fall waits after that.")


Levels = Annotated[list[LevelInput], Field(min_length=2, max_length=MAXIMUM_LEVELS)]
Indicators = Annotated[list[IndicatorInput], Field(min_length=1, max_length=MAXIMUM_INDICATORS)]


class TierPolicyCreate(Input):
    """A new draft: from a preset, from another version, or from nothing.

    What is named beside ``preset`` or ``copy_of`` stands instead of what it has.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"scope": "individual", "name": "Three tiers of a bookshop", "preset": "bookshop"},
                {
                    "scope": "individual",
                    "name": "Higher thresholds",
                    "note": "For the coming year.",
                    "method": "threshold",
                    "metric": "net_spend",
                    "window_days": 365,
                    "levels": _LEVELS,
                    "keep": _KEEP,
                },
            ]
        }
    )

    scope: CustomerKind = Field(description="Whose tiers it decides; it stays for ever.")
    name: ShortText
    note: LongText | None = None
    preset: PolicyPreset | None = None
    copy_of: UUID | None = Field(default=None, description="The id of another version.")
    method: PolicyMethod | None = None
    metric: Indicator | None = Field(default=None, description="Of thresholds and shares.")
    share_of: ShareOf | None = Field(default=None, description="Of shares.")
    window_days: WindowDays | None = None
    levels: Levels | None = Field(
        default=None, description="From the highest to the lowest, which is for everybody."
    )
    indicators: Indicators | None = Field(default=None, description="Of composites.")
    keep: KeepInput | None = None


class TierPolicyChange(Patch):
    """What may be changed of a draft; null takes away what its method has no use for."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Lower thresholds", "window_days": 365}]}
    )

    name: ShortText = omittable()
    note: LongText | None = None
    method: PolicyMethod = omittable()
    metric: Indicator | None = None
    share_of: ShareOf | None = None
    window_days: WindowDays = omittable()
    levels: Levels = omittable(description="All of them.")
    indicators: Indicators | None = None
    keep: KeepInput = omittable()


class TierPolicyPublish(Input):
    """From when a draft is to be in force, and why."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"note": "Approved by the board."}]})

    effective_on: Day | None = Field(
        default=None, description="Today and at once when left out; a later day waits for it."
    )
    note: LongText | None = None


# --- Answers ----------------------------------------------------------------------------------


class BenefitsRead(Output):
    """What a level is owed."""

    visit_every_days: int | None = Field(examples=[90])
    points_factor: str = Field(examples=["2"])
    discount_percent: str = Field(examples=["8"])
    response_factor: str = Field(examples=["0.5"])
    has_dedicated_staff: bool
    yearly_cost: str = Field(examples=["30.00"])


class TierLevelRead(Output):
    """A level of a policy, what reaches it, and what it is owed."""

    level: TierLevel
    at_least: str | None = Field(
        description="The score that reaches it, in the policy's unit; null as long as a top share "
        "has not been turned into one.",
        examples=["1000.00"],
    )
    top_percent: str | None = Field(
        description="The top share that it stands for.", examples=[None]
    )
    benefits: BenefitsRead


class IndicatorRead(Output):
    """An indicator and its weight."""

    indicator: Indicator
    weight: str = Field(examples=["0.40"])


class KeepRead(Output):
    """What keeps a level at an evaluation."""

    factor: str = Field(examples=["0.90"])
    hold_days: int = Field(examples=[180])
    notice_days: int = Field(examples=[30])
    grace_days: int = Field(examples=[0])


class PolicyHint(Output):
    """What is allowed and may not be meant."""

    pointer: str = Field(
        description="JSON pointer (RFC 6901) to the part of the policy.",
        examples=["/indicators/4/indicator"],
    )
    code: str = Field(examples=["absent"])
    sentences: BilingualText


class TierPolicyRead(Output):
    """One version of a policy."""

    # Shown field by field: FastAPI leaves nulls out of an example of the whole.
    id: UUID = Field(examples=["0193a1c2-d3e4-7f00-8000-00000000e001"])
    scope: CustomerKind
    version: int = Field(examples=[2])
    name: str = Field(examples=["Three tiers by net spend"])
    note: str | None = Field(examples=["Approved by the board."])
    status: PolicyStatus = Field(examples=["draft"])
    method: PolicyMethod = Field(examples=["threshold"])
    metric: Indicator | None = Field(description="Null for composites.", examples=["net_spend"])
    share_of: ShareOf | None = Field(description="Null but for shares.", examples=[None])
    unit: Unit = Field(description="What scores are counted in.", examples=["money"])
    window_days: int = Field(examples=[365])
    levels: list[TierLevelRead] = Field(description="From the highest to the lowest.")
    indicators: list[IndicatorRead] = Field(description="Empty but for composites.")
    keep: KeepRead
    hints: list[PolicyHint]
    fingerprint: str = Field(
        description="Names scope, method and body; a simulation is of one of these.",
        examples=["9f2c"],
    )
    revision: int = Field(description="Counts changes; the ETag has it.", examples=[1])
    created_at: Instant
    created_by_id: UUID | None
    approved_at: Instant | None
    approved_by_id: UUID | None = Field(description="The member of staff who published it.")
    effective_on: date | None = Field(description="Null for drafts.")
    activated_at: Instant | None
    retired_at: Instant | None


class TierPolicies(Output):
    """All versions, by scope, newest first."""

    items: list[TierPolicyRead]


class LevelCut(Output):
    """The score that begins a level's top share."""

    level: TierLevel
    at_least: str = Field(examples=["1012.40"])


class RfmCutsRead(Output):
    """Four cut points of each part: the scores 1 to 5 lie between them."""

    days_since_last_purchase: list[int] = Field(
        description="Up to the first scores 5.", examples=[[21, 60, 121, 214]]
    )
    purchase_days: list[int] = Field(
        description="From the last on scores 5.", examples=[[2, 3, 5, 9]]
    )
    net_spend: list[str] = Field(
        description="From the last on scores 5.",
        examples=[["48.00", "110.50", "236.00", "610.00"]],
    )


class ReferencesRead(Output):
    """What a customer is held against: values of all who bought in the window."""

    value_contribution: str = Field(
        description="The contribution that begins the top fifth.", examples=["154.20"]
    )
    top_gross: str = Field(
        description="The gross spend that begins the top fifth.", examples=["702.00"]
    )
    contribution_rate_p25: str = Field(examples=["0.1920"])
    refund_rate_mean: str = Field(examples=["0.0465"])
    service_cost_median: str = Field(examples=["2.00"])
    service_cost_total: str = Field(examples=["9210.00"])
    contribution_total: str = Field(examples=["174100.00"])


class IndicatorKnots(Output):
    """The 1st to the 100th percentile of an indicator."""

    indicator: Indicator
    values: list[str] = Field(
        description="Ascending; less turned negative where less is better (such as returns).",
        examples=[["1.00", "2.00"]],
    )


class CalibrationRead(Output):
    """Values taken from one snapshot, and then kept with the version."""

    as_of: date
    customers: int = Field(description="Who bought within the window.")
    created_at: Instant
    is_current: bool = Field(description="False when the draft was changed since.")
    cuts: list[LevelCut]
    rfm: RfmCutsRead | None
    references: ReferencesRead | None
    knots: list[IndicatorKnots]


class TierPolicyDetail(TierPolicyRead):
    """One version of a policy with its calibration."""

    calibration: CalibrationRead | None = Field(description="Null before the first simulation.")


class PresetRead(Output):
    """What a draft may begin as."""

    preset: LabelledCode = Field(examples=[example_code(PolicyPreset.BOOKSHOP)])
    scope: CustomerKind
    method: PolicyMethod
    metric: Indicator | None
    share_of: ShareOf | None
    window_days: int
    levels: list[TierLevelRead]
    indicators: list[IndicatorRead]
    keep: KeepRead


class PolicyPresets(Output):
    """Everything that a draft may begin as."""

    items: list[PresetRead]
