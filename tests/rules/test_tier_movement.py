"""What moves a card under any policy: properties over made-up policies, figures and receipts."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.rules.tier_calibrations import Calibration
from app.rules.tier_figures import WITHOUT_SOURCE, Figures
from app.rules.tier_policies import METRICS, Policy
from app.rules.tier_reach import LARGEST_PURCHASE, spend_to_reach
from app.rules.tiering import (
    Assigned,
    Held,
    Step,
    StepOutcome,
    counted,
    figures_with,
    held_of,
    inherited,
    joined,
    judge,
    kept_after_lock,
    latest_end,
    moved_by,
)
from app.vocabulary import Indicator, PolicyMethod, TierCause, TierLevel, Unit

TODAY = date(2026, 11, 21)
LEVELS = ("key", "important", "general", "maintenance")
KEY, GENERAL, LOWEST = TierLevel.KEY, TierLevel.GENERAL, TierLevel.MAINTENANCE
MAIN, ORDINARY, SMALL = TierLevel.MAIN, TierLevel.ORDINARY, TierLevel.SMALL
ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))
KEEP = {"factor": "0.90", "hold_days": 180, "notice_days": 30}
INDICATORS = sorted(set(Indicator) - WITHOUT_SOURCE)

cents = st.integers(0, 3_000_00).map(lambda n: Decimal(n) / 100)
metrics = st.sampled_from(sorted(METRICS))


@st.composite
def cuts(draw: st.DrawFn, highest: int) -> list[Decimal]:
    """Return what the levels ask for, from the highest to the lowest, which is for everybody."""
    drawn = draw(st.lists(st.integers(1, highest), min_size=3, max_size=3, unique=True))
    return [*(Decimal(n) for n in sorted(drawn, reverse=True)), Decimal(0)]


@st.composite
def thresholds(draw: st.DrawFn) -> Policy:
    """Return a threshold policy of any figure."""
    asked = draw(cuts(2_000))
    body = {
        "metric": str(draw(metrics)),
        "window_days": 365,
        "levels": [
            {"level": level, "at_least": str(cut)} for level, cut in zip(LEVELS, asked, strict=True)
        ],
        "keep": KEEP,
    }
    return Policy.of(ONE, 1, "thresholds", PolicyMethod.THRESHOLD, body)


def calibrated(asked: list[Decimal], knots: dict[Indicator, tuple[Decimal, ...]]) -> Calibration:
    """Return a calibration with these cuts and knots."""
    by_level = {TierLevel(level): cut for level, cut in zip(LEVELS, asked, strict=True)}
    return Calibration(TODAY, 100, by_level, knots)


SHARES = [
    {"level": level, "top_percent": percent}
    for level, percent in zip(LEVELS, ("5", "20", "60", "100"), strict=True)
]


@st.composite
def shares(draw: st.DrawFn) -> Policy:
    """Return a share policy of any figure, with cuts of any snapshot."""
    body = {
        "metric": str(draw(metrics)),
        "share_of": draw(st.sampled_from(["customers", "value"])),
        "window_days": 365,
        "levels": SHARES,
        "keep": KEEP,
    }
    calibration = calibrated(draw(cuts(2_000)), {})
    return Policy.of(ONE, 1, "shares", PolicyMethod.SHARE, body, calibration)


@st.composite
def composites(draw: st.DrawFn) -> Policy:
    """Return a composite policy of any indicators, with knots of any snapshot."""
    chosen = draw(st.lists(st.sampled_from(INDICATORS), min_size=1, max_size=6, unique=True))
    weights = draw(st.lists(st.integers(1, 9), min_size=len(chosen), max_size=len(chosen)))
    knots = {
        one: tuple(
            Decimal(n)
            for n in sorted(draw(st.lists(st.integers(-500, 2_000), min_size=100, max_size=100)))
        )
        for one in chosen
    }
    body = {
        "indicators": [
            {"indicator": str(one), "weight": f"0.{weight}"}
            for one, weight in zip(chosen, weights, strict=True)
        ],
        "window_days": 365,
        "levels": SHARES,
        "keep": KEEP,
    }
    calibration = calibrated(draw(cuts(100)), knots)
    return Policy.of(ONE, 1, "composite", PolicyMethod.COMPOSITE, body, calibration)


policies = st.one_of(thresholds(), shares(), composites())


@st.composite
def figures(draw: st.DrawFn) -> Figures:
    """Return the figures of a card whose goods were not sold below their cost."""
    net, refunded = draw(cents), draw(cents)
    costed = draw(st.sampled_from([Decimal(0), net]))
    return Figures(
        as_of=TODAY,
        net_spend=net,
        purchases=draw(st.integers(1, 60)),
        refunded=refunded,
        gross_spend=net + refunded,
        costed=costed,
        margin=(costed * draw(st.integers(0, 100)) / 100).quantize(Decimal("0.01")),
        purchase_days=draw(st.integers(1, 60)),
        last_purchase_on=TODAY - timedelta(days=draw(st.integers(0, 700))),
        net_180=draw(cents),
        net_prior_180=draw(cents),
        breadth=draw(st.none() | st.integers(0, 9)),
        contacts=draw(st.integers(0, 9)),
        service_cost=draw(cents),
    )


levels = st.sampled_from([TierLevel(level) for level in LEVELS])


@st.composite
def held_tiers(draw: st.DrawFn) -> Held:
    """Return what a card may hold."""
    before = draw(st.none() | levels.map(lambda level: Held(level, TODAY)))
    purchase_id = draw(st.none() | st.sampled_from([ONE, TWO]))
    return Held(draw(levels), TODAY, purchase_id, before, is_carried=draw(st.booleans()))


steps = st.lists(
    st.builds(
        Step,
        st.sampled_from([ONE, TWO, THREE]),
        st.integers(-500_00, 500_00).map(lambda n: Decimal(n) / 100),
        st.none() | st.sampled_from([ONE, TWO, THREE]),
    ),
    max_size=5,
)


def rank_of(policy: Policy, card: Figures) -> int:
    """Return the rank of what the figures earn."""
    return policy.rank(policy.earned(policy.score(card)).level)


@given(policy=policies, card=figures(), more=cents, held=held_tiers())
def test_more_net_spend_never_lowers_a_tier(
    policy: Policy, card: Figures, more: Decimal, held: Held
) -> None:
    richer = replace(card, net_spend=card.net_spend + more)
    bought = card.with_purchase(more)
    assert rank_of(policy, richer) >= rank_of(policy, card)
    assert rank_of(policy, bought) >= rank_of(policy, card)
    for after in (richer, bought):
        (outcome,) = moved_by(policy, policy.score(after), held, [Step(THREE, more)])
        assert policy.rank(outcome.after) >= policy.rank(held.level)
        assert policy.rank(outcome.after) >= rank_of(policy, after)


@given(policy=policies, card=figures(), held=held_tiers(), receipts=steps, data=st.data())
def test_receipts_that_are_judged_together_lead_to_the_same_level_in_any_order(
    policy: Policy, card: Figures, held: Held, receipts: list[Step], data: st.DataObject
) -> None:
    assume(receipts)
    shuffled = data.draw(st.permutations(receipts))
    score = policy.score(card)
    first, second = (judge(policy, score, held, order) for order in (receipts, shuffled))
    assert first[-1].after == second[-1].after
    assert first[-1].cause == second[-1].cause
    assert all(outcome.cause is None for outcome in first[:-1])


@given(policy=policies, card=figures(), held=held_tiers(), receipts=steps)
def test_looking_again_moves_nobody(
    policy: Policy, card: Figures, held: Held, receipts: list[Step]
) -> None:
    outcomes = moved_by(policy, policy.score(card), held, receipts)
    now = outcomes[-1].held if outcomes else held
    again = moved_by(policy, policy.score(card), now, [Step(THREE, Decimal(0))])
    if outcomes:
        assert [outcome.cause for outcome in again] == [None]
        assert again[0].held == now


@given(policy=policies, card=figures(), held=held_tiers(), receipts=steps)
def test_a_locked_card_stays(
    policy: Policy, card: Figures, held: Held, receipts: list[Step]
) -> None:
    locked = Held(held.level, TODAY, None, held, is_locked=True)
    outcomes = moved_by(policy, policy.score(card), locked, receipts)
    assert len(outcomes) == len(receipts)
    assert {(outcome.held, outcome.cause) for outcome in outcomes} <= {(locked, None)}


@given(policy=policies, card=figures(), held=held_tiers(), receipts=steps)
def test_who_has_to_be_looked_at_first_never_rises(
    policy: Policy, card: Figures, held: Held, receipts: list[Step]
) -> None:
    ranks = [policy.rank(held.level)]
    for outcome in moved_by(policy, policy.score(card), held, receipts, may_rise=False):
        ranks.append(policy.rank(outcome.after))
        assert outcome.cause is not TierCause.UPGRADE
    assert all(earlier >= later for earlier, later in pairwise(ranks))


@given(policy=policies, card=figures(), more=cents, level=levels)
def test_what_a_purchase_earned_goes_with_it(
    policy: Policy, card: Figures, more: Decimal, level: TierLevel
) -> None:
    held = Held(level, TODAY)
    assume(rank_of(policy, card) <= policy.rank(level))
    bought = card.with_purchase(more)
    (up,) = moved_by(policy, policy.score(bought), held, [Step(THREE, more)])
    score = policy.score(card)
    (back,) = moved_by(policy, score, up.held, [Step(THREE, -more, undoes=THREE)])
    assert back.after == level
    if up.cause is TierCause.UPGRADE:
        assert (back.cause, back.held) == (TierCause.REVERSAL, held)


def written(held: Held, outcomes: list[StepOutcome]) -> list[Assigned]:
    """Return the entries of a history that a card's receipts add."""
    return [
        Assigned(
            outcome.after,
            TODAY,
            outcome.cause,
            outcome.held.purchase_id if outcome.cause is TierCause.UPGRADE else None,
        )
        for outcome in outcomes
        if outcome.cause is not None
    ]


@given(policy=policies, cards=st.lists(st.tuples(figures(), steps), max_size=4))
def test_the_history_tells_the_level_that_receipts_led_to(
    policy: Policy, cards: list[tuple[Figures, list[Step]]]
) -> None:
    history = [Assigned(LOWEST, TODAY, TierCause.INITIAL)]
    for card, receipts in cards:
        held = held_of(policy, history)
        assert held is not None
        outcomes = moved_by(policy, policy.score(card), held, receipts)
        history += written(held, outcomes)
        if outcomes:
            now = held_of(policy, history)
            assert now is not None
            assert now.level == outcomes[-1].after


@given(policy=policies, card=figures(), data=st.data())
def test_the_purchase_that_is_named_gets_there_and_a_cent_less_does_not(
    policy: Policy, card: Figures, data: st.DataObject
) -> None:
    asked = data.draw(st.sampled_from(policy.levels)).at_least
    spend = spend_to_reach(policy, card, asked)
    if spend is None:
        is_counted = policy.unit in (Unit.DAYS, Unit.TIMES)
        assert is_counted or policy.score(card.with_purchase(LARGEST_PURCHASE)) < asked
    elif spend == 0:
        assert policy.score(card) >= asked
    else:
        assert policy.score(card) < asked
        assert policy.score(card.with_purchase(spend)) >= asked
        less = spend - Decimal("0.01")
        assert not less or policy.score(card.with_purchase(less)) < asked


# --- A batch that is judged as a whole ------------------------------------------------------------

MARGIN = Policy.of(
    ONE,
    1,
    "By margin",
    PolicyMethod.THRESHOLD,
    {
        "metric": "margin",
        "window_days": 90,
        "levels": [
            {"level": "main", "at_least": "100.00"},
            {"level": "ordinary", "at_least": "30.00"},
            {"level": "small", "at_least": "0.00"},
        ],
        "keep": KEEP,
    },
)
CHEAP = Held(SMALL, TODAY)


def judged(score: str, held: Held, *receipts: Step) -> tuple[TierLevel, TierCause | None, Held]:
    """Return what the last of some receipts did."""
    outcome = judge(MARGIN, Decimal(score), held, receipts)[-1]
    return outcome.after, outcome.cause, outcome.held


def test_the_last_purchase_is_what_a_higher_tier_is_due_to() -> None:
    found = judged(
        "100.00", CHEAP, Step(ONE, Decimal(5)), Step(TWO, Decimal(3)),
        Step(THREE, Decimal(-1), undoes=ONE),
    )  # fmt: skip
    assert found == (MAIN, TierCause.UPGRADE, Held(MAIN, TODAY, TWO, CHEAP))


def test_what_is_bought_and_taken_back_in_one_batch_leaves_nothing() -> None:
    assert judged("0.00", CHEAP, Step(ONE, Decimal(5)), Step(ONE, Decimal(-5), undoes=ONE)) == (
        SMALL, None, CHEAP,
    )  # fmt: skip


def test_a_tier_that_others_earn_is_carried_and_then_ends_with_any_of_them() -> None:
    held = Held(ORDINARY, TODAY, ONE, CHEAP)
    level, cause, carried = judged("30.00", held, Step(ONE, Decimal(-5), undoes=ONE))
    assert (level, cause, carried.is_carried) == (ORDINARY, TierCause.CARRIED, True)
    assert judged("29.99", carried, Step(TWO, Decimal(-5), undoes=TWO)) == (
        SMALL, TierCause.REVERSAL, CHEAP,
    )  # fmt: skip


def test_taking_back_what_earned_a_tier_while_others_lift_the_card_counts_as_done_first() -> None:
    held = Held(ORDINARY, TODAY, ONE, CHEAP)
    level, cause, now = judged(
        "120.00", held, Step(ONE, Decimal(-50), undoes=ONE), Step(TWO, Decimal(400))
    )
    assert (level, cause, now) == (MAIN, TierCause.UPGRADE, Held(MAIN, TODAY, TWO, CHEAP))
    # With that purchase gone as well, nothing is left of what the first one had earned.
    assert judged("0.00", now, Step(TWO, Decimal(-400), undoes=TWO))[0] is SMALL


def test_no_receipts_do_nothing() -> None:
    assert judge(MARGIN, Decimal(500), CHEAP, []) == []


def test_a_day_outside_the_window_adds_nothing() -> None:
    days = [date(2026, 8, 24), date(2026, 8, 23), TODAY, TODAY + timedelta(days=1), None]
    receipts = [Step(ONE, Decimal(5), None, day) for day in days]
    assert [step.adds for step in counted(MARGIN, TODAY, receipts)] == [5, 0, 5, 0, 5]
    year = replace(MARGIN, window_days=365)
    # Statistics of a year count what a till sold whose clock is ahead.
    assert [step.adds for step in counted(year, TODAY, receipts)] == [5, 5, 5, 5, 5]


def test_figures_are_those_with_a_receipt_only_where_receipts_add_up() -> None:
    card = Figures(TODAY, Decimal(900), 3)
    outcome = StepOutcome(SMALL, CHEAP, Decimal(250), None)
    assert figures_with(MARGIN, card, outcome) == card
    by_net = replace(MARGIN, metric=Indicator.NET_SPEND)
    assert figures_with(by_net, card, outcome).net_spend == 250


# --- Levels set by hand, evaluations, other policies ----------------------------------------------


def entry(level: TierLevel, cause: TierCause, purchase_id: UUID | None = None) -> Assigned:
    """Return an entry of a history."""
    return Assigned(level, TODAY, cause, purchase_id)


START = entry(SMALL, TierCause.INITIAL)
UP = entry(ORDINARY, TierCause.UPGRADE, ONE)
LOCK = entry(MAIN, TierCause.OVERRIDE)
EARNED = Held(ORDINARY, TODAY, ONE, CHEAP)


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        pytest.param(
            [LOCK], Held(MAIN, TODAY, is_locked=True), id="set by hand from the beginning"
        ),
        pytest.param(
            [START, UP, LOCK, entry(SMALL, TierCause.OVERRIDE)],
            Held(SMALL, TODAY, None, EARNED, is_locked=True),
            id="one in place of another",
        ),
        pytest.param(
            [START, UP, LOCK, entry(ORDINARY, TierCause.OVERRIDE_ENDED)], EARNED,
            id="ended, and as before",
        ),
        pytest.param(
            [START, UP, entry(SMALL, TierCause.OVERRIDE), entry(MAIN, TierCause.OVERRIDE_ENDED)],
            Held(MAIN, TODAY, None, EARNED, is_carried=True),
            id="ended, and more is earned by now",
        ),
        pytest.param(
            [START, UP, LOCK, entry(SMALL, TierCause.OVERRIDE_ENDED)], CHEAP,
            id="ended, and what earned it was taken back",
        ),
        pytest.param(
            [START, UP, entry(MAIN, TierCause.UPGRADE, TWO), entry(ORDINARY, TierCause.EVALUATION)],
            EARNED,
            id="fallen to what it held before",
        ),
        pytest.param(
            [START, entry(MAIN, TierCause.UPGRADE, TWO), entry(ORDINARY, TierCause.EVALUATION)],
            Held(ORDINARY, TODAY, None, CHEAP),
            id="fallen to what it never held",
        ),
        pytest.param(
            [START, entry(ORDINARY, TierCause.REVIEWED, ONE)], EARNED, id="accepted after a review"
        ),
        pytest.param(
            [entry(KEY, TierCause.INITIAL), entry(ORDINARY, TierCause.POLICY)],
            Held(ORDINARY, TODAY, None, Held(KEY, TODAY)),
            id="moved by another policy",
        ),
    ],
)  # fmt: skip
def test_what_a_history_says_a_card_holds(history: list[Assigned], expected: Held) -> None:
    assert held_of(MARGIN, history) == expected


@pytest.mark.parametrize(
    ("before", "taken_back", "kept"),
    [
        (None, set(), SMALL),
        (EARNED, set(), ORDINARY),
        (EARNED, {TWO}, ORDINARY),
        (EARNED, {ONE}, SMALL),
        (Held(MAIN, TODAY, TWO, EARNED), {TWO}, ORDINARY),
        (Held(MAIN, TODAY, TWO, EARNED), {ONE, TWO}, SMALL),
        (Held(MAIN, TODAY, None, EARNED, is_carried=True), {THREE}, ORDINARY),
        (Held(MAIN, TODAY, None, EARNED, is_carried=True), set(), MAIN),
        (Held(KEY, TODAY), set(), SMALL),
    ],
)
def test_what_is_left_of_what_was_held_before_a_lock(
    before: Held | None, taken_back: set[UUID], kept: TierLevel
) -> None:
    locked = Held(MAIN, TODAY, None, before, is_locked=True)
    assert kept_after_lock(MARGIN, locked, taken_back) is kept


def locked(level: TierLevel, before: Held | None = None) -> Held:
    """Return a level set by hand."""
    return Held(level, TODAY, None, before, is_locked=True)


@pytest.mark.parametrize(
    ("held", "score", "level", "heir_of"),
    [
        pytest.param([locked(SMALL, EARNED), EARNED], "500", SMALL, None, id="a locked survivor"),
        pytest.param([CHEAP, locked(MAIN, EARNED)], "0", ORDINARY, 1, id="more was promised"),
        pytest.param([EARNED, locked(SMALL, CHEAP)], "0", ORDINARY, None, id="less was set"),
        pytest.param([CHEAP, locked(MAIN)], "100", MAIN, None, id="they earn it together"),
        pytest.param(
            [CHEAP, locked(ORDINARY, CHEAP), locked(MAIN, CHEAP)], "0", SMALL, 2,
            id="the best promise",
        ),
    ],
)  # fmt: skip
def test_locks_in_a_merge(
    held: list[Held], score: str, level: TierLevel, heir_of: int | None
) -> None:
    found, _ = joined(MARGIN, held, Decimal(score))
    assert found is level
    assert inherited(MARGIN, held, found) == heir_of


def test_who_waits_for_a_person_does_not_rise_by_a_merge() -> None:
    assert joined(MARGIN, [CHEAP, EARNED], Decimal(500), may_rise=False) == (ORDINARY, ONE)
    assert joined(MARGIN, [CHEAP, EARNED], Decimal(500)) == (MAIN, None)


@pytest.mark.parametrize(
    ("today", "last"), [("2026-11-21", "2028-11-21"), ("2028-02-29", "2030-03-01")]
)
def test_a_level_is_set_for_two_years_at_most(today: str, last: str) -> None:
    assert latest_end(date.fromisoformat(today)).isoformat() == last
