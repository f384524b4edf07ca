"""What was done and what has to be told: audit trail, outbox, kept answers, nights."""

from datetime import date
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
    Texts,
    code_check,
    code_field,
    empty_field,
)
from app.vocabulary import Action, ActorKind, DomainEvent


class AuditEntry(SQLModel, table=True):
    """Who did what to which object: names of fields, never values. Append-only for the service."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        code_check("actor_kind", ActorKind),
        code_check("action", Action),
        # Each filter is read in the order of the list, newest first, bounded in time or not.
        sa.Index(None, "at", "id"),
        sa.Index(None, "object_type", "object_id", "at", "id"),
        sa.Index(None, "object_type", "at", "id"),
        sa.Index(None, "actor_id", "at", "id"),
        sa.Index(None, "action", "at", "id"),
    )

    id: UUID = Field(primary_key=True)
    at: Instant
    actor_kind: ActorKind = code_field(ActorKind)
    actor_id: UUID | None = None
    action: Action = code_field(Action)
    object_type: Text
    object_id: UUID
    fields: Texts
    request_id: TextOrNone = None


class OutboxEvent(SQLModel, table=True):
    """A domain event, written in the transaction that caused it. Thin: ids, no personal data."""

    __tablename__ = "outbox_event"
    __table_args__ = (
        code_check("type", DomainEvent),
        sa.Index(None, "id", postgresql_where=sa.text("delivered_at IS NULL")),
    )

    id: UUID = Field(primary_key=True)
    type: DomainEvent = code_field(DomainEvent)
    occurred_at: Instant
    customer_id: UUID | None = None
    subject_id: UUID
    payload: Json
    delivered_at: InstantOrNone = None


class IdempotencyKey(SQLModel, table=True):
    """The first answer to a request that carried this key, to be given again.

    ``mentions`` are the ids that request and answer name, so that an erasure finds it. An answer
    that was erased has no ``body`` any more; its key stays used.
    """

    __tablename__ = "idempotency_key"
    __table_args__ = (
        sa.Index(None, "expires_at"),
        sa.Index("ix_idempotency_key_mentions", "mentions", postgresql_using="gin"),
    )

    principal_id: UUID = Field(primary_key=True)
    key: Text = Field(primary_key=True, sa_type=sa.Text)
    request_hash: Text
    status: int | None = None
    headers: JsonOrNone = None
    body: TextOrNone = None
    mentions: list[UUID] = empty_field(sa.ARRAY(sa.Uuid), "{}")
    created_at: Instant
    expires_at: Instant


class NightStep(SQLModel, table=True):
    """One step of the run for an as-of day, with what it counted and how long it took."""

    __tablename__ = "night_step"

    as_of: date = Field(primary_key=True)
    step: Text = Field(primary_key=True, sa_type=sa.Text)
    started_at: Instant
    finished_at: InstantOrNone = None
    duration_ms: int | None = None
    counts: JsonOrNone = None
