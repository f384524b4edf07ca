"""Tiers by thresholds: where the lines lie, what lifts a card, what takes a tier back, and why."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.rules.tier_figures import Figures
from app.rules.tier_policies import Policy, window_from
from app.rules.tiering import (
    Assigned,
    Held,
    Step,
    follow,
    held_of,
    missing_to_next,
)
from app.vocabulary import PolicyMethod, TierCause, TierLevel

MAIN, ORDINARY, SMALL = TierLevel.MAIN, TierLevel.ORDINARY, TierLevel.SMALL
INITIAL, UPGRADE, REVERSAL = TierCause.INITIAL, TierCause.UPGRADE, TierCause.REVERSAL
POLICY_ID = UUID("01937e00-0000-7000-8000-000000000001")
BODY: dict[str, Any] = {
    "metric": "net_spend",
    "window_days": 365,
    # Out of order on purpose: the policy sorts them.
    "levels": [
        {"level": "ordinary", "at_least": "300.00"},
        {"level": "main", "at_least": "1000.00"},
        {"level": "small", "at_least": "0.00"},
    ],
    "keep": {"factor": "0.90", "hold_days": 180, "notice_days": 30},
}
THRESHOLD = PolicyMethod.THRESHOLD
POLICY = Policy.of(POLICY_ID, 3, "Twelve months", THRESHOLD, BODY)
TODAY = date(2026, 11, 21)
ONE, TWO, THREE, FOUR = (UUID(int=number) for number in (1, 2, 3, 4))

cents = st.integers(-200_000, 300_000).map(lambda n: Decimal(n) / 100)
prices = st.integers(0, 60_000).map(lambda n: Decimal(n) / 100)
days = st.dates(date(2000, 1, 1), date(2099, 12, 31))
levels = st.sampled_from([MAIN, ORDINARY, SMALL])


def yuan(text: str) -> Decimal:
    """Return an amount."""
    return Decimal(text)


# --- The policy -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("net", "level"),
    [
        ("-50.00", SMALL),
        ("0.00", SMALL),
        ("299.99", SMALL),
        ("300.00", ORDINARY),
        ("999.99", ORDINARY),
        ("1000.00", MAIN),
        ("999999999999.99", MAIN),
    ],
)
def test_thresholds_are_reached_at_the_cent(net: str, level: TierLevel) -> None:
    assert POLICY.earned(yuan(net)).level == level


@given(net=cents, more=prices)
def test_more_spend_never_lowers_a_tier(net: Decimal, more: Decimal) -> None:
    before, after = POLICY.earned(net).level, POLICY.earned(net + more).level
    assert POLICY.rank(after) >= POLICY.rank(before)


def test_levels_stand_from_the_highest_to_the_lowest_and_know_their_neighbours() -> None:
    assert [rule.level for rule in POLICY.levels] == [MAIN, ORDINARY, SMALL]
    assert [POLICY.rank(level) for level in (MAIN, ORDINARY, SMALL)] == [2, 1, 0]
    assert POLICY.rank(TierLevel.KEY) == -1
    above = [POLICY.next_above(level) for level in (MAIN, ORDINARY, SMALL)]
    assert [rule and rule.level for rule in above] == [None, MAIN, ORDINARY]
    assert POLICY.rule_of(TierLevel.KEY) is None


KEEP = BODY["keep"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"metric": "recency"}, id="a metric of no amount"),
        pytest.param({"levels": []}, id="no level"),
        pytest.param({"levels": None}, id="levels missing"),
        pytest.param({"levels": [{"level": "main", "at_least": "1"}]}, id="none at zero"),
        pytest.param({"levels": [{"level": "main", "at_least": "-1"}]}, id="below zero"),
        pytest.param({"levels": [{"level": "gold", "at_least": "0"}]}, id="unknown level"),
        pytest.param({"levels": [{"level": "main", "at_least": "NaN"}]}, id="not a number"),
        pytest.param({"levels": [{"level": "main", "at_least": "much"}]}, id="a word"),
        pytest.param({"levels": [{"level": "main"}]}, id="no threshold"),
        pytest.param(
            {"levels": [*BODY["levels"], {"level": "key", "at_least": "300"}]}, id="same threshold"
        ),
        pytest.param(
            {"levels": [*BODY["levels"], {"level": "main", "at_least": "2000"}]}, id="same level"
        ),
        pytest.param({"window_days": 0}, id="no window"),
        pytest.param({"window_days": 1096}, id="a window longer than three years"),
        pytest.param({"window_days": "long"}, id="window is a word"),
        pytest.param({"keep": None}, id="keep missing"),
        pytest.param({"keep": {**KEEP, "factor": "0"}}, id="factor zero"),
        pytest.param({"keep": {**KEEP, "factor": "1.01"}}, id="factor above one"),
        pytest.param({"keep": {**KEEP, "hold_days": -1}}, id="negative hold"),
        pytest.param({"keep": {**KEEP, "notice_days": -1}}, id="negative notice"),
    ],
)
def test_a_body_that_is_no_threshold_policy_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Policy.of(POLICY_ID, 1, "odd", THRESHOLD, {**BODY, **changes})


@pytest.mark.parametrize("missing", sorted(BODY))
def test_a_body_with_something_missing_is_refused(missing: str) -> None:
    body = {name: value for name, value in BODY.items() if name != missing}
    with pytest.raises(ValueError, match="not that of a tier policy"):
        Policy.of(POLICY_ID, 1, "odd", THRESHOLD, body)


# --- What receipts do -------------------------------------------------------------------------


def run(net_before: str, held: Held, *steps: Step) -> list[tuple[TierLevel, TierCause | None, str]]:
    """Return level, cause and net spend after each step."""
    return [
        (outcome.after, outcome.cause, str(outcome.score))
        for outcome in follow(POLICY, yuan(net_before), held, steps)
    ]


def test_receipts_lift_a_card_step_by_step() -> None:
    assert run(
        "0.00",
        Held(SMALL, TODAY),
        Step(ONE, yuan("299.99")),
        Step(TWO, yuan("0.01")),
        Step(THREE, yuan("699.99")),
        Step(FOUR, yuan("0.01")),
    ) == [
        (SMALL, None, "299.99"),
        (ORDINARY, UPGRADE, "300.00"),
        (ORDINARY, None, "999.99"),
        (MAIN, UPGRADE, "1000.00"),
    ]


def test_one_receipt_may_lift_a_card_two_levels() -> None:
    assert run("0.00", Held(SMALL, TODAY), Step(ONE, yuan("1000.00"))) == [
        (MAIN, UPGRADE, "1000.00")
    ]


def test_taking_back_what_earned_a_tier_returns_the_card_to_what_it_held() -> None:
    assert run(
        "0.00",
        Held(SMALL, TODAY),
        Step(ONE, yuan("400.00")),
        Step(TWO, yuan("700.00")),
        Step(THREE, yuan("-700.00"), undoes=TWO),
        Step(FOUR, yuan("-400.00"), undoes=ONE),
    ) == [
        (ORDINARY, UPGRADE, "400.00"),
        (MAIN, UPGRADE, "1100.00"),
        (ORDINARY, REVERSAL, "400.00"),
        (SMALL, REVERSAL, "0.00"),
    ]


def test_taking_it_back_in_parts_ends_where_taking_it_back_at_once_does() -> None:
    assert run(
        "0.00",
        Held(SMALL, TODAY),
        Step(ONE, yuan("1100.00")),
        Step(TWO, yuan("-100.00"), undoes=ONE),
        Step(THREE, yuan("-0.01"), undoes=ONE),
        Step(FOUR, yuan("-999.99"), undoes=ONE),
    ) == [
        (MAIN, UPGRADE, "1100.00"),
        (MAIN, TierCause.CARRIED, "1000.00"),
        (ORDINARY, REVERSAL, "999.99"),
        (SMALL, REVERSAL, "0.00"),
    ]


def test_a_purchase_that_lifts_a_card_again_is_taken_back_as_one() -> None:
    # A part is taken back, then that refund is voided: the purchase counts whole again.
    assert run(
        "0.00",
        Held(SMALL, TODAY),
        Step(ONE, yuan("1000.00")),
        Step(ONE, yuan("-200.00"), undoes=ONE),
        Step(ONE, yuan("200.00"), undoes=TWO),
        Step(ONE, yuan("-1000.00"), undoes=ONE),
    ) == [
        (MAIN, UPGRADE, "1000.00"),
        (ORDINARY, REVERSAL, "800.00"),
        (MAIN, UPGRADE, "1000.00"),
        (SMALL, REVERSAL, "0.00"),
    ]


def test_taking_back_another_purchase_leaves_the_tier() -> None:
    held = Held(MAIN, TODAY, TWO, Held(SMALL, TODAY))
    assert run("1100.00", held, Step(THREE, yuan("-1100.00"), undoes=ONE)) == [(MAIN, None, "0.00")]


def test_a_card_never_falls_below_what_it_held_before_although_its_figures_have() -> None:
    # It held ordinary from an earlier year; the purchase that made it main is taken back.
    held = Held(MAIN, TODAY, TWO, Held(ORDINARY, TODAY, ONE))
    assert run("1000.00", held, Step(THREE, yuan("-1000.00"), undoes=TWO)) == [
        (ORDINARY, REVERSAL, "0.00")
    ]


def test_a_level_the_policy_does_not_know_gives_way_to_what_is_earned() -> None:
    assert run("0.00", Held(TierLevel.KEY, TODAY), Step(ONE, yuan("300.00"))) == [
        (ORDINARY, TierCause.POLICY, "300.00")
    ]


@given(net=cents, held=levels, amounts=st.lists(prices, max_size=8), data=st.data())
def test_the_order_of_sales_does_not_change_where_they_lead(
    net: Decimal, held: TierLevel, amounts: list[Decimal], data: st.DataObject
) -> None:
    steps = [Step(UUID(int=number), amount) for number, amount in enumerate(amounts)]
    shuffled = data.draw(st.permutations(steps))
    ends = [
        (outcomes[-1].after, outcomes[-1].score) if outcomes else (held, net)
        for outcomes in (
            follow(POLICY, net, Held(held, TODAY), order) for order in (steps, shuffled)
        )
    ]
    assert ends[0] == ends[1]


@given(net=cents, held=levels, amounts=st.lists(prices, max_size=8))
def test_sales_alone_never_lower_a_tier_and_reach_what_they_earn(
    net: Decimal, held: TierLevel, amounts: list[Decimal]
) -> None:
    ranks = [POLICY.rank(held)]
    steps = [Step(UUID(int=number), amount) for number, amount in enumerate(amounts)]
    for outcome in follow(POLICY, net, Held(held, TODAY), steps):
        ranks.append(POLICY.rank(outcome.after))
        assert ranks[-1] >= POLICY.rank(POLICY.earned(outcome.score).level)
    assert ranks == sorted(ranks)


@example(sales=[yuan("0.02"), yuan("0"), yuan("599.98"), yuan("600")], undone=[3, 0], share=3)
@given(
    sales=st.lists(prices, min_size=1, max_size=6),
    undone=st.lists(st.integers(0, 5), max_size=6),
    share=st.integers(1, 4),
)
def test_a_tier_falls_only_when_what_earned_it_is_taken_back(
    sales: list[Decimal], undone: list[int], share: int
) -> None:
    steps = [Step(UUID(int=number), amount) for number, amount in enumerate(sales)]
    left = dict(enumerate(sales))
    for place, number in enumerate(undone):
        if number in left:
            part = (left[number] / share).quantize(Decimal("0.01"))
            left[number] -= part
            steps.append(Step(UUID(int=100 + place), -part, undoes=UUID(int=number)))
    held = Held(SMALL, TODAY)
    for step, outcome in zip(steps, follow(POLICY, Decimal(0), held, steps), strict=True):
        before, after = POLICY.rank(outcome.before), POLICY.rank(outcome.after)
        if outcome.cause is REVERSAL:
            assert after < before
            assert step.undoes is not None
            assert held.is_carried or step.undoes == held.purchase_id
        elif outcome.cause is UPGRADE:
            assert after > before
        else:
            assert after == before
        assert after >= POLICY.rank(POLICY.earned(outcome.score).level)
        held = outcome.held


@given(
    sales=st.lists(prices, min_size=1, max_size=6),
    undone=st.lists(st.integers(0, 5), max_size=6, unique=True),
)
def test_the_history_tells_what_the_receipts_led_to(
    sales: list[Decimal], undone: list[int]
) -> None:
    steps = [Step(UUID(int=number), amount) for number, amount in enumerate(sales)]
    steps += [
        Step(UUID(int=100 + number), -sales[number], undoes=UUID(int=number))
        for number in undone
        if number < len(sales)
    ]
    history, held = [Assigned(SMALL, TODAY, INITIAL)], Held(SMALL, TODAY)
    for outcome in follow(POLICY, Decimal(0), held, steps):
        held = outcome.held
        if outcome.cause is not None:
            earned_by = held.purchase_id if outcome.cause is UPGRADE else None
            history.append(Assigned(held.level, TODAY, outcome.cause, earned_by))
    assert held_of(POLICY, history) == held


def test_no_history_holds_nothing() -> None:
    assert held_of(POLICY, []) is None


# --- What is missing, what keeps --------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "net", "missing"),
    [
        (SMALL, "0.00", "300.00"),
        (SMALL, "299.99", "0.01"),
        (SMALL, "-10.00", "310.00"),
        (ORDINARY, "300.00", "700.00"),
        (ORDINARY, "100.00", "900.00"),
        (ORDINARY, "1200.00", "0"),
        (MAIN, "1000.00", None),
    ],
)
def test_what_is_missing_to_the_next_level(level: TierLevel, net: str, missing: str | None) -> None:
    expected = None if missing is None else yuan(missing)
    assert missing_to_next(POLICY, level, yuan(net)) == expected


def test_the_window_is_the_day_and_the_364_before_it() -> None:
    standing = Figures(TODAY, yuan("0"), 0, yuan("0"))
    assert window_from(POLICY, standing.as_of) == date(2025, 11, 22)
