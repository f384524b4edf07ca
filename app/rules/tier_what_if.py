"""What a policy would do: cells of customers counted by what they hold and what they would hold.

Two answers: ``at_once`` is what the night after its day does, which lifts and moves whom the new
policy does not know; ``in_the_end`` is what the figures earn, once every notice has run out and
nobody is held by hand.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from operator import attrgetter
from typing import Final

from app.rules.tier_evaluation import score_text
from app.rules.tier_policies import Benefits, Policy
from app.vocabulary import PolicyMethod, ShareOf, TierLevel

DAYS_A_YEAR: Final = 365
TIE_PERCENT: Final = Decimal(1)
"""A top share this much bigger than asked is worth a hint."""
_CENT: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Cell:
    """Customers who hold one level, would hold one at once, and earn one.

    ``buyers`` of them bought within the window; ``amount`` is their net spend in it, ``discounted``
    the part of those whose is positive; ``hollow`` of them look hollow.
    """

    held: TierLevel
    at_once: TierLevel
    in_the_end: TierLevel
    customers: int
    buyers: int
    hollow: int
    amount: Decimal
    discounted: Decimal


@dataclass(frozen=True, slots=True)
class Row:
    """A level of a distribution; shares in percent with one decimal."""

    level: TierLevel
    customers: int
    customers_share: Decimal
    buyers: int
    amount: Decimal
    amount_share: Decimal


@dataclass(frozen=True, slots=True)
class Transition:
    """Customers who hold one level and would hold another, or the same."""

    held: TierLevel
    would_hold: TierLevel
    customers: int
    buyers: int
    hollow: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class LevelCost:
    """What the benefits of a level cost in a year: as it is, at once, in the end."""

    level: TierLevel
    before: Decimal
    at_once: Decimal
    in_the_end: Decimal


@dataclass(frozen=True, slots=True)
class TooMany:
    """A top share that is bigger than asked, since equal scores are all inside."""

    level: TierLevel
    asked: Decimal
    reached: Decimal


Choice = Callable[[Cell], TierLevel]
HELD: Final[Choice] = attrgetter("held")
AT_ONCE: Final[Choice] = attrgetter("at_once")
IN_THE_END: Final[Choice] = attrgetter("in_the_end")


def distribution(cells: Sequence[Cell], level_of: Choice, order: Sequence[TierLevel]) -> list[Row]:
    """Return the levels in order, others that somebody holds after them."""
    customers = sum(cell.customers for cell in cells)
    amount = sum((cell.amount for cell in cells), Decimal("0.00"))
    rows = []
    for level in _all(cells, level_of, order):
        inside = [cell for cell in cells if level_of(cell) == level]
        here = sum((cell.amount for cell in inside), Decimal("0.00"))
        count = sum(cell.customers for cell in inside)
        rows.append(
            Row(
                level,
                count,
                percent(Decimal(count), Decimal(customers)),
                sum(cell.buyers for cell in inside),
                here,
                percent(here, amount),
            )
        )
    return rows


def transitions(
    cells: Sequence[Cell],
    level_of: Choice,
    before: Sequence[TierLevel],
    after: Sequence[TierLevel],
) -> list[Transition]:
    """Return who moves from where to where, and who stays; only what there is of."""
    rows = []
    for held in _all(cells, HELD, before):
        for level in _all(cells, level_of, after):
            inside = [cell for cell in cells if cell.held == held and level_of(cell) == level]
            if inside:
                rows.append(
                    Transition(
                        held,
                        level,
                        sum(cell.customers for cell in inside),
                        sum(cell.buyers for cell in inside),
                        sum(cell.hollow for cell in inside),
                        sum((cell.amount for cell in inside), Decimal("0.00")),
                    )
                )
    return rows


def standing(policy: Policy, level: TierLevel) -> Decimal | None:
    """Return how high a level stands in its policy: 1 the highest, 0 the lowest.

    Levels of two scales are compared so. None for a level that the policy does not know.
    """
    rank = policy.rank(level)
    return None if rank < 0 else Decimal(rank) / max(len(policy.levels) - 1, 1)


def costs(cells: Sequence[Cell], old: Policy, new: Policy, visit_cost: Decimal) -> list[LevelCost]:
    """Return what the benefits of each level cost in a year, before and after.

    The discount on net spend, what else a customer of the level costs, and the visits owed, each at
    the cost of one. The window's net spend counts as often as the window fits into a year. A level
    that a policy does not know owes nothing.
    """
    order = [rule.level for rule in new.levels]
    order += [rule.level for rule in old.levels if rule.level not in order]
    in_a_year = Decimal(DAYS_A_YEAR) / new.window_days
    return [
        LevelCost(
            level,
            *(
                _cost(policy, level, cells, level_of, in_a_year, visit_cost)
                for policy, level_of in ((old, HELD), (new, AT_ONCE), (new, IN_THE_END))
            ),
        )
        for level in order
    ]


def _cost(
    policy: Policy,
    level: TierLevel,
    cells: Sequence[Cell],
    level_of: Choice,
    in_a_year: Decimal,
    visit_cost: Decimal,
) -> Decimal:
    rule = policy.rule_of(level)
    owed = Benefits() if rule is None else rule.benefits
    inside = [cell for cell in cells if level_of(cell) == level]
    customers = sum(cell.customers for cell in inside)
    spent = sum((cell.discounted for cell in inside), Decimal(0)) * in_a_year
    visits = Decimal(DAYS_A_YEAR) / owed.visit_every_days if owed.visit_every_days else Decimal(0)
    each = owed.yearly_cost + visits * visit_cost
    return (spent * owed.discount_percent / 100 + customers * each).quantize(_CENT, ROUND_HALF_UP)


def too_many(cells: Sequence[Cell], policy: Policy) -> list[TooMany]:
    """Return the top shares of customers that equal scores have made bigger than asked."""
    if policy.method is PolicyMethod.THRESHOLD or policy.share_of is ShareOf.VALUE:
        return []
    buyers = sum(cell.buyers for cell in cells)
    found, inside = [], 0
    for rule in policy.levels[:-1]:
        assert rule.top_percent is not None
        inside += sum(cell.buyers for cell in cells if cell.in_the_end == rule.level)
        reached = percent(Decimal(inside), Decimal(buyers))
        if reached - rule.top_percent > TIE_PERCENT:
            found.append(TooMany(rule.level, rule.top_percent, reached))
    return found


def why(policy: Policy, held: TierLevel, earned: TierLevel, score: Decimal) -> dict[str, str]:
    """Return why the figures earn a level that is not the one held."""
    rule, line = policy.rule_of(earned), policy.rule_of(held)
    assert rule is not None
    points, begins = score_text(policy.unit, score), score_text(policy.unit, rule.at_least)
    en = f"Scores {points[0]}; {earned.label.en} begins at {begins[0]}"
    zh = f"得分 {points[1]}，{earned.label.zh}从 {begins[1]} 起"
    if line is not None and line.at_least > score:
        above = score_text(policy.unit, line.at_least)
        en, zh = f"{en}, {held.label.en} at {above[0]}", f"{zh}，{held.label.zh}从 {above[1]} 起"
    if line is None:
        en += f"; there is no {held.label.en} any more"
        zh += f"；不再设{held.label.zh}"
    return {"en": f"{en}.", "zh": f"{zh}。"}


def percent(part: Decimal, whole: Decimal) -> Decimal:
    """Return a share in percent with one decimal; of nothing, none."""
    return (part / whole * 100).quantize(Decimal("0.1")) if whole else Decimal("0.0")


def _all(cells: Iterable[Cell], level_of: Choice, order: Sequence[TierLevel]) -> list[TierLevel]:
    there = {level_of(cell) for cell in cells}
    return [*order, *(level for level in TierLevel if level in there and level not in order)]


def cells_of(rows: Iterable[Mapping[str, object]]) -> list[Cell]:
    """Return counted rows as cells, whatever their order, in a set one."""
    cells = [
        Cell(
            held=TierLevel(str(row["held"])),
            at_once=TierLevel(str(row["at_once"])),
            in_the_end=TierLevel(str(row["in_the_end"])),
            customers=int(str(row["customers"])),
            buyers=int(str(row["buyers"])),
            hollow=int(str(row["hollow"])),
            amount=Decimal(str(row["amount"])),
            discounted=Decimal(str(row["discounted"])),
        )
        for row in rows
    ]
    return sorted(cells, key=lambda cell: (cell.held, cell.at_once, cell.in_the_end))
