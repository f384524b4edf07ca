"""Tiers as people read them: the services' findings, put into answers and sentences."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.models import TierAssignment
from app.rules import tier_explanations
from app.rules.tier_evaluation import KeepForecast
from app.rules.tier_policies import Policy, window_from
from app.rules.tier_sentences import forecast_sentences, score_text, sentences
from app.schemas.common import BilingualText, LabelledCode
from app.schemas.tiers import (
    TierExplanation,
    TierIndicator,
    TierKeep,
    TierNext,
    TierOpenNotice,
    TierOpenReview,
    TierOverride,
    TierPeriod,
    TierRead,
    TierToday,
)
from app.services.tier_reads import TierNow
from app.vocabulary import TierCause, TierLevel


def tier_read(now: TierNow) -> TierRead:
    """Return a card's tier as an answer."""
    assignment, policy, standing = now.assignment, now.policy, now.standing
    level = assignment.level
    above = tier_explanations.next_level(policy, standing, level)
    return TierRead(
        customer_id=assignment.customer_id,
        level=LabelledCode.of(level),
        since=assignment.valid_from,
        cause=LabelledCode.of(assignment.cause),
        purchase_id=assignment.purchase_id,
        explanation=explanation_read(assignment.explanation),
        today=TierToday(
            as_of=standing.as_of,
            window_from=window_from(policy, standing.as_of),
            net_spend=standing.net_spend,
            score=score_text(policy.unit, policy.score(standing)),
            unit=policy.unit,
            indicators=[
                TierIndicator.model_validate(one)
                for one in tier_explanations.indicators(policy, standing)
            ],
            next=None if above is None else TierNext.model_validate(above),
            sentences=BilingualText(
                **sentences(
                    policy,
                    standing,
                    level,
                    cause=assignment.cause,
                    ends_on=assignment.ends_on,
                    spend=tier_explanations.spend_of(above),
                )
            ),
        ),
        keep=None if now.keep is None else _keep(now.keep, level, policy),
        notice=None
        if now.notice is None
        else TierOpenNotice(
            id=now.notice.id,
            level=now.notice.level,
            next_level=now.notice.next_level,
            noticed_on=now.notice.noticed_on,
            falls_on=now.notice.falls_on,
        ),
        review=None
        if now.review is None
        else TierOpenReview(
            id=now.review.id,
            level=now.review.level,
            next_level=now.review.next_level,
            is_severe=now.review.is_severe,
            opened_at=now.review.opened_at,
        ),
        override=None
        if assignment.cause is not TierCause.OVERRIDE or assignment.ends_on is None
        else TierOverride(
            ends_on=assignment.ends_on,
            set_by_id=assignment.set_by_id,
            set_by_name=None if now.set_by is None else now.set_by.display_name,
            reason=assignment.reason,
        ),
    )


def explanation_read(stored: Mapping[str, Any]) -> TierExplanation:
    """Return a stored reason as an answer, whenever it was stored."""
    return TierExplanation.model_validate(tier_explanations.completed(stored))


def _keep(keep: KeepForecast, level: TierLevel, policy: Policy) -> TierKeep:
    unit = policy.unit
    return TierKeep(
        at_least=score_text(unit, keep.at_least),
        evaluated_on=keep.evaluated_on,
        window_from=keep.window_from,
        still_counting=score_text(unit, keep.score),
        missing=score_text(unit, keep.missing),
        spend=keep.spend,
        notice_days=policy.keep.notice_days,
        sentences=BilingualText(
            **forecast_sentences(
                policy, level, keep.evaluated_on, keep.at_least, keep.score, keep.spend
            )
        ),
    )


def tier_periods(assignments: Sequence[TierAssignment]) -> list[TierPeriod]:
    """Return a card's tiers as an answer."""
    return [
        TierPeriod(
            id=one.id,
            level=one.level,
            cause=one.cause,
            valid_from=one.valid_from,
            valid_to=one.valid_to,
            purchase_id=one.purchase_id,
            policy_id=one.policy_id,
            policy_version=one.policy_version,
            ends_on=one.ends_on,
            set_by_id=one.set_by_id,
            reason=one.reason,
            explanation=explanation_read(one.explanation),
        )
        for one in assignments
    ]
