"""Second cards of people who have one, the way tills come by them.

A clerk of another store doesn't find the card, and makes a new one: with a homophone in the name,
with a slip of the finger in the phone, with spaces in the name, with the new number after a change.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import Final, TypeAlias

from app.demo.names import PHONE_PREFIX
from app.demo.shops import STORES
from app.demo.values import DemoCustomer, DemoDouble

Slip: TypeAlias = Callable[[DemoCustomer, str], DemoCustomer]
"""From a card and a phone that nobody has to the second card."""

DOUBLES: Final = 12
_HOMOPHONES: Final = {
    "岚": "兰", "晴": "情", "婉": "宛", "晨": "辰", "芷": "止", "瑶": "遥", "峻": "俊", "朗": "郎",
    "泽": "择", "恺": "凯", "煜": "玉", "衡": "恒", "岳": "月", "松": "嵩", "野": "也", "彦": "燕",
    "书": "舒", "清": "青", "嘉": "佳", "若": "偌", "云": "芸", "景": "井", "新": "欣", "和": "禾",
    "知": "芝", "亦": "易", "言": "妍", "安": "桉", "思": "丝", "明": "铭", "初": "出", "希": "曦",
}  # fmt: skip


def _same_but_phone(card: DemoCustomer, phone: str) -> DemoCustomer:
    return replace(card, phone=phone)


def _homophone(card: DemoCustomer, phone: str) -> DemoCustomer:
    name = card.name[0] + "".join(_HOMOPHONES.get(letter, letter) for letter in card.name[1:])
    return replace(card, name=name, phone=phone)


def _swapped_digits(card: DemoCustomer, _phone: str) -> DemoCustomer:
    digits = card.phone
    return replace(card, phone=digits[:-2] + digits[-1] + digits[-2])


def _full_width(card: DemoCustomer, phone: str) -> DemoCustomer:
    return replace(card, name=" ".join(card.name), phone=phone)


SLIPS: Final[tuple[Slip, ...]] = (_same_but_phone, _homophone, _swapped_digits, _full_width)


def build_doubles(
    rng: Random, last_day: date, cards: Sequence[DemoCustomer], phones: Iterator[str]
) -> list[DemoDouble]:
    """Draw whose card exists twice; the first pair has been merged.

    Only people whose birthday is known, and who registered long before: the second card is of the
    last quarter, and of another store.
    """
    taken = {card.phone for card in cards}
    since = last_day - timedelta(days=90)
    able = [c for c in cards if c.birthday and c.registered_on < since and _can_slip(c, taken)]
    doubles = []
    for number, first in enumerate(rng.sample(able, k=DOUBLES)):
        slipped = SLIPS[number % len(SLIPS)](first, next(phones))
        elsewhere = [store.code for store in STORES if store.code != first.home_store_code]
        card = replace(
            slipped,
            member_number=f"HK9{number + 1:05d}",
            email=None,
            home_store_code=rng.choice(elsewhere),
            owner_username=None,
            registered_on=since + timedelta(days=rng.randrange(80)),
        )
        doubles.append(DemoDouble(card, first.member_number, is_merged=number == 0))
    return doubles


def _can_slip(card: DemoCustomer, taken: set[str]) -> bool:
    swapped = _swapped_digits(card, "").phone
    return (
        swapped not in taken
        and swapped != card.phone
        and swapped.startswith(PHONE_PREFIX)
        and any(letter in _HOMOPHONES for letter in card.name[1:])
    )
