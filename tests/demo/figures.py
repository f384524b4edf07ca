"""What the tests of the demo chain count, written without the generator's own arithmetic."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from functools import cache

from app.demo import DEMO_SEED, DemoChain, build_chain
from app.demo.values import DemoRefund, DemoSale, Level

LOAD_DAYS = (
    date(2026, 11, 21),
    date(2027, 3, 1),
    date(2028, 2, 29),
    date(2025, 1, 31),
    date(2029, 2, 28),
)


@cache
def chain_of(load_day: date, seed: int = DEMO_SEED) -> DemoChain:
    """Build a chain once for all tests that look at it."""
    return build_chain(load_day, seed)


def sales_of(chain: DemoChain) -> list[DemoSale]:
    return [receipt for receipt in chain.receipts if isinstance(receipt, DemoSale)]


def refunds_of(chain: DemoChain) -> list[DemoRefund]:
    return [receipt for receipt in chain.receipts if isinstance(receipt, DemoRefund)]


def net_by_member(chain: DemoChain) -> dict[str, Decimal]:
    """Sum sales less refunds of each card that bought, from the lines."""
    net: defaultdict[str, Decimal] = defaultdict(Decimal)
    for receipt in chain.receipts:
        if receipt.member_number is not None:
            amount = sum((line.amount for line in receipt.lines), Decimal(0))
            net[receipt.member_number] += amount if isinstance(receipt, DemoSale) else -amount
    return dict(net)


def level_of(net: Decimal) -> Level:
    """Place an amount by the published thresholds."""
    if net >= 1000:
        return "main"
    return "ordinary" if net >= 300 else "small"


def texts_in(value: object) -> Iterator[str]:
    """Yield every string anywhere inside the values."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from texts_in(item)
    elif is_dataclass(value):
        for field in fields(value):
            yield from texts_in(getattr(value, field.name))
