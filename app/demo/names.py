"""Invented people: names, phones, birthdays.

Surnames are common ones, about as frequent as in the country; given names are composed from our own
characters, so that a namesake of a living person is chance.

Phones are `+86 199 0000 xxxx`. China reserves no numbers for fiction, so a pattern had to do that
every reader recognizes and every parser accepts as a mobile; the demo never calls or writes to it.
The last hundred, `99xx`, stay with no card: sales that wait for theirs carry those.
E-mail addresses are at example.com, which RFC 2606 sets aside.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from app.demo.values import Gender

PHONE_PREFIX = "+861990000"
SHOWCASE_PHONE = f"{PHONE_PREFIX}8888"
SHOWCASE_NAME = "顾念书"

# Roughly how many in a thousand bear each of these surnames.
_SURNAMES_BY_WEIGHT = {
    72: "王",
    71: "李",
    68: "张",
    54: "刘",
    45: "陈",
    31: "杨",
    22: "黄",
    20: "赵",
    19: "吴 周",
    15: "徐 孙",
    13: "马 朱",
    12: "胡 郭",
    11: "何 林",
    10: "高",
    9: "罗 郑",
    8: "梁",
    7: "谢 宋 唐",
    6: "许 韩 邓 冯",
    5: "曹 彭 曾 肖 田 董",
    4: "潘 袁 蔡 蒋 余 于 杜 叶 程 魏 苏 吕 丁",
    3: "任 卢 姚 沈 钟 姜 崔 谭 陆 范 汪 廖 石 金 韦 贾",
    2: "夏 付 方 邹 熊 白 孟 秦 邱 侯 江 尹 薛 阎 欧阳",
    1: "上官 司徒 诸葛 令狐 皇甫",
}
SURNAME_WEIGHTS: dict[str, int] = {
    surname: weight
    for weight, surnames in _SURNAMES_BY_WEIGHT.items()
    for surname in surnames.split()
}
FEMALE_CHARACTERS = "岚芷汐瑶筠婉黛蓁荷绮晴璐茉昕苒柠芮棠禾语窈笙蔓珺"
MALE_CHARACTERS = "峻澈朗骁屹砚泽恺煜衡骞锐昶岳弈柏松川野渡炜劭翊彦"
EITHER_CHARACTERS = "安宁言知书亦子一清明嘉思若云可景新和以乐星初行希"

_FIRST_BIRTHDAY = date(1948, 1, 1)
_LAST_BIRTHDAY = date(2007, 12, 31)


@dataclass(frozen=True, slots=True)
class Person:
    """A made-up person, not yet a card."""

    name: str
    gender: Gender | None
    birthday: date | None
    phone: str


def _given_name(rng: Random, gender: Gender) -> str:
    own = FEMALE_CHARACTERS if gender == "female" else MALE_CHARACTERS
    if rng.random() < 0.14:
        return rng.choice(own)
    return rng.choice(EITHER_CHARACTERS) + rng.choice(own)


def draw_name(rng: Random, gender: Gender) -> str:
    """Draw a surname, about as frequent as in the country, and a given name."""
    surnames, weights = tuple(SURNAME_WEIGHTS), tuple(SURNAME_WEIGHTS.values())
    return rng.choices(surnames, weights)[0] + _given_name(rng, gender)


def draw_people(rng: Random, count: int) -> Iterator[Person]:
    """Draw people whose phones differ, and whose birthdays differ where they are known.

    Differing birthdays keep two namesakes from looking like one customer's two cards.
    """
    endings = rng.sample([n for n in range(9_900) if n != int(SHOWCASE_PHONE[-4:])], k=count)
    days = rng.sample(range((_LAST_BIRTHDAY - _FIRST_BIRTHDAY).days + 1), k=count)
    for ending, day in zip(endings, days, strict=True):
        gender: Gender = "female" if rng.random() < 0.58 else "male"
        yield Person(
            name=draw_name(rng, gender),
            gender=gender if rng.random() < 0.93 else None,
            birthday=_FIRST_BIRTHDAY + timedelta(days=day) if rng.random() < 0.72 else None,
            phone=f"{PHONE_PREFIX}{ending:04d}",
        )


def uncarded_phones(rng: Random, count: int) -> list[str]:
    """Draw phones that belong to no card."""
    return [f"{PHONE_PREFIX}{ending}" for ending in rng.sample(range(9_900, 10_000), k=count)]


def free_phones(rng: Random, taken: set[str]) -> Iterator[str]:
    """Draw phones that are neither among these nor among those that no card shall have."""
    endings = rng.sample(range(9_900), k=9_900)
    phones = (f"{PHONE_PREFIX}{ending:04d}" for ending in endings)
    return (phone for phone in phones if phone not in taken)
