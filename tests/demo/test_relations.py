"""Organizations, conversations and cards that exist twice: plausible, and visibly made up."""

from collections import Counter
from datetime import timedelta

import phonenumbers

from app.demo import DemoChain
from app.demo.doubles import DOUBLES
from app.vocabulary import Channel, ContactRole, Direction, InteractionOutcome, SizeBand


def phones_of(chain: DemoChain) -> list[str]:
    """Return every phone of the chain's cards and of the people at organizations."""
    return [
        *(card.phone for card in chain.customers),
        *(double.card.phone for double in chain.doubles),
        *(body.phone for body in chain.organizations),
        *(person.phone for body in chain.organizations for person in body.contacts),
    ]


def test_nobody_shares_a_phone_and_every_phone_is_of_the_invented_block(chain: DemoChain) -> None:
    phones = phones_of(chain)
    assert len(set(phones)) == len(phones)
    assert all(phone.startswith("+861990000") and phone < "+8619900009900" for phone in phones)
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(phone)) for phone in phones)


def test_member_numbers_are_never_given_twice(chain: DemoChain) -> None:
    numbers = [
        *(card.member_number for card in chain.customers),
        *(double.card.member_number for double in chain.doubles),
        *(body.member_number for body in chain.organizations),
    ]
    assert len(set(numbers)) == len(numbers)


def test_every_store_has_organizations_and_each_has_somebody_who_decides(chain: DemoChain) -> None:
    assert {body.home_store_code for body in chain.organizations} == {
        store.code for store in chain.stores
    }
    clerks = {p.username: p.store_codes for p in chain.staff if p.role == "clerk"}
    for body in chain.organizations:
        assert sum(person.decides for person in body.contacts) == 1
        assert {person.role for person in body.contacts} <= set(ContactRole)
        assert body.size_band in set(SizeBand)
        assert body.home_store_code in clerks[body.owner_username]
        assert body.registered_on < chain.first_day


def test_a_second_card_is_of_the_last_quarter_and_of_another_store(chain: DemoChain) -> None:
    cards = {card.member_number: card for card in chain.customers}
    assert len(chain.doubles) == DOUBLES
    assert [double.is_merged for double in chain.doubles] == [True] + [False] * (DOUBLES - 1)
    assert len({double.of_member_number for double in chain.doubles}) == DOUBLES
    for double in chain.doubles:
        first, second = cards[double.of_member_number], double.card
        assert second.birthday == first.birthday is not None
        assert second.home_store_code != first.home_store_code
        assert (second.name, second.phone) != (first.name, first.phone)
        assert first.registered_on < chain.last_day - timedelta(days=90) <= second.registered_on
        assert second.registered_on <= chain.last_day


def test_conversations_are_in_order_of_time_and_after_the_card_was_made(chain: DemoChain) -> None:
    registered = {
        **{card.member_number: card.registered_on for card in chain.customers},
        **{double.card.member_number: double.card.registered_on for double in chain.doubles},
        **{body.member_number: body.registered_on for body in chain.organizations},
    }
    instants = [one.occurred_at for one in chain.interactions]
    assert instants == sorted(instants)
    for one in chain.interactions:
        assert registered[one.member_number] <= one.occurred_at.date()
        assert chain.first_day <= one.occurred_at.date() <= chain.last_day
        assert one.channel in set(Channel)
        assert one.direction in set(Direction)
        assert one.outcome in set(InteractionOutcome)
        assert (one.next_step is None) == (one.next_step_on is None)
    staff = {person.username for person in chain.staff}
    assert {one.staff_username for one in chain.interactions} <= staff


def test_customers_of_value_are_spoken_with_most_and_something_is_left_to_do(
    chain: DemoChain,
) -> None:
    spoken = Counter(one.member_number for one in chain.interactions)
    assert 900 <= len(chain.interactions) <= 1_300
    merged = next(double for double in chain.doubles if double.is_merged)
    assert spoken[merged.card.member_number] >= 3
    assert sum(count >= 3 for count in spoken.values()) >= 93
    assert any(one.next_step_on for one in chain.interactions)
