"""RFM: three scores of 1 to 5 by cut points that were frozen, and a segment for each cell of them.

Source: ``analytics.md``, RFM. Recency looks at all history, frequency counts purchase days and
money is net spend, both of 365 days. The boundaries are published as data: tested in their order,
exclusive since the first that fits decides, exhaustive since the last ones take what is left.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Final

from app.rules.tier_calibrations import RfmCuts
from app.rules.tier_figures import Figures
from app.vocabulary import Label, RfmSegment

LOWEST: Final = 1
HIGHEST: Final = 5


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of 1 to 5; more is better, also of recency."""

    recency: int
    frequency: int
    monetary: int

    @property
    def frequency_and_money(self) -> Decimal:
        """The mean of both."""
        return Decimal(self.frequency + self.monetary) / 2


@dataclass(frozen=True, slots=True)
class Boundary:
    """The published condition of a segment: scores from the first to the second, both included.

    ``recency`` is None for who never bought. ``frequency_and_money`` is the least mean of the two.
    """

    segment: RfmSegment
    recency: tuple[int, int] | None
    frequency: tuple[int, int] = (LOWEST, HIGHEST)
    frequency_and_money: Decimal = Decimal(LOWEST)

    def holds(self, scores: Scores | None) -> bool:
        """Tell whether the scores fulfil the condition."""
        if scores is None or self.recency is None:
            return scores is None and self.recency is None
        return (
            self.recency[0] <= scores.recency <= self.recency[1]
            and self.frequency[0] <= scores.frequency <= self.frequency[1]
            and scores.frequency_and_money >= self.frequency_and_money
        )

    @property
    def condition(self) -> Label:
        """The condition in words."""
        if self.recency is None:
            return Label(("no purchase", "没有购买记录"))
        en, zh = [f"R {_range(self.recency)}"], [f"R {_range(self.recency)}"]
        if self.frequency != (LOWEST, HIGHEST):
            en.append(f"F {_range(self.frequency)}")
            zh.append(f"F {_range(self.frequency)}")
        if self.frequency_and_money > LOWEST:
            en.append(f"(F + M) / 2 at least {self.frequency_and_money}")
            zh.append(f"(F + M) / 2 不低于 {self.frequency_and_money}")
        return Label((", ".join(en), "，".join(zh)))


def _range(scores: tuple[int, int]) -> str:
    return str(scores[0]) if scores[0] == scores[1] else f"{scores[0]}–{scores[1]}"


BOUNDARIES: Final[tuple[Boundary, ...]] = (
    Boundary(RfmSegment.PROSPECTS, None),
    Boundary(RfmSegment.CHAMPIONS, (5, 5), frequency_and_money=Decimal("4.5")),
    Boundary(RfmSegment.LOYAL, (4, 5), frequency_and_money=Decimal(4)),
    Boundary(RfmSegment.NEW, (5, 5), frequency=(1, 1)),
    Boundary(RfmSegment.PROMISING, (4, 4), frequency=(1, 2)),
    Boundary(RfmSegment.ACTIVE, (4, 5)),
    Boundary(RfmSegment.NEEDS_ATTENTION, (3, 3), frequency_and_money=Decimal("2.5")),
    Boundary(RfmSegment.PREVIOUSLY_LOYAL, (1, 2), frequency_and_money=Decimal("4.5")),
    Boundary(RfmSegment.AT_RISK, (1, 2), frequency_and_money=Decimal(3)),
    Boundary(RfmSegment.ALMOST_LOST, (2, 3)),
    Boundary(RfmSegment.DORMANT, (1, 1)),
)
"""In the order in which they are tested; the first that holds is the segment."""


def boundary_of(scores: Scores | None) -> Boundary:
    """Return the boundary that decides the segment; scores are None for who never bought."""
    return next(boundary for boundary in BOUNDARIES if boundary.holds(scores))


CELLS: Final[tuple[RfmSegment, ...]] = tuple(
    boundary_of(Scores(*cell)).segment for cell in product(range(LOWEST, HIGHEST + 1), repeat=3)
)
"""The segment of every cell: R1 F1 M1, R1 F1 M2 … R5 F5 M5."""


def scores_of(figures: Figures, cuts: RfmCuts) -> Scores | None:
    """Return the scores of a card's figures of 365 days, None for who never bought.

    A figure that meets a cut point has reached it; days since the purchase lose a score only
    beyond one.
    """
    days = figures.days_since_last_purchase
    if days is None:
        return None
    return Scores(
        recency=HIGHEST - bisect_left(cuts.days_since_last_purchase, days),
        frequency=LOWEST + bisect_right(cuts.purchase_days, figures.purchase_days),
        monetary=LOWEST + bisect_right(cuts.net_spend, figures.net_spend),
    )
