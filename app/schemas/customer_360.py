"""The 360° view of a customer."""

from datetime import date

from pydantic import Field

from app.schemas.common import Output
from app.schemas.consents import ConsentRead
from app.schemas.customer_profiles import ListedProfile
from app.schemas.customers import Card
from app.schemas.interactions import InteractionRead
from app.schemas.purchases import PurchaseRead, ServiceStatistics
from app.schemas.tiers import TierRead
from app.vocabulary import Total


class CustomerValue(Output):
    """What a customer is worth to the chain; ``*_365`` are of the rolling window."""

    first_purchase_on: date | None
    last_purchase_on: date | None
    purchases: int
    net: Total = Field(examples=["3120.00"])
    margin: Total | None = Field(
        description="Of the part of net whose cost is known; null where none is.",
        examples=["820.00"],
    )
    purchases_365: int
    net_365: Total = Field(examples=["1040.00"])
    margin_365: Total | None = Field(
        description="Of the part of net whose cost is known; null where none is.",
        examples=["270.00"],
    )


class CategoryAmount(Output):
    """What was bought of one category, less what was taken back."""

    category: str = Field(examples=["文学"])
    amount: Total = Field(examples=["412.00"])


class Customer360(Output):
    """Everything about a customer that a conversation begins with."""

    card: Card
    tier: TierRead
    value: CustomerValue
    profile: ListedProfile | None = Field(
        description="Segment and group; null where the night has not seen the card yet, or the "
        "policy has no cut points."
    )
    service: ServiceStatistics = Field(description="Cost to serve.")
    last_purchases: list[PurchaseRead] = Field(description="The last five receipts.")
    favourite_categories: list[CategoryAmount] = Field(
        description="The first five by amount, of the last 365 days (at most 500 receipts)."
    )
    last_interactions: list[InteractionRead] = Field(description="The last five contacts.")
    consents: list[ConsentRead] = Field(
        description="What was said last, and whether it is in force; the rest was never asked."
    )
    possible_duplicates: int = Field(
        description="With how many cards this one may be the same: up to 100."
    )
