"""Who buys how much, how often and when, before anything is put into a basket.

The published distribution is met here, in whole fen: each group's customers draw amounts that add
up to the group's total. The boundaries are occupied on purpose.
"""

import math
from dataclasses import dataclass
from decimal import Decimal
from random import Random

from app.demo.amounts import apportion, skewed_amounts
from app.demo.seasons import WINDOW_DAYS, Calendar
from app.demo.values import DemoGroup, Level

# The published year of a bookshop chain: 2,166 individuals bought 581,780 yuan, net of refunds.
GROUPS: tuple[DemoGroup, ...] = (
    DemoGroup("main", 93, Decimal("232730.00"), Decimal("1000.00"), None),
    DemoGroup("ordinary", 408, Decimal("162990.00"), Decimal("300.00"), Decimal("1000.00")),
    DemoGroup("small", 1665, Decimal("186060.00"), Decimal("0.00"), Decimal("300.00")),
)

SHOWCASE_FEN = 968_00
# Customers whose amount is given, in fen: on a threshold, a fen below it, and the showcase.
GIVEN_FEN: dict[Level, tuple[int, ...]] = {
    "main": (1_000_00,),
    "ordinary": (SHOWCASE_FEN, 300_00, 999_99),
    "small": (299_99,),
}
# The others keep off the thresholds: lowest and highest amount in fen, and the draws' shape.
_DRAWN_FEN: dict[Level, tuple[int, int, int]] = {
    "main": (1_012_00, 11_500_00, 1),
    "ordinary": (302_00, 955_00, 1),
    "small": (6_00, 294_00, 2),
}
SMALLEST_RECEIPT_FEN = 6_00
# Customers with a given amount come this often, and not in the window's first weeks: they stay
# where they are for a while after the load, though the window moves on.
_GIVEN_PURCHASES = 8
_GIVEN_FIRST_DAY = 45
_MOST_PURCHASES = 40


@dataclass(frozen=True, slots=True)
class BuyerPlan:
    """One customer's year: net amount, and its receipts as (index of the day, fen) in order.

    `headroom_fen` is what may be sold on top, to be refunded, without the customer ever standing
    above the group they end in; 0 where nothing shall be refunded.
    """

    level: Level
    net_fen: int
    receipts: tuple[tuple[int, int], ...]
    headroom_fen: int
    is_showcase: bool


def _fen(amount: Decimal) -> int:
    return int(amount * 100)


def _purchase_count(rng: Random, level: Level, net_fen: int) -> int:
    if level == "small":
        count = 1
        while rng.random() < 0.47:
            count += 1
        return min(count, 7, max(1, net_fen // 22_00))
    if level == "ordinary":
        return max(1, min(16, round(rng.lognormvariate(math.log(4.8), 0.5))))
    count = round(rng.lognormvariate(math.log(12.5), 0.5) * math.pow(net_fen / 2_500_00, 0.4))
    return max(3, math.ceil(net_fen / 550_00), min(_MOST_PURCHASES, count, net_fen // 45_00))


def _active_days(rng: Random, count: int) -> tuple[int, int]:
    """Draw the first and last index of the days a customer may come on.

    Most come all year; some joined during it, some stayed away for good.
    """
    last = WINDOW_DAYS - 1
    habit = rng.random()
    if count == 1 or habit < 0.6:
        return 0, last
    if habit < 0.8:
        return rng.randrange(60, 300), last
    return 0, rng.randrange(60, 300)


def _plan_buyer(
    rng: Random, calendar: Calendar, group: DemoGroup, net_fen: int, *, is_given: bool
) -> BuyerPlan:
    is_showcase = is_given and net_fen == SHOWCASE_FEN
    if is_given:
        count, first, last = _GIVEN_PURCHASES, _GIVEN_FIRST_DAY, WINDOW_DAYS - 6
    else:
        count = _purchase_count(rng, group.level, net_fen)
        first, last = _active_days(rng, count)
    days = calendar.draw(rng, count, first, last)
    weights = [rng.lognormvariate(0, 0.55) for _ in days]
    parts = apportion(net_fen, weights, SMALLEST_RECEIPT_FEN)
    ceiling = _fen(group.upper) if group.upper is not None else net_fen + 300_00
    return BuyerPlan(
        level=group.level,
        net_fen=net_fen,
        receipts=tuple(zip(days, parts, strict=True)),
        headroom_fen=0 if is_given else ceiling - net_fen - 1,
        is_showcase=is_showcase,
    )


def plan_buyers(rng: Random, calendar: Calendar) -> list[BuyerPlan]:
    """Plan every customer who buys, in random order; the groups' figures hold to the fen."""
    plans: list[BuyerPlan] = []
    for group in GROUPS:
        given = GIVEN_FEN[group.level]
        lower, upper, draws = _DRAWN_FEN[group.level]
        drawn = skewed_amounts(
            rng,
            _fen(group.amount) - sum(given),
            group.customers - len(given),
            lower,
            upper,
            draws=draws,
        )
        plans.extend(_plan_buyer(rng, calendar, group, net, is_given=True) for net in given)
        plans.extend(_plan_buyer(rng, calendar, group, net, is_given=False) for net in drawn)
    rng.shuffle(plans)
    return plans
