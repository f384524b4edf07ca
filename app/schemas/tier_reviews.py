"""Bodies of reviews and hollow accounts: what looks hollow about a card, and what was decided."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field

from app.schemas.common import BilingualText, Input, LabelledCode, Output, example_code
from app.vocabulary import (
    CustomerKind,
    HollowSign,
    Instant,
    LongText,
    ReviewStatus,
    TierLevel,
    Total,
    fields,
)

_CARD = "0193a1c2-d3e4-7f00-8000-00000000c00c"
_NUMBER = (
    "A share of one for `low_contribution` and `many_returns`, money for `dear_to_serve` and "
    "`one_big_order`, days for `few_days`. "
)


class HollowConditionRead(Output):
    """A condition that was looked at, met or not."""

    sign: LabelledCode = Field(
        description="Of the vocabulary `hollow_sign`.",
        examples=[example_code(HollowSign.MANY_RETURNS)],
    )
    number: str | None = Field(
        description=f"The card's. {_NUMBER}Null where it is not known.", examples=["0.2375"]
    )
    limit: str | None = Field(
        description="What it is held against; of `one_big_order` half of the gross. Null where "
        "nothing is known to hold it against.",
        examples=["0.1800"],
    )
    is_met: bool = Field(description="Whether the sign is there.", examples=[True])
    sentences: BilingualText


class HollowEvidenceRead(Output):
    """What makes a big turnover hollow: the gross lies in the top fifth, and a sign is there."""

    as_of: date
    gross: Total = Field(description="Of the policy's window.", examples=["1300.00"])
    top_gross: Total = Field(description="Where the top fifth begins.", examples=["1000.00"])
    is_severe: bool = Field(description="Whether there are two signs or more.", examples=[False])
    signs: list[HollowSign] = Field(examples=[["many_returns"]])
    conditions: list[HollowConditionRead] = Field(description="All that were looked at.")
    sentences: BilingualText


class HollowCard(Output):
    """The card in question."""

    id: UUID = Field(examples=[_CARD])
    kind: CustomerKind
    name: str = Field(examples=["王小明"])
    home_store_id: UUID | None


class TierReviewRead(Output):
    """An upgrade of a hollow account that waits for a person, or what became of it."""

    id: UUID
    customer: HollowCard
    status: ReviewStatus = Field(examples=["open"])
    level: LabelledCode = Field(
        description="What the card held.", examples=[example_code(TierLevel.ORDINARY)]
    )
    next_level: LabelledCode = Field(
        description="What it would have risen to.", examples=[example_code(TierLevel.MAIN)]
    )
    purchase_id: UUID | None = Field(description="The purchase that earned it, if one did.")
    policy_id: UUID
    is_severe: bool = Field(examples=[True])
    evidence: HollowEvidenceRead = Field(
        description="As it was when the card was last about to rise."
    )
    opened_at: Instant
    decided_at: Instant | None = Field(description="When it was decided, or lapsed.")
    decided_by_id: UUID | None = Field(
        description="The member of staff who decided; null for machines and the service itself."
    )
    reason: str | None = Field(description="Why it was refused, or the note of who accepted it.")


class TierReviewAcceptance(Input):
    """The upgrade is deserved all the same."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"note": "学校年度采购，已核实。", "next_level": "main"}]}
    )

    note: LongText | None = None
    next_level: TierLevel | None = Field(
        default=None,
        description="The level that you saw; if the card has earned another one since, the answer "
        "is 409.",
    )


class TierReviewRefusal(Input):
    """The upgrade is refused."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "大额购买后多次退货。"}]})

    reason: Annotated[
        fields.Reason,
        Field(description="Why; it goes when the person is erased.", examples=["多次大额退货"]),
    ]


class HollowAccountRead(Output):
    """A card whose turnover looks hollow."""

    customer: HollowCard
    level: LabelledCode | None = Field(
        description="The tier it holds.", examples=[example_code(TierLevel.ORDINARY)]
    )
    is_severe: bool = Field(description="As of the night named by `as_of`.", examples=[True])
    signs: list[HollowSign] = Field(
        description="As of the night named by `as_of`.", examples=[["many_returns"]]
    )
    evidence: HollowEvidenceRead | None = Field(
        description="By the figures of this moment; null where nothing looks hollow any more."
    )
    open_review_id: UUID | None = Field(description="The review that its upgrade waits for.")


class HollowAccounts(Output):
    """A page of hollow accounts, and the day that they were found for."""

    as_of: date | None = Field(
        description="The day of the night that found them; null where none did yet."
    )
    items: list[HollowAccountRead]
    next_cursor: str | None = Field(description="Send it as `cursor` to get the next page.")
