"""Bodies of cards that look like one customer's."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StrictBool

from app.schemas.common import Input, LabelledCode, Output
from app.schemas.customers import Card
from app.vocabulary import (
    CustomerKind,
    CustomerStatus,
    DuplicateReason,
    DuplicateState,
    LongText,
)

_CARD = "0193a1c2-d3e4-7f00-8000-00000000c001"
_OTHER = "0193a1c2-d3e4-7f00-8000-00000000c009"
_STORE = "0193a1c2-d3e4-7f00-8000-000000000001"
_SCORE = Field(
    description="How likely both are one customer's, in thousandths.", ge=0, le=1000, examples=[986]
)


class WeighedReasonText(LabelledCode):
    """Something that two cards agree or differ in."""

    code: str = Field(
        description="A code of the vocabulary `duplicate_reason`.", examples=["same_birthday"]
    )
    en: str = Field(description="English label.", examples=["Same birthday"])
    zh: str = Field(description="Chinese label.", examples=["生日相同"])
    weight: int = Field(
        description="Tenths of a bit of evidence; below zero it speaks against.", examples=[140]
    )


def reason_texts(stored: Iterable[Mapping[str, Any]]) -> list[WeighedReasonText]:
    """Return stored reasons with their labels."""
    return [
        WeighedReasonText(code=code, en=code.label.en, zh=code.label.zh, weight=reason["weight"])
        for reason in stored
        for code in [DuplicateReason(reason["code"])]
    ]


class DuplicateCandidate(Output):
    """A card that may be the same customer's; a member of `possible-duplicate` problems."""

    customer_id: UUID = Field(examples=[_CARD])
    name: str = Field(examples=["王小明"])
    home_store_id: UUID | None = Field(examples=[_STORE])
    phones: list[str] = Field(
        description="With their middle hidden.", examples=[["+86138****8000"]]
    )
    score: int = _SCORE
    reasons: list[WeighedReasonText] = Field(description="The weightiest first.")


class LookalikeCard(Output):
    """What tells one card of a pair from the other."""

    id: UUID = Field(examples=[_CARD])
    kind: CustomerKind
    status: CustomerStatus
    name: str = Field(examples=["王小明"])
    home_store_id: UUID | None = Field(examples=[_STORE])


class Duplicate(Output):
    """Two cards that look like one customer's, and what somebody decided about them."""

    first: LookalikeCard = Field(description="The card with the smaller id.")
    second: LookalikeCard
    state: DuplicateState
    score: int = _SCORE
    reasons: list[WeighedReasonText] = Field(description="The weightiest first.")
    found_at: datetime | None = Field(
        description="Null for two cards that nothing has paired yet.",
        examples=["2026-11-21T10:30:00Z"],
    )
    decided_at: datetime | None
    decided_by_id: UUID | None
    note: str | None


class DuplicateComparison(Output):
    """Two cards side by side."""

    duplicate: Duplicate
    first: Card
    second: Card


class DuplicateDecision(Input):
    """Whether two cards are one customer's."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"state": "different", "note": "Father and son."}]}
    )

    state: Literal["same", "different"] = Field(
        description="`different` is remembered: the two are not brought up again."
    )
    note: LongText | None = None


class ScanQueued(Output):
    """A scan that a worker will run."""

    is_queued: bool = Field(description="False where one waits or runs already.", examples=[True])
    is_full: bool = Field(
        description="Whether all cards are compared, or those changed since the last scan.",
        examples=[False],
    )


class ScanRequest(Input):
    """What is to be scanned."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"full": False}]})

    full: StrictBool = Field(
        default=False, description="All cards again, rather than those changed since the last scan."
    )
