"""What is wrong with a draft of a tier policy, precisely: where, why, in both languages.

A draft without findings never fails in :meth:`app.rules.tier_policies.Policy.of`, given the cuts of
its levels. Hints say what is allowed and may not be meant.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from app.rules.draft_findings import (
    Finding,
    at,
    choice,
    days,
    decimal_wanted,
    extra,
    is_decimal,
    is_integer,
    missing,
    no_object,
    one_of,
)
from app.rules.tier_figures import WITHOUT_SOURCE
from app.rules.tier_policies import LONGEST_WINDOW_DAYS, METRICS, SHORTEST_WINDOW_DAYS
from app.vocabulary import CustomerKind, Indicator, PolicyMethod, ShareOf, TierLevel, Unit

FEWEST_LEVELS: Final = 2
SCALES: Final = (
    (TierLevel.MAIN, TierLevel.ORDINARY, TierLevel.SMALL),
    (TierLevel.KEY, TierLevel.IMPORTANT, TierLevel.GENERAL, TierLevel.MAINTENANCE),
)
"""Levels of one policy come from one of these, in this order."""
LONGEST_HOLD_DAYS: Final = 1095
LONGEST_NOTICE_DAYS: Final = 180
WHOLE: Final = Decimal(100)

_MEMBERS: Final[Mapping[PolicyMethod, frozenset[str]]] = {
    PolicyMethod.THRESHOLD: frozenset({"metric", "window_days", "levels", "keep"}),
    PolicyMethod.SHARE: frozenset({"metric", "share_of", "window_days", "levels", "keep"}),
    PolicyMethod.COMPOSITE: frozenset({"indicators", "window_days", "levels", "keep"}),
}
ALL_MEMBERS: Final = tuple(sorted(frozenset().union(*_MEMBERS.values())))
"""Everything that the body of some method may have."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What has to be mended before a draft is one, and what its author may want to know."""

    findings: tuple[Finding, ...]
    hints: tuple[Finding, ...]


def fingerprint(scope: CustomerKind, method: PolicyMethod, body: Mapping[str, Any]) -> str:
    """Return what names exactly this scope, method and body, whatever the order of members."""
    whole = {"scope": str(scope), "method": str(method), "body": body}
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def check_draft(method: PolicyMethod, body: Mapping[str, Any]) -> Checked:
    """Return what is wrong with the body of a draft, in the order of its parts.

    The rules are the same for individuals and organizations.
    """
    hints: list[Finding] = []
    findings = [
        *_members(method, body),
        *_window(body),
        *_keep(body.get("keep")),
        *(
            _indicators(body.get("indicators"), hints)
            if method is PolicyMethod.COMPOSITE
            else _metric(method, body)
        ),
        *_levels(method, body),
    ]
    return Checked(tuple(findings), tuple(hints))


# --- Parts ------------------------------------------------------------------------------------


def _members(method: PolicyMethod, body: Mapping[str, Any]) -> Iterator[Finding]:
    for name in body:
        if name in _MEMBERS[method]:
            continue
        yield (
            Finding(
                at(name),
                "not-of-method",
                f"A policy of the method {method} has no {name}.",
                f"“{method.label.zh}”方式的政策没有 {name}。",
            )
            if name in ALL_MEMBERS
            else extra(at(name))
        )


def _window(body: Mapping[str, Any]) -> Iterator[Finding]:
    yield from days(
        body.get("window_days"), "/window_days", SHORTEST_WINDOW_DAYS, LONGEST_WINDOW_DAYS
    )


def _keep(keep: Any) -> Iterator[Finding]:
    if not isinstance(keep, Mapping):
        yield missing("/keep") if keep is None else no_object("/keep")
        return
    for name in keep:
        if name not in {"factor", "hold_days", "notice_days", "grace_days"}:
            yield extra(at("keep", name))
    factor = keep.get("factor")
    if not is_decimal(factor):
        yield decimal_wanted("/keep/factor", factor)
    elif not 0 < Decimal(factor) <= 1:
        yield Finding("/keep/factor", "range", "More than 0, 1 at most.", "须大于 0 且不超过 1。")
    yield from days(keep.get("hold_days"), "/keep/hold_days", 0, LONGEST_HOLD_DAYS)
    yield from days(keep.get("notice_days"), "/keep/notice_days", 0, LONGEST_NOTICE_DAYS)
    yield from days(keep.get("grace_days", 0), "/keep/grace_days", 0, LONGEST_NOTICE_DAYS)


def _metric(method: PolicyMethod, body: Mapping[str, Any]) -> Iterator[Finding]:
    metric = body.get("metric")
    if one_of(Indicator, metric) not in METRICS:
        allowed = ", ".join(METRICS)
        yield (
            missing("/metric")
            if metric is None
            else Finding(
                "/metric",
                "metric",
                f"The method {method} decides by one of {allowed}.",
                f"“{method.label.zh}”方式只能采用以下指标之一：{'、'.join(METRICS)}。",
            )
        )
    if method is PolicyMethod.SHARE and one_of(ShareOf, body.get("share_of")) is None:
        yield choice("/share_of", ShareOf, body.get("share_of"))


def _indicators(given: Any, hints: list[Finding]) -> Iterator[Finding]:
    if not isinstance(given, Sequence) or isinstance(given, str) or not given:
        yield (
            missing("/indicators")
            if given is None
            else Finding(
                "/indicators", "indicators", "A list of one indicator at least.",
                "须为至少含一个指标的列表。",
            )
        )  # fmt: skip
        return
    named: list[Indicator] = []
    weights: list[Decimal] = []
    for index, part in enumerate(given):
        if not isinstance(part, Mapping):
            yield no_object(at("indicators", index))
            continue
        for name in part:
            if name not in {"indicator", "weight"}:
                yield extra(at("indicators", index, name))
        yield from _indicator(part, at("indicators", index, "indicator"), named, hints)
        yield from _weight(part.get("weight"), at("indicators", index, "weight"), weights)
    whole = sum(weights, Decimal(0))
    if len(weights) == len(given) and whole != 1:
        yield Finding(
            "/indicators", "weights", f"The weights add up to {whole}, not to 1.",
            f"权重之和为 {whole}，应为 1。",
        )  # fmt: skip
    if named and WITHOUT_SOURCE.issuperset(named):
        yield Finding(
            "/indicators", "no-source",
            "No indicator here has a source yet: everybody would score nothing.",
            "这些指标都尚无数据来源：所有客户的得分都将为零。",
        )  # fmt: skip


def _indicator(
    part: Mapping[str, Any], place: str, named: list[Indicator], hints: list[Finding]
) -> Iterator[Finding]:
    indicator = one_of(Indicator, part.get("indicator"))
    if indicator is None:
        yield choice(place, Indicator, part.get("indicator"))
    elif indicator in named:
        yield Finding(
            place, "twice", "This indicator stands above already.", "该指标在前面已出现。"
        )
    else:
        named.append(indicator)
        if indicator in WITHOUT_SOURCE:
            hints.append(_absent(place, indicator))


def _weight(weight: Any, place: str, weights: list[Decimal]) -> Iterator[Finding]:
    if not is_decimal(weight):
        yield decimal_wanted(place, weight)
    elif not 0 < Decimal(weight) <= 1:
        yield Finding(place, "range", "More than 0, 1 at most.", "须大于 0 且不超过 1。")
    else:
        weights.append(Decimal(weight))


def _absent(pointer: str, indicator: Indicator) -> Finding:
    return Finding(
        pointer,
        "absent",
        f"{indicator.label.en} has no source yet; its weight is shared among the others.",
        f"{indicator.label.zh}尚无数据来源，其权重由其他指标分担。",
    )


# --- Levels -----------------------------------------------------------------------------------


def _levels(method: PolicyMethod, body: Mapping[str, Any]) -> Iterator[Finding]:
    levels = body.get("levels")
    if not isinstance(levels, Sequence) or isinstance(levels, str) or len(levels) < FEWEST_LEVELS:
        yield (
            missing("/levels")
            if levels is None
            else Finding(
                "/levels", "levels", f"A list of {FEWEST_LEVELS} levels at least.",
                f"须为至少含 {FEWEST_LEVELS} 个层级的列表。",
            )
        )  # fmt: skip
        return
    line, foreign = (
        ("at_least", "top_percent")
        if method is PolicyMethod.THRESHOLD
        else ("top_percent", "at_least")
    )
    for index, part in enumerate(levels):
        if not isinstance(part, Mapping):
            yield no_object(at("levels", index))
            continue
        for name, value in part.items():
            place = at("levels", index, name)
            if name == foreign and value is not None:
                yield Finding(
                    place, "not-of-method", f"Levels of the method {method} have {line} instead.",
                    f"“{method.label.zh}”方式的层级应使用 {line}。",
                )  # fmt: skip
            elif name not in {"level", "benefits", line, foreign}:
                yield extra(place)
        yield from _benefits(part.get("benefits"), at("levels", index, "benefits"))
    parts = [part if isinstance(part, Mapping) else {} for part in levels]
    yield from _names(parts)
    if method is PolicyMethod.THRESHOLD:
        yield from _thresholds(parts, body)
    else:
        yield from _shares(parts)


def _names(parts: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Levels are of one scale, from the highest to the lowest, each once."""
    before: list[TierLevel] = []
    scale: tuple[TierLevel, ...] = ()
    for index, part in enumerate(parts):
        place, level = at("levels", index, "level"), one_of(TierLevel, part.get("level"))
        if level is None:
            yield choice(place, TierLevel, part.get("level"))
            continue
        scale = scale or next(scale for scale in SCALES if level in scale)
        if level in before:
            yield Finding(
                place, "twice", "This level stands above already.", "该层级在前面已出现。"
            )
        elif level not in scale:
            yield Finding(
                place, "scale", f"Levels are of one scale: {', '.join(scale)}.",
                f"层级须属于同一套：{'、'.join(one.label.zh for one in scale)}。",
            )  # fmt: skip
        elif before and scale.index(level) < max(
            (scale.index(one) for one in before if one in scale), default=-1
        ):
            yield Finding(
                place, "order", "Levels stand from the highest to the lowest.",
                "层级须由高到低排列。",
            )  # fmt: skip
        before.append(level)


def _thresholds(parts: Sequence[Mapping[str, Any]], body: Mapping[str, Any]) -> Iterator[Finding]:
    metric = one_of(Indicator, body.get("metric"))
    unit = METRICS.get(metric) if metric else None
    window = body.get("window_days")
    above: Decimal | None = None
    for index, part in enumerate(parts):
        place, given = at("levels", index, "at_least"), part.get("at_least")
        if not is_decimal(given):
            yield decimal_wanted(place, given)
            continue
        value = Decimal(given)
        if unit is Unit.MONEY and value != value.quantize(Decimal("0.01")):
            yield Finding(place, "cents", "At most 2 decimals.", "最多两位小数。")
        if unit in (Unit.DAYS, Unit.TIMES) and value != value.to_integral_value():
            yield Finding(place, "whole", "A whole number.", "须为整数。")
        if unit is Unit.DAYS and is_integer(window) and value > window:
            yield Finding(
                place, "out-of-reach", f"A window of {window} days has no more than that.",
                f"{window} 天的窗口内最多只有 {window} 天。",
            )  # fmt: skip
        if above is not None and value >= above:
            yield Finding(
                place, "order", f"Has to be less than {above}, the level above.",
                f"须小于上一层级的 {above}。",
            )  # fmt: skip
        above = value
    if is_decimal(parts[-1].get("at_least")) and Decimal(parts[-1]["at_least"]) != 0:
        yield Finding(
            at("levels", len(parts) - 1, "at_least"), "everybody",
            "The lowest level has to start at 0, so that everybody has a level.",
            "最低层级须从 0 起，使每位客户都有层级。",
        )  # fmt: skip


def _shares(parts: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    above = Decimal(0)
    for index, part in enumerate(parts):
        place, given = at("levels", index, "top_percent"), part.get("top_percent")
        if not is_decimal(given):
            yield decimal_wanted(place, given)
            continue
        value = Decimal(given)
        if value > WHOLE:
            yield Finding(place, "range", "100 at most.", "不得超过 100。")
        if value <= above:
            yield Finding(
                place, "order",
                f"Has to be more than {above}, the level above: shares are cumulated from the top."
                if index else "Has to be more than 0.",
                f"须大于上一层级的 {above}：占比自上而下累计。" if index else "须大于 0。",
            )  # fmt: skip
        above = value
    if is_decimal(parts[-1].get("top_percent")) and Decimal(parts[-1]["top_percent"]) < WHOLE:
        yield Finding(
            at("levels", len(parts) - 1, "top_percent"), "everybody",
            "The lowest level has to reach 100, so that everybody has a level.",
            "最低层级须为 100，使每位客户都有层级。",
        )  # fmt: skip


_BENEFIT_BOUNDS: Final[Mapping[str, tuple[str, str, int]]] = {
    "points_factor": ("0", "100", 2),
    "discount_percent": ("0", "100", 2),
    "response_factor": ("0.01", "10", 2),
    "yearly_cost": ("0", "999999999999.99", 2),
}
"""Least, most, decimals."""


def _benefits(benefits: Any, place: str) -> Iterator[Finding]:
    if benefits is None:
        return
    if not isinstance(benefits, Mapping):
        yield no_object(place)
        return
    for name, value in benefits.items():
        pointer = f"{place}{at(name)}"
        if name == "visit_every_days":
            if value is not None:
                yield from days(value, pointer, 1, LONGEST_WINDOW_DAYS)
        elif name == "has_dedicated_staff":
            if not isinstance(value, bool):
                yield Finding(
                    pointer, "bool-type", "Must be true or false.", "须为 true 或 false。"
                )
        elif name not in _BENEFIT_BOUNDS:
            yield extra(pointer)
        elif not is_decimal(value):
            yield decimal_wanted(pointer, value)
        else:
            least, most, decimals = _BENEFIT_BOUNDS[name]
            amount = Decimal(value)
            if not Decimal(least) <= amount <= Decimal(most):
                yield Finding(
                    pointer, "range", f"{least} to {most}.", f"须在 {least} 至 {most} 之间。"
                )
            elif amount != round(amount, decimals):
                yield Finding(pointer, "decimals", "At most 2 decimals.", "最多两位小数。")
