"""Reviews and hollow accounts as people read them."""

from collections.abc import Mapping
from typing import Any

from app.models import Customer, TierReview
from app.schemas.common import BilingualText, LabelledCode
from app.schemas.tier_reviews import (
    HollowAccountRead,
    HollowCard,
    HollowConditionRead,
    HollowEvidenceRead,
    TierReviewRead,
)
from app.services.hollow_accounts import HollowAccount
from app.vocabulary import HollowSign


def review_read(review: TierReview, customer: Customer) -> TierReviewRead:
    """Return a review as an answer."""
    return TierReviewRead(
        id=review.id,
        customer=_card(customer),
        status=review.status,
        level=LabelledCode.of(review.level),
        next_level=LabelledCode.of(review.next_level),
        purchase_id=review.purchase_id,
        policy_id=review.policy_id,
        is_severe=review.is_severe,
        evidence=evidence_read(review.evidence),
        opened_at=review.opened_at,
        decided_at=review.decided_at,
        decided_by_id=review.decided_by_id,
        reason=review.reason,
    )


def account_read(account: HollowAccount) -> HollowAccountRead:
    """Return a hollow account as an answer."""
    return HollowAccountRead(
        customer=_card(account.customer),
        level=None if account.level is None else LabelledCode.of(account.level),
        is_severe=account.is_severe,
        signs=list(account.signs),
        evidence=None if account.evidence is None else evidence_read(account.evidence.as_json()),
        open_review_id=account.open_review_id,
    )


def _card(customer: Customer) -> HollowCard:
    return HollowCard(
        id=customer.id,
        kind=customer.kind,
        name=customer.name,
        home_store_id=customer.home_store_id,
    )


def evidence_read(stored: Mapping[str, Any]) -> HollowEvidenceRead:
    """Return what makes a card's turnover hollow as an answer."""
    conditions = [
        HollowConditionRead(
            sign=LabelledCode.of(HollowSign(one["sign"])),
            number=one["number"],
            limit=one["limit"],
            is_met=one["is_met"],
            sentences=BilingualText(**one["sentences"]),
        )
        for one in stored["conditions"]
    ]
    return HollowEvidenceRead.model_validate({**stored, "conditions": conditions})
