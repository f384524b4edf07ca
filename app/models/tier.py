"""Tier policies as data, the tier of each card with its history, notices and reviews."""

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
    code_check,
    code_field,
    empty_field,
)
from app.vocabulary import (
    CustomerKind,
    NoticeStatus,
    PolicyMethod,
    PolicyStatus,
    ReviewStatus,
    TierCause,
    TierLevel,
)


class TierPolicy(SQLModel, table=True):
    """One version of a policy; ``body`` is what :mod:`app.rules.tier_policies` reads.

    A draft's ``revision`` counts its changes. What was approved is never changed any more.
    """

    __tablename__ = "tier_policy"
    __table_args__ = (
        sa.ForeignKeyConstraint(["created_by_id"], ["staff.id"]),
        sa.ForeignKeyConstraint(["approved_by_id"], ["staff.id"]),
        sa.UniqueConstraint("scope", "version"),
        code_check("scope", CustomerKind),
        code_check("status", PolicyStatus),
        code_check("method", PolicyMethod),
        sa.CheckConstraint("version >= 1", name="version"),
        sa.CheckConstraint("revision >= 1", name="revision"),
        sa.Index(
            "uq_tier_policy_active_scope",
            "scope",
            unique=True,
            postgresql_where=sa.text("status = 'active'"),
        ),
        sa.Index(
            "uq_tier_policy_scheduled_scope",
            "scope",
            unique=True,
            postgresql_where=sa.text("status = 'scheduled'"),
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
    revision: int = empty_field(sa.Integer, "1")
    note: TextOrNone = None
    created_by_id: UUID | None = None
    approved_by_id: UUID | None = None
    approved_at: InstantOrNone = None


class TierCalibration(SQLModel, table=True):
    """What a version's cuts, knots and reference values are: taken from one snapshot, then kept.

    ``body`` is what :class:`app.rules.tier_calibrations.Calibration` reads; ``fingerprint`` that of
    the policy's body it was made for. A draft's is made anew by each simulation.
    """

    __tablename__ = "tier_calibration"
    __table_args__ = (sa.ForeignKeyConstraint(["policy_id"], ["tier_policy.id"]),)

    policy_id: UUID = Field(primary_key=True)
    fingerprint: Text
    as_of: date
    customers: int
    body: Json
    created_at: Instant


class TierAssignment(SQLModel, table=True):
    """A card's tier from ``valid_from`` until just before ``valid_to``; the current one is open.

    What was set by hand says by whom, why, and the last day it holds (``ends_on``).
    """

    __tablename__ = "tier_assignment"
    __table_args__ = (
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.ForeignKeyConstraint(["policy_id"], ["tier_policy.id"]),
        sa.ForeignKeyConstraint(["set_by_id"], ["staff.id"]),
        code_check("level", TierLevel),
        code_check("cause", TierCause),
        sa.CheckConstraint("valid_from <= valid_to", name="period"),
        sa.CheckConstraint("(cause = 'override') = (ends_on IS NOT NULL)", name="override"),
        sa.Index(
            "uq_tier_assignment_current",
            "customer_id",
            unique=True,
            postgresql_where=sa.text("valid_to IS NULL"),
            postgresql_include=["level"],
        ),
        sa.Index(
            "ix_tier_assignment_override",
            "ends_on",
            "customer_id",
            postgresql_where=sa.text("valid_to IS NULL AND ends_on IS NOT NULL"),
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
    ends_on: date | None = None
    set_by_id: UUID | None = None
    reason: TextOrNone = None


class TierNotice(SQLModel, table=True):
    """A customer is about to lose a level at the evaluation of ``falls_on``."""

    __tablename__ = "tier_notice"
    __table_args__ = (
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.ForeignKeyConstraint(["policy_id"], ["tier_policy.id"]),
        code_check("level", TierLevel),
        code_check("next_level", TierLevel),
        code_check("status", NoticeStatus),
        sa.CheckConstraint("noticed_on < falls_on", name="period"),
        sa.CheckConstraint("(status = 'open') = (closed_at IS NULL)", name="closed"),
        sa.Index(
            "uq_tier_notice_open",
            "customer_id",
            unique=True,
            postgresql_where=sa.text("status = 'open'"),
        ),
        sa.Index(
            "ix_tier_notice_due",
            "falls_on",
            "customer_id",
            postgresql_where=sa.text("status = 'open'"),
        ),
        sa.Index(None, "noticed_on", "id"),
    )

    customer_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    policy_id: UUID
    level: TierLevel = code_field(TierLevel)
    next_level: TierLevel = code_field(TierLevel)
    status: NoticeStatus = code_field(NoticeStatus)
    noticed_on: date
    falls_on: date
    explanation: Json
    created_at: Instant
    closed_at: InstantOrNone = None


class TierReview(SQLModel, table=True):
    """An upgrade that waits for a person, since the turnover behind it looks hollow.

    ``evidence`` holds each sign with its numbers. A refusal has a reason, until an erasure.
    """

    __tablename__ = "tier_review"
    __table_args__ = (
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.ForeignKeyConstraint(["policy_id"], ["tier_policy.id"]),
        sa.ForeignKeyConstraint(["decided_by_id"], ["staff.id"]),
        code_check("level", TierLevel),
        code_check("next_level", TierLevel),
        code_check("status", ReviewStatus),
        sa.CheckConstraint("(status = 'open') = (decided_at IS NULL)", name="decided"),
        sa.Index(
            "uq_tier_review_open",
            "customer_id",
            unique=True,
            postgresql_where=sa.text("status = 'open'"),
        ),
        sa.Index(None, "opened_at", "id"),
    )

    customer_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    policy_id: UUID
    level: TierLevel = code_field(TierLevel)
    next_level: TierLevel = code_field(TierLevel)
    purchase_id: UUID | None = None
    evidence: Json
    is_severe: bool
    status: ReviewStatus = code_field(ReviewStatus)
    opened_at: Instant
    decided_at: InstantOrNone = None
    decided_by_id: UUID | None = None
    reason: TextOrNone = None


class TierEvaluation(SQLModel, table=True):
    """That the evaluation of a day was carried out for a kind of customer, and how far it is."""

    __tablename__ = "tier_evaluation"
    __table_args__ = (code_check("scope", CustomerKind),)

    scope: CustomerKind = Field(primary_key=True, sa_type=CodeColumn(CustomerKind))
    evaluated_on: date = Field(primary_key=True)
    started_at: Instant
    finished_at: InstantOrNone = None
    last_customer_id: UUID | None = None
    noticed: int
