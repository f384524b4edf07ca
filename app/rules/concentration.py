"""How much of the value few customers hold: curve, top shares, Gini, HHI; reported as it is.

Values are net spends of a window. A negative one, of a customer who returned more than they bought
in it, is nothing to have a share of: it counts as nothing here, and is told beside. Shares of
customers are of whole customers, rounded up: the top 20 percent of 7 customers are 2.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from itertools import accumulate
from typing import Final

TOP_PERCENTS: Final = (1, 5, 10, 20, 50)
CURVE_PERCENTS: Final = tuple(range(5, 101, 5))
"""Twenty points of the Lorenz curve, cumulated from the customers with the least."""
MOST_PERCENT: Final = 80
TALLIED_PERCENTS: Final = tuple(
    sorted({*TOP_PERCENTS, *(100 - percent for percent in CURVE_PERCENTS if percent < 100)})
)
_TENTH: Final = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Tally:
    """What is added up over customers in descending order of their values.

    ``total`` and the others leave negative values out, as nothing; ``placed`` is the sum of each
    value times its place, from 1. ``top`` has for each of :data:`TALLIED_PERCENTS` what that top
    holds; ``making_most`` is the fewest customers who hold :data:`MOST_PERCENT` of the total.
    """

    customers: int
    total: Decimal
    squares: Decimal
    placed: Decimal
    top: Mapping[int, Decimal]
    making_most: int
    negative_customers: int
    negative_amount: Decimal


@dataclass(frozen=True, slots=True)
class TopShare:
    """What the customers with the most hold, in percent."""

    percent: int
    customers: int
    share: Decimal | None


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A point of the Lorenz curve: what the customers with the least hold, in percent."""

    percent: int
    share: Decimal | None


@dataclass(frozen=True, slots=True)
class Concentration:
    """How concentrated values are; all but counts is None where nobody holds anything.

    ``gini`` lies from 0, all hold the same, to almost 1, one holds all; ``hhi``, the sum of squared
    shares, from one by the number of customers to 1.
    """

    top: tuple[TopShare, ...]
    curve: tuple[CurvePoint, ...]
    gini: Decimal | None
    hhi: Decimal | None
    making_most: int | None
    making_most_percent: Decimal | None


def top_count(customers: int, percent: int) -> int:
    """Return how many customers a top share is, rounded up."""
    return -(-customers * percent // 100)


def tally(values: Iterable[Decimal]) -> Tally:
    """Add values up; the reference for what SQL adds up over a chain."""
    given = list(values)
    ordered = sorted((max(value, Decimal(0)) for value in given), reverse=True)
    reached = list(accumulate(ordered))
    total = reached[-1] if reached else Decimal(0)
    negative = [value for value in given if value < 0]
    most = total * MOST_PERCENT
    return Tally(
        customers=len(ordered),
        total=total,
        squares=sum((value * value for value in ordered), Decimal(0)),
        placed=sum((value * place for place, value in enumerate(ordered, 1)), Decimal(0)),
        top={
            percent: reached[top_count(len(ordered), percent) - 1] if ordered else Decimal(0)
            for percent in TALLIED_PERCENTS
        },
        making_most=next((place for place, sum_ in enumerate(reached, 1) if sum_ * 100 >= most), 0),
        negative_customers=len(negative),
        negative_amount=sum(negative, Decimal(0)),
    )


def concentration_of(tallied: Tally) -> Concentration:
    """Return the measures of what was added up."""
    total, customers = tallied.total, tallied.customers

    def share_of_top(percent: int) -> Decimal | None:
        return _percent(tallied.top[percent] / total) if total else None

    def share_of_rest(percent: int) -> Decimal | None:
        held_by_others = Decimal(0) if percent == 100 else tallied.top[100 - percent]
        return _percent((total - held_by_others) / total) if total else None

    gini = hhi = making_most = None
    if total:
        gini = ((customers + 1) * total - 2 * tallied.placed) / (customers * total)
        hhi = tallied.squares / (total * total)
        making_most = tallied.making_most
    return Concentration(
        top=tuple(
            TopShare(percent, top_count(customers, percent), share_of_top(percent))
            for percent in TOP_PERCENTS
        ),
        curve=tuple(CurvePoint(percent, share_of_rest(percent)) for percent in CURVE_PERCENTS),
        gini=None if gini is None else gini.quantize(Decimal("0.0001"), ROUND_HALF_UP),
        hhi=None if hhi is None else hhi.quantize(Decimal("0.00000001"), ROUND_HALF_UP),
        making_most=making_most,
        making_most_percent=None
        if making_most is None
        else _percent(Decimal(making_most) / customers),
    )


def _percent(part: Decimal) -> Decimal:
    return (part * 100).quantize(_TENTH, ROUND_HALF_UP)
