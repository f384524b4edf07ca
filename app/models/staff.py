"""People who work for the chain, where they work, and when they are away."""

from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.columns import (
    Instant,
    InstantOrNone,
    Text,
    TextOrNone,
    code_check,
    code_field,
)
from app.vocabulary import AbsenceReason, Role


class Staff(SQLModel, table=True):
    """A member of staff and their account. Roles that are not bound to stores have no stores."""

    __tablename__ = "staff"
    __table_args__ = (
        sa.UniqueConstraint("username"),
        code_check("role", Role),
        sa.CheckConstraint("username = lower(username)", name="username_lower"),
        sa.CheckConstraint("version >= 1", name="version"),
    )

    id: UUID = Field(primary_key=True)
    username: Text
    display_name: Text
    role: Role = code_field(Role)
    password_hash: Text
    password_changed_at: Instant
    disabled_at: InstantOrNone = None
    version: int = 1
    created_at: Instant
    updated_at: Instant


class StaffStore(SQLModel, table=True):
    """A shop that a member of staff works in."""

    __tablename__ = "staff_store"
    __table_args__ = (
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["store_id"], ["store.id"]),
        sa.Index(None, "store_id"),
    )

    staff_id: UUID = Field(primary_key=True)
    store_id: UUID = Field(primary_key=True)


class StaffAbsence(SQLModel, table=True):
    """Days a member of staff is away, both ends included."""

    __tablename__ = "staff_absence"
    __table_args__ = (
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], ondelete="CASCADE"),
        sa.CheckConstraint("starts_on <= ends_on", name="days"),
        code_check("reason", AbsenceReason),
    )

    staff_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    starts_on: date
    ends_on: date
    reason: AbsenceReason = code_field(AbsenceReason)
    note: TextOrNone = None
    created_at: Instant
