"""Reports over levels and amounts: flows between levels, and concentration."""

from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import Field, PlainSerializer

from app.schemas.common import BilingualText, LabelledCode, Output, example_code
from app.schemas.tiers import Percent
from app.vocabulary import CustomerKind, TierLevel, Total


class TierFlow(Output):
    """A level's customers at the opening, what came and went, and those at the closing.

    `closing` is `opening`, and what came, less what went, exactly. Each move counts: who went up
    and down again within the period did both.
    """

    level: LabelledCode = Field(examples=[example_code(TierLevel.MAIN)])
    opening: int = Field(description="At the beginning of the first day.", examples=[90])
    new: int = Field(description="Cards that were made, and begin with this level.", examples=[0])
    up_in: int = Field(examples=[12])
    down_in: int = Field(examples=[0])
    other_in: int = Field(
        description="From a level that the policy which moved them does not know.", examples=[0]
    )
    up_out: int = Field(examples=[0])
    down_out: int = Field(examples=[8])
    other_out: int = Field(
        description="To levels of a policy that does not know this one.", examples=[0]
    )
    gone: int = Field(description="Cards that were merged into others.", examples=[1])
    closing: int = Field(description="At the end of the last day.", examples=[93])


class TierTransition(Output):
    """So many customers held one level at the opening and one at the closing."""

    opening: TierLevel | None = Field(
        description="Null: no card then.", examples=[str(TierLevel.ORDINARY)]
    )
    closing: TierLevel | None = Field(
        description="Null: merged into another.", examples=[str(TierLevel.MAIN)]
    )
    customers: int = Field(examples=[11])


class TierFlows(Output):
    """How customers flowed between the levels in a period, days at both ends included."""

    from_day: date = Field(examples=["2026-11-01"])
    to_day: date = Field(examples=["2026-11-21"])
    kind: CustomerKind
    opening: int = Field(description="All customers at the opening.", examples=[2400])
    new: int = Field(examples=[40])
    gone: int = Field(examples=[2])
    closing: int = Field(examples=[2438])
    levels: list[TierFlow] = Field(
        description="From the highest to the lowest of the policy in force at the end, then others."
    )
    matrix: list[TierTransition] = Field(
        description="From the level at the opening to that at the closing; who came and went in "
        "between is in `new` and `gone` only."
    )


class TopShareRead(Output):
    """What the customers with the most hold."""

    percent: int = Field(description="Of customers.", examples=[20])
    customers: int = Field(description="So many, rounded up.", examples=[434])
    share: Percent | None = Field(description="Of the amount.", examples=["58.2"])


class CurvePointRead(Output):
    """A point of the Lorenz curve: what the customers with the least hold."""

    percent: int = Field(description="Of customers.", examples=[50])
    share: Percent | None = Field(description="Of the amount.", examples=["14.6"])


class ConcentrationMost(Output):
    """The fewest customers who hold most of the amount."""

    percent_of_amount: int = Field(examples=[80])
    customers: int | None = Field(examples=[886])
    percent_of_customers: Percent | None = Field(examples=["40.9"])


Measure = Annotated[
    Decimal,
    PlainSerializer(lambda value: f"{value:f}", return_type=str, when_used="json"),
]


class ConcentrationRead(Output):
    """How the net spend of a window is spread over those who bought in it, as it is.

    Who returned more than they bought counts as having spent nothing; shares are then of the rest.
    All shares and measures are null where nobody spent anything.
    """

    as_of: date
    window_from: date = Field(examples=["2025-11-22"])
    window_days: int = Field(examples=[365])
    kind: CustomerKind
    customers: int = Field(description="Who bought in the window.", examples=[2166])
    amount: Total = Field(
        description="Their net spend, negative ones left out.", examples=["581780.00"]
    )
    negative_customers: int = Field(
        description="Of them, who returned more than they bought.", examples=[3]
    )
    negative_amount: Total = Field(
        description="Their net spend, not in `amount`.", examples=["-58.00"]
    )
    top: list[TopShareRead]
    most: ConcentrationMost
    curve: list[CurvePointRead] = Field(description="Twenty points, ascending.")
    gini: Measure | None = Field(
        description="0: all spent the same; towards 1: one spent it all.", examples=["0.5312"]
    )
    hhi: Measure | None = Field(
        description="Sum of squared shares: from 1 by the number of customers to 1.",
        examples=["0.00118300"],
    )
    sentences: BilingualText = Field(
        examples=[
            {
                "en": "The top 20 % of customers hold 58.2 % of net spend; 80 % of it is held by "
                "40.9 % of customers.",
                "zh": "前 20% 的客户占净消费的 58.2%；净消费的 80% 由 40.9% 的客户贡献。",
            }
        ]
    )
