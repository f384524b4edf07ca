"""What a tier policy is: how it scores a card's figures, and which level a score earns.

Three methods share one engine. A *threshold* policy scores by one figure and its levels name the
score that reaches them. A *share* policy scores by one figure too; its levels name top shares, and
the scores that reach them are taken from one snapshot, the calibration, and then kept: nobody moves
because others moved. A *composite* policy scores by weighted indicators, each the percentile of the
card's figure among 100 knots of the calibration, from 0 to 100 points; its levels name top shares.

A card without a purchase in the window scores nothing. An indicator without data is absent, its
weight is shared among the others. Every figure is that of one window and one as-of day.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final
from uuid import UUID

from app.vocabulary import Indicator, PolicyMethod, ShareOf, TierLevel, Unit

WINDOW_DAYS: Final = 365
"""The rolling window that statistics are kept for, and the usual one of a policy."""
SHORTEST_WINDOW_DAYS: Final = 30
LONGEST_WINDOW_DAYS: Final = 1095
HALF_DAYS: Final = 180
"""Growth compares this many days with as many before them."""
GROWTH_BASE: Final = Decimal(50)
REFUND_PRIOR: Final = (Decimal(15), Decimal(300))
"""What the share of refunds is shrunk with: 15.00 returned of 300.00 bought."""

METRICS: Final[Mapping[Indicator, Unit]] = {
    Indicator.NET_SPEND: Unit.MONEY,
    Indicator.GROSS_SPEND: Unit.MONEY,
    Indicator.MARGIN: Unit.MONEY,
    Indicator.FREQUENCY: Unit.DAYS,
    Indicator.PURCHASES: Unit.TIMES,
}
"""Figures that a threshold or share policy can decide by, and what they are counted in."""
LESS_IS_BETTER: Final = frozenset(
    {Indicator.RECENCY, Indicator.RETURNS, Indicator.SERVICE_COST, Indicator.COMPLAINTS}
)
WITHOUT_SOURCE: Final = frozenset({Indicator.COMPLAINTS, Indicator.EXPECTED_MARGIN})
"""Indicators whose source the service does not have yet: absent for everybody."""

_CENT: Final = Decimal("0.01")
_THOUSANDTH: Final = Decimal("0.001")
POINT: Final = Decimal("0.0001")


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


@dataclass(frozen=True, slots=True)
class Benefits:
    """What a level is owed; ``yearly_cost`` is what else it costs the chain for each customer."""

    visit_every_days: int | None = None
    points_factor: Decimal = Decimal(1)
    discount_percent: Decimal = Decimal(0)
    response_factor: Decimal = Decimal(1)
    has_dedicated_staff: bool = False
    yearly_cost: Decimal = Decimal(0)

    @classmethod
    def of(cls, body: Mapping[str, Any] | None) -> "Benefits":
        """Read what is stored with a level; what is not said is owed to nobody."""
        body = body or {}
        return cls(
            visit_every_days=body.get("visit_every_days"),
            points_factor=_finite(body.get("points_factor", "1")),
            discount_percent=_finite(body.get("discount_percent", "0")),
            response_factor=_finite(body.get("response_factor", "1")),
            has_dedicated_staff=bool(body.get("has_dedicated_staff", False)),
            yearly_cost=_finite(body.get("yearly_cost", "0")),
        )


@dataclass(frozen=True, slots=True)
class LevelRule:
    """A level, the score that reaches it, inclusive, and the top share it stands for, if any."""

    level: TierLevel
    at_least: Decimal
    top_percent: Decimal | None = None
    benefits: Benefits = Benefits()


@dataclass(frozen=True, slots=True)
class KeepRule:
    """What keeps a level: ``factor`` of the score that reaches it, looked at monthly, after a hold.

    A fall comes ``grace_days`` after the notice has run out, at the next evaluation.
    """

    factor: Decimal
    hold_days: int
    notice_days: int
    grace_days: int = 0


@dataclass(frozen=True, slots=True)
class Weighted:
    """An indicator of a composite policy, and its weight among the others."""

    indicator: Indicator
    weight: Decimal


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


@dataclass(frozen=True, slots=True)
class Share:
    """What one indicator gave to a score: ``percentile`` 0 to 100, ``points`` of the 100.

    ``weight`` is what it weighs after that of the absent ones was shared out. An absent indicator
    has neither a value nor points.
    """

    indicator: Indicator
    value: Decimal | None
    weight: Decimal
    percentile: int | None
    points: Decimal


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of a policy; ``levels`` from the highest to the lowest, which is for everybody.

    ``metric`` is what threshold and share policies score by, ``indicators`` what composite ones do.
    """

    id: UUID
    version: int
    name: str
    window_days: int
    levels: tuple[LevelRule, ...]
    keep: KeepRule
    method: PolicyMethod = PolicyMethod.THRESHOLD
    metric: Indicator | None = Indicator.NET_SPEND
    indicators: tuple[Weighted, ...] = ()
    share_of: ShareOf | None = None
    calibration: Calibration | None = None

    @classmethod
    def of(
        cls,
        policy_id: UUID,
        version: int,
        name: str,
        method: PolicyMethod,
        body: Mapping[str, Any],
        calibration: Calibration | None = None,
    ) -> "Policy":
        """Read a stored policy; levels are put in order, decimals are strings.

        Raises:
            ValueError: something is missing, of another kind, or contradicts itself; or a share or
                composite policy comes without the calibration that has its cuts.
        """
        try:
            levels = tuple(
                sorted(
                    (_level(method, part, calibration) for part in body["levels"]),
                    key=lambda rule: rule.at_least,
                    reverse=True,
                )
            )
            keep, share_of = body["keep"], body.get("share_of")
            policy = cls(
                id=policy_id,
                version=version,
                name=name,
                window_days=int(body["window_days"]),
                levels=levels,
                keep=KeepRule(
                    _finite(keep["factor"]),
                    int(keep["hold_days"]),
                    int(keep["notice_days"]),
                    int(keep.get("grace_days", 0)),
                ),
                method=method,
                metric=None if method is PolicyMethod.COMPOSITE else Indicator(body["metric"]),
                indicators=tuple(
                    Weighted(Indicator(part["indicator"]), _finite(part["weight"]))
                    for part in body.get("indicators", ())
                ),
                share_of=None if share_of is None else ShareOf(share_of),
                calibration=calibration,
            )
        except (ArithmeticError, KeyError, TypeError) as error:
            raise ValueError("the body is not that of a tier policy") from error
        _check_policy(policy)
        return policy

    @property
    def unit(self) -> Unit:
        """What scores are counted in."""
        return Unit.POINTS if self.metric is None else METRICS[self.metric]

    @property
    def is_additive(self) -> bool:
        """Whether each receipt adds its own amount to the score, whatever came before it."""
        return self.metric is Indicator.NET_SPEND

    @property
    def looks_at(self) -> frozenset[Indicator]:
        """The figures that a score is made of."""
        if self.metric is not None:
            return frozenset({self.metric})
        return frozenset(part.indicator for part in self.indicators)

    def rank(self, level: TierLevel) -> int:
        """Return 0 for the lowest level and more for higher ones; -1 for one it does not know."""
        for index, rule in enumerate(reversed(self.levels)):
            if rule.level == level:
                return index
        return -1

    def earned(self, score: Decimal) -> LevelRule:
        """Return the highest level that the score reaches; below zero, the lowest."""
        return next((rule for rule in self.levels if score >= rule.at_least), self.levels[-1])

    def rule_of(self, level: TierLevel) -> LevelRule | None:
        """Return the rule of a level, None when the policy does not know it."""
        return next((rule for rule in self.levels if rule.level == level), None)

    def next_above(self, level: TierLevel) -> LevelRule | None:
        """Return the next higher level, None at the top."""
        above = [rule for rule in self.levels if self.rank(rule.level) > self.rank(level)]
        return above[-1] if above else None

    def next_below(self, level: TierLevel) -> LevelRule | None:
        """Return the next lower level, None at the bottom."""
        below = [rule for rule in self.levels if self.rank(rule.level) < self.rank(level)]
        return below[0] if below else None

    def score(self, figures: Figures) -> Decimal:
        """Return what the figures are worth: money, days, times, or points with four decimals."""
        if self.metric is not None:
            value = value_of(self.metric, figures)
            return Decimal(0) if value is None else value
        # One division at the end: what a database divides comes out the same.
        weights = {part.indicator: part.weight for part in self.indicators}
        whole = points = Decimal(0)
        for share in self.shares(figures):
            if share.percentile is not None:
                whole += weights[share.indicator]
                points += weights[share.indicator] * share.percentile
        return (points / whole if whole else Decimal(0)).quantize(POINT, ROUND_HALF_UP)

    def shares(self, figures: Figures) -> tuple[Share, ...]:
        """Return what each indicator of a composite policy gives to the score."""
        assert self.calibration is not None
        counts = figures.purchases > 0
        values = {part.indicator: value_of(part.indicator, figures) for part in self.indicators}
        present = [part for part in self.indicators if values[part.indicator] is not None]
        whole = sum((part.weight for part in present), Decimal(0))
        shares = []
        for part in self.indicators:
            value = values[part.indicator]
            if value is None or not whole:
                shares.append(Share(part.indicator, None, Decimal(0), None, Decimal(0)))
                continue
            knots = self.calibration.knots.get(part.indicator, ())
            counted = -value if part.indicator in LESS_IS_BETTER else value
            percentile = bisect_right(knots, counted) if counts else 0
            weight = part.weight / whole
            shares.append(Share(part.indicator, value, weight, percentile, weight * percentile))
        return tuple(shares)


def _level(
    method: PolicyMethod, part: Mapping[str, Any], calibration: Calibration | None
) -> LevelRule:
    level, benefits = TierLevel(part["level"]), Benefits.of(part.get("benefits"))
    if method is PolicyMethod.THRESHOLD:
        return LevelRule(level, _finite(part["at_least"]), None, benefits)
    _check(calibration is not None, "top shares need a calibration that says what reaches them")
    assert calibration is not None
    return LevelRule(level, calibration.cuts[level], _finite(part["top_percent"]), benefits)


def _check_policy(policy: Policy) -> None:
    levels, keep = policy.levels, policy.keep
    _check(bool(levels) and levels[-1].at_least == 0, "the lowest level has to start at zero")
    _check(len({rule.level for rule in levels}) == len(levels), "a level occurs twice")
    if policy.method is PolicyMethod.THRESHOLD:
        _check(len({rule.at_least for rule in levels}) == len(levels), "two share a threshold")
    _check(
        SHORTEST_WINDOW_DAYS <= policy.window_days <= LONGEST_WINDOW_DAYS,
        f"a window has {SHORTEST_WINDOW_DAYS} to {LONGEST_WINDOW_DAYS} days",
    )
    _check(0 < keep.factor <= 1, "the factor lies between 0 and 1")
    _check(min(keep.hold_days, keep.notice_days, keep.grace_days) >= 0, "days are not negative")
    if policy.metric is None:
        weights = [part.weight for part in policy.indicators]
        _check(bool(weights) and min(weights) > 0, "weights are more than nothing")
        names = {part.indicator for part in policy.indicators}
        _check(len(names) == len(weights), "an indicator occurs twice")
        _check(bool(names - WITHOUT_SOURCE), "no indicator has a source")
    else:
        _check(policy.metric in METRICS, "that figure cannot be decided by")


def _finite(text: Any) -> Decimal:
    number = Decimal(text)
    _check(number.is_finite(), "an amount has to be a number")
    return number


def _check(is_right: bool, otherwise: str) -> None:
    if not is_right:
        raise ValueError(otherwise)


def window_from(policy: Policy, as_of: date) -> date:
    """Return the first day of the window that ends with a day."""
    return as_of - timedelta(days=policy.window_days - 1)


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
