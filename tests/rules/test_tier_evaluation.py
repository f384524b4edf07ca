"""When a level may be lost: evaluations are months' firsts, nobody falls untold or too early."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.tier_evaluation import (
    Notice,
    NoticeFate,
    evaluation_on_or_after,
    evaluation_on_or_before,
    falls_on,
    fate_of,
    first_fall_on,
    is_below,
    is_time_to_notice,
    keep_line,
    lower_level,
)
from app.rules.tier_policies import Policy
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


def policy(version: int = 3, **keep: Any) -> Policy:
    """Return the three tiers with another rule for keeping a level."""
    body = {**BODY, "keep": {**BODY["keep"], **keep}}
    return Policy.of(UUID(int=1), version, "three", PolicyMethod.THRESHOLD, body)


days = st.dates(date(2000, 1, 1), date(2099, 1, 1))
keeps = st.fixed_dictionaries(
    {
        "hold_days": st.integers(0, 400),
        "notice_days": st.integers(0, 90),
        "grace_days": st.integers(0, 60),
    }
)


@pytest.mark.parametrize(
    ("day", "before", "after"),
    [
        (date(2026, 3, 1), date(2026, 3, 1), date(2026, 3, 1)),
        (date(2026, 3, 2), date(2026, 3, 1), date(2026, 4, 1)),
        (date(2026, 12, 31), date(2026, 12, 1), date(2027, 1, 1)),
        (date(2028, 2, 29), date(2028, 2, 1), date(2028, 3, 1)),
    ],
)
def test_evaluations_are_on_the_first_of_a_month(day: date, before: date, after: date) -> None:
    assert evaluation_on_or_before(day) == before
    assert evaluation_on_or_after(day) == after


@pytest.mark.parametrize(
    ("noticed_on", "keep", "expected"),
    [
        (date(2026, 1, 1), {}, date(2026, 2, 1)),
        # February is shorter than a notice.
        (date(2026, 2, 1), {}, date(2026, 4, 1)),
        (date(2026, 3, 1), {}, date(2026, 4, 1)),
        (date(2026, 4, 1), {}, date(2026, 5, 1)),
        (date(2026, 4, 1), {"grace_days": 1}, date(2026, 6, 1)),
        # The night of an evaluation that came days late tells later, and counts from then.
        (date(2026, 4, 3), {}, date(2026, 6, 1)),
        # Without a notice the fall is at the evaluation after the one that found it.
        (date(2026, 4, 1), {"notice_days": 0}, date(2026, 5, 1)),
    ],
)
def test_a_fall_lies_behind_the_notice_and_the_grace_period(
    noticed_on: date, keep: dict[str, int], expected: date
) -> None:
    assert falls_on(policy(**keep), noticed_on) == expected


@pytest.mark.parametrize(
    ("since", "noticed_on", "expected"),
    [
        # Held since 5 January: the hold passes on 4 July, the fall can be on 1 August.
        (date(2026, 1, 5), date(2026, 5, 1), False),
        (date(2026, 1, 5), date(2026, 6, 1), False),
        (date(2026, 1, 5), date(2026, 7, 1), True),
        # Held since 2 January: the hold passes on 1 July itself.
        (date(2026, 1, 2), date(2026, 6, 1), True),
        (date(2026, 1, 3), date(2026, 6, 1), False),
    ],
)
def test_a_notice_is_not_given_before_it_leads_to_a_fall(
    since: date, noticed_on: date, expected: bool
) -> None:
    assert is_time_to_notice(policy(), since, noticed_on) is expected


@given(keep=keeps, since=days, noticed_on=days)
def test_a_fall_is_at_an_evaluation_after_notice_and_grace(
    keep: dict[str, int], since: date, noticed_on: date
) -> None:
    rule = policy(**keep)
    fall = falls_on(rule, noticed_on)
    assert fall.day == 1
    assert fall - noticed_on >= timedelta(days=keep["notice_days"] + keep["grace_days"])
    assert fall > noticed_on
    assert fall - noticed_on <= timedelta(days=keep["notice_days"] + keep["grace_days"] + 31)


@given(keep=keeps, since=days, waited=st.integers(0, 1000))
def test_the_forecast_is_the_first_fall_that_evaluations_can_bring(
    keep: dict[str, int], since: date, waited: int
) -> None:
    rule, as_of = policy(**keep), since + timedelta(days=waited)
    evaluation = evaluation_on_or_after(as_of + timedelta(days=1))
    while not is_time_to_notice(rule, since, evaluation):
        evaluation = evaluation_on_or_after(evaluation + timedelta(days=1))
    forecast = first_fall_on(rule, since, as_of)
    assert forecast == falls_on(rule, evaluation)
    assert forecast >= since + timedelta(days=keep["hold_days"])


@pytest.mark.parametrize(
    ("level", "line"), [(MAIN, "900.00"), (ORDINARY, "270.00"), (SMALL, None), (KEY, None)]
)
def test_the_line_that_keeps_a_level(level: TierLevel, line: str | None) -> None:
    assert keep_line(policy(), level) == (None if line is None else Decimal(line))


@pytest.mark.parametrize(("score", "expected"), [("899.99", True), ("900.00", False)])
def test_the_line_itself_keeps_the_level(score: str, expected: bool) -> None:
    assert is_below(policy(), MAIN, Decimal(score)) is expected


NOTICE = Notice(MAIN, 3, date(2026, 5, 1))
LOW, ENOUGH = Decimal("899.99"), Decimal("900.00")


@pytest.mark.parametrize(
    ("level", "score", "as_of", "version", "is_locked", "fate"),
    [
        pytest.param(MAIN, LOW, date(2026, 4, 30), 3, False, NoticeFate.STANDS, id="told"),
        pytest.param(MAIN, LOW, date(2026, 5, 1), 3, False, NoticeFate.FALLS, id="due"),
        pytest.param(MAIN, LOW, date(2026, 5, 9), 3, False, NoticeFate.FALLS, id="late"),
        pytest.param(MAIN, ENOUGH, date(2026, 4, 2), 3, False, NoticeFate.LAPSES, id="bought"),
        pytest.param(MAIN, ENOUGH, date(2026, 5, 1), 3, False, NoticeFate.LAPSES, id="just so"),
        pytest.param(ORDINARY, LOW, date(2026, 5, 1), 3, False, NoticeFate.LAPSES, id="fell"),
        pytest.param(MAIN, LOW, date(2026, 5, 1), 4, False, NoticeFate.LAPSES, id="new policy"),
        pytest.param(MAIN, LOW, date(2026, 5, 1), 3, True, NoticeFate.LAPSES, id="locked"),
    ],
)
def test_what_becomes_of_a_notice(
    level: TierLevel, score: Decimal, as_of: date, version: int, is_locked: bool, fate: NoticeFate
) -> None:
    found = fate_of(policy(version), NOTICE, level, score, as_of, is_locked=is_locked)
    assert found is fate


def test_a_fall_is_by_one_level() -> None:
    assert lower_level(policy(), MAIN).level == ORDINARY
    assert lower_level(policy(), ORDINARY).level == SMALL
    with pytest.raises(ValueError, match="lower than small"):
        lower_level(policy(), SMALL)
