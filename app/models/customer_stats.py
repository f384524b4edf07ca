"""Derived numbers of each customer, rebuilt from the receipts."""

from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.columns import Money


class CustomerStats(SQLModel, table=True):
    """Statistics in business days of the chain's time zone; ``*_365`` are of the rolling window.

    The window is the as-of day and the 364 days before it. Its numbers hold until
    ``window_changes_on``, the first day on which a purchase will have left it (empty: never).
    """

    __tablename__ = "customer_stats"
    __table_args__ = (
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.Index(
            None, "window_changes_on", postgresql_where=sa.text("window_changes_on IS NOT NULL")
        ),
        {"postgresql_with": {"fillfactor": 80}},
    )

    customer_id: UUID = Field(primary_key=True)
    first_purchase_on: date | None = None
    last_purchase_on: date | None = None
    repeat_purchase_days: int
    purchases: int
    refunds: int
    gross: Money
    refunded: Money
    net: Money
    costed: Money
    margin: Money
    purchases_365: int
    purchase_days_365: int
    gross_365: Money
    refunded_365: Money
    net_365: Money
    costed_365: Money
    margin_365: Money
    window_changes_on: date | None = None
