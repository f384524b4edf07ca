"""Reports that are made in the background when they take long: asked for, under way, kept."""

from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.columns import (
    Instant,
    InstantOrNone,
    Json,
    JsonOrNone,
    TextOrNone,
    code_check,
    code_field,
)
from app.vocabulary import ActorKind, ReportKind, ReportStatus


class Report(SQLModel, table=True):
    """One report: what was asked, by whom, how far it is (in percent), its result or its problem.

    ``fingerprint`` names what a simulation was made for, so that publishing can ask for it.
    """

    __tablename__ = "report"
    __table_args__ = (
        sa.ForeignKeyConstraint(["policy_id"], ["tier_policy.id"]),
        code_check("kind", ReportKind),
        code_check("status", ReportStatus),
        code_check("requested_by_kind", ActorKind),
        sa.CheckConstraint("progress BETWEEN 0 AND 100", name="progress"),
        sa.CheckConstraint("(status = 'done') = (result IS NOT NULL)", name="result"),
        sa.Index(None, "created_at", "id"),
        sa.Index(None, "policy_id", "created_at"),
        sa.Index(None, "expires_at"),
    )

    id: UUID = Field(primary_key=True)
    kind: ReportKind = code_field(ReportKind)
    status: ReportStatus = code_field(ReportStatus)
    parameters: Json
    policy_id: UUID | None = None
    fingerprint: TextOrNone = None
    progress: int
    result: JsonOrNone = None
    problem: JsonOrNone = None
    requested_by_kind: ActorKind = code_field(ActorKind)
    requested_by_id: UUID | None = None
    created_at: Instant
    started_at: InstantOrNone = None
    finished_at: InstantOrNone = None
    expires_at: Instant
