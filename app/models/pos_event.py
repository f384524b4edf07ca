"""What tills sent, with what became of it: the inbox."""

from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.columns import (
    Instant,
    InstantOrNone,
    Json,
    JsonOrNone,
    Text,
    TextOrNone,
    code_check,
    code_field,
)
from app.vocabulary import EventKind, EventStatus, SourceMode


class PosEvent(SQLModel, table=True):
    """A signed event, stored in the transaction of its effects; its answer is given again.

    ``body_hash`` is the SHA-256 of the canonical JSON; it is empty once what the event says of its
    customer was erased: a phone could be guessed from it. ``awaits_*`` name the receipt that a
    parked event waits for. ``mode`` is its source's when it came.
    """

    __tablename__ = "pos_event"
    __table_args__ = (
        code_check("kind", EventKind),
        code_check("status", EventStatus),
        code_check("mode", SourceMode),
        sa.Index(None, "received_at", "source_id", "event_id"),
        sa.Index(None, "source_id", "received_at", "event_id"),
        sa.Index(None, "status", "received_at", "source_id", "event_id", postgresql_where=sa.text(
            "status IN ('held', 'parked', 'awaiting_customer')")),
        sa.Index(
            "ix_pos_event_awaits_receipt",
            "awaits_source_id",
            "awaits_receipt_key",
            postgresql_where=sa.text("status = 'parked'"),
        ),
        sa.Index(
            "ix_pos_event_test", "received_at", postgresql_where=sa.text("status = 'test'")
        ),
        # A merge points a card's events to the surviving one.
        sa.Index(None, "customer_id", postgresql_where=sa.text("customer_id IS NOT NULL")),
        {"postgresql_with": {"fillfactor": 60}},
    )  # fmt: skip

    source_id: UUID = Field(primary_key=True)
    event_id: Text = Field(primary_key=True, sa_type=sa.Text)
    kind: EventKind = code_field(EventKind)
    status: EventStatus = code_field(EventStatus)
    mode: SourceMode = code_field(SourceMode)
    body: Json
    body_hash: Text
    received_at: Instant
    applied_at: InstantOrNone = None
    awaits_source_id: UUID | None = None
    awaits_receipt_key: TextOrNone = None
    problem_code: TextOrNone = None
    answer: JsonOrNone = None
    answer_status: int | None = None
    customer_id: UUID | None = None
    purchase_id: UUID | None = None
