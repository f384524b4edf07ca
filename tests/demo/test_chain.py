"""The published distribution, to the fen, on any load day; and the same chain each time."""

from collections import Counter, defaultdict
from datetime import date, timedelta
from decimal import Decimal
from statistics import median

from app.demo import DEMO_SEED, DemoChain, build_chain
from app.demo.values import DemoSale
from tests.demo.figures import chain_of, level_of, net_by_member, sales_of

LOAD_DAY = date(2026, 11, 21)


def test_the_published_distribution_is_met_exactly(chain: DemoChain) -> None:
    customers: Counter[str] = Counter()
    amounts: defaultdict[str, Decimal] = defaultdict(Decimal)
    for net in net_by_member(chain).values():
        customers[level_of(net)] += 1
        amounts[level_of(net)] += net

    assert customers == {"main": 93, "ordinary": 408, "small": 1665}
    assert amounts == {
        "main": Decimal("232730.00"),
        "ordinary": Decimal("162990.00"),
        "small": Decimal("186060.00"),
    }
    assert sum(customers.values()) == 2166
    assert sum(amounts.values()) == Decimal("581780.00")
    assert min(net_by_member(chain).values()) > 0


def test_the_chain_says_of_itself_what_was_published(chain: DemoChain) -> None:
    assert [(group.level, group.customers, group.amount) for group in chain.groups] == [
        ("main", 93, Decimal("232730.00")),
        ("ordinary", 408, Decimal("162990.00")),
        ("small", 1665, Decimal("186060.00")),
    ]


def test_the_thresholds_are_occupied_and_so_is_the_fen_below(chain: DemoChain) -> None:
    amounts = Counter(net_by_member(chain).values())

    for boundary in ("1000.00", "999.99", "968.00", "300.00", "299.99"):
        assert amounts[Decimal(boundary)] == 1, boundary


def test_nobody_stands_above_their_final_level_on_the_way(chain: DemoChain) -> None:
    final = net_by_member(chain)
    running: defaultdict[str, Decimal] = defaultdict(Decimal)
    highest: defaultdict[str, Decimal] = defaultdict(Decimal)
    for receipt in chain.receipts:
        if receipt.member_number is not None:
            sign = 1 if isinstance(receipt, DemoSale) else -1
            running[receipt.member_number] += sign * receipt.total
            highest[receipt.member_number] = max(
                highest[receipt.member_number], running[receipt.member_number]
            )

    assert {member: level_of(net) for member, net in highest.items()} == {
        member: level_of(net) for member, net in final.items()
    }


def test_amounts_within_a_group_differ_and_lean_to_the_low_side(chain: DemoChain) -> None:
    by_level: defaultdict[str, list[Decimal]] = defaultdict(list)
    for net in net_by_member(chain).values():
        by_level[level_of(net)].append(net)

    for level, amounts in by_level.items():
        assert len(set(amounts)) > len(amounts) // 2, level
        assert median(amounts) < sum(amounts) / len(amounts), level


def test_customers_buy_once_to_forty_times_and_start_in_every_month(chain: DemoChain) -> None:
    counts: Counter[str] = Counter()
    first_on: dict[str, date] = {}
    for sale in sales_of(chain):
        if sale.member_number is not None:
            counts[sale.member_number] += 1
            first_on.setdefault(sale.member_number, sale.occurred_at.date())

    assert min(counts.values()) == 1
    assert 25 <= max(counts.values()) <= 41
    assert len(set(counts.values())) >= 15
    first_months = Counter((day.year, day.month) for day in first_on.values())
    assert len(first_months) in (12, 13)
    quarters = Counter((day - chain.first_day).days // 91 for day in first_on.values())
    assert min(quarters[quarter] for quarter in range(4)) > 2166 // 12


def test_one_purchase_alone_rarely_decides_a_customer_near_a_threshold(chain: DemoChain) -> None:
    counts = Counter(sale.member_number for sale in sales_of(chain))
    near = [
        member
        for member, net in net_by_member(chain).items()
        if abs(net - 300) <= 15 or abs(net - 1000) <= 50
    ]

    assert len(near) >= 10
    assert sum(counts[member] == 1 for member in near) <= len(near) // 5


def test_the_same_seed_and_day_give_the_same_chain() -> None:
    assert build_chain(LOAD_DAY) == chain_of(LOAD_DAY)


def test_another_seed_gives_another_chain_with_the_same_figures() -> None:
    other = chain_of(LOAD_DAY, DEMO_SEED + 1)

    assert other.receipts != chain_of(LOAD_DAY).receipts
    assert other.customers != chain_of(LOAD_DAY).customers
    levels = Counter(level_of(net) for net in net_by_member(other).values())
    assert levels == {"main": 93, "ordinary": 408, "small": 1665}
    assert sum(net_by_member(other).values()) == Decimal("581780.00")


def test_the_catalogue_is_the_same_on_every_load_day(chain: DemoChain) -> None:
    assert chain.products == chain_of(LOAD_DAY).products


def test_the_showcase_is_one_book_away_from_main(chain: DemoChain) -> None:
    showcase = chain.showcase
    card = showcase.customer

    assert card in chain.customers
    assert (card.name, card.member_number, card.phone) == (
        "顾念书",
        "HK000888",
        "+8619900008888",
    )
    net = net_by_member(chain)[card.member_number]
    assert net == showcase.net == Decimal("968.00")
    assert level_of(net) == "ordinary"
    assert showcase.product.list_price == Decimal("58.00")
    assert showcase.product in chain.products
    assert level_of(net + showcase.product.list_price) == "main"
    assert [customer.name for customer in chain.customers].count(card.name) == 1
    source = next(s for s in chain.sources if s.code == showcase.source_code)
    assert source.store_code == card.home_store_code


def test_the_showcase_stays_one_book_away_for_a_month_after_the_load(chain: DemoChain) -> None:
    card = chain.showcase.customer
    first = next(sale for sale in sales_of(chain) if sale.member_number == card.member_number)
    last_window_start = chain.load_day + timedelta(days=30) - timedelta(days=364)

    assert first.occurred_at.date() >= last_window_start
