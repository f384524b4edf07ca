"""Tier policies as they are read: stored bodies and calibrations put into answers."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.models import TierCalibration, TierPolicy
from app.rules.tier_drafts import check_draft, fingerprint
from app.rules.tier_policies import METRICS, Benefits
from app.rules.tier_presets import preset
from app.schemas.common import BilingualText, LabelledCode
from app.schemas.tier_policies import (
    BenefitsRead,
    CalibrationRead,
    IndicatorKnots,
    IndicatorRead,
    KeepRead,
    LevelCut,
    PolicyHint,
    PolicyPresets,
    PresetRead,
    ReferencesRead,
    RfmCutsRead,
    TierLevelRead,
    TierPolicies,
    TierPolicyDetail,
    TierPolicyRead,
)
from app.services.tier_policies import Found
from app.vocabulary import (
    CustomerKind,
    Indicator,
    PolicyMethod,
    PolicyPreset,
    PolicyStatus,
    Unit,
)


def policies(found: Sequence[Found]) -> TierPolicies:
    """Return policy versions as an answer."""
    return TierPolicies(
        items=[TierPolicyRead(**_policy(policy, calibration)) for policy, calibration in found]
    )


def detail(found: Found) -> TierPolicyDetail:
    """Return a version with its calibration as an answer."""
    policy, calibration = found
    return TierPolicyDetail(
        **_policy(policy, calibration),
        calibration=None
        if calibration is None
        else _calibration(calibration, is_current=calibration.fingerprint == name_of(policy)),
    )


def presets() -> PolicyPresets:
    """Return everything that a draft may begin as."""
    items = []
    for scope in CustomerKind:
        for code in PolicyPreset:
            begun = preset(code, scope)
            items.append(
                PresetRead(
                    preset=LabelledCode.of(code),
                    scope=scope,
                    method=begun.method,
                    **_content(begun.body, {}),
                )
            )
    return PolicyPresets(items=items)


def name_of(policy: TierPolicy) -> str:
    """Return the fingerprint of a version's scope, method and body."""
    return fingerprint(policy.scope, policy.method, policy.body)


def _policy(policy: TierPolicy, calibration: TierCalibration | None) -> dict[str, Any]:
    named = name_of(policy)
    is_current = calibration is not None and calibration.fingerprint == named
    cuts = calibration.body["cuts"] if calibration is not None and is_current else {}
    is_draft = policy.status is PolicyStatus.DRAFT
    return {
        "id": policy.id,
        "scope": policy.scope,
        "version": policy.version,
        "name": policy.name,
        "note": policy.note,
        "status": policy.status,
        "method": policy.method,
        "unit": _unit(policy.method, policy.body),
        **_content(policy.body, cuts),
        "hints": [
            PolicyHint(
                pointer=hint.pointer,
                code=hint.code,
                sentences=BilingualText(en=hint.detail, zh=hint.detail_zh),
            )
            for hint in check_draft(policy.method, policy.body).hints
        ],
        "fingerprint": named,
        "revision": policy.revision,
        "created_at": policy.created_at,
        "created_by_id": policy.created_by_id,
        "approved_at": policy.approved_at,
        "approved_by_id": policy.approved_by_id,
        "effective_on": None if is_draft else policy.effective_on,
        "activated_at": policy.activated_at,
        "retired_at": policy.retired_at,
    }


def _unit(method: PolicyMethod, body: Mapping[str, Any]) -> Unit:
    return Unit.POINTS if method is PolicyMethod.COMPOSITE else METRICS[Indicator(body["metric"])]


def _content(body: Mapping[str, Any], cuts: Mapping[str, str]) -> dict[str, Any]:
    keep = body["keep"]
    return {
        "metric": body.get("metric"),
        "share_of": body.get("share_of"),
        "window_days": body["window_days"],
        "levels": [_level(part, cuts) for part in body["levels"]],
        "indicators": [
            IndicatorRead(indicator=part["indicator"], weight=part["weight"])
            for part in body.get("indicators", ())
        ],
        "keep": KeepRead(
            factor=keep["factor"],
            hold_days=keep["hold_days"],
            notice_days=keep["notice_days"],
            grace_days=keep.get("grace_days", 0),
        ),
    }


def _level(part: Mapping[str, Any], cuts: Mapping[str, str]) -> TierLevelRead:
    owed = Benefits.of(part.get("benefits"))
    return TierLevelRead(
        level=part["level"],
        at_least=part.get("at_least", cuts.get(part["level"])),
        top_percent=part.get("top_percent"),
        benefits=BenefitsRead(
            visit_every_days=owed.visit_every_days,
            points_factor=str(owed.points_factor),
            discount_percent=str(owed.discount_percent),
            response_factor=str(owed.response_factor),
            has_dedicated_staff=owed.has_dedicated_staff,
            yearly_cost=str(owed.yearly_cost),
        ),
    )


def _calibration(calibration: TierCalibration, *, is_current: bool) -> CalibrationRead:
    body = calibration.body
    return CalibrationRead(
        as_of=calibration.as_of,
        customers=calibration.customers,
        created_at=calibration.created_at,
        is_current=is_current,
        cuts=[LevelCut(level=level, at_least=cut) for level, cut in body["cuts"].items()],
        rfm=None if body.get("rfm") is None else RfmCutsRead(**body["rfm"]),
        references=None if body.get("references") is None else ReferencesRead(**body["references"]),
        knots=[
            IndicatorKnots(indicator=Indicator(name), values=values)
            for name, values in body["knots"].items()
        ],
    )
