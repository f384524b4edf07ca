"""What a calibration is made of, where values tie, run out, or lie at nothing.

Percentiles are discrete: the k-th of n values is the one at rank ⌈k·n/100⌉. An RFM score is chosen
by the share of customers below (SQL's ``percent_rank``), so equal figures always score alike, and
each cut is a figure of its own: however many customers tie, five ranges stay five.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final, TypeVar

from app.vocabulary import TierLevel, Unit

KNOTS: Final = 100
RFM_CUTS: Final = 4
FEWEST_BUYERS: Final = 100
"""Of fewer customers a snapshot says little; the night waits until there are as many."""

_LEAST_SCORE: Final[Mapping[Unit, Decimal]] = {
    Unit.MONEY: Decimal("0.01"),
    Unit.DAYS: Decimal(1),
    Unit.TIMES: Decimal(1),
    Unit.POINTS: Decimal("0.0001"),
}
Figure = TypeVar("Figure", int, Decimal)


def cuts_above_nothing(
    cuts: Mapping[TierLevel, Decimal], lowest: TierLevel, unit: Unit
) -> dict[TierLevel, Decimal]:
    """Return cuts that a score of nothing reaches none of, but for the lowest level's.

    Where a top share reaches down to customers whose refunds outweigh what they bought, its cut
    would lie at or below zero, and whoever never bought would be in it.
    """
    least = _LEAST_SCORE[unit]
    return {
        level: Decimal(0) if level == lowest else max(cut, least) for level, cut in cuts.items()
    }


def five_ranges(
    found: Sequence[Figure | None], highest: Figure, step: Figure
) -> tuple[Figure, ...]:
    """Return four ascending cuts where fewer figures than that were there to cut between.

    ``found`` are the cuts in order, None from where figures ran out; the missing ones follow the
    last one, or the highest figure, at a distance of ``step``: nobody is beyond them.
    """
    cuts: list[Figure] = [cut for cut in found if cut is not None]
    while len(cuts) < RFM_CUTS:
        cuts.append(max(cuts[-1] if cuts else highest, highest) + step)
    return tuple(cuts)
