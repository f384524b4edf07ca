"""Upgrades of hollow accounts: held, asked about once, refused for a time, let go when sound."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.hollow_accounts import HollowEvidence
from app.rules.tier_policies import Policy
from app.rules.tier_reviews import OpenReview, Refusal, Rise, Verdict, is_called_for, judge
from app.vocabulary import PolicyMethod, TierLevel

MAIN, ORDINARY, SMALL, KEY = TierLevel.MAIN, TierLevel.ORDINARY, TierLevel.SMALL, TierLevel.KEY
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
POLICY = Policy.of(UUID(int=1), 1, "Three tiers", PolicyMethod.THRESHOLD, BODY)
TODAY = date(2026, 11, 28)
HOLLOW = HollowEvidence(TODAY, Decimal("1200.00"), Decimal("1000.00"), ())
REVIEW = UUID(int=7)
TO_MAIN = Rise(UUID(int=2), POLICY, SMALL, MAIN)
TO_ORDINARY = Rise(UUID(int=2), POLICY, SMALL, ORDINARY)


def refused(level: TierLevel, days_ago: int) -> Refusal:
    """Return a refusal of some days ago."""
    return Refusal(REVIEW, level, TODAY - timedelta(days=days_ago))


@pytest.mark.parametrize(
    ("rise", "waiting", "refusals", "verdict"),
    [
        pytest.param(TO_MAIN, None, [], Verdict(True, opens=True), id="the first time it is asked"),
        pytest.param(
            TO_MAIN, MAIN, [], Verdict(True, refreshes=True), id="it waits, and goes on waiting"
        ),
        pytest.param(
            TO_MAIN,
            ORDINARY,
            [],
            Verdict(True, refreshes=True, raises=True),
            id="it waits, and has earned more since",
        ),
        pytest.param(
            TO_ORDINARY,
            MAIN,
            [],
            Verdict(True, lapses=True, opens=True),
            id="it waits for more than it earns by now",
        ),
        pytest.param(
            TO_MAIN,
            KEY,
            [],
            Verdict(True, lapses=True, opens=True),
            id="it waits for a level that the policy does not know",
        ),
        pytest.param(
            TO_MAIN,
            None,
            [refused(MAIN, 179)],
            Verdict(True, refusal=refused(MAIN, 179)),
            id="refused 179 days ago",
        ),
        pytest.param(
            TO_MAIN, None, [refused(MAIN, 180)], Verdict(True, opens=True), id="180 days ago"
        ),
        pytest.param(
            TO_ORDINARY,
            None,
            [refused(MAIN, 10)],
            Verdict(True, refusal=refused(MAIN, 10)),
            id="a refusal is of the levels below too",
        ),
        pytest.param(
            TO_MAIN,
            None,
            [refused(ORDINARY, 10)],
            Verdict(True, opens=True),
            id="a refusal is of no higher level",
        ),
        pytest.param(
            TO_MAIN,
            None,
            [refused(ORDINARY, 10), refused(MAIN, 90)],
            Verdict(True, refusal=refused(MAIN, 90)),
            id="the older of two refusals is of this level",
        ),
        pytest.param(
            TO_ORDINARY,
            MAIN,
            [refused(ORDINARY, 10)],
            Verdict(True, lapses=True, refusal=refused(ORDINARY, 10)),
            id="what it still earns was refused, what it waits for it does not earn",
        ),
    ],
)
def test_what_becomes_of_a_hollow_card_that_is_about_to_rise(
    rise: Rise, waiting: TierLevel | None, refusals: list[Refusal], verdict: Verdict
) -> None:
    review = None if waiting is None else OpenReview(REVIEW, waiting)
    assert judge(rise, HOLLOW, review, refusals, TODAY) == verdict


@pytest.mark.parametrize("refusals", [[], [refused(MAIN, 1)]], ids=["never asked", "refused"])
def test_a_card_that_is_not_hollow_any_more_rises_and_its_review_lapses(
    refusals: list[Refusal],
) -> None:
    assert judge(TO_MAIN, None, None, refusals, TODAY) == Verdict(False)
    waiting = OpenReview(REVIEW, MAIN)
    assert judge(TO_MAIN, None, waiting, refusals, TODAY) == Verdict(False, lapses=True)


@pytest.mark.parametrize(
    ("asked", "level", "earned", "expected"),
    [
        pytest.param(MAIN, SMALL, MAIN, True, id="earned, and not held"),
        pytest.param(ORDINARY, SMALL, MAIN, True, id="more than that is earned"),
        pytest.param(MAIN, SMALL, ORDINARY, False, id="no longer earned"),
        pytest.param(MAIN, MAIN, MAIN, False, id="held by now"),
        pytest.param(ORDINARY, MAIN, MAIN, False, id="more than that is held by now"),
        pytest.param(KEY, SMALL, MAIN, False, id="not a level any more"),
    ],
)
def test_a_review_is_called_for_while_its_level_is_earned_and_not_held(
    asked: TierLevel, level: TierLevel, earned: TierLevel, expected: bool
) -> None:
    assert is_called_for(POLICY, asked, level, earned) is expected


levels = st.sampled_from([MAIN, ORDINARY, SMALL, KEY])


@given(
    st.sampled_from([TO_MAIN, TO_ORDINARY]),
    st.none() | levels,
    st.lists(st.builds(refused, levels, st.integers(0, 400)), max_size=3),
)
def test_a_hollow_card_never_rises_and_never_has_two_reviews(
    rise: Rise, asked: TierLevel | None, refusals: list[Refusal]
) -> None:
    waiting = None if asked is None else OpenReview(REVIEW, asked)
    verdict = judge(rise, HOLLOW, waiting, refusals, TODAY)

    assert verdict.is_held
    open_afterwards = int(waiting is not None) - verdict.lapses + verdict.opens
    assert open_afterwards == int(verdict.refusal is None)
    # Somebody is asked, or has answered.
    assert (verdict.refusal is not None) != (verdict.opens or verdict.refreshes)
