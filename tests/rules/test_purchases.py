"""Receipts: what makes one unique, whether it adds up, what of it can be taken back."""

from datetime import date
from decimal import Decimal
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.purchases import (
    Fault,
    ReturnedLine,
    SoldLine,
    by_line,
    known_cost,
    line_amount,
    receipt_key,
    sale_adds_up,
    whole_rest,
)
from app.vocabulary import ReceiptRule

DAY = date(2026, 11, 21)
D = Decimal

quantities = st.integers(1, 5_000).map(lambda n: D(n) / 1000)
amounts = st.integers(0, 100_000).map(lambda n: D(n) / 100)
sold_lines = st.lists(st.tuples(quantities, amounts), min_size=1, max_size=6).map(
    lambda parts: [
        SoldLine(number, quantity, amount, None)
        for number, (quantity, amount) in enumerate(parts, start=1)
    ]
)
wanted_lines = st.lists(
    st.tuples(st.integers(1, 99), st.integers(1, 7), quantities, amounts), max_size=8
)


@pytest.mark.parametrize(
    ("rule", "key"),
    [
        (ReceiptRule.EVER, "0042"),
        (ReceiptRule.DAILY, "2026-11-21/0042"),
        (ReceiptRule.YEARLY, "2026/0042"),
    ],
)
def test_a_receipt_is_unique_by_its_sources_rule(rule: ReceiptRule, key: str) -> None:
    assert receipt_key(rule, DAY, "0042") == key


@given(
    rule=st.sampled_from(list(ReceiptRule)),
    days=st.tuples(*[st.dates(date(2020, 1, 1), date(2030, 12, 31))] * 2),
    numbers=st.tuples(*[st.from_regex(r"[A-Z0-9][A-Z0-9./-]{0,8}", fullmatch=True)] * 2),
)
def test_two_receipts_share_a_key_only_as_the_rule_says(
    rule: ReceiptRule, days: tuple[date, date], numbers: tuple[str, str]
) -> None:
    periods: list[object] = [
        {ReceiptRule.EVER: None, ReceiptRule.DAILY: day, ReceiptRule.YEARLY: day.year}[rule]
        for day in days
    ]
    same = numbers[0] == numbers[1] and periods[0] == periods[1]
    keys = [receipt_key(rule, *pair) for pair in zip(days, numbers, strict=True)]
    assert (keys[0] == keys[1]) == same


@pytest.mark.parametrize(
    ("quantity", "price", "discount", "amount"),
    [
        ("1", "58.00", "0", "58.00"),
        ("3", "19.90", "5.97", "53.73"),
        ("0.125", "1.00", "0", "0.13"),
        ("0.124", "1.00", "0", "0.12"),
        ("0.333", "3.00", "0.995", "0.00"),
        ("1", "58.00", "58.00", "0.00"),
    ],
)
def test_a_line_costs_quantity_times_price_less_discount_to_the_cent_half_up(
    quantity: str, price: str, discount: str, amount: str
) -> None:
    assert str(line_amount(D(quantity), D(price), D(discount))) == amount


@pytest.mark.parametrize(
    ("lines", "total", "expected"),
    [
        pytest.param([("1", "58", "0", "58")], "58.00", True, id="one line"),
        pytest.param([("1", "58", "0", "58"), ("2", "3", "1", "5")], "63", True, id="two lines"),
        pytest.param([("1", "58", "0", "58")], "58.01", False, id="total too high"),
        pytest.param([("1", "58", "0", "57.99")], "57.99", False, id="line a cent off"),
        pytest.param([("1", "5", "6", "-1")], "-1", True, id="more discount than price adds up"),
        pytest.param([("1", "5", "0", "6"), ("1", "6", "0", "5")], "11", False, id="swapped"),
    ],
)
def test_a_sale_adds_up_when_lines_and_total_agree(
    lines: list[tuple[str, str, str, str]], total: str, expected: bool
) -> None:
    numbers = [(D(a), D(b), D(c), D(d)) for a, b, c, d in lines]
    assert sale_adds_up(numbers, D(total)) is expected


def test_what_is_left_of_a_sale_is_taken_back_whole() -> None:
    sold = [
        SoldLine(1, D(0), D("0.00"), D(5)),
        SoldLine(4, D("1.5"), D("30.00"), D(7)),
        SoldLine(9, D(1), D("0.00"), None),
    ]
    assert whole_rest(sold) == (
        ReturnedLine(1, 4, D("1.5"), D("30.00"), D(7)),
        ReturnedLine(2, 9, D(1), D("0.00"), None),
    )


SOLD = [SoldLine(1, D(2), D("58.00"), D("20.00")), SoldLine(2, D(1), D("9.00"), None)]


@pytest.mark.parametrize(
    ("wanted", "fault"),
    [
        pytest.param([(1, 3, "1", "1.00")], Fault.LINE_UNKNOWN, id="no such line"),
        pytest.param([(1, 1, "2.001", "1.00")], Fault.REFUND_EXCEEDS_SALE, id="too many"),
        pytest.param([(1, 1, "2", "58.01")], Fault.REFUND_EXCEEDS_SALE, id="too much"),
        pytest.param(
            [(1, 1, "1", "29.00"), (2, 1, "1", "29.01")], Fault.REFUND_EXCEEDS_SALE, id="together"
        ),
    ],
)
def test_more_than_is_left_is_refused(
    wanted: list[tuple[int, int, str, str]], fault: Fault
) -> None:
    assert by_line(SOLD, [(a, b, D(c), D(d)) for a, b, c, d in wanted]) is fault


def test_parts_of_one_line_are_taken_back_with_its_cost() -> None:
    wanted = [(5, 1, D(1), D("30.00")), (6, 1, D(1), D("28.00")), (7, 2, D(1), D("9.00"))]
    assert by_line(SOLD, wanted) == (
        ReturnedLine(5, 1, D(1), D("30.00"), D("20.00")),
        ReturnedLine(6, 1, D(1), D("28.00"), D("20.00")),
        ReturnedLine(7, 2, D(1), D("9.00"), None),
    )


@given(sold=sold_lines, wanted=wanted_lines)
def test_refunds_by_line_never_exceed_what_is_left(
    sold: list[SoldLine], wanted: list[tuple[int, int, Decimal, Decimal]]
) -> None:
    returned = by_line(sold, wanted)
    left = {line.line_number: line for line in sold}
    asked = {
        number: [sum(part) for part in zip(*((w[2], w[3]) for w in group), strict=True)]
        for number, group in groupby(sorted(wanted, key=lambda w: w[1]), key=lambda w: w[1])
    }
    is_fine = all(
        number in left
        and quantity <= left[number].quantity_left
        and amount <= left[number].amount_left
        for number, (quantity, amount) in asked.items()
    )
    assert isinstance(returned, tuple) is is_fine
    if isinstance(returned, tuple):
        assert [(r.line_number, r.refunds_line, r.quantity, r.amount) for r in returned] == wanted


@given(sold=sold_lines)
def test_the_whole_rest_is_all_of_it_and_after_it_nothing_is_left(sold: list[SoldLine]) -> None:
    rest = whole_rest(sold)
    assert sum(line.amount for line in rest) == sum(line.amount_left for line in sold)
    by_hand = [(r.line_number, r.refunds_line, r.quantity, r.amount) for r in rest]
    assert by_line(sold, by_hand) == rest
    emptied = [SoldLine(line.line_number, D(0), D(0), None) for line in sold]
    assert whole_rest(emptied) == ()


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([], ("0", "0"), id="no line"),
        pytest.param([("2", "58.00", "20.00")], ("58.00", "40.00"), id="known"),
        pytest.param([("1", "58.00", None)], ("0", "0"), id="unknown is in neither figure"),
        pytest.param([("1", "58.00", "0.00")], ("58.00", "0.00"), id="known to cost nothing"),
        pytest.param(
            [("0.125", "5.00", "0.10"), ("1", "9.00", None)], ("5.00", "0.01"), id="half a cent up"
        ),
    ],
)
def test_the_cost_of_what_is_unknown_stays_unknown(
    lines: list[tuple[str, str, str | None]], expected: tuple[str, str]
) -> None:
    numbers = [(D(q), D(a), None if c is None else D(c)) for q, a, c in lines]
    assert tuple(str(part) for part in known_cost(numbers)) == expected
