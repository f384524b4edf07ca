"""Reports that take long: asked for, under way, done."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from app.schemas.common import Output
from app.vocabulary import ActorKind, ReportKind, ReportStatus


class ReportProblem(Output):
    """Why a report could not be made."""

    code: str = Field(examples=["database-too-slow"])
    en: str = Field(examples=["The database took too long."])
    zh: str = Field(examples=["数据库响应超时。"])


class ReportJob(Output):
    """A report that a worker makes, and how far it is."""

    id: UUID
    kind: ReportKind = Field(examples=["tier_distribution"])
    status: ReportStatus = Field(examples=["running"])
    progress: int = Field(ge=0, le=100, description="Percent.", examples=[40])
    parameters: dict[str, Any] = Field(
        description="What was asked; `store_ids` are the stores that who asked is bound to.",
        examples=[{"kind": "individual", "as_of": "2026-11-21", "store_ids": None}],
    )
    requested_by_kind: ActorKind
    requested_by_id: UUID | None
    problem: ReportProblem | None = Field(description="Where it failed.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime = Field(
        description="It can be read until then; a simulation longer, while its policy is a draft."
    )


class FollowedReportJob(ReportJob):
    """A report that a worker makes, with its result once it is done."""

    result: dict[str, Any] | None = Field(
        description="What the report's own address would have answered; null until it is done.",
        examples=[None],
    )
