"""What tills send, and what they are answered: the service's own format."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from app.schemas.common import BilingualText, Day, Input, Output
from app.schemas.tiers import Score
from app.vocabulary import (
    CodeText,
    EventId,
    EventKind,
    EventStatus,
    IdentityKind,
    Instant,
    NonNegativeMoney,
    Quantity,
    ReceiptNumber,
    ShortText,
    TierLevel,
    Total,
    Unit,
)

MAXIMUM_LINES = 500
CurrencyCode = Annotated[str, Field(pattern="^[A-Z]{3}$", examples=["CNY"])]
LineNumber = Annotated[
    int, Field(strict=True, ge=1, le=100_000, description="Unique within the receipt.")
]


class EventCustomer(Input):
    """Who bought: one identity as scanned or typed, or the id of a card."""

    kind: IdentityKind | None = Field(default=None, examples=["member_number"])
    system: CodeText | None = Field(default=None, description="For `external`: the other system.")
    value: str | None = Field(default=None, min_length=1, max_length=254, examples=["HK000123"])
    id: UUID | None = Field(default=None, description="A card's id, instead of an identity.")

    @model_validator(mode="after")
    def _one_or_the_other(self) -> "EventCustomer":
        by_identity = self.kind is not None and self.value is not None
        if by_identity == (self.id is not None) or (self.id is not None and self.system):
            raise ValueError("give either kind and value, or id")
        return self


class SaleLine(Input):
    """One item sold. ``amount`` is quantity × unit price − discount, rounded half up."""

    line_number: LineNumber
    sku: CodeText | None = None
    isbn: str | None = Field(default=None, pattern=r"^97[89][0-9]{10}$")
    title: ShortText | None = None
    category: ShortText | None = None
    quantity: Quantity
    unit_price: NonNegativeMoney
    discount: NonNegativeMoney | None = Field(default=None, description="Of the whole line.")
    amount: NonNegativeMoney = Field(description="What the customer paid for the line.")
    unit_cost: NonNegativeMoney | None = Field(
        default=None, description="Left out: the catalogue's, if it knows the SKU."
    )


class OriginalReceipt(Input):
    """The receipt that is refunded or voided."""

    receipt_number: ReceiptNumber
    business_day: Day | None = Field(
        default=None,
        description="The day it was printed; needed where the source reuses numbers and it was "
        "not today.",
    )
    source: CodeText | None = Field(
        default=None, description="The source that printed it, if it was another one."
    )


class RefundLine(Input):
    """One item taken back: a part of a line of the original receipt."""

    line_number: LineNumber
    refunds_line: LineNumber = Field(description="The line of the original receipt.")
    quantity: Quantity
    amount: NonNegativeMoney = Field(description="What the customer was paid back for it.")


class _Event(Input):
    event_id: EventId
    occurred_at: Instant
    store: CodeText = Field(description="The code of the store; has to be the source's own.")


class SaleEvent(_Event):
    """A receipt was sold."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "sale",
                    "event_id": "till-s01-1-20261121-0042",
                    "occurred_at": "2026-11-21T18:30:00+08:00",
                    "store": "S01",
                    "receipt_number": "20261121-0042",
                    "currency": "CNY",
                    "customer": {"kind": "member_number", "value": "HK000888"},
                    "lines": [
                        {
                            "line_number": 1,
                            "sku": "LI-0009",
                            "quantity": "1",
                            "unit_price": "58.00",
                            "amount": "58.00",
                        }
                    ],
                    "total": "58.00",
                }
            ]
        }
    )

    type: Literal["sale"]
    receipt_number: ReceiptNumber
    currency: CurrencyCode
    customer: EventCustomer | None = Field(
        default=None, description="Null or left out: counts for the store only."
    )
    cashier: ShortText | None = None
    lines: list[SaleLine] = Field(min_length=1, max_length=MAXIMUM_LINES)
    total: NonNegativeMoney = Field(description="The sum of the lines' amounts.")


class RefundEvent(_Event):
    """Goods of a receipt were taken back: the whole rest of it, or by line."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "refund",
                    "event_id": "till-s01-1-20261122-0007",
                    "occurred_at": "2026-11-22T10:05:00+08:00",
                    "store": "S01",
                    "receipt_number": "20261122-0007",
                    "currency": "CNY",
                    "original": {"receipt_number": "20261121-0042"},
                    "lines": [
                        {
                            "line_number": 1,
                            "refunds_line": 1,
                            "quantity": "1",
                            "amount": "58.00",
                        }
                    ],
                    "total": "58.00",
                }
            ]
        }
    )

    type: Literal["refund"]
    receipt_number: ReceiptNumber = Field(description="The refund's own receipt.")
    currency: CurrencyCode
    original: OriginalReceipt
    cashier: ShortText | None = None
    lines: list[RefundLine] | None = Field(
        default=None,
        min_length=1,
        max_length=MAXIMUM_LINES,
        description="Left out: everything that is still refundable.",
    )
    total: NonNegativeMoney = Field(description="What the customer was paid back.")


class VoidEvent(_Event):
    """A receipt (sale or refund) was cancelled, as if it had never been."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "void",
                    "event_id": "till-s01-1-20261121-0043",
                    "occurred_at": "2026-11-21T18:34:00+08:00",
                    "store": "S01",
                    "original": {"receipt_number": "20261121-0042"},
                }
            ]
        }
    )

    type: Literal["void"]
    original: OriginalReceipt


TillEvent = Annotated[SaleEvent | RefundEvent | VoidEvent, Field(discriminator="type")]


class EventBatch(Input):
    """Events of a shop that was offline, each as it would have been sent alone."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "events": [
                        {
                            "type": "sale",
                            "event_id": "till-s01-1-20261121-0042",
                            "occurred_at": "2026-11-21T18:30:00+08:00",
                            "store": "S01",
                            "receipt_number": "20261121-0042",
                            "currency": "CNY",
                            "lines": [
                                {
                                    "line_number": 1,
                                    "quantity": "2",
                                    "unit_price": "29.00",
                                    "amount": "58.00",
                                }
                            ],
                            "total": "58.00",
                        }
                    ]
                }
            ]
        }
    )

    events: list[TillEvent] = Field(min_length=1, max_length=5000)


class EventFieldProblem(Output):
    """One thing wrong with one part of an event."""

    pointer: str = Field(description="JSON pointer (RFC 6901).", examples=["/lines/0/quantity"])
    code: str = Field(examples=["missing"])
    detail: BilingualText


class EventProblem(Output):
    """Why an event was not applied."""

    type: str = Field(examples=["/problems/wrong-store"])
    title: BilingualText
    detail: BilingualText
    errors: list[EventFieldProblem] | None = Field(description="For `validation`: what is wrong.")


class TillCustomer(Output):
    """Who the till has before it."""

    id: UUID
    kind: str = Field(examples=["individual"])
    name: str = Field(examples=["王小明"])


class TillNext(Output):
    """What is missing to the next tier."""

    level: TierLevel
    missing: Score
    spend: Total | None = Field(
        description="A purchase that gets there, all else unchanged; null where no amount does.",
        examples=["32.00"],
    )


class TillHeldUpgrade(Output):
    """A level that the card has earned and does not rise to, since its turnover looks hollow."""

    level: TierLevel = Field(examples=["main"])
    is_refused: bool = Field(
        description="False while it waits for a review; true where a review refused it.",
        examples=[False],
    )
    explanation: BilingualText


class TillTier(Output):
    """What the receipt did to the tier."""

    before: TierLevel = Field(examples=["ordinary"])
    after: TierLevel = Field(examples=["main"])
    changed: bool = Field(examples=[True])
    net_spend: Total = Field(
        description="Net spend of the window; a receipt older than that adds nothing.",
        examples=["1040.00"],
    )
    score: Score
    unit: Unit
    is_locked: bool = Field(
        description="Whether somebody set it by hand: receipts do not move it.", examples=[False]
    )
    next: TillNext | None = Field(description="Null at the top.")
    held_upgrade: TillHeldUpgrade | None = Field(
        description="Null where nothing holds the card back."
    )
    explanation: BilingualText = Field(description="Why this tier, in a sentence.")


class EventResult(Output):
    """What became of an event. A repeated event gets its first result again."""

    event_id: str = Field(examples=["till-s01-1-20261121-0042"])
    status: EventStatus | Literal["rejected", "conflict"] = Field(
        description="`rejected` and `conflict` occur in batches only: nothing was stored."
    )
    purchase_id: UUID | None
    customer: TillCustomer | None
    tier: TillTier | None
    greeting: BilingualText | None
    problem: EventProblem | None


class BatchResult(Output):
    """The results of a batch, in the order of its events."""

    results: list[EventResult]


class StoredEvent(Output):
    """An event as it is kept, for inspection."""

    source: str = Field(examples=["till-s01-1"])
    event_id: str = Field(examples=["till-s01-1-20261121-0042"])
    kind: EventKind
    status: EventStatus = Field(examples=["held"])
    received_at: Instant
    applied_at: Instant | None
    customer_id: UUID | None
    purchase_id: UUID | None
    problem: EventProblem | None = Field(description="Why it is held or parked.")
    body: dict[str, object] = Field(
        description="The event as it was sent; phones, e-mail addresses and WeChat ids are masked."
    )
