"""A card's figures of one window and one as-of day, and what indicators look at of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from app.vocabulary import Indicator

WINDOW_DAYS: Final = 365
"""The rolling window that statistics are kept for, and the usual one of a policy."""
HALF_DAYS: Final = 180
"""Growth compares this many days with as many before them."""
GROWTH_BASE: Final = Decimal(50)
REFUND_PRIOR: Final = (Decimal(15), Decimal(300))
"""What the share of refunds is shrunk with: 15.00 returned of 300.00 bought."""
LESS_IS_BETTER: Final = frozenset(
    {Indicator.RECENCY, Indicator.RETURNS, Indicator.SERVICE_COST, Indicator.COMPLAINTS}
)
WITHOUT_SOURCE: Final = frozenset({Indicator.COMPLAINTS, Indicator.EXPECTED_MARGIN})
"""Indicators whose source the service does not have yet: absent for everybody."""
POINT: Final = Decimal("0.0001")
_THOUSANDTH: Final = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class Figures:
    """A card's figures of the window that ends with ``as_of``, inclusive.

    Money is net of nothing but what its name says; ``net_180`` and ``net_prior_180`` are of the
    last 180 days and of the 180 before those, whatever the window. ``breadth`` is None where nobody
    counted. ``costed`` is the part of net spend whose cost of goods is known, ``margin`` is on it.
    """

    as_of: date
    net_spend: Decimal = Decimal(0)
    purchases: int = 0
    refunded: Decimal = Decimal(0)
    gross_spend: Decimal = Decimal(0)
    costed: Decimal = Decimal(0)
    margin: Decimal = Decimal(0)
    purchase_days: int = 0
    largest: Decimal = Decimal(0)
    last_purchase_on: date | None = None
    net_180: Decimal = Decimal(0)
    net_prior_180: Decimal = Decimal(0)
    breadth: int | None = None
    contacts: int = 0
    service_cost: Decimal = Decimal(0)

    @property
    def days_since_last_purchase(self) -> int | None:
        """Days since the last purchase of all time; a till ahead of midnight gives 0."""
        if self.last_purchase_on is None:
            return None
        return max((self.as_of - self.last_purchase_on).days, 0)

    @property
    def growth(self) -> Decimal:
        """Log ratio of the last half year's net spend to that of the one before, -1 to 1."""
        now = max(self.net_180, Decimal(0)) + GROWTH_BASE
        before = max(self.net_prior_180, Decimal(0)) + GROWTH_BASE
        ratio = (now / before).ln().quantize(_THOUSANDTH, ROUND_HALF_UP)
        return min(max(ratio, Decimal(-1)), Decimal(1)) + 0

    @property
    def refund_rate(self) -> Decimal:
        """Share of gross spend that came back, shrunk towards five percent."""
        returned, bought = REFUND_PRIOR
        rate = (self.refunded + returned) / (self.gross_spend + bought)
        return rate.quantize(POINT, ROUND_HALF_UP)

    @property
    def known_margin(self) -> Decimal | None:
        """The margin, None where nothing is known of the cost of what was bought."""
        return None if self.purchases > 0 and self.costed == 0 else self.margin

    def with_purchase(self, amount: Decimal) -> "Figures":
        """Return the figures after one more purchase, on the as-of day, at the card's margin."""
        is_new_day = self.last_purchase_on != self.as_of
        rate = self.margin / self.costed if self.costed > 0 else None
        return replace(
            self,
            net_spend=self.net_spend + amount,
            gross_spend=self.gross_spend + amount,
            costed=self.costed if rate is None else self.costed + amount,
            margin=self.margin if rate is None else self.margin + amount * rate,
            purchases=self.purchases + 1,
            purchase_days=self.purchase_days + is_new_day,
            largest=max(self.largest, amount),
            last_purchase_on=self.as_of,
            net_180=self.net_180 + amount,
        )


_VALUES: Final[Mapping[Indicator, Callable[[Figures], Decimal | int | None]]] = {
    Indicator.NET_SPEND: lambda figures: figures.net_spend,
    Indicator.GROSS_SPEND: lambda figures: figures.gross_spend,
    Indicator.MARGIN: lambda figures: figures.known_margin,
    Indicator.FREQUENCY: lambda figures: figures.purchase_days,
    Indicator.PURCHASES: lambda figures: figures.purchases,
    Indicator.RECENCY: lambda figures: figures.days_since_last_purchase,
    Indicator.GROWTH: lambda figures: figures.growth,
    Indicator.BREADTH: lambda figures: figures.breadth,
    Indicator.INTERACTION: lambda figures: figures.contacts,
    Indicator.RETURNS: lambda figures: figures.refund_rate,
    Indicator.SERVICE_COST: lambda figures: figures.service_cost,
}
"""The figure that an indicator looks at. Those without a source are not here."""


def value_of(indicator: Indicator, figures: Figures) -> Decimal | None:
    """Return the figure an indicator looks at, None where there is no data."""
    value = None if indicator in WITHOUT_SOURCE else _VALUES[indicator](figures)
    return None if value is None else Decimal(value)
