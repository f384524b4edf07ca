"""What a contact costs the chain."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

CENT: Final = Decimal("0.01")
SECONDS_A_MINUTE: Final = 60


@dataclass(frozen=True, slots=True)
class ChannelPrice:
    """What a contact by one channel costs: so much each, and so much a minute."""

    per_contact: Decimal
    per_minute: Decimal


def service_cost(price: ChannelPrice, duration_seconds: int | None) -> Decimal:
    """Return the cost of one contact: its part of a minute counts to the second.

    A duration that nobody told costs no minutes. Rounded once, at the end, half a cent upwards, so
    that the costs of contacts add up to the cost of all.
    """
    cost = price.per_contact + price.per_minute * (duration_seconds or 0) / SECONDS_A_MINUTE
    return cost.quantize(CENT, ROUND_HALF_UP)
