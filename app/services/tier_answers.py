"""Tiers as people read them: the services' findings, put into answers and sentences."""

from collections.abc import Sequence

from app.models import TierAssignment
from app.rules import tiering
from app.rules.tier_policies import Policy, window_from
from app.schemas.common import BilingualText, LabelledCode
from app.schemas.tiers import (
    TierExplanation,
    TierKeep,
    TierNext,
    TierPeriod,
    TierRead,
    TierToday,
)
from app.services.tier_reads import KeepForecast, TierNow
from app.vocabulary import TierLevel, money_text


def tier_read(now: TierNow) -> TierRead:
    """Return a card's tier as an answer."""
    assignment, policy, standing = now.assignment, now.policy, now.standing
    above = policy.next_above(assignment.level)
    missing = tiering.missing_to_next(policy, assignment.level, standing.net_spend)
    return TierRead(
        customer_id=assignment.customer_id,
        level=LabelledCode.of(assignment.level),
        since=assignment.valid_from,
        cause=LabelledCode.of(assignment.cause),
        purchase_id=assignment.purchase_id,
        explanation=TierExplanation.model_validate(assignment.explanation),
        today=TierToday(
            as_of=standing.as_of,
            window_from=window_from(policy, standing.as_of),
            net_spend=standing.net_spend,
            next=None
            if above is None or missing is None
            else TierNext(level=above.level, at_least=above.at_least, missing=missing),
        ),
        keep=None if now.keep is None else _keep(now.keep, assignment.level, policy),
    )


def _keep(keep: KeepForecast, level: TierLevel, policy: Policy) -> TierKeep:
    day, missing = keep.evaluated_on.isoformat(), money_text(keep.missing)
    at_least, counting = money_text(keep.at_least), money_text(keep.still_counting)
    if keep.missing > 0:
        en = f"To stay {level.label.en}, spend {missing} more before {day}"
        zh = f"要保持{level.label.zh}，须在 {day} 前再消费 {missing}"
    else:
        en = f"{level.label.en} is safe at the evaluation of {day}"
        zh = f"{day} 评定时可保持{level.label.zh}"
    return TierKeep(
        at_least=keep.at_least,
        evaluated_on=keep.evaluated_on,
        window_from=keep.window_from,
        still_counting=keep.still_counting,
        missing=keep.missing,
        notice_days=policy.keep.notice_days,
        sentences=BilingualText(
            en=f"{en}: that evaluation asks for {at_least}, and {counting} of today's spend will "
            "still count.",
            zh=f"{zh}：届时要求 {at_least}，目前消费中仍计入 {counting}。",
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
            explanation=TierExplanation.model_validate(one.explanation),
        )
        for one in assignments
    ]
