"""Bodies of exports: which list, so filtered, in which kind of file."""

from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from app.schemas.common import Day, Input, Output
from app.schemas.customers import CustomerSort, RegistrationDay, StatusFilter
from app.vocabulary import (
    Action,
    ActorKind,
    Channel,
    CleanText,
    CodeText,
    CustomerGroup,
    CustomerKind,
    Direction,
    DuplicateState,
    EventStatus,
    ExportFormat,
    ExportKind,
    Instant,
    InteractionOutcome,
    RfmSegment,
    TierLevel,
)
from app.vocabulary.fields import Reason

MAXIMUM_COLUMNS: Final = 300

ColumnName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,80}$")]


class ExportRequest(Input):
    """What every export says: the kind of file, its language, its columns."""

    format: ExportFormat = Field(examples=["xlsx"])
    language: Literal["zh", "en"] = Field(
        default="zh", description="Of the row of names, and of what codes are called."
    )
    columns: Annotated[list[ColumnName], Field(min_length=1, max_length=MAXIMUM_COLUMNS)] | None = (
        Field(
            default=None,
            description="Which columns, in this order; all but those with ids and codes when left "
            "out.",
        )
    )


FilterWords = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=600), CleanText]],
    Field(max_length=10),
]


class CustomerFilters(Input):
    """What a list of cards is narrowed to: the same as its query parameters."""

    status: StatusFilter = "active"
    kind: CustomerKind | None = None
    home_store_id: UUID | None = None
    owner_staff_id: UUID | None = None
    tier: TierLevel | None = None
    segment: RfmSegment | None = Field(default=None, description="As of the last night.")
    group: CustomerGroup | None = Field(default=None, description="As of the last night.")
    registered_from: RegistrationDay | None = None
    registered_to: RegistrationDay | None = None
    tags: FilterWords = Field(default_factory=list, description="All of them.")
    interests: FilterWords = Field(default_factory=list, description="All of them.")
    custom: FilterWords = Field(
        default_factory=list,
        description="Custom fields' values as `code:value`, whole; of several choices any one.",
    )
    completeness_below: Annotated[int, Field(ge=1, le=100)] | None = None


class CustomersExport(ExportRequest):
    """Cards, as their list has them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "format": "xlsx",
                    "filters": {"kind": "individual", "tier": "main"},
                    "columns": ["name", "tier", "phone", "home_store"],
                }
            ]
        }
    )

    filters: CustomerFilters = Field(default_factory=CustomerFilters)
    sort: CustomerSort = "-created_at"
    unmask_reason: Reason | None = Field(
        default=None,
        description="Why phones, e-mails and WeChat ids are needed in full; needs the permission "
        "`customers:unmask`. They are masked when it is left out.",
    )


class ReceiptFilters(Input):
    """Receipts of one card, or of a store, or of all; days are both included."""

    customer_id: UUID | None = None
    store_id: UUID | None = None
    business_day_from: Day | None = None
    business_day_to: Day | None = None


class PurchasesExport(ExportRequest):
    """Receipts of known customers."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "format": "csv",
                    "filters": {
                        "business_day_from": "2026-11-01",
                        "business_day_to": "2026-11-30",
                    },
                }
            ]
        }
    )

    filters: ReceiptFilters = Field(default_factory=ReceiptFilters)


class ContactFilters(Input):
    """Contacts with one card, or of a store, or of all; days are both included."""

    customer_id: UUID | None = None
    store_id: UUID | None = None
    channel: Channel | None = None
    direction: Direction | None = None
    outcome: InteractionOutcome | None = None
    occurred_from: Day | None = None
    occurred_to: Day | None = None


class InteractionsExport(ExportRequest):
    """Contacts with known customers."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "format": "xlsx",
                    "filters": {"channel": "phone", "occurred_from": "2026-11-01"},
                }
            ]
        }
    )

    filters: ContactFilters = Field(default_factory=ContactFilters)


class DuplicateFilters(Input):
    """What a list of cards that look alike is narrowed to: the same as its query parameters."""

    state: DuplicateState = DuplicateState.OPEN
    min_score: Annotated[int, Field(ge=0, le=1000)] | None = None
    home_store_id: UUID | None = None


class DuplicatesExport(ExportRequest):
    """Pairs of cards that look like one customer's."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"format": "xlsx", "filters": {"min_score": 800}}]}
    )

    filters: DuplicateFilters = Field(default_factory=DuplicateFilters)


class PosEventFilters(Input):
    """What a list of tills' events is narrowed to: the same as its query parameters."""

    status: EventStatus | None = None
    source: CodeText | None = None


class PosEventsExport(ExportRequest):
    """Tills' events and what became of them, without what they say."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"format": "csv", "filters": {"status": "held"}}]}
    )

    filters: PosEventFilters = Field(default_factory=PosEventFilters)


class AuditFilters(Input):
    """What the audit trail is narrowed to: the same as its query parameters."""

    object_type: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,40}$")] | None = None
    object_id: UUID | None = None
    actor_id: UUID | None = None
    action: Action | None = None
    since: Instant | None = Field(default=None, alias="from")
    until: Instant | None = Field(default=None, alias="to")


class AuditExport(ExportRequest):
    """The audit trail."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "format": "xlsx",
                    "language": "en",
                    "filters": {"action": "exported", "from": "2026-11-01T00:00:00+08:00"},
                }
            ]
        }
    )

    filters: AuditFilters = Field(default_factory=AuditFilters)


class ExportRead(Output):
    """Who took which list away: names of columns and filters, never values."""

    id: UUID
    kind: ExportKind
    format: ExportFormat
    language: str = Field(examples=["zh"])
    columns: list[str] = Field(examples=[["name", "tier", "phone"]])
    filters: list[str] = Field(examples=[["kind", "tier"]])
    unmask_reason: str | None = Field(
        description="Why phones and e-mails were written in full; null where they were masked."
    )
    rows: int | None = Field(description="Null while it is written, and where it broke off.")
    requested_at: Instant
    ended_at: Instant | None
    actor_kind: ActorKind
    actor_id: UUID | None
