"""Pairs of cards that may be one customer's."""

from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.columns import Instant, InstantOrNone, Json, TextOrNone, code_check, code_field
from app.vocabulary import DuplicateState


class DuplicatePair(SQLModel, table=True):
    """Two cards that look alike, with why, and what somebody decided about them.

    It belongs to neither card: ``first_id`` is the smaller id. ``score`` is thousandths (0 to
    1000); ``reasons`` is a list of ``{"code", "weight"}``, no values of either card.
    """

    __tablename__ = "duplicate_pair"
    __table_args__ = (
        code_check("state", DuplicateState),
        sa.CheckConstraint("first_id < second_id", name="order"),
        sa.CheckConstraint("score BETWEEN 0 AND 1000", name="score"),
        sa.CheckConstraint("(state = 'open') = (decided_at IS NULL)", name="decided"),
        sa.Index(None, "second_id"),
        sa.Index(None, "state", "score", "first_id", "second_id"),
    )

    first_id: UUID = Field(primary_key=True)
    second_id: UUID = Field(primary_key=True)
    state: DuplicateState = code_field(DuplicateState)
    score: int
    reasons: Json
    found_at: Instant
    decided_at: InstantOrNone = None
    decided_by_id: UUID | None = None
    note: TextOrNone = None
