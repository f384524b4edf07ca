"""Pairs of cards that may be one customer's, and what such pairs are found by."""

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


class DuplicateCard(SQLModel, table=True):
    """In which version a card was last taken into the search for duplicates.

    ``is_compared`` is false until a scan has compared it, in that version, with all others.
    ``is_bulk`` marks what one scan took up together: of two such cards only the one with the
    smaller id looks for the other.
    """

    __tablename__ = "duplicate_card"
    __table_args__ = (
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.Index(None, "customer_id", postgresql_where=sa.text("NOT is_compared")),
        sa.Index(
            "ix_duplicate_card_bulk",
            "customer_id",
            postgresql_where=sa.text("is_bulk AND is_compared"),
        ),
    )

    customer_id: UUID = Field(primary_key=True)
    version: int
    is_compared: bool
    is_bulk: bool


class DuplicateKey(SQLModel, table=True):
    """A blocking key: cards that have one in common are compared.

    Keys are hashes of parts of a card, sixty-four bits long. Where too many cards have a key, those
    are compared that have the same ``refinement`` too. Derived, and many: without a foreign key.
    """

    __tablename__ = "duplicate_key"
    __table_args__ = (sa.Index(None, "key", "refinement", "customer_id"),)

    customer_id: UUID = Field(primary_key=True)
    key: int = Field(primary_key=True, sa_type=sa.BigInteger)
    refinement: int | None = Field(default=None, sa_type=sa.BigInteger)
