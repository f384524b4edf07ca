"""What a calibration is, and what it is made of, where values tie, run out, or lie at nothing.

Percentiles are discrete: the k-th of n values is the one at rank ⌈k·n/100⌉. An RFM score is chosen
by the share of customers below (SQL's ``percent_rank``), so equal figures always score alike, and
each cut is a figure of its own: however many customers tie, five ranges stay five.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, TypeVar

from app.vocabulary import Indicator, ShareOf, TierLevel, Unit

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


@dataclass(frozen=True, slots=True)
class RfmCuts:
    """Four ascending values each that part scores 1 to 5; fewer days since the purchase is better.

    A score is one more than the number of cuts that the figure reaches; for days, 5 less the
    number of cuts that it lies above.
    """

    days_since_last_purchase: tuple[int, ...]
    purchase_days: tuple[int, ...]
    net_spend: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class References:
    """What a card is held against: values of all who bought, in the calibration's snapshot.

    ``value_contribution`` and ``top_gross`` begin the top fifth. Rates are shares of one.
    """

    value_contribution: Decimal
    top_gross: Decimal
    contribution_rate_p25: Decimal
    refund_rate_mean: Decimal
    service_cost_median: Decimal
    service_cost_total: Decimal
    contribution_total: Decimal


@dataclass(frozen=True, slots=True)
class Calibration:
    """Values taken from one snapshot of all who bought, and then kept with the version.

    ``knots`` are the 1st to the 100th percentile of an indicator, ascending, less turned negative
    where less is better.
    """

    as_of: date
    customers: int
    cuts: Mapping[TierLevel, Decimal] = field(default_factory=dict)
    knots: Mapping[Indicator, tuple[Decimal, ...]] = field(default_factory=dict)
    rfm: RfmCuts | None = None
    references: References | None = None

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "Calibration":
        """Read what :meth:`as_json` gave."""
        rfm, references = body.get("rfm"), body.get("references")
        return cls(
            as_of=date.fromisoformat(body["as_of"]),
            customers=body["customers"],
            cuts={TierLevel(level): Decimal(cut) for level, cut in body["cuts"].items()},
            knots={
                Indicator(name): tuple(map(Decimal, knots)) for name, knots in body["knots"].items()
            },
            rfm=None
            if rfm is None
            else RfmCuts(
                tuple(rfm["days_since_last_purchase"]),
                tuple(rfm["purchase_days"]),
                tuple(map(Decimal, rfm["net_spend"])),
            ),
            references=None
            if references is None
            else References(**{name: Decimal(value) for name, value in references.items()}),
        )

    def as_json(self) -> dict[str, Any]:
        """Return what is stored: decimals as strings."""
        return {
            "as_of": self.as_of.isoformat(),
            "customers": self.customers,
            "cuts": {str(level): str(cut) for level, cut in self.cuts.items()},
            "knots": {
                str(name): [str(knot) for knot in knots] for name, knots in self.knots.items()
            },
            "rfm": None
            if self.rfm is None
            else {
                "days_since_last_purchase": list(self.rfm.days_since_last_purchase),
                "purchase_days": list(self.rfm.purchase_days),
                "net_spend": [str(cut) for cut in self.rfm.net_spend],
            },
            "references": None
            if self.references is None
            else {
                name: str(getattr(self.references, name))
                for name in References.__dataclass_fields__
            },
        }


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


def cuts_by_rank(
    levels: Sequence[tuple[TierLevel, Decimal]], scores: Sequence[Decimal], share_of: ShareOf
) -> dict[TierLevel, Decimal]:
    """Return the score that begins each level's top share; the last level begins at zero.

    ``levels`` from the highest to the lowest with cumulated percents, ``scores`` of all who bought,
    in any order. Of customers: the score of the last customer inside the share; equal scores are
    all inside. Of value: the score of the customer with whom the share is reached.
    """
    ordered = sorted(scores, reverse=True)
    whole = sum((max(score, Decimal(0)) for score in ordered), Decimal(0))
    cuts: dict[TierLevel, Decimal] = {}
    for level, percent in levels[:-1]:
        if not ordered:
            cuts[level] = Decimal(0)
        elif share_of is ShareOf.CUSTOMERS:
            inside = (percent * len(ordered) / 100).to_integral_value(ROUND_HALF_UP)
            cuts[level] = ordered[max(int(inside), 1) - 1]
        else:
            reached = Decimal(0)
            for score in ordered:
                reached += max(score, Decimal(0))
                if reached * 100 >= percent * whole:
                    break
            cuts[level] = score
    cuts[levels[-1][0]] = Decimal(0)
    return cuts
