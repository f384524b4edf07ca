"""Why a card is in a level, in sentences that somebody at a counter can read aloud."""

from collections.abc import Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from app.rules import tier_evaluation, tiering
from app.rules.tier_figures import Figures
from app.rules.tier_policies import LevelRule, Policy, window_from
from app.rules.tier_reach import spend_to_reach
from app.vocabulary import Indicator, PolicyMethod, TierCause, TierLevel, Unit, money_text

Sentences = dict[str, str]
"""One text by language: ``en`` and ``zh``."""

NAMES: Final[Mapping[Indicator, tuple[str, str]]] = {
    Indicator.NET_SPEND: ("net spend", "净消费"),
    Indicator.GROSS_SPEND: ("gross spend", "消费总额"),
    Indicator.MARGIN: ("margin", "毛利"),
    Indicator.FREQUENCY: ("the number of days with a purchase", "购买天数"),
    Indicator.PURCHASES: ("the number of purchases", "购买次数"),
}
"""What threshold and share policies decide by, as a sentence names it."""
_TOLD: Final = 2
"""How many indicators of a composite score a sentence names: those that give most."""


def score_text(unit: Unit, score: Decimal) -> str:
    """Return a score as it stands in JSON: two decimals of money, four of points, else none."""
    if unit is Unit.MONEY:
        return money_text(score)
    return f"{score:.4f}" if unit is Unit.POINTS else plain(score)


def spoken(unit: Unit, score: Decimal) -> str:
    """Return a score as it is said: money with two decimals, all else without needless zeros."""
    return money_text(score) if unit is Unit.MONEY else plain(score)


def plain(number: Decimal) -> str:
    """Return a number without needless zeros and without an exponent."""
    text = f"{number:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def spend_for(policy: Policy, figures: Figures, score: Decimal) -> Decimal | None:
    """Return the purchase that a score asks for, whatever it costs where spend is the score."""
    if policy.is_additive:
        return max(score - policy.score(figures), Decimal("0.00"))
    return spend_to_reach(policy, figures, score)


def sentences(
    policy: Policy,
    figures: Figures,
    level: TierLevel,
    *,
    cause: TierCause | None = None,
    ends_on: date | None = None,
    spend: Decimal | None = None,
) -> Sentences:
    """Return why a card is in a level: what was looked at, the rule, and the next level.

    ``cause`` and ``ends_on`` of the assignment say more where the figures alone do not. ``spend``
    is the purchase that would lift the card, which takes a while to find: what is not given is not
    said, but for spend that is the score.
    """
    score = policy.score(figures)
    looked_at = _looked_at(policy, figures, score)
    why = _why(policy, score, level, cause, ends_on)
    makes_up = _makes_up(policy, figures)
    beyond = _beyond(policy, score, level, spend)
    return {
        "en": f"{level.label.en}: {looked_at['en']}; {why['en']}"
        f" (policy version {policy.version}).{makes_up['en']}{beyond['en']}",
        "zh": f"{level.label.zh}：{looked_at['zh']}，{why['zh']}"
        f"（政策第 {policy.version} 版）。{makes_up['zh']}{beyond['zh']}",
    }


def _looked_at(policy: Policy, figures: Figures, score: Decimal) -> Sentences:
    start, end = window_from(policy, figures.as_of).isoformat(), figures.as_of.isoformat()
    said = spoken(policy.unit, score)
    if policy.metric is None:
        return {
            "en": f"the score from {start} to {end} is {said} of 100 points",
            "zh": f"{start} 至 {end} 综合得分 {said}（满分 100）",
        }
    en, zh = NAMES[policy.metric]
    return {"en": f"{en} from {start} to {end} is {said}", "zh": f"{start} 至 {end} {zh} {said}"}


def _why(
    policy: Policy,
    score: Decimal,
    level: TierLevel,
    cause: TierCause | None,
    ends_on: date | None,
) -> Sentences:
    rule, above = policy.rule_of(level), policy.next_above(level)
    earned = policy.earned(score).level
    basis = {Unit.MONEY: "金额", Unit.POINTS: "得分"}.get(policy.unit, "次数")
    if cause is TierCause.OVERRIDE:
        until = ("", "") if ends_on is None else (f" until {ends_on}", f"至 {ends_on}")
        return {
            "en": f"set by hand{until[0]}; the figures alone would give {earned.label.en}",
            "zh": f"人工指定{until[1]}；仅按当前{basis}应为{earned.label.zh}",
        }
    if rule is None:
        return {
            "en": f"a level that this policy no longer has; it would give {earned.label.en}",
            "zh": f"本政策已无此层级；仅按当前{basis}应为{earned.label.zh}",
        }
    kept = None if above is None else tier_evaluation.keep_line(policy, above.level)
    if cause is TierCause.EVALUATION and above is not None and kept is not None and score < kept:
        said = spoken(policy.unit, kept)
        return {
            "en": f"at an evaluation that was less than the {said} that keeps"
            f" {above.level.label.en}, so it fell by one level",
            "zh": f"评定时低于保持{above.level.label.zh}所需的 {said}，故下调一级",
        }
    if policy.rank(earned) < policy.rank(level):
        # Held although the figures are lower by now: up at once, down only at an evaluation.
        return {
            "en": f"held from before; the figures alone would give {earned.label.en}",
            "zh": f"沿用此前的层级；仅按当前{basis}应为{earned.label.zh}",
        }
    if policy.rank(earned) > policy.rank(level):
        # Somebody has to look at it first, or the night has yet to find it.
        reached = _reached(policy, policy.earned(score))
        return {"en": f"{reached['en']}, not held yet", "zh": f"{reached['zh']}，尚未升级"}
    if policy.rank(level) > 0:
        return _reached(policy, rule)
    return {
        "en": f"that is {level.label.en}, the lowest level",
        "zh": f"属于最低层级{level.label.zh}",
    }


def _reached(policy: Policy, rule: LevelRule) -> Sentences:
    said = spoken(policy.unit, rule.at_least)
    if policy.method is PolicyMethod.THRESHOLD or rule.top_percent is None:
        return {
            "en": f"that reaches the {said} that {rule.level.label.en} asks for",
            "zh": f"达到{rule.level.label.zh}的门槛 {said}",
        }
    share = plain(rule.top_percent)
    day = "?" if policy.calibration is None else policy.calibration.as_of.isoformat()
    return {
        "en": f"that reaches {said}, with which the top {share} % of {day} begins",
        "zh": f"达到 {day} 前 {share}% 的起点 {said}",
    }


def _makes_up(policy: Policy, figures: Figures) -> Sentences:
    """Return what gave most of a composite score, and what was left out of it."""
    if policy.metric is not None:
        return {"en": "", "zh": ""}
    shares = policy.shares(figures)
    most = sorted((one for one in shares if one.points > 0), key=lambda one: -one.points)[:_TOLD]
    absent = [one.indicator for one in shares if one.value is None]
    en = zh = ""
    if most:
        given = [
            (one.indicator.label, plain(one.points.quantize(Decimal("0.01"), ROUND_HALF_UP)))
            for one in most
        ]
        en += " Most of it: " + ", ".join(f"{label.en} {points}" for label, points in given) + "."
        zh += "其中" + "、".join(f"{label.zh} {points} 分" for label, points in given) + "。"
    if absent:
        en += " Left out for want of data: " + ", ".join(one.label.en for one in absent) + "."
        zh += "因无数据未计入：" + "、".join(one.label.zh for one in absent) + "。"
    return {"en": en, "zh": zh}


def _beyond(policy: Policy, score: Decimal, level: TierLevel, spend: Decimal | None) -> Sentences:
    """Return what would make the next level, empty where nothing is missing or above."""
    above = policy.next_above(level)
    missing = tiering.missing_to_next(policy, level, score)
    if above is None or missing is None or missing <= 0:
        return {"en": "", "zh": ""}
    said, name = spoken(policy.unit, missing), above.level.label
    if policy.is_additive:
        return {"en": f" {said} more makes {name.en}.", "zh": f"再消费 {said} 即可升为{name.zh}。"}
    en, zh = _more(policy, said)
    if spend is None:
        return {"en": f" {en} more makes {name.en}.", "zh": f"再增加{zh}即可升为{name.zh}。"}
    amount = money_text(spend)
    return {
        "en": f" {en} more makes {name.en}: a purchase of {amount} would do.",
        "zh": f"再增加{zh}即可升为{name.zh}，如再消费 {amount}。",
    }


def _more(policy: Policy, said: str) -> tuple[str, str]:
    if policy.metric is None:
        return f"{said} points", f" {said} 分"
    if policy.unit is Unit.MONEY:
        en, zh = NAMES[policy.metric]
        return f"{said} of {en}", f"{zh} {said} "
    return {
        Unit.DAYS: (f"{said} days with a purchase", f" {said} 个购买日"),
        Unit.TIMES: (f"{said} purchases", f" {said} 次购买"),
    }[policy.unit]


def keep_sentences(
    level: TierLevel,
    metric: Indicator | None,
    at_least: str,
    evaluated_on: date,
    window_from: date,
) -> Sentences:
    """Return what the first evaluation that may take a level away will ask for."""
    day, start = evaluated_on.isoformat(), window_from.isoformat()
    if metric is None:
        asked_en, asked_zh = f"a score of {at_least} points", f"综合得分 {at_least}"
    else:
        asked_en, asked_zh = (f"{NAMES[metric][0]} of {at_least}", f"{NAMES[metric][1]} {at_least}")
    return {
        "en": f"To stay {level.label.en}, the evaluation of {day} asks for {asked_en}"
        f" since {start}.",
        "zh": f"要保持{level.label.zh}，{day} 评定时自 {start} 起须达到{asked_zh}。",
    }


def forecast_sentences(
    policy: Policy,
    level: TierLevel,
    evaluated_on: date,
    at_least: Decimal,
    by_then: Decimal,
    spend: Decimal | None,
) -> Sentences:
    """Return what it takes to keep a level, with the score ``by_then`` if nothing is bought."""
    day, name = evaluated_on.isoformat(), level.label
    asked, counting = spoken(policy.unit, at_least), spoken(policy.unit, by_then)
    missing = max(at_least - by_then, Decimal(0))
    if policy.is_additive:
        rest_en = f"that evaluation asks for {asked}, and {counting} of today's spend will still"
        rest_en, rest_zh = f"{rest_en} count", f"届时要求 {asked}，目前消费中仍计入 {counting}"
    else:
        rest_en = f"that evaluation asks for {asked}, and without a purchase it will be {counting}"
        rest_zh = f"届时要求 {asked}，若不再消费将为 {counting}"
    if not missing:
        en = f"{name.en} is safe at the evaluation of {day}"
        zh = f"{day} 评定时可保持{name.zh}"
    elif spend is not None:
        amount = money_text(spend)
        en = f"To stay {name.en}, spend {amount} more before {day}"
        zh = f"要保持{name.zh}，须在 {day} 前再消费 {amount}"
    else:
        more_en, more_zh = _more(policy, spoken(policy.unit, missing))
        en = f"To stay {name.en}, {more_en} more are needed before {day}"
        zh = f"要保持{name.zh}，须在 {day} 前再增加{more_zh}".rstrip()
    return {"en": f"{en}: {rest_en}.", "zh": f"{zh}：{rest_zh}。"}
