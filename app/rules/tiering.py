"""What moves a card between tiers: pure decisions over a policy, a score, receipts and a history.

A card moves up at once; it falls only at an evaluation (:mod:`app.rules.tier_evaluation`), or when
the purchase that earned its tier is taken back. A level set by hand is not moved by receipts.

Where receipts add up to the score (net spend), each has its own effect, in time order. Other scores
are known for a card as a whole: there a batch of receipts is judged once, after its last one.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Final
from uuid import UUID

from app.rules.tier_figures import WINDOW_DAYS, Figures
from app.rules.tier_policies import Policy, window_from
from app.vocabulary import TierCause, TierLevel

OVERRIDE_YEARS: Final = 2


@dataclass(frozen=True, slots=True)
class Held:
    """The tier a card holds: since when, which purchase earned it, and what it held before that.

    A tier whose purchase was taken back while others still earn it is carried by those: from then
    on taking back any of them may end it. A level set by hand is locked; ``before`` is then what
    the card held without it.
    """

    level: TierLevel
    since: date
    purchase_id: UUID | None = None
    before: "Held | None" = None
    is_carried: bool = False
    is_locked: bool = False


@dataclass(frozen=True, slots=True)
class Assigned:
    """One entry of a card's tier history."""

    level: TierLevel
    since: date
    cause: TierCause
    purchase_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One receipt of a card: what it adds to net spend (refunds subtract), in time order.

    ``purchase_id`` is the purchase that earns the tier if this lifts the card; ``undoes`` the one
    that a refund or void takes back; ``on`` the day it counts on, None for one that counts.
    """

    purchase_id: UUID
    adds: Decimal
    undoes: UUID | None = None
    on: date | None = None


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """What one receipt did to the tier; ``score`` with it, or with all where it is judged so."""

    before: TierLevel
    held: Held
    score: Decimal
    cause: TierCause | None

    @property
    def after(self) -> TierLevel:
        """The level the card holds with this receipt."""
        return self.held.level


def counted(policy: Policy, as_of: date, steps: Sequence[Step]) -> list[Step]:
    """Return the steps with nothing added by those that lie outside the policy's window."""
    first_day = window_from(policy, as_of)
    # Statistics count what a till sold whose clock is ahead of midnight; another window does not.
    last_day = None if policy.window_days == WINDOW_DAYS else as_of

    def counts(day: date | None) -> bool:
        return day is None or (day >= first_day and (last_day is None or day <= last_day))

    return [step if counts(step.on) else replace(step, adds=Decimal(0)) for step in steps]


def figures_with(policy: Policy, figures: Figures, outcome: StepOutcome) -> Figures:
    """Return the figures with which a receipt left the card, where that is known of each."""
    return replace(figures, net_spend=outcome.score) if policy.is_additive else figures


def moved_by(
    policy: Policy, score: Decimal, held: Held, steps: Sequence[Step], *, may_rise: bool = True
) -> list[StepOutcome]:
    """Return what each of a card's receipts did to its tier; ``score`` is the one with all of them.

    Without ``may_rise`` nothing lifts the card: somebody has to look at it first.
    """
    if policy.is_additive:
        before = score - sum((step.adds for step in steps), Decimal(0))
        return follow(policy, before, held, steps, may_rise=may_rise)
    return judge(policy, score, held, steps, may_rise=may_rise)


def follow(
    policy: Policy,
    net_before: Decimal,
    held: Held,
    steps: Sequence[Step],
    *,
    may_rise: bool = True,
) -> list[StepOutcome]:
    """Return what each of a card's receipts did to its tier, one after the other.

    ``net_before`` is the net spend without any of the steps. Higher spend lifts the card at once.
    Taking back the purchase that earned the tier, or a part of it, returns the card to the better
    of what it still earns and what it held before. Where the others still earn the tier they carry
    it, and taking back one of them later may end it in the same way. Other refunds leave the card
    where it is until an evaluation.
    """
    outcomes: list[StepOutcome] = []
    net = net_before
    for step in steps:
        net += step.adds
        earned = policy.earned(net).level
        now, cause = held, None
        if held.is_locked:
            pass
        elif may_rise and policy.rank(earned) > policy.rank(held.level):
            now, cause = _risen(policy, held, earned, step.purchase_id)
        elif _ends(held, step):
            now, cause = _unwound(policy, held, earned)
        outcomes.append(StepOutcome(held.level, now, net, cause))
        held = now
    return outcomes


def judge(
    policy: Policy, score: Decimal, held: Held, steps: Sequence[Step], *, may_rise: bool = True
) -> list[StepOutcome]:
    """Return what a card's receipts did to its tier together, told with the last one.

    The last purchase among them is what a higher tier is due to. Where the receipts take back what
    earned the tier and others lift the card beyond it, that is as if it had been taken back first.
    """
    if not steps:
        return []
    earned = policy.earned(score).level
    is_undone = any(_ends(held, step) for step in steps)
    now, cause = held, None
    if held.is_locked:
        pass
    elif may_rise and policy.rank(earned) > policy.rank(held.level):
        base = _without(policy, held) if is_undone else held
        bought = [step.purchase_id for step in steps if step.undoes is None and step.adds >= 0]
        earned_by = bought[-1] if bought else steps[-1].purchase_id
        now, cause = _risen(policy, base, earned, earned_by)
    elif is_undone:
        now, cause = _unwound(policy, held, earned)
    waiting = [StepOutcome(held.level, held, score, None) for _ in steps[:-1]]
    return [*waiting, StepOutcome(held.level, now, score, cause)]


def _risen(
    policy: Policy, held: Held, earned: TierLevel, purchase_id: UUID
) -> tuple[Held, TierCause]:
    """Return what is held by a purchase; a level of another policy gives way without one."""
    if policy.rank(held.level) < 0:
        return _lifted(held, earned, held.since, None), TierCause.POLICY
    return _lifted(held, earned, held.since, purchase_id), TierCause.UPGRADE


def _ends(held: Held, step: Step) -> bool:
    """Tell whether a receipt takes back what the tier rests on, or a part of it."""
    return step.undoes is not None and (held.is_carried or step.undoes == held.purchase_id)


def _without(policy: Policy, held: Held) -> Held:
    """Return what a card held before its tier was earned.

    What another policy held for more is nothing to go back to.
    """
    before = held.before
    while before is not None and policy.rank(before.level) >= policy.rank(held.level):
        before = before.before
    return before or Held(policy.levels[-1].level, held.since)


def _lifted(held: Held | None, level: TierLevel, since: date, purchase_id: UUID | None) -> Held:
    """Return what is held when a purchase lifts a card: anew, when a refund of it is voided."""
    is_again = held is not None and purchase_id is not None and held.purchase_id == purchase_id
    return Held(level, since, purchase_id, held.before if held and is_again else held)


def _unwound(policy: Policy, held: Held, earned: TierLevel) -> tuple[Held, TierCause | None]:
    now = _taken_back(policy, held, earned)
    if now.level != held.level:
        return now, TierCause.REVERSAL
    return now, None if held.is_carried else TierCause.CARRIED


def _taken_back(policy: Policy, held: Held, level: TierLevel) -> Held:
    """Return what is held when the purchase that earned the tier no longer earns but ``level``.

    While that is more than what was held before, the purchase is still what earned it.
    """
    before = _without(policy, held)
    if policy.rank(level) >= policy.rank(held.level):
        return replace(held, is_carried=True)
    if policy.rank(level) > policy.rank(before.level):
        return Held(level, held.since, held.purchase_id, before)
    return before


def held_of(policy: Policy, history: Sequence[Assigned]) -> Held | None:
    """Return what a card holds by its history, oldest entry first; None without any."""
    held: Held | None = None
    for entry in history:
        held = _after(policy, held, entry)
    return held


def _after(policy: Policy, held: Held | None, entry: Assigned) -> Held:
    """Return what a card holds once an entry was added to its history."""
    if entry.cause is TierCause.OVERRIDE:
        # One override in place of another: what the card held without either is what counts.
        return Held(entry.level, entry.since, None, _unlocked(held), is_locked=True)
    if held is None:
        return Held(entry.level, entry.since, entry.purchase_id)
    if entry.cause is TierCause.CARRIED:
        return replace(held, is_carried=True)
    if entry.cause in {TierCause.MERGED, TierCause.OVERRIDE_ENDED}:
        return _anew(policy, held, entry)
    if entry.cause is TierCause.EVALUATION:
        return _fallen(policy, held, entry)
    if entry.cause is TierCause.REVERSAL:
        return replace(_taken_back(policy, held, entry.level), level=entry.level, since=entry.since)
    return _lifted(held, entry.level, entry.since, entry.purchase_id)


def _unlocked(held: Held | None) -> Held | None:
    return held.before if held is not None and held.is_locked else held


def _anew(policy: Policy, held: Held, entry: Assigned) -> Held:
    """Return what is held when cards were merged or taken apart, or an override has ended.

    A higher level that no single purchase earned is carried by all of them. After an override the
    same level is the one held before it. A lower one is, after an override, what is left of what
    was held before; after a merge it is what the card would hold by itself, and nothing is to be
    gone back to.
    """
    before = _unlocked(held)
    if before is not None and policy.rank(entry.level) > policy.rank(before.level):
        is_carried = entry.purchase_id is None
        return Held(entry.level, entry.since, entry.purchase_id, before, is_carried=is_carried)
    if before is None or entry.cause is TierCause.MERGED:
        return Held(entry.level, entry.since, entry.purchase_id)
    return _fallen(policy, before, entry)


def _fallen(policy: Policy, held: Held, entry: Assigned) -> Held:
    """Return what is held at a level below: as it was held before, if it was."""
    below: Held | None = held
    while below is not None and policy.rank(below.level) > policy.rank(entry.level):
        below = below.before
    if below is not None and below.level == entry.level:
        return replace(below, since=entry.since)
    return Held(entry.level, entry.since, None, below)


def kept_after_lock(policy: Policy, held: Held, taken_back: Collection[UUID]) -> TierLevel:
    """Return what is left of what a card held before its level was set by hand.

    ``taken_back`` are the purchases that were taken back meanwhile, wholly or in part: what they
    alone had earned is no longer held. Nothing left is the lowest level.
    """
    standing = _unlocked(held)
    while standing is not None and (
        standing.purchase_id in taken_back or (standing.is_carried and bool(taken_back))
    ):
        standing = standing.before
    lowest = policy.levels[-1].level
    if standing is None or policy.rank(standing.level) < 0:
        return lowest
    return standing.level


def latest_end(today: date) -> date:
    """Return the last day that a level set by hand today may hold: two years on."""
    try:
        return today.replace(year=today.year + OVERRIDE_YEARS)
    except ValueError:
        return date(today.year + OVERRIDE_YEARS, 3, 1)


def joined(
    policy: Policy, held: Sequence[Held], score: Decimal, *, may_rise: bool = True
) -> tuple[TierLevel, UUID | None]:
    """Return the level of a card that several become, and the purchase that earned it, if one did.

    ``held`` are the cards' tiers, the surviving card's first; what was set by hand on that card
    stays. Nobody falls by a merge: it is the best of what the cards held and what they earn
    together; of the others, without what was set by hand (see :func:`inherited`). Without
    ``may_rise`` it is the best of what they held.
    """
    survivor = held[0]
    if survivor.is_locked:
        return survivor.level, None
    best = max((_unlocked(one) or one for one in held), key=lambda one: policy.rank(one.level))
    earned = policy.earned(score).level
    if may_rise and policy.rank(earned) > policy.rank(best.level):
        return earned, None
    return best.level, best.purchase_id


def inherited(policy: Policy, held: Sequence[Held], level: TierLevel) -> int | None:
    """Return the place of the card whose override the surviving card takes over, if there is one.

    ``level`` is what :func:`joined` gave: what was promised by hand is kept if it is more.
    """
    if held[0].is_locked:
        return None
    promised = [
        place
        for place, one in enumerate(held)
        if one.is_locked and policy.rank(one.level) > policy.rank(level)
    ]
    return max(promised, key=lambda place: policy.rank(held[place].level), default=None)


def missing_to_next(policy: Policy, level: TierLevel, score: Decimal) -> Decimal | None:
    """Return what is missing to the next level, never below zero; None at the top."""
    above = policy.next_above(level)
    return None if above is None else max(above.at_least - score, Decimal(0))
