"""What customers agree to, and how that is known."""

from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.columns import (
    CodeColumn,
    Instant,
    InstantOrNone,
    Json,
    Text,
    TextOrNone,
    Texts,
    code_check,
    code_field,
)
from app.vocabulary import (
    ActorKind,
    ConsentChannel,
    ConsentProof,
    ConsentPurpose,
    ConsentState,
    ErasureStatus,
)


class CustomerConsent(SQLModel, table=True):
    """Whether a customer agrees now, for one purpose by one channel; no row: never asked."""

    __tablename__ = "customer_consent"
    __table_args__ = (
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        code_check("purpose", ConsentPurpose),
        code_check("channel", ConsentChannel),
        code_check("state", ConsentState),
    )

    customer_id: UUID = Field(primary_key=True)
    purpose: ConsentPurpose = Field(primary_key=True, sa_type=CodeColumn(ConsentPurpose))
    channel: ConsentChannel = Field(primary_key=True, sa_type=CodeColumn(ConsentChannel))
    state: ConsentState = code_field(ConsentState)
    since: Instant
    record_id: UUID


class ConsentRecord(SQLModel, table=True):
    """One statement of a customer about consent: the history, with its proof.

    ``stated_at`` is when the customer said so, ``recorded_at`` when it was written down; a later
    statement stands, whichever was written down first.
    """

    __tablename__ = "consent_record"
    __table_args__ = (
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        code_check("purpose", ConsentPurpose),
        code_check("channel", ConsentChannel),
        code_check("state", ConsentState),
        code_check("proof", ConsentProof),
        code_check("actor_kind", ActorKind),
        sa.Index(None, "customer_id", "stated_at", "id"),
    )

    customer_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    purpose: ConsentPurpose = code_field(ConsentPurpose)
    channel: ConsentChannel = code_field(ConsentChannel)
    state: ConsentState = code_field(ConsentState)
    proof: ConsentProof = code_field(ConsentProof)
    proof_reference: TextOrNone = None
    wording: TextOrNone = None
    stated_at: Instant
    recorded_at: Instant
    actor_kind: ActorKind = code_field(ActorKind)
    actor_id: UUID | None = None


class Disclosure(SQLModel, table=True):
    """Somebody saw masked values of a card in full, and said why."""

    __tablename__ = "disclosure"
    __table_args__ = (
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        code_check("actor_kind", ActorKind),
        sa.Index(None, "disclosed_at", "id"),
    )

    customer_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    fields: Texts
    reason: Text
    disclosed_at: Instant
    actor_kind: ActorKind = code_field(ActorKind)
    actor_id: UUID | None = None


class Erasure(SQLModel, table=True):
    """A request to erase what is personal, and what became of it.

    ``deferrals`` is a list of ``{"reason", "until"}``: what still needs the data, and until when.
    ``due_on`` is the day on which a deferred one is looked at again.
    """

    __tablename__ = "erasure"
    __table_args__ = (
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        code_check("status", ErasureStatus),
        code_check("actor_kind", ActorKind),
        sa.CheckConstraint("(status = 'deferred') = (ended_at IS NULL)", name="ended"),
        sa.Index(
            "uq_erasure_open",
            "customer_id",
            unique=True,
            postgresql_where=sa.text("status = 'deferred'"),
        ),
        sa.Index(None, "status", "requested_at", "id"),
        sa.Index(None, "due_on", postgresql_where=sa.text("status = 'deferred'")),
        sa.Index(None, "ended_at"),
    )

    customer_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    status: ErasureStatus = code_field(ErasureStatus)
    requested_at: Instant
    actor_kind: ActorKind = code_field(ActorKind)
    actor_id: UUID | None = None
    deferrals: Json
    due_on: date | None = None
    ended_at: InstantOrNone = None
