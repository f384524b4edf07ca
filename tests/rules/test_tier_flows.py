"""Flows between levels: which way a move leads, and that each level's sums close."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.tier_flows import Direction, LevelFlow, Moved, direction_of, flows, order_of
from app.vocabulary import TierLevel

MAIN, ORDINARY, SMALL = TierLevel.MAIN, TierLevel.ORDINARY, TierLevel.SMALL
KEY, IMPORTANT = TierLevel.KEY, TierLevel.IMPORTANT
THREE = (MAIN, ORDINARY, SMALL)
FOUR = (KEY, IMPORTANT, TierLevel.GENERAL, TierLevel.MAINTENANCE)


@pytest.mark.parametrize(
    ("order", "before", "after", "expected"),
    [
        pytest.param(THREE, SMALL, ORDINARY, Direction.UP, id="up"),
        pytest.param(THREE, SMALL, MAIN, Direction.UP, id="up by two"),
        pytest.param(THREE, MAIN, ORDINARY, Direction.DOWN, id="down"),
        pytest.param(FOUR, MAIN, KEY, Direction.OTHER, id="from another policy's level"),
        pytest.param(FOUR, MAIN, SMALL, Direction.OTHER, id="between unknown levels"),
        pytest.param(THREE, MAIN, KEY, Direction.OTHER, id="to a level the policy lacks"),
    ],
)
def test_where_a_move_leads_is_said_by_the_policy_that_made_it(
    order: tuple[TierLevel, ...], before: TierLevel, after: TierLevel, expected: Direction
) -> None:
    assert direction_of(order, before, after) is expected


def test_the_order_of_levels_is_that_of_what_reaches_them_and_not_of_their_listing() -> None:
    scores = [("ordinary", "300.00"), ("main", "1000.00"), ("small", "0.00")]
    shares = [("maintenance", "100"), ("key", "5"), ("general", "60"), ("important", "20")]

    assert order_of({"levels": [{"level": a, "at_least": b} for a, b in scores]}) == [*THREE]
    assert order_of({"levels": [{"level": a, "top_percent": b} for a, b in shares]}) == [*FOUR]


def test_each_way_of_coming_and_going_has_its_column() -> None:
    table = flows(
        {SMALL: 10, ORDINARY: 5},
        [
            Moved(None, SMALL, THREE, 3),
            Moved(SMALL, ORDINARY, THREE, 4),
            Moved(ORDINARY, MAIN, THREE, 2),
            Moved(MAIN, ORDINARY, THREE, 1),
            # Carried by another purchase: no move.
            Moved(ORDINARY, ORDINARY, THREE, 7),
            Moved(MAIN, KEY, FOUR, 1),
            Moved(SMALL, None, THREE, 2),
        ],
        THREE,
    )

    assert table == [
        LevelFlow(MAIN, opening=0, up_in=2, down_out=1, other_out=1),
        LevelFlow(ORDINARY, opening=5, up_in=4, down_in=1, up_out=2),
        LevelFlow(SMALL, opening=10, new=3, up_out=4, gone=2),
        LevelFlow(KEY, opening=0, other_in=1),
    ]
    assert [one.closing for one in table] == [0, 8, 7, 1]


def test_a_level_that_nobody_holds_any_more_is_told_after_those_of_the_policy() -> None:
    table = flows({SMALL: 2, MAIN: 1}, [Moved(MAIN, KEY, FOUR, 1)], FOUR)

    assert [one.level for one in table] == [*FOUR, MAIN, SMALL]
    assert {one.level: one.closing for one in table if one.opening or one.closing} == {
        KEY: 1, MAIN: 0, SMALL: 2,
    }  # fmt: skip


LEVELS = st.sampled_from([*THREE, *FOUR])


@given(
    st.lists(st.one_of(st.none(), LEVELS), max_size=8),
    st.lists(st.tuples(st.integers(0, 7), st.one_of(st.none(), LEVELS)), max_size=40),
)
def test_opening_and_what_came_and_went_is_the_closing(
    cards: list[TierLevel | None], moves: list[tuple[int, TierLevel | None]]
) -> None:
    held = list(cards)
    moved = []
    for index, after in moves:
        if index < len(held):
            moved.append(Moved(held[index], after, THREE if index % 2 else FOUR, 1))
            held[index] = after

    table = flows(Counter(level for level in cards if level), moved, THREE)

    closing = Counter(level for level in held if level)
    assert {one.level: one.closing for one in table if one.closing} == dict(closing)
    assert sum(one.up_in for one in table) == sum(one.up_out for one in table)
    assert sum(one.down_in for one in table) == sum(one.down_out for one in table)
    assert sum(one.other_in for one in table) == sum(one.other_out for one in table)
