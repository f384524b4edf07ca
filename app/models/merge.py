"""Merges of cards, and what each of them moved."""

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
from app.vocabulary import ActorKind, MergeStatus


class CustomerMerge(SQLModel, table=True):
    """One merge: the cards ``loser_ids`` into the card ``customer_id``, by a plan.

    ``plan`` says which value won for each field, ``before`` what the surviving card said, so that
    undoing knows what to put back.
    """

    __tablename__ = "customer_merge"
    __table_args__ = (
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        code_check("status", MergeStatus),
        code_check("actor_kind", ActorKind),
        sa.CheckConstraint("(status = 'undone') = (undone_at IS NOT NULL)", name="undone"),
        sa.Index(None, "merged_at", "id"),
        sa.Index(None, "id"),
        sa.Index(None, "customer_id", "merged_at", "id"),
    )

    customer_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    loser_ids: Json
    status: MergeStatus = code_field(MergeStatus)
    fingerprint: Text
    plan: Json
    before: Json
    reason: TextOrNone = None
    merged_at: Instant
    actor_kind: ActorKind = code_field(ActorKind)
    actor_id: UUID | None = None
    undone_at: InstantOrNone = None
    undone_by_id: UUID | None = None


class CustomerMergeItem(SQLModel, table=True):
    """One row that a merge moved or changed: the manifest.

    ``object_type`` is the table, ``object_key`` the rest of the row's key beside its customer, and
    ``before`` what has to be put back where the row was changed and not only moved.
    """

    __tablename__ = "customer_merge_item"
    __table_args__ = (sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),)

    customer_id: UUID = Field(primary_key=True)
    merge_id: UUID = Field(primary_key=True)
    object_type: Text = Field(primary_key=True, sa_type=sa.Text)
    object_key: Text = Field(primary_key=True, sa_type=sa.Text)
    from_customer_id: UUID
    before: JsonOrNone = None
