"""Which group a customer is in, how near the next level is, and who might be pruned: with reasons.

Source: ``analytics.md``, Tiers. Groups are tested in the order over-served, prospective, value,
potential; who is in none is other. What is not known is absent: no condition that needs it holds,
and its sentence says so. Shares of a whole are those of the calibration's snapshot, as it was
frozen. A person decides about pruning; nothing here does anything to anybody.

Decided here: *within 90 days* is the as-of day and the 89 before it, and one purchase is one day
with purchases, ever. Who never bought contributes nothing that is known, so that a prospect's cost
to serve does not count against it. Pace is net spend of 365 days at the speed of the last 180; it
is held against a level where the policy scores net spend, over the policy's own window.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Final, TypeAlias

from app.rules.tier_calibrations import References
from app.rules.tier_figures import HALF_DAYS, WINDOW_DAYS, Figures
from app.rules.tier_policies import LevelRule, Policy
from app.vocabulary import (
    CustomerGroup,
    Indicator,
    PruningReason,
    TierLevel,
    Unit,
    money_text,
)

PROSPECT_DAYS: Final = 90
POTENTIAL_GROWTH: Final = Decimal("0.2")
TIMES_SHARE: Final = 2
NEAR: Final = Decimal("0.8")
"""Within 20 % of the next level: this part of its score is there."""
SILENT_DAYS: Final = 730

_CENT: Final = Decimal("0.01")
Sentences: TypeAlias = Mapping[str, str]
Number: TypeAlias = Decimal | int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a card; ``figures`` are of 365 days.

    ``score`` is the policy's, over its own window. ``is_in_review``: an upgrade waits for a person,
    since the account looks hollow.
    """

    figures: Figures
    repeat_purchase_days: int
    score: Decimal
    is_in_review: bool = False

    @property
    def has_bought(self) -> bool:
        """Whether there is a purchase, whenever it was."""
        return self.figures.last_purchase_on is not None

    @property
    def contribution(self) -> Decimal | None:
        """Margin less cost to serve; None for who never bought, and where no cost is known."""
        margin = self.figures.known_margin if self.has_bought else None
        return None if margin is None else margin - self.figures.service_cost

    @property
    def growth(self) -> Decimal | None:
        """Growth of net spend, None for who never bought."""
        return self.figures.growth if self.has_bought else None

    @property
    def pace(self) -> Decimal:
        """Net spend of a year at the speed of the last half year."""
        return self.pace_of(WINDOW_DAYS)

    def pace_of(self, days: int) -> Decimal:
        """Net spend of so many days at the speed of the last half year."""
        return (self.figures.net_180 * days / HALF_DAYS).quantize(_CENT, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Reason:
    """A condition of a group: the card's number, the limit, and both in a sentence.

    Money, except for days of who is prospective and growth of who has potential. None is unknown.
    """

    group: CustomerGroup
    number: Number
    limit: Number
    is_met: bool
    sentences: Sentences


@dataclass(frozen=True, slots=True)
class Grouping:
    """The group, and every condition that was looked at, in their order."""

    group: CustomerGroup
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class NextLevel:
    """What lies above the level that the figures earn; scores are in the policy's unit.

    A card may hold that level already, or a higher one: it then has to keep it.
    """

    level: TierLevel
    at_least: Decimal
    score: Decimal
    missing: Decimal
    unit: Unit
    is_near: bool
    is_on_pace: bool
    has_potential: bool
    sentences: Sentences


def next_level(standing: Standing, policy: Policy) -> NextLevel | None:
    """Return the level above what the card earns, whatever it holds; None at the top.

    There is potential where the score is within 20 % of it and spend grows, or where the pace of
    the last half year lies above it.
    """
    above = _above(standing, policy)
    if above is None:
        return None
    is_near = standing.score >= above.at_least * NEAR
    is_on_pace = _is_on_pace(standing, policy, above)
    growth = standing.growth
    missing = (above.at_least - standing.score).quantize(_CENT, ROUND_HALF_UP)
    return NextLevel(
        level=above.level,
        at_least=above.at_least,
        score=standing.score,
        missing=missing,
        unit=policy.unit,
        is_near=is_near,
        is_on_pace=is_on_pace,
        has_potential=is_on_pace or (is_near and growth is not None and growth > 0),
        sentences=_next_in_words(standing, policy, above, missing, is_near=is_near),
    )


def _above(standing: Standing, policy: Policy) -> LevelRule | None:
    return policy.next_above(policy.earned(standing.score).level)


def _is_on_pace(standing: Standing, policy: Policy, above: LevelRule) -> bool:
    return (
        policy.metric is Indicator.NET_SPEND
        and standing.has_bought
        and standing.pace_of(policy.window_days) > above.at_least
    )


def _next_in_words(
    standing: Standing, policy: Policy, above: LevelRule, missing: Decimal, *, is_near: bool
) -> Sentences:
    score, at_least = money_text(standing.score), money_text(above.at_least)
    unit, label = policy.unit.label, above.level.label
    en = f"{label.en} begins at {at_least} ({unit.en.lower()}); {score} is there"
    en += f", {money_text(missing)} is missing" + (": within 20 %." if is_near else ".")
    zh = f"{label.zh}从 {at_least}（{unit.zh}）起；目前 {score}，还差 {money_text(missing)}"
    zh += "，差距在 20% 以内。" if is_near else "。"
    if policy.metric is Indicator.NET_SPEND:
        pace, days = money_text(standing.pace_of(policy.window_days)), policy.window_days
        en += f" At the pace of the last {HALF_DAYS} days it would be {pace} in {days} days."
        zh += f"按近 {HALF_DAYS} 天的速度，{days} 天将达 {pace}。"
    return {"en": en, "zh": zh}


def group_of(standing: Standing, policy: Policy, references: References) -> Grouping:
    """Return the group of a card with the conditions of all groups, met or not."""
    over = _over_served(standing, references)
    prospective = (_prospective(standing),)
    value = (_value(standing, references),)
    potential = _potential(standing, policy)
    decisions = (
        (CustomerGroup.OVER_SERVED, all(reason.is_met for reason in over)),
        (CustomerGroup.PROSPECTIVE, prospective[0].is_met),
        (CustomerGroup.VALUE, value[0].is_met),
        (CustomerGroup.POTENTIAL, any(reason.is_met for reason in potential)),
        (CustomerGroup.OTHER, True),
    )
    group = next(group for group, is_met in decisions if is_met)
    return Grouping(group, over + prospective + value + potential)


def _over_served(standing: Standing, references: References) -> tuple[Reason, ...]:
    """Take the three conditions that have to hold together."""
    cost, contribution = standing.figures.service_cost, standing.contribution
    whole_cost, whole = references.service_cost_total, references.contribution_total
    median, top = references.service_cost_median, references.value_contribution
    shown = money_text(cost)

    def reason(number: Number, limit: Number, is_met: bool, en: str, zh: str) -> Reason:
        return Reason(CustomerGroup.OVER_SERVED, number, limit, is_met, {"en": en, "zh": zh})

    above_median = reason(
        cost, median, cost > median,
        f"Serving cost {shown}; half of all who bought cost {money_text(median)} or less.",
        f"服务成本 {shown}；半数购买客户不超过 {money_text(median)}。",
    )  # fmt: skip
    if contribution is None:
        en, zh = "The contribution is not known.", "贡献未知。"
        return (
            reason(cost, None, False, en, zh),
            above_median,
            reason(None, top, False, en, zh),
        )
    given = money_text(contribution)
    below_top = reason(
        contribution, top, contribution < top,
        f"Contributes {given}; the top fifth begins at {money_text(top)}.",
        f"贡献 {given}；前五分之一从 {money_text(top)} 起。",
    )  # fmt: skip
    if whole_cost <= 0 or whole <= 0:
        en = "Shares are not known: all together cost nothing to serve, or contribute nothing."
        zh = "占比未知：全部客户的服务成本或贡献合计不为正。"
        return reason(cost, None, False, en, zh), above_median, below_top
    # Costs are whole cents: one meets the limit just when it meets the next cent above it.
    limit = (TIMES_SHARE * contribution * whole_cost / whole).quantize(_CENT, ROUND_CEILING)
    is_met = cost * whole >= TIMES_SHARE * contribution * whole_cost
    share = reason(
        cost, limit, is_met,
        f"Serving cost {shown}; with {given} of the contribution, twice its share of what serving"
        f" all cost is {money_text(limit)}.",
        f"服务成本 {shown}；其贡献为 {given}，按贡献占比两倍计的服务成本为 {money_text(limit)}。",
    )  # fmt: skip
    return share, above_median, below_top


def _prospective(standing: Standing) -> Reason:
    days = standing.figures.days_since_last_purchase
    if days is None:
        en, zh = "Never bought anything.", "从未购买。"
    elif standing.repeat_purchase_days > 0:
        en = f"Bought on {standing.repeat_purchase_days + 1} days."
        zh = f"有 {standing.repeat_purchase_days + 1} 天购买。"
    else:
        en = f"Bought on one day only, {days} days ago; fewer than {PROSPECT_DAYS} are few."
        zh = f"仅有一天购买，距今 {days} 天；少于 {PROSPECT_DAYS} 天为近期。"
    is_met = days is None or (standing.repeat_purchase_days == 0 and days < PROSPECT_DAYS)
    return Reason(CustomerGroup.PROSPECTIVE, days, PROSPECT_DAYS, is_met, {"en": en, "zh": zh})


def _value(standing: Standing, references: References) -> Reason:
    contribution, top = standing.contribution, references.value_contribution
    if contribution is None:
        en = "The contribution is not known: no cost of goods, or no purchase."
        zh = "贡献未知：没有商品成本或没有购买。"
    else:
        given = money_text(contribution)
        en = f"Contributes {given}; the top fifth begins at {money_text(top)}."
        zh = f"贡献 {given}；前五分之一从 {money_text(top)} 起。"
    is_met = contribution is not None and contribution >= top
    return Reason(CustomerGroup.VALUE, contribution, top, is_met, {"en": en, "zh": zh})


def _potential(standing: Standing, policy: Policy) -> tuple[Reason, ...]:
    """Take the two conditions of which one is enough."""

    def reason(number: Number, limit: Number, is_met: bool, en: str, zh: str) -> Reason:
        return Reason(CustomerGroup.POTENTIAL, number, limit, is_met, {"en": en, "zh": zh})

    growth, above = standing.growth, _above(standing, policy)
    if growth is None:
        growing = reason(None, POTENTIAL_GROWTH, False, "Growth is not known.", "增长未知。")
    else:
        growing = reason(
            growth, POTENTIAL_GROWTH, growth > POTENTIAL_GROWTH,
            f"Growth is {growth}; more than {POTENTIAL_GROWTH} is potential.",
            f"增长为 {growth}；高于 {POTENTIAL_GROWTH} 即有潜力。",
        )  # fmt: skip
    if above is None:
        return growing, reason(None, None, False, "No level lies above.", "已是最高层级。")
    if policy.metric is not Indicator.NET_SPEND:
        en = "The policy does not score net spend: the pace reaches no level."
        return growing, reason(None, above.at_least, False, en, "政策不按净消费评分，不比较速度。")
    pace, at_least = standing.pace_of(policy.window_days), above.at_least
    on_pace = reason(
        pace, at_least, _is_on_pace(standing, policy, above),
        f"The pace is {money_text(pace)} in {policy.window_days} days; {above.level.label.en}"
        f" begins at {money_text(at_least)}.",
        f"按目前速度 {policy.window_days} 天消费 {money_text(pace)}；{above.level.label.zh}从"
        f" {money_text(at_least)} 起。",
    )  # fmt: skip
    return growing, on_pace


@dataclass(frozen=True, slots=True)
class Pruning:
    """A reason to think about ending what a card costs; a person decides."""

    reason: PruningReason
    number: Decimal | int
    service_cost: Decimal
    sentences: Sentences


def _loses(standing: Standing, group: CustomerGroup) -> Pruning | None:
    """Over-served, and costs more than it brings; not while somebody looks at the account."""
    contribution, cost = standing.contribution, standing.figures.service_cost
    is_lossy = group is CustomerGroup.OVER_SERVED and contribution is not None and contribution < 0
    if contribution is None or not is_lossy or standing.is_in_review:
        return None
    given = money_text(contribution)
    return Pruning(
        PruningReason.OVER_SERVED_AT_A_LOSS, contribution, cost,
        {
            "en": f"Contributes {given} within {WINDOW_DAYS} days, after {money_text(cost)} for"
            " serving it: more is spent on it than it brings.",
            "zh": f"近 {WINDOW_DAYS} 天贡献 {given}（已扣服务成本 {money_text(cost)}），得不偿失。",
        },
    )  # fmt: skip


def _silent(standing: Standing, _group: CustomerGroup) -> Pruning | None:
    """Bought nothing for two years, and costs something all the same."""
    days, cost = standing.figures.days_since_last_purchase, standing.figures.service_cost
    if days is None or days < SILENT_DAYS or cost <= 0:
        return None
    return Pruning(
        PruningReason.SILENT_YET_SERVED, days, cost,
        {
            "en": f"Bought nothing for {days} days ({SILENT_DAYS} or more), and serving it cost"
            f" {money_text(cost)} within {WINDOW_DAYS} days.",
            "zh": f"已 {days} 天没有购买（达到 {SILENT_DAYS} 天），近 {WINDOW_DAYS} 天服务成本"
            f" {money_text(cost)}。",
        },
    )  # fmt: skip


PRUNING: Final[tuple[Callable[[Standing, CustomerGroup], Pruning | None], ...]] = (_loses, _silent)


def pruning_of(standing: Standing, group: CustomerGroup) -> tuple[Pruning, ...]:
    """Return every reason that speaks for pruning; none makes a card no candidate."""
    found = (look(standing, group) for look in PRUNING)
    return tuple(pruning for pruning in found if pruning is not None)
