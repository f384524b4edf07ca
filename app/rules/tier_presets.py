"""Policies to start from: what a bookshop chain usually means by its tiers.

Sources: the three tiers by net spend, the weights and shares of the composite policy are those of
``analytics.md``; 20/80 is offered as a method, and never assumed of anybody's figures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.vocabulary import CustomerKind, PolicyMethod, PolicyPreset

_KEEP: Final[Mapping[str, Any]] = {
    "factor": "0.90", "hold_days": 180, "notice_days": 30, "grace_days": 0,
}  # fmt: skip
_BEST: Final[Mapping[CustomerKind, Mapping[str, Any]]] = {
    CustomerKind.INDIVIDUAL: {
        "visit_every_days": 90, "points_factor": "2", "discount_percent": "8",
        "response_factor": "0.5", "has_dedicated_staff": True, "yearly_cost": "30.00",
    },
    CustomerKind.ORGANIZATION: {
        "visit_every_days": 30, "points_factor": "1", "discount_percent": "12",
        "response_factor": "0.5", "has_dedicated_staff": True, "yearly_cost": "200.00",
    },
}  # fmt: skip
_SECOND: Final[Mapping[CustomerKind, Mapping[str, Any]]] = {
    CustomerKind.INDIVIDUAL: {
        "visit_every_days": 180, "points_factor": "1.5", "discount_percent": "5",
        "response_factor": "0.75", "has_dedicated_staff": False, "yearly_cost": "10.00",
    },
    CustomerKind.ORGANIZATION: {
        "visit_every_days": 90, "points_factor": "1", "discount_percent": "8",
        "response_factor": "0.75", "has_dedicated_staff": True, "yearly_cost": "50.00",
    },
}  # fmt: skip
_THIRD: Final[Mapping[CustomerKind, Mapping[str, Any]]] = {
    CustomerKind.INDIVIDUAL: {"points_factor": "1.2", "discount_percent": "2"},
    CustomerKind.ORGANIZATION: {"visit_every_days": 180, "discount_percent": "5"},
}
_ANYBODY: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class Preset:
    """A method and a body that a draft may begin as."""

    code: PolicyPreset
    method: PolicyMethod
    body: Mapping[str, Any]


def preset(code: PolicyPreset, scope: CustomerKind) -> Preset:
    """Return a preset with what its levels are owed in this scope."""
    best, second, third = _BEST[scope], _SECOND[scope], _THIRD[scope]
    match code:
        case PolicyPreset.BOOKSHOP:
            levels = [
                {"level": "main", "at_least": "1000.00", "benefits": best},
                {"level": "ordinary", "at_least": "300.00", "benefits": second},
                {"level": "small", "at_least": "0.00", "benefits": _ANYBODY},
            ]
            return _preset(code, PolicyMethod.THRESHOLD, levels, metric="net_spend")
        case PolicyPreset.COMPOSITE:
            levels = [
                {"level": "key", "top_percent": "5", "benefits": best},
                {"level": "important", "top_percent": "20", "benefits": second},
                {"level": "general", "top_percent": "60", "benefits": third},
                {"level": "maintenance", "top_percent": "100", "benefits": _ANYBODY},
            ]
            indicators = [
                {"indicator": "margin", "weight": "0.40"},
                {"indicator": "frequency", "weight": "0.15"},
                {"indicator": "recency", "weight": "0.15"},
                {"indicator": "interaction", "weight": "0.10"},
                {"indicator": "expected_margin", "weight": "0.20"},
            ]
            return _preset(code, PolicyMethod.COMPOSITE, levels, indicators=indicators)
        case PolicyPreset.TOP_FIFTH_OF_CUSTOMERS:
            levels = _two("20", best)
            return _preset(
                code, PolicyMethod.SHARE, levels, metric="net_spend", share_of="customers"
            )
        case PolicyPreset.TOP_80_OF_VALUE:
            levels = _two("80", best)
            return _preset(code, PolicyMethod.SHARE, levels, metric="net_spend", share_of="value")


def _two(top_percent: str, best: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"level": "main", "top_percent": top_percent, "benefits": best},
        {"level": "small", "top_percent": "100", "benefits": _ANYBODY},
    ]


def _preset(
    code: PolicyPreset, method: PolicyMethod, levels: list[dict[str, Any]], **rest: Any
) -> Preset:
    return Preset(code, method, {**rest, "window_days": 365, "levels": levels, "keep": dict(_KEEP)})
