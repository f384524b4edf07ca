"""Everything that a card's figures say of it by the calibration of the policy in force."""

from dataclasses import dataclass

from app.rules import hollow_accounts, rfm
from app.rules.customer_groups import (
    Grouping,
    NextLevel,
    Pruning,
    Standing,
    group_of,
    next_level,
    pruning_of,
)
from app.rules.hollow_accounts import HollowEvidence
from app.rules.tier_policies import Policy


@dataclass(frozen=True, slots=True)
class Profile:
    """Scores, segment, group, next level, hollow signs and reasons to prune, each with its numbers.

    ``scores`` are None for who never bought, ``next`` at the top, ``hollow`` where no sign is.
    """

    standing: Standing
    scores: rfm.Scores | None
    boundary: rfm.Boundary
    grouping: Grouping
    next: NextLevel | None
    hollow: HollowEvidence | None
    pruning: tuple[Pruning, ...]


def can_profile(policy: Policy) -> bool:
    """Tell whether a policy has the cut points and reference values that profiles need."""
    calibration = policy.calibration
    return (
        calibration is not None
        and calibration.rfm is not None
        and calibration.references is not None
    )


def profile_of(standing: Standing, policy: Policy) -> Profile:
    """Return what the figures say; the policy has to have a calibration with cuts and references.

    Raises:
        ValueError: it has not.
    """
    calibration = policy.calibration
    if calibration is None or calibration.rfm is None or calibration.references is None:
        raise ValueError("nothing was calibrated yet")
    scores = rfm.scores_of(standing.figures, calibration.rfm)
    grouping = group_of(standing, policy, calibration.references)
    return Profile(
        standing=standing,
        scores=scores,
        boundary=rfm.boundary_of(scores),
        grouping=grouping,
        next=next_level(standing, policy),
        hollow=hollow_accounts.evidence(standing.figures, calibration.references),
        pruning=pruning_of(standing, grouping.group),
    )
