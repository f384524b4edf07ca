"""What becomes of a card that is about to rise: held for a person to look at, or let go.

Source: ``analytics.md``, Tiers: a hollow account holds an upgrade for review. What was refused is
not asked again for as long as the policy holds a level, while the account is hollow; once it is not
any more, it rises like any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from app.rules.hollow_accounts import HollowEvidence
from app.rules.tier_policies import Policy
from app.vocabulary import TierLevel


@dataclass(frozen=True, slots=True)
class Rise:
    """A card that is about to rise from ``level`` to ``next_level``.

    ``purchase_id`` is the purchase to which the rise is due, if it is due to one.
    """

    customer_id: UUID
    policy: Policy
    level: TierLevel
    next_level: TierLevel
    purchase_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class OpenReview:
    """The card's review that waits for a person."""

    id: UUID
    next_level: TierLevel


@dataclass(frozen=True, slots=True)
class Refusal:
    """An upgrade that was refused."""

    review_id: UUID
    next_level: TierLevel
    refused_on: date


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is done about a rise.

    ``lapses`` ends the open review; ``opens`` begins one; ``refreshes`` brings the open one up to
    what is known now, ``raises`` to a higher level too. ``refusal`` is what holds the card without
    a review.
    """

    is_held: bool
    opens: bool = False
    refreshes: bool = False
    raises: bool = False
    lapses: bool = False
    refusal: Refusal | None = None


def judge(
    rise: Rise,
    evidence: HollowEvidence | None,
    waiting: OpenReview | None,
    refusals: Sequence[Refusal],
    as_of: date,
) -> Verdict:
    """Decide about a card that is about to rise.

    A review is of one level: where more is earned by now it is raised, where less is, another one
    takes its place. A refusal is of its level and of those below it.
    """
    if evidence is None:
        return Verdict(is_held=False, lapses=waiting is not None)
    rank = rise.policy.rank
    wanted = rank(rise.next_level)
    for refusal in refusals:
        ends_on = refusal.refused_on + timedelta(days=rise.policy.keep.hold_days)
        if wanted <= rank(refusal.next_level) and as_of < ends_on:
            return Verdict(is_held=True, lapses=waiting is not None, refusal=refusal)
    if waiting is None:
        return Verdict(is_held=True, opens=True)
    asked = rank(waiting.next_level)
    if asked < 0 or wanted < asked:
        return Verdict(is_held=True, lapses=True, opens=True)
    return Verdict(is_held=True, refreshes=True, raises=wanted > asked)


def is_called_for(
    policy: Policy, next_level: TierLevel, level: TierLevel, earned: TierLevel
) -> bool:
    """Tell whether a review to ``next_level`` has still something to decide.

    ``level`` is what the card holds, ``earned`` what its score reaches.
    """
    asked = policy.rank(next_level)
    return policy.rank(level) < asked <= policy.rank(earned)
