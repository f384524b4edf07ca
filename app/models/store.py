"""Shops of the chain."""

from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.columns import Instant, Json, Text, TextOrNone


class Store(SQLModel, table=True):
    """A shop. ``opening_hours`` is ``{"mon": [["09:00", "21:00"]], …}``; ``24:00`` ends a day."""

    __tablename__ = "store"
    __table_args__ = (
        sa.UniqueConstraint("code"),
        sa.CheckConstraint("version >= 1", name="version"),
    )

    id: UUID = Field(primary_key=True)
    code: Text
    name: Text
    region: TextOrNone = None
    address: TextOrNone = None
    phone: TextOrNone = None
    opening_hours: Json
    is_active: bool = True
    version: int = 1
    created_at: Instant
    updated_at: Instant
