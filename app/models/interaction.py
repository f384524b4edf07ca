"""Contacts with customers: of known ones, and of callers who are awaited."""

from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.columns import (
    CodeColumn,
    Instant,
    InstantOrNone,
    Json,
    Money,
    Text,
    TextOrNone,
    Total,
    code_check,
    code_field,
    optional_code_field,
)
from app.vocabulary import ActorKind, Channel, Direction, InteractionOutcome

_OPEN_STEP = sa.text(
    "next_step IS NOT NULL AND next_step_on IS NOT NULL AND next_step_done_at IS NULL"
)


class Interaction(SQLModel, table=True):
    """One contact with a known customer, in either direction.

    ``cost`` is what the channel's price made of it when it was recorded. ``complaint_id`` and the
    other links name rows of the same customer that need not exist yet.
    """

    __tablename__ = "interaction"
    __table_args__ = (
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.ForeignKeyConstraint(["store_id"], ["store.id"]),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"]),
        code_check("channel", Channel),
        code_check("direction", Direction),
        code_check("outcome", InteractionOutcome),
        code_check("recorded_by_kind", ActorKind),
        sa.CheckConstraint("version >= 1", name="version"),
        sa.CheckConstraint("duration_seconds >= 0", name="duration"),
        sa.CheckConstraint("cost >= 0", name="cost"),
        sa.Index(None, "customer_id", "occurred_at", "id"),
        sa.Index(None, "staff_id", "occurred_at"),
        # Who kept the id of a caller's contact asks where it went.
        sa.Index(None, "id"),
        # Aggregation for the cost to serve streams in this order and never visits the table.
        sa.Index(
            "ix_interaction_statistics",
            "customer_id",
            "business_day",
            postgresql_include=["direction", "cost", "occurred_at"],
        ),
        # Files of contacts are read in this order: of everybody, of a shop.
        sa.Index(None, "business_day", "id"),
        sa.Index(None, "store_id", "business_day", "id"),
        # Steps that are open: of everybody, of a member of staff, of a shop.
        sa.Index("ix_interaction_next_step", "next_step_on", "id", postgresql_where=_OPEN_STEP),
        sa.Index(
            "ix_interaction_next_step_staff",
            "staff_id",
            "next_step_on",
            "id",
            postgresql_where=_OPEN_STEP,
        ),
        sa.Index(
            "ix_interaction_next_step_store",
            "store_id",
            "next_step_on",
            "id",
            postgresql_where=_OPEN_STEP,
        ),
    )

    customer_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    channel: Channel = code_field(Channel)
    direction: Direction = code_field(Direction)
    occurred_at: Instant
    business_day: date
    duration_seconds: int | None = None
    subject: Text
    text: TextOrNone = None
    outcome: InteractionOutcome | None = optional_code_field(InteractionOutcome)
    next_step: TextOrNone = None
    next_step_on: date | None = None
    next_step_done_at: InstantOrNone = None
    store_id: UUID | None = None
    staff_id: UUID | None = None
    contact_id: UUID | None = None
    purchase_id: UUID | None = None
    complaint_id: UUID | None = None
    visit_id: UUID | None = None
    campaign_id: UUID | None = None
    suggestion_id: UUID | None = None
    cost: Money
    version: int = 1
    recorded_at: Instant
    recorded_by_kind: ActorKind = code_field(ActorKind)
    recorded_by_id: UUID | None = None
    updated_at: Instant


class InteractionChange(SQLModel, table=True):
    """One change of an interaction: ``changes`` is ``{"field": ["from", "to"], …}``."""

    __tablename__ = "interaction_change"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["customer_id", "interaction_id"], ["interaction.customer_id", "interaction.id"]
        ),
        code_check("actor_kind", ActorKind),
    )

    customer_id: UUID = Field(primary_key=True)
    interaction_id: UUID = Field(primary_key=True)
    version: int = Field(primary_key=True)
    changed_at: Instant
    actor_kind: ActorKind = code_field(ActorKind)
    actor_id: UUID | None = None
    changes: Json


class UnattachedInteraction(SQLModel, table=True):
    """A contact with somebody whose card is not known (yet).

    ``awaits_kind`` is set where an identity was given: it joins the card that gets the identity.
    ``body`` holds what :class:`Interaction` would.
    """

    __tablename__ = "unattached_interaction"
    __table_args__ = (
        sa.ForeignKeyConstraint(["store_id"], ["store.id"]),
        sa.Index(
            "ix_unattached_interaction_awaits",
            "awaits_kind",
            "awaits_system",
            "awaits_value",
            postgresql_where=sa.text("awaits_kind IS NOT NULL"),
        ),
        sa.Index(None, "occurred_at", "id"),
        sa.Index(None, "store_id", "occurred_at", "id"),
    )

    id: UUID = Field(primary_key=True)
    awaits_kind: TextOrNone = None
    awaits_system: TextOrNone = None
    awaits_value: TextOrNone = None
    occurred_at: Instant
    store_id: UUID | None = None
    recorded_at: Instant
    body: Json


class InteractionEntry(SQLModel, table=True):
    """What a service desk sent in a batch under an id of its own: it is recorded once.

    ``body_hash`` is keyed. ``customer_id`` is the card it was recorded with, empty for a caller who
    was not known: the first answer, whatever became of it since.
    """

    __tablename__ = "interaction_entry"

    recorded_by_id: UUID = Field(primary_key=True)
    entry_id: Text = Field(primary_key=True, sa_type=sa.Text)
    body_hash: Text
    interaction_id: UUID
    customer_id: UUID | None = None
    recorded_at: Instant


class ChannelCost(SQLModel, table=True):
    """What a contact by a channel costs the chain: so much each, and so much a minute."""

    __tablename__ = "channel_cost"
    __table_args__ = (
        code_check("channel", Channel),
        sa.CheckConstraint("per_contact >= 0", name="per_contact"),
        sa.CheckConstraint("per_minute >= 0", name="per_minute"),
        sa.CheckConstraint("version >= 1", name="version"),
    )

    channel: Channel = Field(primary_key=True, sa_type=CodeColumn(Channel))
    per_contact: Money
    per_minute: Money
    version: int = 1
    updated_at: Instant


class CustomerServiceStats(SQLModel, table=True):
    """Derived numbers of a customer's contacts; ``*_365`` are of the rolling window.

    The window is the as-of day and the 364 days before it. Its numbers hold until
    ``window_changes_on`` (empty: for ever).
    """

    __tablename__ = "customer_service_stats"
    __table_args__ = (
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.Index(
            None, "window_changes_on", postgresql_where=sa.text("window_changes_on IS NOT NULL")
        ),
        {"postgresql_with": {"fillfactor": 80}},
    )

    customer_id: UUID = Field(primary_key=True)
    contacts: int
    inbound: int
    contacts_365: int
    inbound_365: int
    service_cost: Total
    service_cost_365: Total
    last_contact_at: InstantOrNone = None
    last_inbound_at: InstantOrNone = None
    window_changes_on: date | None = None
