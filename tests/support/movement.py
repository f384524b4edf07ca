"""A made-up population that buys for years, and what tiers it holds, with and without rules.

Customers buy at rates of their own (gamma distributed), more before holidays and in gift season,
until they stop for good (after any purchase, each with a chance of their own); amounts are
lognormal around the customer's own usual one; some receipts are taken back as a whole. Everything
follows from one seed.
"""

import math
import random
from bisect import insort
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final
from uuid import UUID

from app.rules.tier_evaluation import (
    Notice,
    NoticeFate,
    evaluation_on_or_after,
    falls_on,
    fate_of,
    is_below,
    is_time_to_notice,
    lower_level,
)
from app.rules.tier_policies import Policy
from app.rules.tiering import Held, Step, follow
from app.vocabulary import TierLevel

# Receipts a month against the yearly mean: two gift seasons, a slack summer.
SEASON: Final = (1.25, 1.15, 0.85, 0.85, 0.95, 1.10, 0.80, 0.80, 1.05, 0.90, 1.05, 1.25)
REVERSED_WITHIN: Final = timedelta(days=92)


@dataclass(frozen=True, slots=True)
class Population:
    """Who buys how: rates are purchases a year, usual amounts are money."""

    customers: int
    seed: int
    rate_shape: float = 1.3
    mean_rate: float = 13.0
    usual_amount: float = 42.0
    spread_between: float = 0.45
    spread_within: float = 0.75
    stops_after_one_in: float = 45.0
    refunded: float = 0.04


@dataclass(frozen=True, slots=True)
class Receipt:
    """A sale, or the refund of the sale ``undoes`` with a negative amount."""

    on: date
    id: UUID
    amount: Decimal
    undoes: UUID | None = None


def histories(population: Population, first: date, last: date) -> Iterator[list[Receipt]]:
    """Yield each customer's receipts from ``first`` to ``last``, in the order of time.

    Two in three customers are there from the beginning, the others come by and by.
    """
    chance = random.Random(population.seed)
    numbers = iter(range(1, 1 << 40))
    days = (last - first).days
    for _ in range(population.customers):
        rate = chance.gammavariate(
            population.rate_shape, population.mean_rate / population.rate_shape
        )
        usual = chance.lognormvariate(math.log(population.usual_amount), population.spread_between)
        stops = chance.betavariate(1.0, population.stops_after_one_in)
        at = 0.0 if chance.random() < 2 / 3 else chance.uniform(0, days)
        receipts: list[Receipt] = []
        peak = rate / 365 * max(SEASON)
        while (at := at + chance.expovariate(peak)) < days + 1:
            day = first + timedelta(days=int(at))
            if chance.random() * max(SEASON) > SEASON[day.month - 1]:
                continue
            paid = chance.lognormvariate(math.log(usual), population.spread_within)
            sale = Receipt(day, UUID(int=next(numbers)), Decimal(f"{paid:.2f}"))
            receipts.append(sale)
            if chance.random() < population.refunded:
                back_on = day + timedelta(days=chance.randint(1, 30))
                if back_on <= last:
                    receipts.append(
                        Receipt(back_on, UUID(int=next(numbers)), -sale.amount, sale.id)
                    )
            if chance.random() < stops:
                break
        yield sorted(receipts, key=lambda receipt: (receipt.on, receipt.id.int))


@dataclass(frozen=True, slots=True)
class Change:
    """A card's level became another one, so many levels higher; a fall has a minus."""

    on: date
    rises: int


@dataclass(slots=True)
class Card:
    """A card as it lives through its days: what counts in the window, what it holds."""

    policy: Policy
    held: Held
    notice: Notice | None = None
    counting: deque[Receipt] = field(default_factory=deque)
    net: Decimal = Decimal(0)
    changes: list[Change] = field(default_factory=list)

    def pass_to(self, day: date) -> None:
        """Let what is older than the window leave it."""
        window = timedelta(days=self.policy.window_days)
        while self.counting and self.counting[0].on <= day - window:
            self.net -= self.counting.popleft().amount

    def count(self, receipt: Receipt) -> None:
        """Let a receipt count from now on."""
        self.counting.append(receipt)
        self.net += receipt.amount

    def hold(self, day: date, held: Held) -> None:
        """Hold something else from a day on."""
        rises = self.policy.rank(held.level) - self.policy.rank(self.held.level)
        if rises:
            self.changes.append(Change(day, rises))
            held = replace(held, since=day)
        self.held = held


def with_rules(card: Card, day: date, receipts: Sequence[Receipt], *, is_evaluation: bool) -> None:
    """Live through a day as the service does: the night, the evaluation, then the receipts."""
    policy = card.policy
    card.pass_to(day)
    if policy.rank(policy.earned(card.net).level) > policy.rank(card.held.level):
        # A refund has left the window before the night: it lifts whom the figures put higher.
        card.hold(day, Held(policy.earned(card.net).level, day, None, card.held))
    _settle_notice(card, day)
    if (
        is_evaluation
        and card.notice is None
        and is_below(policy, card.held.level, card.net)
        and is_time_to_notice(policy, card.held.since, day)
    ):
        card.notice = Notice(card.held.level, policy.version, falls_on(policy, day))
    for receipt in receipts:
        before = card.net
        card.count(receipt)
        step = Step(receipt.id, receipt.amount, receipt.undoes)
        card.hold(day, follow(policy, before, card.held, [step])[0].held)


def _settle_notice(card: Card, day: date) -> None:
    if card.notice is None:
        return
    fate = fate_of(card.policy, card.notice, card.held.level, card.net, day, is_locked=False)
    if fate is NoticeFate.FALLS:
        card.hold(day, Held(lower_level(card.policy, card.held.level).level, day))
    if fate is not NoticeFate.STANDS:
        card.notice = None


def without_rules(
    card: Card, day: date, receipts: Sequence[Receipt], *, is_evaluation: bool
) -> None:
    """Live through a day with the tier that the figures earn, at each receipt and month's first."""
    card.pass_to(day)
    if is_evaluation:
        card.hold(day, Held(card.policy.earned(card.net).level, day))
    for receipt in receipts:
        card.count(receipt)
        card.hold(day, Held(card.policy.earned(card.net).level, day))


@dataclass(frozen=True, slots=True)
class Movement:
    """What happened in the years that were looked at."""

    customer_years: int
    changes: int
    reversals: int
    levels: dict[TierLevel, int]

    @property
    def yearly(self) -> float:
        """Changes for each customer and year."""
        return self.changes / self.customer_years

    @property
    def reversed_share(self) -> float:
        """Share of the changes that an opposite one undoes within three months."""
        return self.reversals / self.changes


def live(
    policy: Policy,
    population: Population,
    first: date,
    years: int,
    *,
    has_rules: bool,
) -> Movement:
    """Let everybody live for a year that fills the window and for ``years`` that are looked at."""
    looked_from = first.replace(year=first.year + 1)
    last = first.replace(year=first.year + 1 + years) - timedelta(days=1)
    evaluations = list(_evaluations(first, last))
    live_a_day = with_rules if has_rules else without_rules
    changes = reversals = 0
    levels = dict.fromkeys((rule.level for rule in policy.levels), 0)
    for receipts in histories(population, first, last):
        card = Card(policy, Held(policy.levels[-1].level, first))
        for day, of_the_day, is_evaluation in _days(policy, receipts, evaluations, last):
            live_a_day(card, day, of_the_day, is_evaluation=is_evaluation)
        seen = [change for change in card.changes if change.on >= looked_from]
        changes += len(seen)
        reversals += sum(
            change.rises * after.rises < 0 and after.on - change.on <= REVERSED_WITHIN
            for change, after in pairwise(seen)
        )
        levels[card.held.level] += 1
    return Movement(population.customers * years, changes, reversals, levels)


def _evaluations(first: date, last: date) -> Iterator[date]:
    day = evaluation_on_or_after(first)
    while day <= last:
        yield day
        day = evaluation_on_or_after(day + timedelta(days=1))


def _days(
    policy: Policy, receipts: Sequence[Receipt], evaluations: Sequence[date], last: date
) -> Iterator[tuple[date, list[Receipt], bool]]:
    """Yield the days on which anything can happen to a card: receipts come or go, evaluations."""
    of_day: dict[date, list[Receipt]] = {}
    for receipt in receipts:
        of_day.setdefault(receipt.on, []).append(receipt)
    window = timedelta(days=policy.window_days)
    days = list(evaluations)
    for day in {*of_day, *(day + window for day in of_day if day + window <= last)}:
        insort(days, day)
    seen: date | None = None
    is_evaluation = frozenset(evaluations).__contains__
    for day in days:
        if day != seen:
            yield day, of_day.get(day, []), is_evaluation(day)
        seen = day
