"""Tier policies as data, and the tier of each card with its history."""

from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.columns import (
    Instant,
    InstantOrNone,
    Json,
    Text,
    code_check,
    code_field,
)
from app.vocabulary import CustomerKind, PolicyMethod, PolicyStatus, TierCause, TierLevel


class TierPolicy(SQLModel, table=True):
    """One version of a policy; ``body`` is what :mod:`app.rules.tiering` reads."""

    __tablename__ = "tier_policy"
    __table_args__ = (
        sa.UniqueConstraint("scope", "version"),
        code_check("scope", CustomerKind),
        code_check("status", PolicyStatus),
        code_check("method", PolicyMethod),
        sa.CheckConstraint("version >= 1", name="version"),
        sa.Index(
            "uq_tier_policy_active_scope",
            "scope",
            unique=True,
            postgresql_where=sa.text("status = 'active'"),
        ),
    )

    id: UUID = Field(primary_key=True)
    scope: CustomerKind = code_field(CustomerKind)
    version: int
    name: Text
    status: PolicyStatus = code_field(PolicyStatus)
    method: PolicyMethod = code_field(PolicyMethod)
    body: Json
    effective_on: date
    created_at: Instant
    activated_at: InstantOrNone = None
    retired_at: InstantOrNone = None


class TierAssignment(SQLModel, table=True):
    """A card's tier from ``valid_from`` until just before ``valid_to``; the current one is open."""

    __tablename__ = "tier_assignment"
    __table_args__ = (
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.ForeignKeyConstraint(["policy_id"], ["tier_policy.id"]),
        code_check("level", TierLevel),
        code_check("cause", TierCause),
        sa.CheckConstraint("valid_from <= valid_to", name="period"),
        sa.Index(
            "uq_tier_assignment_current",
            "customer_id",
            unique=True,
            postgresql_where=sa.text("valid_to IS NULL"),
            postgresql_include=["level"],
        ),
        sa.Index(None, "customer_id", "valid_from", "id"),
    )

    customer_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    level: TierLevel = code_field(TierLevel)
    cause: TierCause = code_field(TierCause)
    policy_id: UUID
    policy_version: int
    valid_from: Instant
    valid_to: InstantOrNone = None
    purchase_id: UUID | None = None
    explanation: Json
