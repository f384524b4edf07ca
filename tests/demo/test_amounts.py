"""Amounts that add up to the fen, whatever is asked of them."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.demo.amounts import apportion, skewed_amounts


@given(
    seed=st.integers(0, 10_000),
    count=st.integers(1, 400),
    lower=st.integers(0, 100_000),
    span=st.integers(500, 1_000_000),
    share=st.floats(0.1, 0.45),
)
def test_skewed_amounts_add_up_and_stay_within_their_bounds(
    seed: int, count: int, lower: int, span: int, share: float
) -> None:
    total = count * lower + int(count * span * share)

    amounts = skewed_amounts(Random(seed), total, count, lower, lower + span)

    assert sum(amounts) == total
    assert len(amounts) == count
    assert all(lower <= amount <= lower + span for amount in amounts)


@pytest.mark.parametrize(
    ("total", "count"),
    [
        pytest.param(99, 1, id="below the lower bound"),
        pytest.param(2_100, 1, id="mean above the middle"),
        pytest.param(1_000, 0, id="nobody"),
    ],
)
def test_a_total_that_cannot_be_reached_is_refused(total: int, count: int) -> None:
    with pytest.raises(ValueError, match="do not make"):
        skewed_amounts(Random(1), total, count, 100, 2_100)


@given(
    weights=st.lists(st.floats(0.01, 100), min_size=1, max_size=40),
    minimum=st.integers(0, 1_000),
    spare=st.integers(0, 1_000_000),
)
def test_apportioned_parts_add_up_and_none_is_below_the_minimum(
    weights: list[float], minimum: int, spare: int
) -> None:
    total = minimum * len(weights) + spare

    parts = apportion(total, weights, minimum)

    assert sum(parts) == total
    assert len(parts) == len(weights)
    assert min(parts) >= minimum


def test_apportioning_too_little_is_refused() -> None:
    with pytest.raises(ValueError, match="too little for 3 parts of 10"):
        apportion(29, (1, 1, 1), 10)
