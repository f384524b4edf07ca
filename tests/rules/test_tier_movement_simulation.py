"""Movement rules calm a population down: fewer changes, and few that are undone soon after.

``pytest -s`` prints the figures.
"""

from datetime import date
from functools import cache
from typing import Any
from uuid import UUID

import pytest

from app.rules.tier_policies import Policy
from app.vocabulary import PolicyMethod, TierLevel
from tests.support.movement import Movement, Population, live

BODY: dict[str, Any] = {
    "metric": "net_spend",
    "window_days": 365,
    "levels": [
        {"level": "main", "at_least": "1000.00"},
        {"level": "ordinary", "at_least": "300.00"},
        {"level": "small", "at_least": "0.00"},
    ],
    "keep": {"factor": "0.90", "hold_days": 180, "notice_days": 30},
}
POLICY = Policy.of(UUID(int=1), 1, "Twelve months", PolicyMethod.THRESHOLD, BODY)
FIRST, YEARS = date(2022, 7, 1), 3
EVERYBODY = Population(customers=2_000, seed=7)


@cache
def lived(population: Population, *, has_rules: bool) -> Movement:
    """Let a population live, once for all tests."""
    return live(POLICY, population, FIRST, YEARS, has_rules=has_rules)


def test_two_thousand_customers_in_three_years_move_as_they_always_did() -> None:
    with_rules = lived(EVERYBODY, has_rules=True)
    without = lived(EVERYBODY, has_rules=False)
    for name, movement in (("with movement rules", with_rules), ("without", without)):
        print(  # noqa: T201 - what the simulation is for
            f"\n{name}: {movement.yearly:.2f} changes a customer and year,"
            f" {movement.reversed_share:.0%} undone within three months"
            f" ({movement.changes} changes, {movement.reversals} undone)"
        )
    main, ordinary, small = TierLevel.MAIN, TierLevel.ORDINARY, TierLevel.SMALL
    assert with_rules == Movement(6_000, 2_489, 192, {main: 250, ordinary: 507, small: 1_243})
    assert without == Movement(6_000, 4_145, 1_526, {main: 204, ordinary: 494, small: 1_302})


@pytest.mark.parametrize("population", [EVERYBODY, Population(customers=400, seed=8)])
def test_rules_spare_changes_and_hardly_any_is_undone_soon(population: Population) -> None:
    with_rules = lived(population, has_rules=True)
    without = lived(population, has_rules=False)
    assert 0 < with_rules.changes <= 0.70 * without.changes
    assert 0 < with_rules.reversed_share <= without.reversed_share / 3
    assert 0 < with_rules.reversals <= without.reversals / 3
