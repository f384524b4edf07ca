"""The cards: every buyer of the year, and a few people who have a card and bought nothing."""

from collections.abc import Sequence
from datetime import date, timedelta
from random import Random

from app.demo.names import SHOWCASE_NAME, SHOWCASE_PHONE, Person, draw_people
from app.demo.shops import STAFF, STORE_WEIGHTS, STORES
from app.demo.values import DemoCustomer

CARDS_WITHOUT_PURCHASE = 40
SHOWCASE_MEMBER_NUMBER = "HK000888"
_SHOWCASE_STORE = "S01"
_OLDEST_CARD_DAYS = 6 * 365


def _registered_on(rng: Random, first_day: date, first_purchase_on: date | None) -> date:
    """Draw when a card was made: with the first purchase of the window, or in earlier years."""
    if first_purchase_on is not None and rng.random() < 0.45:
        return first_purchase_on
    return first_day - timedelta(days=rng.randrange(1, _OLDEST_CARD_DAYS))


def _clerks_of(store_code: str) -> list[str]:
    return [s.username for s in STAFF if s.role == "clerk" and store_code in s.store_codes]


def _card(
    rng: Random, person: Person, member_number: str, registered_on: date, *, is_valued: bool
) -> DemoCustomer:
    store_code = rng.choices([store.code for store in STORES], STORE_WEIGHTS)[0]
    has_owner = rng.random() < (0.85 if is_valued else 0.18)
    has_email = rng.random() < 0.30
    return DemoCustomer(
        member_number=member_number,
        name=person.name,
        gender=person.gender,
        birthday=person.birthday,
        phone=person.phone,
        email=f"{member_number.lower()}@example.com" if has_email else None,
        home_store_code=store_code,
        owner_username=rng.choice(_clerks_of(store_code)) if has_owner else None,
        registered_on=registered_on,
    )


def _showcase_card(registered_on: date) -> DemoCustomer:
    return DemoCustomer(
        member_number=SHOWCASE_MEMBER_NUMBER,
        name=SHOWCASE_NAME,
        gender="female",
        birthday=date(1991, 5, 23),
        phone=SHOWCASE_PHONE,
        email=f"{SHOWCASE_MEMBER_NUMBER.lower()}@example.com",
        home_store_code=_SHOWCASE_STORE,
        owner_username=_clerks_of(_SHOWCASE_STORE)[0],
        registered_on=registered_on,
    )


def build_customers(
    rng: Random,
    first_day: date,
    first_purchases: Sequence[date | None],
    *,
    valued: frozenset[int],
    showcase: int,
) -> list[DemoCustomer]:
    """Build a card for each entry, in its order; None is a card without any purchase.

    Member numbers follow the day of registration, but for the showcase's, which is easily quoted.
    `valued` are the indexes of the customers who mostly have a clerk of their own.
    """
    people = list(draw_people(rng, len(first_purchases)))
    registered = [_registered_on(rng, first_day, first) for first in first_purchases]
    showcase_number = int(SHOWCASE_MEMBER_NUMBER[2:])
    numbers = iter(n for n in range(1, len(people) + 1) if n != showcase_number)
    cards: dict[int, DemoCustomer] = {}
    for index in sorted(range(len(people)), key=registered.__getitem__):
        if index == showcase:
            cards[index] = _showcase_card(registered[index])
            continue
        cards[index] = _card(
            rng,
            people[index],
            f"HK{next(numbers):06d}",
            registered[index],
            is_valued=index in valued,
        )
    return [cards[index] for index in range(len(people))]
