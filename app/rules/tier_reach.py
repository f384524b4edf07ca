"""How much a purchase has to come to, so that a card's score reaches a level or keeps it."""

from bisect import bisect_right
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from app.rules.tier_figures import LESS_IS_BETTER, POINT, Figures, value_of
from app.rules.tier_policies import Policy
from app.vocabulary import Indicator, Unit

LARGEST_PURCHASE: Final = Decimal("1000000.00")
_CENT: Final = Decimal("0.01")
_MOVED_BY_MONEY: Final = frozenset(
    {
        Indicator.NET_SPEND,
        Indicator.GROSS_SPEND,
        Indicator.MARGIN,
        Indicator.GROWTH,
        Indicator.RETURNS,
    }
)
"""Indicators that a larger purchase moves further; others see only that there was one."""


def spend_to_reach(policy: Policy, figures: Figures, at_least: Decimal) -> Decimal | None:
    """Return the smallest purchase on the as-of day with which the figures would score enough.

    At the card's own margin, all else unchanged; zero where they do already. None where no amount
    of money gets there: days are counted, nothing is known of the margin, or other indicators hold
    the score down.
    """
    if policy.score(figures) >= at_least:
        return Decimal("0.00")
    if policy.unit in (Unit.DAYS, Unit.TIMES):
        return None
    score = _score_with(policy, figures)
    most = int(LARGEST_PURCHASE / _CENT)
    # What is sold at a loss takes from the margin: there the largest purchase may score less.
    if figures.margin >= 0 and score(most) < at_least:
        return None
    low, high = 0, 1
    while score(high) < at_least:
        low, high = high, high * 2
        if high > most:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if score(middle) >= at_least else (middle, high)
    return high * _CENT


def _score_with(policy: Policy, figures: Figures) -> Callable[[int], Decimal]:
    """Return a function of a purchase in cents, to the score with it.

    A composite score is looked at many times: what an amount does not move is taken once, and a
    percentile that is the same for a smaller and a larger amount is so for those between them.
    """
    if policy.metric is not None or figures.margin < 0 or policy.calibration is None:
        return lambda cents: policy.score(figures.with_purchase(cents * _CENT))
    knots = policy.calibration.knots
    with_one = figures.with_purchase(_CENT)
    whole = fixed = Decimal(0)
    moved: list[tuple[Decimal, _Place]] = []
    for part in policy.indicators:
        value = value_of(part.indicator, with_one)
        if value is None:
            continue
        whole += part.weight
        its_knots = knots.get(part.indicator, ())
        if part.indicator in _MOVED_BY_MONEY:
            moved.append((part.weight, _Place(part.indicator, figures, its_knots)))
        else:
            counted = -value if part.indicator in LESS_IS_BETTER else value
            fixed += part.weight * bisect_right(its_knots, counted)
    if not whole:
        return lambda _: Decimal(0)

    def score(cents: int) -> Decimal:
        points = sum((weight * place.at(cents) for weight, place in moved), fixed)
        return (points / whole).quantize(POINT, ROUND_HALF_UP)

    return score


class _Place:
    """The percentile of an indicator with a purchase, which a larger one never lowers."""

    def __init__(self, indicator: Indicator, figures: Figures, knots: tuple[Decimal, ...]) -> None:
        self._indicator, self._figures, self._knots = indicator, figures, knots
        self._known: dict[int, int] = {}

    def at(self, cents: int) -> int:
        """Return the percentile with a purchase."""
        below = max((one for one in self._known if one <= cents), default=None)
        above = min((one for one in self._known if one >= cents), default=None)
        if below is None or above is None or self._known[below] != self._known[above]:
            self._known[cents] = self._look(cents)
            return self._known[cents]
        return self._known[below]

    def _look(self, cents: int) -> int:
        value = value_of(self._indicator, self._figures.with_purchase(cents * _CENT))
        assert value is not None
        return bisect_right(self._knots, -value if self._indicator in LESS_IS_BETTER else value)
