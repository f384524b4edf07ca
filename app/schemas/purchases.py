"""What a customer bought, as answers."""

from datetime import date
from uuid import UUID

from pydantic import Field

from app.schemas.common import Output
from app.vocabulary import Instant, Money, PurchaseKind, PurchaseStatus, Quantity, Total


class PurchaseLineRead(Output):
    """One item of a receipt."""

    line_number: int
    sku: str | None = Field(examples=["LI-0009"])
    isbn: str | None = Field(examples=["9787550000018"])
    title: str | None = Field(examples=["江南小巷的清晨"])
    category: str | None = Field(examples=["文学"])
    quantity: Quantity
    unit_price: Money
    amount: Money = Field(description="What was paid for the line, or paid back.")
    unit_cost: Money | None = Field(description="Null where nobody told it.")
    refunds_line_number: int | None = Field(description="Of refunds: the line of the sale.")


class PurchaseRead(Output):
    """A receipt. Amounts are positive for sales and for refunds alike."""

    id: UUID
    customer_id: UUID
    kind: PurchaseKind
    status: PurchaseStatus
    occurred_at: Instant
    business_day: date
    store_id: UUID
    source_id: UUID
    receipt_number: str = Field(examples=["20261121-0042"])
    refund_of_id: UUID | None
    currency: str = Field(examples=["CNY"])
    amount: Money
    cashier: str | None
    voided_at: Instant | None


class PurchaseWithLines(PurchaseRead):
    """A receipt with its lines."""

    lines: list[PurchaseLineRead]


class ServiceStatistics(Output):
    """What the contacts with a customer were, and cost."""

    contacts: int
    inbound: int = Field(description="Those that the customer began.")
    contacts_365: int
    inbound_365: int
    service_cost: Total = Field(examples=["12.40"])
    service_cost_365: Total = Field(examples=["3.20"])
    last_contact_at: Instant | None
    last_inbound_at: Instant | None


class CustomerStatistics(Output):
    """Derived numbers; ``*_365`` are of the rolling window of 365 days."""

    first_purchase_on: date | None
    last_purchase_on: date | None
    repeat_purchase_days: int = Field(
        description="Days with a purchase after the first; receipts of one day count once."
    )
    purchases: int
    refunds: int
    gross: Total
    refunded: Total
    net: Total
    costed: Total = Field(description="The part of net whose cost is known.")
    margin: Total = Field(description="Of the costed part.")
    purchases_365: int
    purchase_days_365: int
    gross_365: Total
    refunded_365: Total
    net_365: Total
    costed_365: Total
    margin_365: Total
    largest_365: Total = Field(description="The largest sale of the window.")
    net_180: Total = Field(description="Of the last 180 days.")
    net_prior_180: Total = Field(description="Of the 180 days before those.")
    service: ServiceStatistics = Field(description="Cost to serve.")
