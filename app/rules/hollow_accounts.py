"""Accounts whose turnover is big and hollow: little stays of it, or little stands behind it.

Source: ``analytics.md``, Tiers. The gross of the window lies in the top fifth of the calibration's
snapshot, and at least one of five signs is there; two or more are severe. That one order makes most
of the window's gross, and that there were few days with a purchase, are signs like the other three:
each is enough by itself, and each counts towards severe. None of them says anything of a card below
the top fifth.

A sign that cannot be judged, since nothing is known of the cost of goods or of what serving costs,
is not there, and the evidence says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Any, Final

from app.rules.tier_calibrations import References
from app.rules.tier_figures import Figures
from app.vocabulary import HollowSign, money_text

LOWEST_CONTRIBUTION_RATE: Final = Decimal("0.05")
LOWEST_REFUND_RATE: Final = Decimal("0.15")
TIMES_MEAN_REFUND_RATE: Final = 2
TIMES_MEDIAN_SERVICE_COST: Final = 2
LARGEST_SHARE: Final = Decimal("0.5")
FEW_PURCHASE_DAYS: Final = 2
SEVERE_SIGNS: Final = 2

_RATE: Final = Decimal("0.0001")
_CENT: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Limits:
    """What the figures of a card are held against; rates are shares of one with four decimals.

    ``service_cost`` is None where half of all who bought cost nothing to serve. A statement over
    many cards takes these as they are, so that it cannot round otherwise than the rule does.
    """

    gross: Decimal
    contribution_rate: Decimal
    refund_rate: Decimal
    service_cost: Decimal | None
    largest_share: Decimal = LARGEST_SHARE
    purchase_days: int = FEW_PURCHASE_DAYS

    @classmethod
    def of(cls, references: References) -> "Limits":
        """Return the limits by a calibration's reference values."""
        returned = TIMES_MEAN_REFUND_RATE * references.refund_rate_mean
        median = references.service_cost_median
        return cls(
            gross=references.top_gross,
            contribution_rate=_rounded(
                max(LOWEST_CONTRIBUTION_RATE, references.contribution_rate_p25)
            ),
            refund_rate=_rounded(max(LOWEST_REFUND_RATE, returned)),
            service_cost=TIMES_MEDIAN_SERVICE_COST * median if median > 0 else None,
        )


def contribution_rate(figures: Figures) -> Decimal | None:
    """Return what is left of each unit of net spend after cost of goods and cost to serve.

    The margin's rate is that of the part whose cost is known: unknown costs are neither none nor
    all. Where everything is known this is (margin - service cost) / net spend. None where nothing
    is known, or where nothing was kept of what was bought.
    """
    if figures.costed <= 0 or figures.net_spend <= 0:
        return None
    return _rounded(figures.margin / figures.costed - figures.service_cost / figures.net_spend)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was looked at: the card's number, the limit, and both in a sentence.

    Shares of one for contribution and returns, money for the cost to serve and the largest order
    (whose limit is half of the gross), days for the last one. A number or limit that is not known
    is None, and the sign is not there.
    """

    sign: HollowSign
    number: Decimal | int | None
    limit: Decimal | int | None
    is_met: bool
    sentences: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """Return what is stored and sent: numbers as decimal strings."""
        return {
            "sign": str(self.sign),
            "number": _text(self.number),
            "limit": _text(self.limit),
            "is_met": self.is_met,
            "sentences": dict(self.sentences),
        }


@dataclass(frozen=True, slots=True)
class HollowEvidence:
    """Why a card's turnover counts as hollow: every condition, met or not, in a set order."""

    as_of: date
    gross: Decimal
    top_gross: Decimal
    conditions: tuple[Condition, ...]

    @property
    def signs(self) -> tuple[HollowSign, ...]:
        """The signs that are there."""
        return tuple(condition.sign for condition in self.conditions if condition.is_met)

    @property
    def is_severe(self) -> bool:
        """Whether there are two signs or more."""
        return len(self.signs) >= SEVERE_SIGNS

    def as_json(self) -> dict[str, Any]:
        """Return what is stored with a review and sent."""
        return {
            "as_of": self.as_of.isoformat(),
            "gross": money_text(self.gross),
            "top_gross": money_text(self.top_gross),
            "is_severe": self.is_severe,
            "signs": [str(sign) for sign in self.signs],
            "conditions": [condition.as_json() for condition in self.conditions],
            "sentences": self._sentences(),
        }

    def _sentences(self) -> dict[str, str]:
        gross, top = money_text(self.gross), money_text(self.top_gross)
        labels = [sign.label for sign in self.signs]
        signs_en = ", ".join(label.en.lower() for label in labels)
        signs_zh = "、".join(label.zh for label in labels)
        return {
            "en": f"A gross of {gross} in the window that ends with {self.as_of.isoformat()} is in"
            f" the top fifth, which begins at {top}, but looks hollow: {signs_en}.",
            "zh": f"截至 {self.as_of.isoformat()} 的统计期内消费总额 {gross}，"
            f"位于前五分之一（{top} 起），但存在虚高迹象：{signs_zh}。",
        }


def evidence(figures: Figures, references: References) -> HollowEvidence | None:
    """Return what makes a card's turnover hollow, None where nothing does."""
    limits = Limits.of(references)
    if figures.purchases <= 0 or figures.gross_spend < limits.gross:
        return None
    conditions = (
        _low_contribution(figures, limits),
        _many_returns(figures, limits),
        _dear_to_serve(figures, limits),
        _one_big_order(figures, limits),
        _few_days(figures, limits),
    )
    if not any(condition.is_met for condition in conditions):
        return None
    return HollowEvidence(figures.as_of, figures.gross_spend, limits.gross, conditions)


def _low_contribution(figures: Figures, limits: Limits) -> Condition:
    rate, limit = contribution_rate(figures), limits.contribution_rate
    if rate is None:
        en = "How much it contributes is not known: no cost of goods, or nothing that was kept."
        zh = "贡献率未知：没有商品成本，或没有留存的消费。"
    else:
        en = f"Contributes {_percent(rate)} of net spend; {_percent(limit)} or less is little."
        zh = f"贡献率为净消费的 {_percent(rate)}；{_percent(limit)} 及以下为低。"
    is_met = rate is not None and rate <= limit
    return Condition(HollowSign.LOW_CONTRIBUTION, rate, limit, is_met, {"en": en, "zh": zh})


def _many_returns(figures: Figures, limits: Limits) -> Condition:
    rate, limit = figures.refund_rate, limits.refund_rate
    returned, gross = money_text(figures.refunded), money_text(figures.gross_spend)
    en = (
        f"Returned {returned} of {gross}, counted as {_percent(rate)}; {_percent(limit)} or more"
        " is much."
    )
    zh = f"消费 {gross} 中退货 {returned}，计为 {_percent(rate)}；{_percent(limit)} 及以上为多。"
    return Condition(HollowSign.MANY_RETURNS, rate, limit, rate >= limit, {"en": en, "zh": zh})


def _dear_to_serve(figures: Figures, limits: Limits) -> Condition:
    cost, limit = figures.service_cost.quantize(_CENT), limits.service_cost
    if limit is None:
        en = f"Serving cost {money_text(cost)}; it is not known what is usual."
        zh = f"服务成本 {money_text(cost)}；尚不知通常水平。"
    else:
        en = f"Serving cost {money_text(cost)}; {money_text(limit)} or more is dear."
        zh = f"服务成本 {money_text(cost)}；{money_text(limit)} 及以上为高。"
    is_met = limit is not None and cost >= limit
    return Condition(HollowSign.DEAR_TO_SERVE, cost, limit, is_met, {"en": en, "zh": zh})


def _one_big_order(figures: Figures, limits: Limits) -> Condition:
    # Half a cent is cut off: an amount lies above the half just when it lies above what is shown.
    limit = (figures.gross_spend * limits.largest_share).quantize(_CENT, ROUND_DOWN)
    largest = figures.largest.quantize(_CENT)
    en = (
        f"The largest order is {money_text(largest)}; more than {money_text(limit)} is most of the"
        " gross."
    )
    zh = f"最大一笔为 {money_text(largest)}；超过 {money_text(limit)} 即占消费总额的大部分。"
    return Condition(
        HollowSign.ONE_BIG_ORDER, largest, limit, largest > limit, {"en": en, "zh": zh}
    )


def _few_days(figures: Figures, limits: Limits) -> Condition:
    days, limit = figures.purchase_days, limits.purchase_days
    times = "day" if days == 1 else "days"
    en = f"Bought on {days} {times}; {limit} or fewer are few."
    zh = f"有 {days} 天购买；{limit} 天及以下为少。"
    return Condition(HollowSign.FEW_DAYS, days, limit, days <= limit, {"en": en, "zh": zh})


def _rounded(rate: Decimal) -> Decimal:
    return rate.quantize(_RATE, ROUND_HALF_UP)


def _percent(rate: Decimal) -> str:
    return f"{rate * 100:.2f} %"


def _text(number: Decimal | int | None) -> str | None:
    return None if number is None else str(number)
