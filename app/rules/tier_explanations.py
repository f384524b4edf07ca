"""The reason that is stored with every tier: inputs, rule, distance to the next, what keeps it."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from app.rules import tier_evaluation, tier_sentences, tiering
from app.rules.tier_figures import WITHOUT_SOURCE, Figures, value_of
from app.rules.tier_policies import Policy, Share, window_from
from app.rules.tier_sentences import plain, score_text, sentences, spend_for, spoken
from app.vocabulary import (
    Indicator,
    IndicatorAbsence,
    PolicyMethod,
    TierCause,
    TierLevel,
    Unit,
    money_text,
)

_IN_MONEY: Final = frozenset(
    {Indicator.NET_SPEND, Indicator.GROSS_SPEND, Indicator.MARGIN, Indicator.SERVICE_COST}
)
_FOUR_PLACES: Final = Decimal("0.0001")


def explain(
    policy: Policy,
    figures: Figures,
    level: TierLevel,
    cause: TierCause,
    since: date,
    *,
    ends_on: date | None = None,
) -> dict[str, Any]:
    """Return why a card is in a level, as stored with the assignment and sent as JSON.

    Inputs with their dates, the rule and the policy's version, the score and its distance to the
    next level, what keeps this one, and the same in sentences of each language. ``ends_on`` is the
    last day of a level set by hand.
    """
    score, above = policy.score(figures), next_level(policy, figures, level)
    return {
        "inputs": {
            "as_of": figures.as_of.isoformat(),
            "window_from": window_from(policy, figures.as_of).isoformat(),
            "window_to": figures.as_of.isoformat(),
            "window_days": policy.window_days,
            "net_spend": money_text(figures.net_spend),
            "refunded": money_text(figures.refunded),
            "purchases": figures.purchases,
            "last_purchase_on": None
            if figures.last_purchase_on is None
            else figures.last_purchase_on.isoformat(),
            "indicators": indicators(policy, figures),
        },
        "rule": _rule(policy, level),
        "policy": {
            "id": str(policy.id),
            "version": policy.version,
            "name": policy.name,
        },
        "score": score_text(policy.unit, score),
        "unit": str(policy.unit),
        "cause": str(cause),
        "next": above,
        "keep": _keep(policy, level, since, figures.as_of),
        "sentences": sentences(
            policy, figures, level, cause=cause, ends_on=ends_on, spend=spend_of(above)
        ),
    }


def _rule(policy: Policy, level: TierLevel) -> dict[str, Any]:
    """Return the rule of a level, and what every level asks for."""
    asked = [
        {
            "level": str(rule.level),
            "at_least": score_text(policy.unit, rule.at_least),
            "top_percent": None if rule.top_percent is None else plain(rule.top_percent),
        }
        for rule in policy.levels
    ]
    own = next((rule for rule in asked if rule["level"] == str(level)), None)
    return {
        "method": str(policy.method),
        "metric": None if policy.metric is None else str(policy.metric),
        "level": str(level),
        "at_least": own and own["at_least"],
        "top_percent": own and own["top_percent"],
        "share_of": None if policy.share_of is None else str(policy.share_of),
        "calibrated_on": None
        if policy.calibration is None or policy.method is PolicyMethod.THRESHOLD
        else policy.calibration.as_of.isoformat(),
        "levels": asked,
    }


def indicators(policy: Policy, figures: Figures) -> list[dict[str, Any]]:
    """Return what each indicator was and what it gave: for a single metric, that one alone."""
    if policy.metric is None:
        return [_indicator(share) for share in policy.shares(figures)]
    value = value_of(policy.metric, figures)
    return [
        _indicator(Share(policy.metric, value, Decimal(1), None, Decimal(0)), gives_points=False)
    ]


def _indicator(share: Share, *, gives_points: bool = True) -> dict[str, Any]:
    absence = None
    if share.value is None:
        is_to_come = share.indicator in WITHOUT_SOURCE
        absence = IndicatorAbsence.NO_SOURCE if is_to_come else IndicatorAbsence.NO_DATA
    return {
        "indicator": str(share.indicator),
        "value": None if share.value is None else value_text(share.indicator, share.value),
        "percentile": share.percentile,
        "weight": f"{share.weight.quantize(_FOUR_PLACES, ROUND_HALF_UP):f}",
        "points": f"{share.points.quantize(_FOUR_PLACES, ROUND_HALF_UP):f}"
        if gives_points
        else None,
        "absence": absence and str(absence),
    }


def value_text(indicator: Indicator, value: Decimal) -> str:
    """Return an indicator's figure as it stands in JSON."""
    return money_text(value) if indicator in _IN_MONEY else plain(value)


def next_level(policy: Policy, figures: Figures, level: TierLevel) -> dict[str, Any] | None:
    """Return the next level, what is missing to it, and the purchase that gets there if one does.

    None at the top.
    """
    above = policy.next_above(level)
    missing = tiering.missing_to_next(policy, level, policy.score(figures))
    if above is None or missing is None:
        return None
    spend = spend_for(policy, figures, above.at_least)
    return {
        "level": str(above.level),
        "at_least": score_text(policy.unit, above.at_least),
        "missing": score_text(policy.unit, missing),
        "spend": None if spend is None else money_text(spend),
    }


def spend_of(above: Mapping[str, Any] | None) -> Decimal | None:
    """Return the purchase that :func:`next_level` found."""
    return None if above is None or above["spend"] is None else Decimal(above["spend"])


def _keep(policy: Policy, level: TierLevel, since: date, as_of: date) -> dict[str, Any] | None:
    at_least = tier_evaluation.keep_line(policy, level)
    if at_least is None:
        return None
    not_before = tier_evaluation.first_fall_on(policy, since, as_of)
    start = window_from(policy, not_before)
    said = spoken(policy.unit, at_least)
    return {
        "at_least": score_text(policy.unit, at_least),
        "factor": str(policy.keep.factor),
        "not_before": not_before.isoformat(),
        "window_from": start.isoformat(),
        "notice_days": policy.keep.notice_days,
        "sentences": tier_sentences.keep_sentences(level, policy.metric, said, not_before, start),
    }


def completed(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored reason with all that today's have.

    Reasons stored before other methods came know of thresholds of net spend only; what each level
    asked for is not in them.
    """
    if "score" in stored:
        return dict(stored)
    inputs, rule, keep = stored["inputs"], stored["rule"], stored["keep"]
    above = stored["next"]
    return {
        **stored,
        "inputs": {
            **inputs,
            "last_purchase_on": None,
            "indicators": [
                {
                    "indicator": str(Indicator.NET_SPEND),
                    "value": inputs["net_spend"],
                    "percentile": None,
                    "weight": "1.0000",
                    "points": None,
                    "absence": None,
                }
            ],
        },
        "rule": {
            **rule,
            "top_percent": None,
            "share_of": None,
            "calibrated_on": None,
            "levels": [],
        },
        "score": inputs["net_spend"],
        "unit": str(Unit.MONEY),
        "next": above and {**above, "spend": above["missing"]},
        "keep": keep and _completed_keep(keep, TierLevel(rule["level"]), inputs["window_days"]),
    }


def _completed_keep(keep: Mapping[str, Any], level: TierLevel, window_days: int) -> dict[str, Any]:
    not_before = date.fromisoformat(keep["not_before"])
    start = not_before - timedelta(days=window_days - 1)
    return {
        **keep,
        "window_from": start.isoformat(),
        "sentences": tier_sentences.keep_sentences(
            level, Indicator.NET_SPEND, keep["at_least"], not_before, start
        ),
    }
