"""Receipts as tills would have printed them."""

from collections import Counter, defaultdict
from datetime import datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import mean, median
from zoneinfo import ZoneInfo

from app.demo import DemoChain
from app.demo.seasons import LUNAR_NEW_YEARS
from app.demo.values import DemoStore
from tests.demo.figures import refunds_of, sales_of

SHANGHAI = ZoneInfo("Asia/Shanghai")


def is_open(store: DemoStore, at: datetime) -> bool:
    """Tell whether a store is open; a closing time of midnight ends the day."""
    clock = at.time()
    return any(
        opens <= clock and (clock < closes or closes == time(0, 0))
        for opens, closes in store.opening_hours[at.weekday()]
    )


def test_every_receipt_lies_in_the_364_days_before_the_load(chain: DemoChain) -> None:
    days = {receipt.occurred_at.astimezone(SHANGHAI).date() for receipt in chain.receipts}

    assert min(days) >= chain.load_day - timedelta(days=364) == chain.first_day
    assert max(days) <= chain.load_day - timedelta(days=1) == chain.last_day
    assert len(days) > 350


def test_receipts_are_in_order_and_printed_while_the_store_is_open(chain: DemoChain) -> None:
    stores = {store.code: store for store in chain.stores}
    instants = [receipt.occurred_at for receipt in chain.receipts]

    assert instants == sorted(instants)
    for receipt in chain.receipts:
        assert receipt.occurred_at.tzinfo == SHANGHAI
        assert is_open(stores[receipt.store_code], receipt.occurred_at), receipt


def test_there_are_six_to_nine_thousand_receipts_from_every_source(chain: DemoChain) -> None:
    by_source = Counter(receipt.source_code for receipt in chain.receipts)
    store_of = {source.code: source.store_code for source in chain.sources}

    assert 6_000 <= len(chain.receipts) <= 9_000
    assert set(by_source) == set(store_of)
    assert min(by_source.values()) > 200
    assert all(receipt.store_code == store_of[receipt.source_code] for receipt in chain.receipts)


def test_event_ids_and_receipt_numbers_are_used_once(chain: DemoChain) -> None:
    event_ids = [receipt.event_id for receipt in chain.receipts]
    numbers = [(receipt.source_code, receipt.receipt_number) for receipt in chain.receipts]

    assert len(set(event_ids)) == len(event_ids)
    assert len(set(numbers)) == len(numbers)


def test_a_source_numbers_its_receipts_in_the_order_of_time(chain: DemoChain) -> None:
    by_source: defaultdict[str, list[int]] = defaultdict(list)
    for receipt in chain.receipts:
        by_source[receipt.source_code].append(int(receipt.receipt_number.split("-")[1]))

    for numbers in by_source.values():
        assert numbers == list(range(1, len(numbers) + 1))


def test_lines_and_totals_add_up_in_fen(chain: DemoChain) -> None:
    prices = {product.sku: product.list_price for product in chain.products}

    for receipt in chain.receipts:
        assert 1 <= len(receipt.lines) <= 6
        assert [line.number for line in receipt.lines] == list(range(1, len(receipt.lines) + 1))
        assert receipt.total == sum(line.amount for line in receipt.lines) > 0
        for line in receipt.lines:
            assert line.quantity >= 1
            assert line.unit_price == prices[line.sku]
            assert line.amount == line.quantity * line.unit_price - line.discount
            assert 0 <= line.discount <= line.quantity * line.unit_price * Decimal("0.40")
            for money in (line.unit_price, line.discount, line.amount, receipt.total):
                assert money.as_tuple().exponent == -2


def test_most_lines_are_sold_at_list_price(chain: DemoChain) -> None:
    lines = [line for sale in sales_of(chain) for line in sale.lines]

    assert sum(line.discount == 0 for line in lines) > len(lines) // 2


def test_refunds_follow_their_sale_and_never_exceed_a_line_of_it(chain: DemoChain) -> None:
    sales = {(sale.source_code, sale.receipt_number): sale for sale in sales_of(chain)}
    seen: set[tuple[str, str]] = set()

    for refund in refunds_of(chain):
        key = (refund.source_code, refund.sale_receipt_number)
        sale = sales[key]
        assert key not in seen
        seen.add(key)
        later = refund.occurred_at.date() - sale.occurred_at.date()
        assert timedelta(days=1) <= later <= timedelta(days=14)
        assert refund.store_code == sale.store_code
        assert (refund.identity, refund.member_number) == (sale.identity, sale.member_number)
        assert refund.is_whole == (refund.total == sale.total)
        for line in refund.lines:
            sold = sale.lines[line.sale_line_number - 1]
            assert sold.number == line.sale_line_number
            assert (sold.sku, sold.unit_price) == (line.sku, line.unit_price)
            assert line.quantity <= sold.quantity
            assert line.amount <= sold.amount
            assert line.discount * sold.quantity == sold.discount * line.quantity


def test_two_to_three_percent_are_brought_back_whole_by_line_and_by_piece(
    chain: DemoChain,
) -> None:
    sales = {(sale.source_code, sale.receipt_number): sale for sale in sales_of(chain)}
    refunds = refunds_of(chain)
    pieces = sum(
        line.quantity
        < sales[refund.source_code, refund.sale_receipt_number]
        .lines[line.sale_line_number - 1]
        .quantity
        for refund in refunds
        for line in refund.lines
    )

    assert 0.02 <= len(refunds) / len(sales) <= 0.03
    assert sum(refund.is_whole for refund in refunds) >= 30
    assert sum(not refund.is_whole for refund in refunds) >= 30
    assert pieces >= 10


def test_identities_are_those_of_the_card(chain: DemoChain) -> None:
    cards = {card.member_number: card for card in chain.customers}
    kinds: Counter[str] = Counter()

    for receipt in chain.receipts:
        if receipt.member_number is None or receipt.identity is None:
            continue
        card = cards[receipt.member_number]
        kinds[receipt.identity.kind] += 1
        expected = {"phone": card.phone, "member_number": card.member_number}
        assert receipt.identity.value == expected[receipt.identity.kind]
    assert min(kinds["phone"], kinds["member_number"]) > 1_000


def test_some_sales_are_nobodys_and_a_few_wait_for_their_card(chain: DemoChain) -> None:
    phones = {card.phone for card in chain.customers}
    sales = sales_of(chain)
    anonymous = [s for s in sales if s.identity is None]
    waiting = [s for s in sales if s.identity is not None and s.member_number is None]

    assert all(sale.member_number is None for sale in anonymous)
    assert 0.045 <= len(anonymous) / len(sales) <= 0.055
    assert len(waiting) == 7
    waiting_phones = [s.identity.value for s in waiting if s.identity is not None]
    assert len(set(waiting_phones)) == 5
    assert not phones.intersection(waiting_phones)


def sales_by_day(chain: DemoChain) -> Counter[int]:
    """Count sales by day, as days since the window's first."""
    return Counter((s.occurred_at.date() - chain.first_day).days for s in sales_of(chain))


def test_term_starts_and_june_are_busier_than_the_median_month(chain: DemoChain) -> None:
    count = sales_by_day(chain)
    by_month: defaultdict[int, list[int]] = defaultdict(list)
    terms: list[int] = []
    for index in range(364):
        day = chain.first_day + timedelta(days=index)
        by_month[day.month].append(count[index])
        if (2, 20) <= (day.month, day.day) <= (3, 12):
            terms.append(count[index])
    middle = median(mean(counts) for counts in by_month.values())

    assert mean(by_month[6]) > 1.15 * middle
    assert mean(by_month[9]) > 1.3 * middle
    assert mean(terms) > 1.3 * middle


def test_weekends_and_the_spring_festival_are_busier_than_other_days(chain: DemoChain) -> None:
    count = sales_by_day(chain)
    weekend: list[int] = []
    weekdays: list[int] = []
    festival: list[int] = []
    for index in range(364):
        day = chain.first_day + timedelta(days=index)
        (weekend if day.weekday() >= 5 else weekdays).append(count[index])
        if any(1 <= (day - new_year).days <= 15 for new_year in LUNAR_NEW_YEARS):
            festival.append(count[index])

    assert mean(weekend) > 1.3 * mean(weekdays)
    assert len(festival) >= 14
    assert mean(festival) > 1.1 * mean((*weekend, *weekdays))


def test_the_november_sale_is_among_the_busiest_days(chain: DemoChain) -> None:
    count = sales_by_day(chain)
    sale_days = [
        index
        for index in range(364)
        if (day := chain.first_day + timedelta(days=index)).month == 11 and day.day == 11
    ]

    assert len(sale_days) == 1
    assert count[sale_days[0]] > 1.5 * len(sales_of(chain)) / 364


def test_lunar_new_years_lie_a_whole_number_of_moons_apart() -> None:
    assert [day.year for day in LUNAR_NEW_YEARS] == list(range(2024, 2033))
    for earlier, later in pairwise(LUNAR_NEW_YEARS):
        assert (later - earlier).days in (353, 354, 355, 383, 384, 385)
        assert (1, 21) <= (later.month, later.day) <= (2, 20)


def test_school_books_sell_best_when_term_starts(chain: DemoChain) -> None:
    category = {product.sku: product.category_code for product in chain.products}
    shares: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for sale in sales_of(chain):
        month_day = (sale.occurred_at.month, sale.occurred_at.day)
        for line in sale.lines:
            shares[(8, 25) <= month_day <= (9, 18)][category[line.sku]] += 1

    in_term, otherwise = (
        counts["textbooks"] / counts.total() for counts in (shares[True], shares[False])
    )
    assert in_term > 1.3 * otherwise


def test_the_night_is_sold_in_by_the_store_that_never_closes_only(chain: DemoChain) -> None:
    night = [r for r in chain.receipts if r.occurred_at.time() < time(7, 0)]

    assert len(night) > 5
    assert {receipt.store_code for receipt in night} == {"S06"}
