"""Tills and web shops that push sales."""

from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.columns import Instant, InstantOrNone, Text, code_check, code_field
from app.vocabulary import ReceiptRule, SourceKind, SourceMode


class Source(SQLModel, table=True):
    """A sender of events: a till or web shop of one store, and what makes its receipts unique."""

    __tablename__ = "source"
    __table_args__ = (
        sa.UniqueConstraint("code"),
        sa.ForeignKeyConstraint(["store_id"], ["store.id"]),
        code_check("kind", SourceKind),
        code_check("mode", SourceMode),
        code_check("receipt_rule", ReceiptRule),
        sa.CheckConstraint("version >= 1", name="version"),
    )

    id: UUID = Field(primary_key=True)
    code: Text
    name: Text
    kind: SourceKind = code_field(SourceKind)
    store_id: UUID
    mode: SourceMode = code_field(SourceMode)
    receipt_rule: ReceiptRule = code_field(ReceiptRule)
    currency: Text
    is_active: bool = True
    version: int = 1
    created_at: Instant
    updated_at: Instant


class SourceSecret(SQLModel, table=True):
    """A signing secret of a source; at most two live ones, so that they can be rotated.

    It has to be readable: a signature can't be checked against a hash.
    """

    __tablename__ = "source_secret"
    __table_args__ = (
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], ondelete="CASCADE"),
        sa.CheckConstraint("slot IN (1, 2)", name="slot"),
        sa.Index(
            "uq_source_secret_live_slot",
            "source_id",
            "slot",
            unique=True,
            postgresql_where=sa.text("revoked_at IS NULL"),
        ),
    )

    id: UUID = Field(primary_key=True)
    source_id: UUID
    slot: int
    secret: Text
    created_at: Instant
    revoked_at: InstantOrNone = None
