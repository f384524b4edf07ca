"""What a customer said, and what may be done: by cases, and as laws for any statements."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.consent import (
    Said,
    Subject,
    and_of,
    decide,
    is_in_force,
    joined,
    later,
    standing_of,
)
from app.vocabulary import ConsentChannel, ConsentPurpose, ConsentReason, ConsentState

GRANTED, WITHDRAWN = ConsentState.GRANTED, ConsentState.WITHDRAWN
ANY, SMS, EMAIL = ConsentChannel.ANY, ConsentChannel.SMS, ConsentChannel.EMAIL
MARKETING, SERVICE = ConsentPurpose.MARKETING, ConsentPurpose.SERVICE
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
UNASKED = frozenset({SERVICE})


def at(hours: int) -> datetime:
    """Return the instant so many hours after noon."""
    return NOON + timedelta(hours=hours)


def said(state: ConsentState, hours: int) -> Said:
    """Return a statement of so many hours after noon."""
    return Said(state, at(hours))


subjects = st.tuples(st.sampled_from([MARKETING, SERVICE]), st.sampled_from([ANY, SMS, EMAIL]))
statements = st.tuples(subjects, st.builds(said, st.sampled_from(ConsentState), st.integers(0, 5)))
histories = st.lists(statements, max_size=12)


def allowed(history: list[tuple[Subject, Said]]) -> set[Subject]:
    """Return for which purposes and channels the chain may act."""
    standing = standing_of(history)
    return {
        (purpose, channel)
        for purpose in ConsentPurpose
        for channel in ConsentChannel
        if decide(standing, purpose, channel, UNASKED).is_allowed
    }


@pytest.mark.parametrize(
    ("for_channel", "for_any", "expected"),
    [
        pytest.param(None, None, ConsentReason.NEVER_ASKED, id="nothing said"),
        pytest.param(None, (GRANTED, 1), ConsentReason.PURPOSE_GRANTED, id="any granted"),
        pytest.param(None, (WITHDRAWN, 1), ConsentReason.PURPOSE_WITHDRAWN, id="any withdrawn"),
        pytest.param((GRANTED, 1), None, ConsentReason.CHANNEL_GRANTED, id="channel granted"),
        pytest.param((WITHDRAWN, 1), None, ConsentReason.CHANNEL_WITHDRAWN, id="channel withdrawn"),
        pytest.param(
            (WITHDRAWN, 1), (GRANTED, 2), ConsentReason.CHANNEL_WITHDRAWN,
            id="a later grant for any gives back no channel",
        ),
        pytest.param(
            (GRANTED, 1), (WITHDRAWN, 2), ConsentReason.PURPOSE_WITHDRAWN,
            id="a later withdrawal of any ends a channel",
        ),
        pytest.param(
            (GRANTED, 1), (WITHDRAWN, 1), ConsentReason.PURPOSE_WITHDRAWN,
            id="at the same instant the withdrawal wins",
        ),
        pytest.param(
            (GRANTED, 2), (WITHDRAWN, 1), ConsentReason.CHANNEL_GRANTED,
            id="a channel granted after any was withdrawn",
        ),
        pytest.param(
            (GRANTED, 1), (GRANTED, 2), ConsentReason.CHANNEL_GRANTED, id="both granted"
        ),
        pytest.param(
            (WITHDRAWN, 1), (WITHDRAWN, 2), ConsentReason.CHANNEL_WITHDRAWN, id="both withdrawn"
        ),
    ],
)  # fmt: skip
def test_what_was_said_decides(
    for_channel: tuple[ConsentState, int] | None,
    for_any: tuple[ConsentState, int] | None,
    expected: ConsentReason,
) -> None:
    given_for = {(MARKETING, SMS): for_channel, (MARKETING, ANY): for_any}
    standing = {subject: said(*what) for subject, what in given_for.items() if what is not None}
    decision = decide(standing, MARKETING, SMS, UNASKED)
    assert decision.reason is expected
    assert decision.is_allowed is expected.endswith("_granted")
    assert decision.said == (standing[decision.subject] if decision.subject else None)


def test_what_needs_no_asking_may_be_done_until_it_is_withdrawn() -> None:
    assert decide({}, SERVICE, SMS, UNASKED).reason is ConsentReason.NEEDS_NO_ASKING
    assert decide({}, SERVICE, SMS, UNASKED).is_allowed
    assert not decide({}, SERVICE, SMS, frozenset()).is_allowed
    withdrawn = {(SERVICE, ANY): said(WITHDRAWN, 1)}
    assert not decide(withdrawn, SERVICE, SMS, UNASKED).is_allowed


def test_the_purpose_as_a_whole_is_what_was_said_for_any() -> None:
    standing = {(MARKETING, SMS): said(GRANTED, 1)}
    assert decide(standing, MARKETING, ANY, UNASKED).reason is ConsentReason.NEVER_ASKED
    assert decide(standing, MARKETING, EMAIL, UNASKED).reason is ConsentReason.NEVER_ASKED


def test_the_latest_statement_stands_and_a_withdrawal_of_the_same_instant() -> None:
    old, new = said(GRANTED, 1), said(WITHDRAWN, 2)
    assert later(old, new) == later(new, old) == new
    assert later(said(GRANTED, 3), new) == said(GRANTED, 3)
    assert later(said(WITHDRAWN, 1), old) == later(old, said(WITHDRAWN, 1)) == said(WITHDRAWN, 1)


@given(histories, st.randoms())
def test_the_order_of_writing_down_changes_nothing(
    history: list[tuple[Subject, Said]], random: object
) -> None:
    shuffled = list(history)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert standing_of(shuffled) == standing_of(history)


@given(histories, subjects, st.integers(0, 5))
def test_withdrawing_never_makes_something_allowed(
    history: list[tuple[Subject, Said]], subject: Subject, hours: int
) -> None:
    assert allowed([*history, (subject, said(WITHDRAWN, hours))]) <= allowed(history)


@given(histories, subjects, st.integers(0, 5))
def test_granting_never_makes_something_forbidden(
    history: list[tuple[Subject, Said]], subject: Subject, hours: int
) -> None:
    assert allowed([*history, (subject, said(GRANTED, hours))]) >= allowed(history)


@given(histories)
def test_what_is_shown_in_force_is_what_is_decided(
    history: list[tuple[Subject, Said]],
) -> None:
    standing = standing_of(history)
    for subject, what in standing.items():
        decision = decide(standing, *subject, UNASKED)
        if is_in_force(standing, subject):
            assert (decision.said, decision.is_allowed) == (what, what.state is GRANTED)
        else:
            # Nothing but a grant is ever overruled.
            assert (what.state, decision.is_allowed) == (GRANTED, False)


@given(histories)
def test_withdrawing_every_purpose_leaves_nothing_allowed(
    history: list[tuple[Subject, Said]],
) -> None:
    everything = [((purpose, ANY), said(WITHDRAWN, 5)) for purpose in ConsentPurpose]
    assert allowed([*history, *everything]) == set()


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((), None),
        ((None, None), None),
        ((GRANTED, GRANTED), GRANTED),
        ((GRANTED, None), GRANTED),
        ((WITHDRAWN, None), WITHDRAWN),
        ((GRANTED, WITHDRAWN), WITHDRAWN),
        ((GRANTED, WITHDRAWN, None), WITHDRAWN),
    ],
)
def test_cards_agree_together_unless_one_refuses(
    states: tuple[ConsentState | None, ...], expected: ConsentState | None
) -> None:
    assert {and_of(order) for order in permutations(states)} == {expected}


@given(st.lists(histories, min_size=1, max_size=3))
def test_joined_cards_allow_exactly_what_each_that_says_something_allows(
    histories_of_cards: list[list[tuple[Subject, Said]]],
) -> None:
    standings = [standing_of(history) for history in histories_of_cards]
    merged = joined(standings, at(9))
    for purpose in ConsentPurpose:
        for channel in ConsentChannel:
            decisions = [decide(each, purpose, channel, frozenset()) for each in standings]
            speaking = [decision for decision in decisions if decision.said is not None]
            wanted = bool(speaking) and all(decision.is_allowed for decision in speaking)
            found = decide(merged.standing, purpose, channel, frozenset())
            assert found.is_allowed is wanted
            assert (found.said is None) is (not speaking)


@given(st.lists(histories, min_size=1, max_size=3))
def test_joined_cards_keep_their_own_statements_but_for_those_that_the_merge_makes(
    histories_of_cards: list[list[tuple[Subject, Said]]],
) -> None:
    standings = [standing_of(history) for history in histories_of_cards]
    merged = joined(standings, at(9))
    assert merged == joined(standings[::-1], at(9))
    for subject, stands in merged.standing.items():
        theirs = [standing[subject] for standing in standings if subject in standing]
        assert (stands in theirs) is (subject not in merged.made)
        assert (stands.stated_at == at(9)) is (subject in merged.made)


def test_a_card_alone_stays_as_it_is() -> None:
    standing = {(MARKETING, SMS): said(GRANTED, 2), (MARKETING, ANY): said(WITHDRAWN, 3)}
    assert joined([standing], at(9)).standing == standing


def test_a_grant_for_a_channel_does_not_outlive_the_other_cards_withdrawal_for_any() -> None:
    one, other = {(MARKETING, SMS): said(GRANTED, 2)}, {(MARKETING, ANY): said(WITHDRAWN, 1)}
    merged = joined([one, other], at(9))
    assert merged.standing == {
        (MARKETING, SMS): Said(WITHDRAWN, at(9)),
        (MARKETING, ANY): said(WITHDRAWN, 1),
    }
    assert merged.made == {(MARKETING, SMS)}
