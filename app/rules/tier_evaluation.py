"""When a level may be lost: evaluations, notices, falls, and what it takes to keep a level.

Evaluations are on the first day of a month. A card whose score lies below the line that keeps its
level gets a notice at an evaluation; it falls by one level at the first evaluation that lies behind
the notice, the grace period and the hold, if its score is below the line then. Told too early is
told for nothing: a notice is given at the last evaluation that leaves time for it.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from enum import Enum
from typing import Any

from app.rules.tier_figures import Figures
from app.rules.tier_policies import LevelRule, Policy, window_from
from app.rules.tier_reach import spend_to_reach
from app.vocabulary import TierLevel, Unit, money_text


def evaluation_on_or_before(day: date) -> date:
    """Return the evaluation that is due by a day: the first of its month."""
    return day.replace(day=1)


def evaluation_on_or_after(day: date) -> date:
    """Return the first evaluation that is not before a day."""
    if day.day == 1:
        return day
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def falls_on(policy: Policy, noticed_on: date) -> date:
    """Return the evaluation at which a card that is told on a day may fall."""
    ahead = max(policy.keep.notice_days + policy.keep.grace_days, 1)
    return evaluation_on_or_after(noticed_on + timedelta(days=ahead))


def held_until(policy: Policy, since: date) -> date:
    """Return the first day on which the hold of a level that is held ``since`` has passed."""
    return since + timedelta(days=policy.keep.hold_days)


def is_time_to_notice(policy: Policy, since: date, as_of: date) -> bool:
    """Tell whether a notice given on a day leads to a fall after the hold, and not too early."""
    return held_until(policy, since) <= falls_on(policy, as_of)


def first_fall_on(policy: Policy, since: date, as_of: date) -> date:
    """Return the first evaluation that may take a level away from a card that has no notice yet.

    The card is told at an evaluation after ``as_of`` at the earliest.
    """
    noticed_on = evaluation_on_or_after(max(since, as_of) + timedelta(days=1))
    while not is_time_to_notice(policy, since, noticed_on):
        noticed_on = evaluation_on_or_after(noticed_on + timedelta(days=1))
    return falls_on(policy, noticed_on)


def keep_line(policy: Policy, level: TierLevel) -> Decimal | None:
    """Return the score that keeps a level at an evaluation; None where nothing is lower."""
    rule = policy.rule_of(level)
    if rule is None or policy.rank(level) <= 0:
        return None
    line = rule.at_least * policy.keep.factor
    if policy.unit in (Unit.DAYS, Unit.TIMES):
        # There is no part of a day: what is counted whole keeps with the next whole number.
        return line.quantize(Decimal(1), ROUND_CEILING)
    places = Decimal("0.0001") if policy.unit is Unit.POINTS else Decimal("0.01")
    return line.quantize(places, ROUND_HALF_UP)


def is_below(policy: Policy, level: TierLevel, score: Decimal) -> bool:
    """Tell whether a score does not keep a level."""
    line = keep_line(policy, level)
    return line is not None and score < line


class NoticeFate(Enum):
    """What becomes of an open notice on a day."""

    STANDS = "stands"
    LAPSES = "lapses"
    FALLS = "falls"


@dataclass(frozen=True, slots=True)
class Notice:
    """An open notice: the level it tells of, under which version, and when the fall is due."""

    level: TierLevel
    version: int
    falls_on: date


def fate_of(
    policy: Policy,
    notice: Notice,
    level: TierLevel,
    score: Decimal,
    as_of: date,
    *,
    is_locked: bool,
) -> NoticeFate:
    """Return what becomes of a notice on a day, given the level held and the score.

    It lapses once the score keeps the level, the card holds another one, a person has set the
    level, or another version of the policy is in force: that one tells anew.
    """
    is_called_for = (
        not is_locked
        and notice.level == level
        and notice.version == policy.version
        and is_below(policy, level, score)
    )
    if not is_called_for:
        return NoticeFate.LAPSES
    return NoticeFate.FALLS if as_of >= notice.falls_on else NoticeFate.STANDS


def lower_level(policy: Policy, level: TierLevel) -> LevelRule:
    """Return the level that a fall leads to: one lower, whatever the score would earn.

    Raises:
        ValueError: nothing is lower.
    """
    below = policy.next_below(level)
    if below is None:
        raise ValueError(f"nothing is lower than {level}")
    return below


@dataclass(frozen=True, slots=True)
class KeepForecast:
    """What a level takes at an evaluation, and what the card will bring if nothing more happens.

    ``score`` is what will still count on ``evaluated_on``; ``missing`` is in the policy's unit,
    ``spend`` the money that gets there, None where no amount of money does.
    """

    evaluated_on: date
    window_from: date
    at_least: Decimal
    score: Decimal
    missing: Decimal
    spend: Decimal | None


def forecast(policy: Policy, level: TierLevel, figures_then: Figures) -> KeepForecast | None:
    """Return what it takes to keep a level on the day that the figures are of.

    The figures are those of the window that ends then, of what is known by now. None where nothing
    is lower.
    """
    line = keep_line(policy, level)
    if line is None:
        return None
    score = policy.score(figures_then)
    return KeepForecast(
        evaluated_on=figures_then.as_of,
        window_from=window_from(policy, figures_then.as_of),
        at_least=line,
        score=score,
        missing=max(line - score, Decimal(0)),
        spend=spend_to_reach(policy, figures_then, line),
    )


def score_text(unit: Unit, score: Decimal) -> tuple[str, str]:
    """Return a score as people read it: in English and in Chinese."""
    match unit:
        case Unit.MONEY:
            return money_text(score), money_text(score)
        case Unit.POINTS:
            return f"{score:.1f} points", f"{score:.1f} 分"
        case Unit.DAYS:
            return f"{score:f} days with a purchase", f"{score:f} 个购买日"
        case Unit.TIMES:
            return f"{score:f} purchases", f"{score:f} 次购买"


def explain_notice(
    policy: Policy, level: TierLevel, figures: Figures, figures_then: Figures
) -> dict[str, Any]:
    """Return why a card is told that it will fall, as stored with the notice and sent as JSON.

    ``figures`` are of the day it is told, ``figures_then`` of the evaluation that it may fall at.
    """
    keep = forecast(policy, level, figures_then)
    assert keep is not None
    lower = lower_level(policy, level).level
    score = policy.score(figures)
    now, then, line = (score_text(policy.unit, part) for part in (score, keep.score, keep.at_least))
    day = keep.evaluated_on.isoformat()
    if keep.spend is not None:
        does_en = f"Spending {money_text(keep.spend)} before {day} keeps it."
        does_zh = f"在 {day} 前再消费 {money_text(keep.spend)} 即可保级。"
    else:
        missing = score_text(policy.unit, keep.missing)
        does_en = f"{missing[0]} more before {day} keep it."
        does_zh = f"在 {day} 前再有 {missing[1]}即可保级。"
    return {
        "as_of": figures.as_of.isoformat(),
        "window_from": keep.window_from.isoformat(),
        "score": str(score),
        "score_then": str(keep.score),
        "unit": str(policy.unit),
        "at_least": str(keep.at_least),
        "missing": str(keep.missing),
        "spend": None if keep.spend is None else money_text(keep.spend),
        "policy": {
            "id": str(policy.id),
            "version": policy.version,
            "name": policy.name,
        },
        "sentences": {
            "en": f"{level.label.en} becomes {lower.label.en} on {day}: it takes {line[0]} to stay,"
            f" today it is {now[0]}, and {then[0]} will still count then. {does_en}",
            "zh": f"{level.label.zh}将于 {day} 降为{lower.label.zh}：保级需要 {line[1]}，"
            f"目前为 {now[1]}，届时仍计入 {then[1]}。{does_zh}",
        },
    }
