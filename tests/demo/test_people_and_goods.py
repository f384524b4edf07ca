"""Shops, staff, catalogue and cards: plausible, consistent, and visibly made up."""

import re
from collections import Counter
from datetime import date, time
from decimal import Decimal

import phonenumbers
import pytest

from app.demo import DemoChain
from app.demo.catalogue import isbn_check_digit
from app.demo.names import (
    EITHER_CHARACTERS,
    FEMALE_CHARACTERS,
    MALE_CHARACTERS,
    SHOWCASE_NAME,
    SURNAME_WEIGHTS,
)
from tests.demo.figures import chain_of, sales_of, texts_in

HOST = re.compile(r"[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}", re.ASCII | re.IGNORECASE)


def test_one_of_the_six_stores_never_closes_and_none_has_a_closed_day(chain: DemoChain) -> None:
    assert [store.code for store in chain.stores] == ["S01", "S02", "S03", "S04", "S05", "S06"]
    assert [store.code for store in chain.stores if store.is_open_24h] == ["S06"]
    for store in chain.stores:
        assert len(store.opening_hours) == 7
        assert store.address.startswith("示例市")
        for intervals in store.opening_hours:
            assert intervals
            if store.is_open_24h:
                assert intervals == ((time(0, 0), time(0, 0)),)
                continue
            edges = [edge for interval in intervals for edge in interval]
            assert edges == sorted(set(edges))


def test_every_store_has_a_till_and_there_is_one_web_shop(chain: DemoChain) -> None:
    tills = Counter(source.store_code for source in chain.sources if source.kind == "till")

    assert set(tills) == {store.code for store in chain.stores}
    assert set(tills.values()) == {1, 2}
    assert [source.code for source in chain.sources if source.kind == "web_shop"] == ["web"]
    assert all(re.fullmatch(r"[a-z0-9-]+", source.code) for source in chain.sources)


def test_every_role_has_a_sign_in_of_its_own_name(chain: DemoChain) -> None:
    roles = {"admin", "manager", "store_manager", "clerk", "service", "marketing", "auditor"}
    staff = {person.username: person for person in chain.staff}
    codes = {store.code for store in chain.stores}

    assert len(staff) == len(chain.staff)
    assert {person.role for person in chain.staff} == roles
    for role in roles:
        assert staff[role].role == role
    for person in chain.staff:
        is_chain_wide = person.role in {"admin", "manager", "marketing", "auditor"}
        assert (person.store_codes == ()) == is_chain_wide
        assert set(person.store_codes) <= codes
    for role in ("store_manager", "clerk", "service"):
        covered = {c for p in chain.staff if p.role == role for c in p.store_codes}
        assert covered == codes, role


def test_the_catalogue_has_240_titles_or_more_in_eight_categories(chain: DemoChain) -> None:
    per_category = Counter(product.category_code for product in chain.products)

    assert len(chain.products) >= 240
    assert set(per_category) == {category.code for category in chain.categories}
    assert len(per_category) == 8
    assert min(per_category.values()) >= 25
    assert len({product.sku for product in chain.products}) == len(chain.products)
    assert len({product.title for product in chain.products}) == len(chain.products)


def test_isbns_are_valid_unique_and_of_a_group_nobody_was_given(chain: DemoChain) -> None:
    books = [product for product in chain.products if product.category_code != "stationery"]
    isbns = [product.isbn for product in books if product.isbn is not None]

    assert len(isbns) == len(books) == len(set(isbns))
    for isbn in isbns:
        assert re.fullmatch(r"97970000\d{5}", isbn)
        assert sum(int(d) * (1, 3)[place % 2] for place, d in enumerate(isbn)) % 10 == 0
    assert all(p.isbn is None for p in chain.products if p.category_code == "stationery")


@pytest.mark.parametrize(
    ("first_twelve", "digit"),
    [("978030640615", "7"), ("979000000000", "1"), ("979700000006", "2")],
)
def test_check_digits_worked_out_by_hand(first_twelve: str, digit: str) -> None:
    assert isbn_check_digit(first_twelve) == digit


def test_costs_are_55_to_72_percent_of_the_price(chain: DemoChain) -> None:
    for product in chain.products:
        share = product.unit_cost / product.list_price
        assert Decimal("0.55") <= share <= Decimal("0.72"), product
        assert product.unit_cost.as_tuple().exponent == -2
        assert product.list_price.as_tuple().exponent == -2


def test_there_is_a_card_for_each_buyer_and_forty_without_a_purchase(chain: DemoChain) -> None:
    buyers = {sale.member_number for sale in sales_of(chain)} - {None}
    cards = [card.member_number for card in chain.customers]

    assert len(buyers) == 2166
    assert len(cards) == len(set(cards)) == 2206
    assert buyers < set(cards)
    assert cards == [f"HK{number:06d}" for number in range(1, 2207)]


def test_phones_are_valid_unique_and_of_the_made_up_pattern(chain: DemoChain) -> None:
    phones = [card.phone for card in chain.customers]
    waiting = [s.identity.value for s in sales_of(chain) if s.identity and not s.member_number]

    assert len(set(phones)) == len(phones)
    for phone in (*phones, *waiting):
        assert re.fullmatch(r"\+861990000\d{4}", phone)
        parsed = phonenumbers.parse(phone)
        assert phonenumbers.is_valid_number(parsed)
        assert phonenumbers.region_code_for_number(parsed) == "CN"
        assert phonenumbers.number_type(parsed) == phonenumbers.PhoneNumberType.MOBILE


def test_cards_exist_before_their_first_purchase(chain: DemoChain) -> None:
    registered = {card.member_number: card.registered_on for card in chain.customers}
    on_the_day: set[str] = set()

    for sale in sales_of(chain):
        if sale.member_number is not None:
            assert registered[sale.member_number] <= sale.occurred_at.date()
            if registered[sale.member_number] == sale.occurred_at.date():
                on_the_day.add(sale.member_number)
    assert len(on_the_day) > 2166 // 3


def test_member_numbers_follow_the_day_of_registration(chain: DemoChain) -> None:
    others = [c for c in chain.customers if c != chain.showcase.customer]
    days = [card.registered_on for card in others]

    assert days == sorted(days)


def test_owners_are_clerks_of_the_home_store(chain: DemoChain) -> None:
    clerks = {p.username: p.store_codes for p in chain.staff if p.role == "clerk"}
    owned = [card for card in chain.customers if card.owner_username is not None]

    assert 2166 // 10 < len(owned) < 2166 // 2
    for card in owned:
        assert card.home_store_code in clerks[card.owner_username or ""]


def test_genders_birthdays_and_e_mails_are_known_for_some(chain: DemoChain) -> None:
    birthdays = [card.birthday for card in chain.customers if card.birthday is not None]
    emails = [card.email for card in chain.customers if card.email is not None]

    assert {card.gender for card in chain.customers} == {"female", "male", None}
    assert 2206 // 2 < len(birthdays) < 2206
    assert date(1948, 1, 1) <= min(birthdays)
    assert max(birthdays) <= date(2007, 12, 31)
    assert 2206 // 5 < len(emails) < 2206 // 2
    assert len(set(emails)) == len(emails)


def test_no_two_cards_look_like_the_same_person(chain: DemoChain) -> None:
    persons = [(c.name, c.birthday) for c in chain.customers if c.birthday is not None]

    assert len(set(persons)) == len(persons)


def test_names_are_composed_of_our_own_characters(chain: DemoChain) -> None:
    ours = set(EITHER_CHARACTERS + FEMALE_CHARACTERS + MALE_CHARACTERS)
    compound = 0

    for card in chain.customers:
        if card.name == SHOWCASE_NAME:
            continue
        surname = card.name[:2] if card.name[:2] in SURNAME_WEIGHTS else card.name[:1]
        assert surname in SURNAME_WEIGHTS
        given = card.name.removeprefix(surname)
        assert 1 <= len(given) <= 2
        assert set(given) <= ours
        compound += len(surname) == 2
    assert 3 <= compound <= 60


def test_common_surnames_are_common(chain: DemoChain) -> None:
    surnames = Counter(card.name[0] for card in chain.customers)

    assert {surname for surname, _ in surnames.most_common(5)} == {"王", "李", "张", "刘", "陈"}


def test_the_only_host_anywhere_is_the_one_set_aside_for_examples() -> None:
    chain = chain_of(date(2026, 11, 21))
    hosts = {host.lower() for text in texts_in(chain) for host in HOST.findall(text)}

    assert hosts == {"example.com"}
