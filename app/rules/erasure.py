"""What still needs the data of a person who asked to be erased.

``DEFERRALS`` is an ordered list of rules; a later part of the service adds its own at the end, and
what the rule has to know to :class:`ErasureFacts`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, TypeAlias

from app.vocabulary import DeferralReason


@dataclass(frozen=True, slots=True)
class ErasureFacts:
    """What is known of a person, of all their cards together; days are business days."""

    last_sale_on: date | None = None
    last_merge_on: date | None = None
    last_import_on: date | None = None


@dataclass(frozen=True, slots=True)
class ErasureTerms:
    """How long things are held for; 0 days: not at all."""

    return_period_days: int
    merge_dispute_days: int
    import_days: int


@dataclass(frozen=True, slots=True)
class Deferral:
    """One reason to wait. ``until`` is the first day without it; None: nobody can tell yet.

    What ``may_end_sooner`` is looked at every day.
    """

    reason: DeferralReason
    until: date | None
    may_end_sooner: bool = False


Rule: TypeAlias = Callable[[ErasureFacts, ErasureTerms], Deferral | None]


def _return_period(facts: ErasureFacts, terms: ErasureTerms) -> Deferral | None:
    """Hold while the customer may bring a purchase back: on the day of the sale and N days after.

    Someone who asks for their money has to be known to the shop.
    """
    return _held(DeferralReason.RETURN_PERIOD, facts.last_sale_on, terms.return_period_days)


def _merge_in_dispute(facts: ErasureFacts, terms: ErasureTerms) -> Deferral | None:
    """Hold while a merge is young: if two people were taken for one, only one of them asked."""
    return _held(DeferralReason.MERGE_IN_DISPUTE, facts.last_merge_on, terms.merge_dispute_days)


def _import_open(facts: ErasureFacts, terms: ErasureTerms) -> Deferral | None:
    """Hold while a file is under way, run or not, as long as files are kept that nobody runs.

    It may write the person once more. Whoever leaves it lying keeps nobody from being erased.
    """
    if facts.last_import_on is None:
        return None
    if terms.import_days == 0:
        return Deferral(DeferralReason.IMPORT_OPEN, None)
    until = facts.last_import_on + timedelta(days=terms.import_days + 1)
    return Deferral(DeferralReason.IMPORT_OPEN, until, may_end_sooner=True)


def _held(reason: DeferralReason, began_on: date | None, days: int) -> Deferral | None:
    if began_on is None or days == 0:
        return None
    return Deferral(reason, began_on + timedelta(days=days + 1))


DEFERRALS: Final[tuple[Rule, ...]] = (_return_period, _merge_in_dispute, _import_open)


def decide_erasure(
    facts: ErasureFacts,
    terms: ErasureTerms,
    as_of: date,
    rules: Sequence[Rule] = DEFERRALS,
) -> tuple[Deferral, ...]:
    """Return what holds an erasure on a day, in the order of the rules; empty: nothing does."""
    found = (rule(facts, terms) for rule in rules)
    return tuple(
        deferral
        for deferral in found
        if deferral is not None and (deferral.until is None or deferral.until > as_of)
    )


def due_on(deferrals: Sequence[Deferral], as_of: date) -> date:
    """Return the day on which to look again: when the last known hold ends, tomorrow at least."""
    known = [
        deferral.until
        for deferral in deferrals
        if deferral.until is not None and not deferral.may_end_sooner
    ]
    return max([*known, as_of + timedelta(days=1)])
