"""Profiles as people read them: what the rules found, with the numbers behind it."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from app.rules.customer_groups import NextLevel, Pruning, Reason
from app.rules.customer_profiles import Profile
from app.rules.rfm import Boundary, Scores
from app.rules.tier_calibrations import RfmCuts
from app.rules.tier_figures import Figures
from app.rules.tier_policies import Policy
from app.schemas.common import BilingualText, LabelledCode
from app.schemas.customer_profiles import (
    ContributionRead,
    CustomerProfileRead,
    FrequencyRead,
    GroupRead,
    GroupReasonRead,
    GrowthRead,
    ListedProfile,
    MonetaryRead,
    NextLevelRead,
    ProfileFindings,
    PruningReasonRead,
    RecencyRead,
    RfmScoresRead,
    SegmentRead,
)
from app.schemas.tiers import TierPolicyRef
from app.services.tier_review_answers import evidence_read
from app.vocabulary import TierLevel


def profile_read(
    customer_id: UUID,
    as_of: date,
    policy: Policy,
    level: TierLevel | None,
    profile: Profile | None,
    listed: ListedProfile | None,
) -> CustomerProfileRead:
    """Return a card's profile as an answer; None where the policy has no cut points."""
    return CustomerProfileRead(
        customer_id=customer_id,
        as_of=as_of,
        policy=TierPolicyRef(id=policy.id, version=policy.version, name=policy.name),
        calibrated_on=None if policy.calibration is None else policy.calibration.as_of,
        findings=None if profile is None else _findings(profile, policy, level),
        listed=listed,
        sentences=_not_known() if profile is None else _in_words(profile),
    )


def _not_known() -> BilingualText:
    return BilingualText(
        en="The policy in force has no cut points yet: segment and group cannot be known.",
        zh="现行政策尚无分界值，无法判断细分与分组。",
    )


def _in_words(profile: Profile) -> BilingualText:
    segment, condition = profile.boundary.segment.label, profile.boundary.condition
    group = profile.grouping.group.label
    if profile.scores is None:
        scores = ""
    else:
        found = profile.scores
        scores = f"R {found.recency}, F {found.frequency}, M {found.monetary}"
    return BilingualText(
        en=f"{segment.en} ({scores or condition.en}); {group.en.lower()}.",
        zh=f"{segment.zh}（{scores.replace(', ', '，') or condition.zh}）；{group.zh}。",
    )


def _findings(profile: Profile, policy: Policy, level: TierLevel | None) -> ProfileFindings:
    calibration, standing = policy.calibration, profile.standing
    assert calibration is not None
    assert calibration.rfm is not None
    figures, above = standing.figures, profile.next
    return ProfileFindings(
        scores=None
        if profile.scores is None
        else _scores(profile.scores, figures, calibration.rfm),
        segment=SegmentRead(
            segment=LabelledCode.of(profile.boundary.segment),
            condition=condition_read(profile.boundary),
        ),
        group=GroupRead(
            group=LabelledCode.of(profile.grouping.group),
            reasons=[_reason(reason) for reason in profile.grouping.reasons],
        ),
        growth=GrowthRead(
            growth=_text(standing.growth),
            net_180=figures.net_180,
            net_prior_180=figures.net_prior_180,
            pace=standing.pace,
        ),
        contribution=ContributionRead(
            amount=standing.contribution,
            margin=figures.known_margin if standing.has_bought else None,
            service_cost=figures.service_cost,
        ),
        next_level=None if above is None else _next(above, policy, level),
        hollow=None if profile.hollow is None else evidence_read(profile.hollow.as_json()),
        pruning=[pruning_read(pruning) for pruning in profile.pruning],
    )


def _scores(scores: Scores, figures: Figures, cuts: RfmCuts) -> RfmScoresRead:
    return RfmScoresRead(
        recency=RecencyRead(
            score=scores.recency,
            days_since_last_purchase=figures.days_since_last_purchase or 0,
            cuts=list(cuts.days_since_last_purchase),
        ),
        frequency=FrequencyRead(
            score=scores.frequency,
            purchase_days=figures.purchase_days,
            cuts=list(cuts.purchase_days),
        ),
        monetary=MonetaryRead(
            score=scores.monetary, net_spend=figures.net_spend, cuts=list(cuts.net_spend)
        ),
    )


def condition_read(boundary: Boundary) -> BilingualText:
    """Return a segment's published condition in both languages."""
    return BilingualText(en=boundary.condition.en, zh=boundary.condition.zh)


def _reason(reason: Reason) -> GroupReasonRead:
    return GroupReasonRead(
        group=LabelledCode.of(reason.group),
        number=_text(reason.number),
        limit=_text(reason.limit),
        is_met=reason.is_met,
        sentences=BilingualText(**reason.sentences),
    )


def _next(above: NextLevel, policy: Policy, level: TierLevel | None) -> NextLevelRead:
    return NextLevelRead(
        level=LabelledCode.of(above.level),
        at_least=str(above.at_least),
        score=str(above.score),
        missing=str(above.missing),
        unit=LabelledCode.of(above.unit),
        is_held=level is not None and policy.rank(level) >= policy.rank(above.level),
        is_near=above.is_near,
        is_on_pace=above.is_on_pace,
        has_potential=above.has_potential,
        sentences=BilingualText(**above.sentences),
    )


def pruning_read(pruning: Pruning) -> PruningReasonRead:
    """Return a reason to prune as an answer."""
    return PruningReasonRead(
        reason=LabelledCode.of(pruning.reason),
        number=str(pruning.number),
        service_cost=pruning.service_cost,
        sentences=BilingualText(**pruning.sentences),
    )


def _text(number: Decimal | int | None) -> str | None:
    return None if number is None else str(number)
