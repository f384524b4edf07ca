"""Concentration: tables with known answers, what is counted, and what can't be."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.concentration import (
    CURVE_PERCENTS,
    Concentration,
    Tally,
    concentration_of,
    tally,
    top_count,
)

MONEY = st.decimals(-1000, 100_000, places=2, allow_nan=False)


def of(*values: str | int) -> tuple[Tally, Concentration]:
    tallied = tally([Decimal(value) for value in values])
    return tallied, concentration_of(tallied)


def top_of(found: Concentration) -> dict[int, tuple[int, str]]:
    return {one.percent: (one.customers, str(one.share)) for one in found.top}


def curve_of(found: Concentration) -> dict[int, str]:
    return {one.percent: str(one.share) for one in found.curve}


def test_where_all_spend_the_same_the_curve_is_a_straight_line() -> None:
    _, found = of(*[10] * 20)

    assert top_of(found) == {
        1: (1, "5.0"), 5: (1, "5.0"), 10: (2, "10.0"), 20: (4, "20.0"), 50: (10, "50.0"),
    }  # fmt: skip
    assert curve_of(found) == {percent: f"{percent}.0" for percent in range(5, 101, 5)}
    assert (str(found.gini), str(found.hhi)) == ("0.0000", "0.05000000")
    assert (found.making_most, str(found.making_most_percent)) == (16, "80.0")


def test_where_one_spends_everything() -> None:
    _, found = of(0, 0, 0, 0, 100)

    assert top_of(found)[1] == (1, "100.0")
    assert curve_of(found) == dict.fromkeys(range(5, 100, 5), "0.0") | {100: "100.0"}
    assert (str(found.gini), str(found.hhi)) == ("0.8000", "1.00000000")
    assert (found.making_most, str(found.making_most_percent)) == (1, "20.0")


def test_four_customers_of_whom_each_spends_one_more() -> None:
    tallied, found = of(3, 1, 4, 2)

    # Cumulated from the least: 0.1, 0.3, 0.6, 1; twice the area above it is a quarter.
    assert [tallied.total, tallied.squares, tallied.placed] == [Decimal(n) for n in (10, 30, 20)]
    assert (str(found.gini), str(found.hhi)) == ("0.2500", "0.30000000")
    assert top_of(found) == {
        1: (1, "40.0"), 5: (1, "40.0"), 10: (1, "40.0"), 20: (1, "40.0"), 50: (2, "70.0"),
    }  # fmt: skip
    curve = curve_of(found)
    assert [curve[percent] for percent in (20, 25, 45, 50, 70, 75, 95, 100)] == [
        "0.0", "10.0", "10.0", "30.0", "30.0", "60.0", "60.0", "100.0",
    ]  # fmt: skip
    assert (found.making_most, str(found.making_most_percent)) == (3, "75.0")


def test_a_chain_in_which_a_fifth_makes_four_fifths() -> None:
    _, found = of(*["20.00"] * 4, *["1.25"] * 16)

    assert top_of(found)[20] == (4, "80.0")
    assert curve_of(found)[80] == "20.0"
    assert str(found.gini) == "0.6000"
    assert str(found.hhi) == "0.16250000"
    assert (found.making_most, str(found.making_most_percent)) == (4, "20.0")


def test_who_returned_more_than_they_bought_counts_as_having_spent_nothing() -> None:
    tallied, found = of(100, "-30.50", 100, 0, "-9.50")

    assert (tallied.customers, tallied.total) == (5, Decimal(200))
    assert (tallied.negative_customers, tallied.negative_amount) == (2, Decimal(-40))
    assert found == concentration_of(tally([Decimal(v) for v in (100, 100, 0, 0, 0)]))
    assert str(found.gini) == "0.6000"
    assert (found.making_most, str(found.making_most_percent)) == (2, "40.0")


@pytest.mark.parametrize("values", [(), (0,), (0, -5)], ids=["nobody", "nothing", "returns only"])
def test_where_nothing_was_spent_there_is_nothing_to_share(values: tuple[int, ...]) -> None:
    tallied, found = of(*values)

    assert tallied.customers == len(values)
    assert {one.share for one in found.top} == {one.share for one in found.curve} == {None}
    assert (found.gini, found.hhi, found.making_most, found.making_most_percent) == (None,) * 4


@pytest.mark.parametrize(
    ("customers", "percent", "expected"),
    [(7, 20, 2), (5, 20, 1), (100, 1, 1), (101, 1, 2), (1, 1, 1), (0, 50, 0), (10, 100, 10)],
)
def test_a_share_of_customers_is_of_whole_ones_rounded_up(
    customers: int, percent: int, expected: int
) -> None:
    assert top_count(customers, percent) == expected


@given(st.lists(MONEY, min_size=1, max_size=60), st.randoms())
def test_the_order_of_customers_changes_nothing_and_measures_stay_in_their_bounds(
    values: list[Decimal], random: object
) -> None:
    tallied = tally(values)
    found = concentration_of(tallied)
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert tally(shuffled) == tallied
    if tallied.total:
        assert found.gini is not None
        assert found.hhi is not None
        assert 0 <= found.gini < 1
        assert Decimal(1) / len(values) - Decimal("0.00000001") <= found.hhi <= 1
        shares = [one.share for one in found.curve if one.share is not None]
        assert len(shares) == len(CURVE_PERCENTS)
        assert shares == sorted(shares)
        assert shares[-1] == 100
        # The curve lies below the straight line: the least never hold more than their share.
        assert all(one.share <= one.percent for one in found.curve if one.share is not None)


@given(st.lists(st.integers(0, 100), min_size=2, max_size=12))
def test_gini_is_half_the_mean_difference_of_all_pairs_by_the_mean(values: list[int]) -> None:
    if not sum(values):
        return
    pairs = sum(abs(one - other) for one in values for other in values)
    expected = Decimal(pairs) / (2 * len(values) * sum(values))

    found = concentration_of(tally(map(Decimal, values)))

    assert found.gini is not None
    assert abs(found.gini - expected) <= Decimal("0.00005")
