"""Which tier a card is in, and why: pure decisions over a policy, figures and an as-of day.

Threshold policies decide by net spend in a rolling window. A card moves up at once; it falls only
at an evaluation (not decided here), or when the purchase that earned its tier is taken back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.rules.tier_policies import Figures, Policy, window_from
from app.vocabulary import TierCause, TierLevel, money_text


@dataclass(frozen=True, slots=True)
class Held:
    """The tier a card holds: since when, which purchase earned it, and what it held before that.

    A tier whose purchase was taken back while others still earn it is carried by those: from then
    on taking back any of them may end it.
    """

    level: TierLevel
    since: date
    purchase_id: UUID | None = None
    before: "Held | None" = None
    is_carried: bool = False


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
    that a refund or void takes back.
    """

    purchase_id: UUID
    adds: Decimal
    undoes: UUID | None = None


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """What one receipt did to the tier."""

    before: TierLevel
    held: Held
    net_spend: Decimal
    cause: TierCause | None

    @property
    def after(self) -> TierLevel:
        """The level the card holds with this receipt."""
        return self.held.level


def follow(
    policy: Policy, net_before: Decimal, held: Held, steps: Sequence[Step]
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
        if policy.rank(earned) > policy.rank(held.level):
            now, cause = _lifted(held, earned, held.since, step.purchase_id), TierCause.UPGRADE
        elif step.undoes is not None and (held.is_carried or step.undoes == held.purchase_id):
            now = _taken_back(policy, held, earned)
            if now.level != held.level:
                cause = TierCause.REVERSAL
            elif not held.is_carried:
                cause = TierCause.CARRIED
        outcomes.append(StepOutcome(held.level, now, net, cause))
        held = now
    return outcomes


def _lifted(held: Held | None, level: TierLevel, since: date, purchase_id: UUID | None) -> Held:
    """Return what is held when a purchase lifts a card: anew, when a refund of it is voided."""
    is_again = held is not None and purchase_id is not None and held.purchase_id == purchase_id
    return Held(level, since, purchase_id, held.before if held and is_again else held)


def _taken_back(policy: Policy, held: Held, level: TierLevel) -> Held:
    """Return what is held when the purchase that earned the tier no longer earns but ``level``.

    While that is more than what was held before, the purchase is still what earned it.
    """
    before = held.before or Held(policy.levels[-1].level, held.since)
    if policy.rank(level) >= policy.rank(held.level):
        return replace(held, is_carried=True)
    if policy.rank(level) > policy.rank(before.level):
        return Held(level, held.since, held.purchase_id, before)
    return before


def held_of(policy: Policy, history: Sequence[Assigned]) -> Held | None:
    """Return what a card holds by its history, oldest entry first; None without any."""
    held: Held | None = None
    for entry in history:
        if entry.cause is TierCause.CARRIED and held is not None:
            held = replace(held, is_carried=True)
        elif entry.cause is TierCause.MERGED:
            held = _merged(policy, held, entry)
        elif entry.cause is TierCause.REVERSAL and held is not None:
            held = replace(
                _taken_back(policy, held, entry.level), level=entry.level, since=entry.since
            )
        else:
            held = _lifted(held, entry.level, entry.since, entry.purchase_id)
    return held


def _merged(policy: Policy, held: Held | None, entry: Assigned) -> Held:
    """Return what is held when cards were merged or taken apart.

    A higher level that no single purchase earned is carried by all of them; a lower one is what
    the card would hold by itself, and nothing is to be gone back to.
    """
    if held is None or policy.rank(entry.level) <= policy.rank(held.level):
        return Held(entry.level, entry.since, entry.purchase_id)
    return Held(
        entry.level, entry.since, entry.purchase_id, held, is_carried=entry.purchase_id is None
    )


def joined(
    policy: Policy, held: Sequence[Held], net_spend: Decimal
) -> tuple[TierLevel, UUID | None]:
    """Return the level of a card that several become, and the purchase that earned it, if one did.

    ``held`` are the cards' tiers, the surviving card's first. Nobody falls by a merge: it is the
    best of what the cards held and what they earn together.
    """
    best = max(held, key=lambda one: policy.rank(one.level))
    earned = policy.earned(net_spend).level
    if policy.rank(earned) > policy.rank(best.level):
        return earned, None
    return best.level, best.purchase_id


def missing_to_next(policy: Policy, level: TierLevel, net_spend: Decimal) -> Decimal | None:
    """Return what is missing to the next level, never below zero; None at the top."""
    above = policy.next_above(level)
    return None if above is None else max(above.at_least - net_spend, Decimal(0))


def first_evaluation_on(policy: Policy, since: date, as_of: date) -> date:
    """Return the first day on which a level held ``since`` can be taken away: a month's first day.

    It lies after ``as_of``, not before the hold has passed, and not before a customer who is told
    at ``as_of`` has had the notice.
    """
    notice = timedelta(days=max(policy.keep.notice_days, 1))
    earliest = max(since + timedelta(days=policy.keep.hold_days), max(since, as_of) + notice)
    if earliest.day == 1:
        return earliest
    return (earliest.replace(day=1) + timedelta(days=32)).replace(day=1)


def keep_line(policy: Policy, level: TierLevel) -> Decimal | None:
    """Return the net spend that keeps a level at an evaluation; None where nothing is lower."""
    rule = policy.rule_of(level)
    if rule is None or policy.rank(level) <= 0:
        return None
    return (rule.at_least * policy.keep.factor).quantize(Decimal("0.01"))


def explain(
    policy: Policy, figures: Figures, level: TierLevel, cause: TierCause, since: date
) -> dict[str, Any]:
    """Return why a card is in a level, as stored with the assignment and sent as JSON.

    Inputs with their window, the rule and the policy's version, the distance to the next level,
    what keeps this one, and the same in a sentence of each language.
    """
    rule = policy.rule_of(level)
    above = policy.next_above(level)
    keeps = keep_line(policy, level)
    missing = missing_to_next(policy, level, figures.net_spend)
    return {
        "inputs": {
            "as_of": figures.as_of.isoformat(),
            "window_from": window_from(policy, figures.as_of).isoformat(),
            "window_to": figures.as_of.isoformat(),
            "window_days": policy.window_days,
            "net_spend": money_text(figures.net_spend),
            "refunded": money_text(figures.refunded),
            "purchases": figures.purchases,
        },
        "rule": {
            "method": "threshold",
            "metric": "net_spend",
            "level": str(level),
            "at_least": money_text(rule.at_least) if rule else None,
        },
        "policy": {"id": str(policy.id), "version": policy.version, "name": policy.name},
        "cause": str(cause),
        "next": None
        if above is None or missing is None
        else {
            "level": str(above.level),
            "at_least": money_text(above.at_least),
            "missing": money_text(missing),
        },
        "keep": None
        if keeps is None
        else {
            "at_least": money_text(keeps),
            "factor": str(policy.keep.factor),
            "not_before": first_evaluation_on(policy, since, figures.as_of).isoformat(),
            "notice_days": policy.keep.notice_days,
        },
        "sentences": sentences(policy, figures, level),
    }


def sentences(policy: Policy, figures: Figures, level: TierLevel) -> dict[str, str]:
    """Return why a card is in a level, in a sentence of each language."""
    rule = policy.rule_of(level)
    at_least = money_text(rule.at_least) if rule else "?"
    net = money_text(figures.net_spend)
    start, end = window_from(policy, figures.as_of).isoformat(), figures.as_of.isoformat()
    earned = policy.earned(figures.net_spend).level
    if policy.rank(earned) < policy.rank(level):
        # Held although the figures are lower by now: up at once, down only at an evaluation.
        why_en = f"held from before; the figures alone would give {earned.label.en}"
        why_zh = f"沿用此前的层级；仅按当前金额应为{earned.label.zh}"
    elif policy.rank(level) > 0:
        why_en = f"that reaches the {at_least} that {level.label.en} asks for"
        why_zh = f"达到{level.label.zh}的门槛 {at_least}"
    else:
        why_en = f"that is {level.label.en}, the lowest level"
        why_zh = f"属于最低层级{level.label.zh}"
    above = policy.next_above(level)
    missing = missing_to_next(policy, level, figures.net_spend)
    next_en = next_zh = ""
    if above is not None and missing is not None and missing > 0:
        next_en = f" {money_text(missing)} more makes {above.level.label.en}."
        next_zh = f"再消费 {money_text(missing)} 即可升为{above.level.label.zh}。"
    return {
        "en": f"{level.label.en}: net spend from {start} to {end} is {net}; {why_en} "
        f"(policy version {policy.version}).{next_en}",
        "zh": f"{level.label.zh}：{start} 至 {end} 净消费 {net}，{why_zh}"
        f"（政策第 {policy.version} 版）。{next_zh}",
    }
