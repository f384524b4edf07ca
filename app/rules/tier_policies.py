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
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final
from uuid import UUID

from app.rules.tier_calibrations import Calibration
from app.rules.tier_figures import LESS_IS_BETTER, POINT, WITHOUT_SOURCE, Figures, value_of
from app.vocabulary import Indicator, PolicyMethod, ShareOf, TierLevel, Unit

SHORTEST_WINDOW_DAYS: Final = 30
LONGEST_WINDOW_DAYS: Final = 1095
METRICS: Final[Mapping[Indicator, Unit]] = {
    Indicator.NET_SPEND: Unit.MONEY,
    Indicator.GROSS_SPEND: Unit.MONEY,
    Indicator.MARGIN: Unit.MONEY,
    Indicator.FREQUENCY: Unit.DAYS,
    Indicator.PURCHASES: Unit.TIMES,
}
"""Figures that a threshold or share policy can decide by, and what they are counted in."""


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
