"""Files that somebody took away."""

from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.columns import (
    Instant,
    InstantOrNone,
    Text,
    TextOrNone,
    Texts,
    code_check,
    code_field,
)
from app.vocabulary import ActorKind, ExportFormat, ExportKind


class Export(SQLModel, table=True):
    """One list written to a file: names of columns and filters, never values.

    ``rows`` and ``ended_at`` are empty while it is written, and stay so when it broke off.
    ``unmask_reason`` is set where phones and e-mails were written in full.
    """

    __tablename__ = "export"
    __table_args__ = (
        code_check("kind", ExportKind),
        code_check("format", ExportFormat),
        code_check("actor_kind", ActorKind),
        sa.CheckConstraint("rows >= 0", name="rows"),
        sa.CheckConstraint("(rows IS NULL) = (ended_at IS NULL)", name="ended"),
        sa.Index(None, "requested_at", "id"),
    )

    id: UUID = Field(primary_key=True)
    kind: ExportKind = code_field(ExportKind)
    format: ExportFormat = code_field(ExportFormat)
    language: Text
    columns: Texts
    filters: Texts
    unmask_reason: TextOrNone = None
    rows: int | None = None
    requested_at: Instant
    ended_at: InstantOrNone = None
    actor_kind: ActorKind = code_field(ActorKind)
    actor_id: UUID | None = None
