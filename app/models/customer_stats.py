"""Derived numbers of each customer, rebuilt from the receipts."""

from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.columns import Total, empty_field


class CustomerStats(SQLModel, table=True):
    """Statistics in business days of the chain's time zone; ``*_365`` are of the rolling window.

    The window is the as-of day and the 364 days before it; ``largest_365`` is its largest sale.
    ``net_180`` is of the last 180 days, ``net_prior_180`` of the 180 before those. All these hold
    until ``window_changes_on``, the first day on which a receipt will have left one of the three
    (empty: never).
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
    gross: Total
    refunded: Total
    net: Total
    costed: Total
    margin: Total
    purchases_365: int
    purchase_days_365: int
    gross_365: Total
    refunded_365: Total
    net_365: Total
    costed_365: Total
    margin_365: Total
    window_changes_on: date | None = None
    largest_365: Total = empty_field(sa.Numeric(28, 2), "0")
    net_180: Total = empty_field(sa.Numeric(28, 2), "0")
    net_prior_180: Total = empty_field(sa.Numeric(28, 2), "0")
