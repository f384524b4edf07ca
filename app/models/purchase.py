"""Receipts and their lines: of known customers, of customers awaited, and of nobody."""

from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.columns import (
    Instant,
    InstantOrNone,
    Json,
    Money,
    MoneyOrNone,
    Quantity,
    Text,
    TextOrNone,
    Total,
    code_check,
    code_field,
)
from app.vocabulary import PurchaseKind, PurchaseStatus


class Purchase(SQLModel, table=True):
    """A receipt of a known customer. Amounts are positive for sales and for refunds alike.

    ``costed_amount`` is the part of ``amount`` whose cost is known, ``cost`` what that part cost;
    the margin is the one minus the other, and unknown stays unknown.
    """

    __tablename__ = "purchase"
    __table_args__ = (
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.ForeignKeyConstraint(["store_id"], ["store.id"]),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"]),
        sa.ForeignKeyConstraint(
            ["customer_id", "refund_of_id"], ["purchase.customer_id", "purchase.id"]
        ),
        code_check("kind", PurchaseKind),
        code_check("status", PurchaseStatus),
        sa.CheckConstraint("amount >= 0", name="amount"),
        sa.CheckConstraint("(status = 'voided') = (voided_at IS NOT NULL)", name="voided"),
        sa.CheckConstraint("kind = 'refund' OR refund_of_id IS NULL", name="refund_of"),
        # Aggregation for statistics and tiers streams in this order and never visits the table.
        sa.Index(
            "ix_purchase_statistics",
            "customer_id",
            "business_day",
            postgresql_include=["kind", "amount", "costed_amount", "cost"],
            postgresql_where=sa.text("status = 'posted'"),
        ),
        sa.Index(None, "customer_id", "occurred_at", "id"),
        # What refers to a receipt is found when the receipt leaves the card.
        sa.Index(
            None,
            "customer_id",
            "refund_of_id",
            postgresql_where=sa.text("refund_of_id IS NOT NULL"),
        ),
        sa.Index(None, "store_id", "business_day"),
    )

    customer_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    kind: PurchaseKind = code_field(PurchaseKind)
    status: PurchaseStatus = code_field(PurchaseStatus)
    occurred_at: Instant
    business_day: date
    store_id: UUID
    source_id: UUID
    event_id: Text
    receipt_key: Text
    receipt_number: Text
    refund_of_id: UUID | None = None
    currency: Text
    amount: Money
    costed_amount: Money
    cost: Total
    cashier: TextOrNone = None
    voided_at: InstantOrNone = None
    recorded_at: Instant


class PurchaseLine(SQLModel, table=True):
    """One item of a receipt; ``amount`` is what the customer paid for it."""

    __tablename__ = "purchase_line"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["customer_id", "purchase_id"], ["purchase.customer_id", "purchase.id"]
        ),
        sa.CheckConstraint("amount >= 0", name="amount"),
        sa.CheckConstraint("quantity > 0", name="quantity"),
    )

    customer_id: UUID = Field(primary_key=True)
    purchase_id: UUID = Field(primary_key=True)
    line_number: int = Field(primary_key=True)
    sku: TextOrNone = None
    isbn: TextOrNone = None
    title: TextOrNone = None
    category: TextOrNone = None
    quantity: Quantity
    unit_price: Money
    amount: Money
    unit_cost: MoneyOrNone = None
    refunds_line_number: int | None = None


class UnattachedPurchase(SQLModel, table=True):
    """A receipt whose customer is awaited (``awaits_kind`` set) or who is nobody (not set).

    It counts for its store only. ``lines`` hold what :class:`PurchaseLine` would; the whole row
    moves there when the card appears.
    """

    __tablename__ = "unattached_purchase"
    __table_args__ = (
        sa.ForeignKeyConstraint(["store_id"], ["store.id"]),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"]),
        code_check("kind", PurchaseKind),
        code_check("status", PurchaseStatus),
        sa.CheckConstraint("amount >= 0", name="amount"),
        sa.Index(
            "ix_unattached_purchase_awaits",
            "awaits_kind",
            "awaits_system",
            "awaits_value",
            postgresql_where=sa.text("awaits_kind IS NOT NULL"),
        ),
        sa.Index(None, "store_id", "business_day"),
        sa.Index(None, "refund_of_id", postgresql_where=sa.text("refund_of_id IS NOT NULL")),
    )

    id: UUID = Field(primary_key=True)
    kind: PurchaseKind = code_field(PurchaseKind)
    status: PurchaseStatus = code_field(PurchaseStatus)
    awaits_kind: TextOrNone = None
    awaits_system: TextOrNone = None
    awaits_value: TextOrNone = None
    occurred_at: Instant
    business_day: date
    store_id: UUID
    source_id: UUID
    event_id: Text
    receipt_key: Text
    receipt_number: Text
    refund_of_id: UUID | None = None
    currency: Text
    amount: Money
    costed_amount: Money
    cost: Total
    cashier: TextOrNone = None
    voided_at: InstantOrNone = None
    recorded_at: Instant
    lines: Json


class Receipt(SQLModel, table=True):
    """A receipt number of a source, unique by the source's rule.

    ``purchase_id`` is empty while a refund waits for the sale: the row is then the place where
    the two meet, whichever comes first. ``customer_id`` is empty for receipts of nobody.
    """

    __tablename__ = "receipt"

    source_id: UUID = Field(primary_key=True)
    receipt_key: Text = Field(primary_key=True, sa_type=sa.Text)
    purchase_id: UUID | None = None
    customer_id: UUID | None = None
    created_at: Instant
