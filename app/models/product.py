"""The catalogue: what the chain sells."""

from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.columns import Instant, MoneyOrNone, Text, TextOrNone


class Product(SQLModel, table=True):
    """A title or article; fills what a till's line leaves out."""

    __tablename__ = "product"
    __table_args__ = (
        sa.UniqueConstraint("sku"),
        sa.UniqueConstraint("isbn"),
        sa.CheckConstraint("list_price >= 0", name="list_price"),
        sa.CheckConstraint("unit_cost >= 0", name="unit_cost"),
        sa.CheckConstraint("version >= 1", name="version"),
    )

    id: UUID = Field(primary_key=True)
    sku: Text
    isbn: TextOrNone = None
    title: Text
    category: Text
    list_price: MoneyOrNone = None
    unit_cost: MoneyOrNone = None
    is_active: bool = True
    version: int = 1
    created_at: Instant
    updated_at: Instant
