"""Made-up cards of which it is known which are one customer's: the truth that a scan is held to.

People and their errors are drawn from lists of their own, which the rule does not know: what it
recognizes was not written down here first. The cards are as an older system may deliver them, where
nothing kept a phone to one card.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import combinations
from random import Random
from typing import Final

from opencc import OpenCC
from pypinyin import Style, lazy_pinyin, pinyin

Birthday = tuple[int, int, int]

# Bearers in ten thousand.
_SURNAMES: Final = {
    "王": 710, "李": 700, "张": 660, "刘": 520, "陈": 470, "杨": 310, "赵": 225, "黄": 220,
    "周": 195, "吴": 190, "徐": 150, "孙": 148, "胡": 127, "朱": 125, "高": 113, "林": 110,
    "何": 108, "郭": 106, "马": 120, "罗": 90, "梁": 86, "宋": 75, "郑": 82, "谢": 70, "韩": 62,
    "唐": 60, "冯": 59, "于": 53, "董": 52, "萧": 30, "程": 45, "曹": 50, "袁": 44, "邓": 55,
    "许": 58, "傅": 30, "沈": 40, "曾": 48, "彭": 50, "吕": 42, "苏": 41, "卢": 40, "蒋": 41,
    "蔡": 43, "贾": 36, "丁": 38, "魏": 40, "薛": 33, "叶": 39, "阎": 25, "余": 38, "潘": 41,
    "杜": 40, "戴": 25, "夏": 30, "钟": 35, "汪": 32, "田": 38, "任": 36, "姜": 33, "范": 33,
    "方": 30, "石": 31, "姚": 33, "谭": 31, "廖": 31, "邹": 28, "熊": 26, "金": 27, "陆": 29,
    "郝": 25, "孔": 20, "白": 24, "崔": 31, "康": 21, "毛": 24, "邱": 25, "秦": 26, "江": 26,
    "史": 24, "顾": 22, "侯": 23, "邵": 21, "孟": 24, "龙": 22, "万": 22, "段": 24, "章": 18,
    "钱": 22, "汤": 20, "尹": 22, "黎": 20, "易": 18, "常": 19, "武": 21, "乔": 18, "贺": 20,
    "赖": 18, "龚": 20, "文": 17, "单": 6, "解": 5, "查": 4, "仇": 3, "欧阳": 9, "上官": 1,
    "司马": 1, "诸葛": 1, "尉迟": 1, "令狐": 1, "皇甫": 1,
}  # fmt: skip
_WOMEN: Final = (
    "芳娜敏静丽艳娟霞燕玲婷雪琳慧莉萍红梅兰英秀珍凤洁云莲真环爱妹香月莺媛瑞凡佳嘉琼勤桂娣叶璧璐娅琦晶"
    "妍茜秋珊莎锦黛青倩姣婉娴瑾颖露瑶怡婵雁蓓仪荷丹蓉眉君琴蕊薇菁梦岚苑筠柔竹霭凝晓欢枫芸菲寒伊亚宜可姬舒"
)
_MEN: Final = (
    "伟强磊军洋勇杰涛超明刚平辉鹏华飞鑫波斌宇浩凯健俊帆毅林峰志建国文武清德山仁功松善厚庆民友裕河哲江"
    "亮政谦亨奇固之轮翰朗伯宏言若鸣朋梁栋维启克伦翔旭士以家致树炎诚先敬震振壮会思群豪心邦承乐绍"
)
_OF_EITHER: Final = "一子小晓文春东玉永海新雨天安宁思佳志建国家金梓欣嘉宇浩景元立少正世光"
# What hands and eyes take for one another.
_TAKEN_FOR: Final = {
    "明": "朋", "朋": "明", "婷": "停", "伟": "纬", "晴": "睛", "杰": "然", "亮": "高", "敏": "敬",
    "雪": "雷", "芳": "芬", "刚": "钢", "帆": "机", "松": "柏", "薇": "徽", "未": "末", "东": "车",
    "宁": "字", "宇": "字", "思": "恩", "国": "图", "志": "忠", "荷": "菏", "菲": "非", "洁": "沽",
    "娜": "哪", "颖": "颍", "倩": "清", "珊": "册", "妍": "研", "子": "孑", "玲": "铃", "峰": "蜂",
    "浩": "洁", "旭": "旮", "凡": "几", "丹": "舟", "月": "用", "天": "夫", "元": "无", "士": "土",
}  # fmt: skip
_CITIES: Final = {
    "上海市徐汇区": "漕溪路 天钥桥路 肇嘉浜路 宛平南路 龙华中路 零陵路",
    "上海市浦东新区": "张杨路 世纪大道 浦电路 东方路 乳山路 崂山路",
    "南京市鼓楼区": "中山北路 湖南路 汉口西路 凤凰西街 草场门大街 北京西路",
    "杭州市西湖区": "文三路 天目山路 学院路 古墩路 文一西路 莫干山路",
    "苏州市姑苏区": "人民路 干将东路 十梓街 平江路 临顿路 凤凰街",
    "济南市历下区": "明湖路 经十路 泺源大街 历山路 文化东路 解放路",
}
_ESTATES: Final = [
    "幸福里",
    "阳光花园",
    "锦绣苑",
    "康乐新村",
    "翠竹园",
    "望湖家园",
    "和平小区",
    "金桂苑",
    "书香苑",
    "南苑",
]
_EMPLOYERS: Final = (
    "市第一中学", "市图书馆", "人民医院", "建设银行", "供电公司", "地铁集团", "师范大学", "日报社",
    "税务局", "设计研究院", "第二小学", "软件园", "邮政局", "自来水公司", "纺织厂", "机床厂",
)  # fmt: skip
_TOWNS: Final = "上海 南京 杭州 苏州 济南 徐汇 浦东 鼓楼 西湖 姑苏 历下 城北 城南 江东"
_PREFIXES: Final = (
    "130 131 132 133 135 136 137 138 139 150 151 152 153 155 156 157 158 159 176 177 178 180 181 "
    "182 183 185 186 187 188 189 191 199"
)
_FIRST_DAY: Final = date(1945, 1, 1)


@dataclass(frozen=True, slots=True)
class MadeCard:
    """A card; ``person`` is whose it is, ``kind`` what it was made to show."""

    person: int
    kind: str
    name: str
    gender: str | None
    birthday: Birthday | None
    phones: tuple[str, ...]
    address: str | None
    employer: str | None


@dataclass(frozen=True, slots=True)
class Proportions:
    """How many of what in a thousand people; the rest are people with one card each.

    ``twice`` have a second card, and somebody of ``families``, ``twins``, ``namesakes`` and
    ``fathers`` is somebody else who looks like them.
    """

    twice: int = 125
    families: int = 60
    twins: int = 12
    namesakes: int = 40
    fathers: int = 30
    kinds: dict[str, int] = field(
        default_factory=lambda: {
            "homophone": 15, "look_alike": 8, "pinyin": 10, "traditional": 10,
            "phone_digit": 10, "phone_swapped": 8, "changed_phone": 14, "missing_birthday": 10,
            "day_and_month": 6, "moved": 9,
        }
    )  # fmt: skip


def make_cards(seed: int, count: int, proportions: Proportions) -> list[MadeCard]:
    """Make at least ``count`` cards, and a few more at most; the same for the same seed."""
    return list(_Maker(Random(seed), proportions).cards(count))


def true_pairs(cards: Sequence[MadeCard]) -> dict[tuple[int, int], str]:
    """Return the pairs of one person's cards by their places in the list, each with its kind."""
    places: dict[int, list[int]] = {}
    for place, card in enumerate(cards):
        places.setdefault(card.person, []).append(place)
    return {pair: cards[pair[1]].kind for own in places.values() for pair in combinations(own, 2)}


class _Maker:
    def __init__(self, rng: Random, proportions: Proportions) -> None:
        self.rng = rng
        self.proportions = proportions
        self.people = 0
        self.surnames = list(_SURNAMES)
        self.weights = list(_SURNAMES.values())
        self.prefixes = _PREFIXES.split()
        self.traditional = OpenCC("s2t")
        self.sounding = _by_sound(_WOMEN + _MEN + _OF_EITHER)
        self.errors: dict[str, Callable[[MadeCard], MadeCard | None]] = {
            "homophone": self._homophone,
            "look_alike": self._look_alike,
            "pinyin": self._in_letters,
            "traditional": self._traditional,
            "phone_digit": self._wrong_digit,
            "phone_swapped": self._swapped_digits,
            "changed_phone": self._changed_phone,
            "missing_birthday": lambda card: replace(card, birthday=None),
            "day_and_month": self._day_and_month,
            "moved": lambda card: replace(card, address=self._address()),
        }

    def cards(self, count: int) -> Iterator[MadeCard]:
        made = 0
        shares = self.proportions
        traps = [
            (self._family, shares.families),
            (self._twin, shares.twins),
            (self._namesake, shares.namesakes),
            (self._father, shares.fathers),
        ]
        while made < count:
            person = self._person()
            yield person
            made += 1
            drawn = self.rng.randrange(1000)
            if drawn < shares.twice:
                yield self._again(person)
                made += 1
                continue
            drawn -= shares.twice
            for trap, share in traps:
                if drawn < share:
                    yield trap(person)
                    made += 1
                    break
                drawn -= share

    # --- People -----------------------------------------------------------------------------

    def _person(self) -> MadeCard:
        gender = self.rng.choice(("female", "male"))
        return MadeCard(
            person=self._number(),
            kind="person",
            name=self.rng.choices(self.surnames, self.weights)[0] + self._given(gender),
            gender=gender if self.rng.random() < 0.95 else None,
            birthday=self._birthday() if self.rng.random() < 0.8 else None,
            phones=(self._phone(),) if self.rng.random() < 0.93 else (),
            address=self._address() if self.rng.random() < 0.7 else None,
            employer=self._employer() if self.rng.random() < 0.35 else None,
        )

    def _number(self) -> int:
        self.people += 1
        return self.people

    def _given(self, gender: str) -> str:
        own = _WOMEN if gender == "female" else _MEN
        # The first of a list are drawn far more often than the last.
        last = own[int(len(own) * self.rng.random() ** 2)]
        if self.rng.random() < 0.17:
            return last
        first = self.rng.choice((_OF_EITHER, own))
        return first[int(len(first) * self.rng.random() ** 1.5)] + last

    def _birthday(self) -> Birthday:
        day = _FIRST_DAY + timedelta(days=self.rng.randrange(64 * 365))
        return day.year, day.month, day.day

    def _phone(self) -> str:
        return f"+86{self.rng.choice(self.prefixes)}{self.rng.randrange(10**8):08d}"

    def _address(self) -> str:
        region, streets = self.rng.choice(list(_CITIES.items()))
        street, number = self.rng.choice(streets.split()), self.rng.randrange(1, 900)
        if self.rng.random() < 0.3:
            return f"{region}{street}{number}号"
        house, floor = self.rng.randrange(1, 40), self.rng.randrange(1, 25)
        return (
            f"{region}{street}{number}号{self.rng.choice(_ESTATES)}{house}幢"
            f"{floor}{self.rng.randrange(1, 7):02d}室"
        )

    def _employer(self) -> str:
        return self.rng.choice(_TOWNS.split()) + self.rng.choice(_EMPLOYERS)

    # --- Second cards -------------------------------------------------------------------------

    def _again(self, person: MadeCard) -> MadeCard:
        kinds = self.proportions.kinds
        made = None
        while made is None:
            # Not every card can have every error: an unknown birthday has no day to be swapped.
            kind = self.rng.choices(list(kinds), list(kinds.values()))[0]
            made = self.errors[kind](replace(person, kind=kind))
        # Whoever opens a second card is asked anew, and does not say everything again.
        if kind not in {"phone_digit", "phone_swapped"}:
            drawn = self.rng.random()
            if drawn < 0.3:
                made = replace(made, phones=(self._phone(),))
            elif drawn < 0.5:
                made = replace(made, phones=())
        return replace(
            made,
            gender=made.gender if self.rng.random() < 0.95 else None,
            birthday=made.birthday if self.rng.random() < 0.95 else None,
            address=made.address if self.rng.random() < 0.85 else None,
            employer=made.employer if self.rng.random() < 0.8 else None,
        )

    def _homophone(self, card: MadeCard) -> MadeCard | None:
        place = self.rng.randrange(1, len(card.name))
        others = [
            c for c in self.sounding.get(_sound(card.name[place]), "") if c != card.name[place]
        ]
        return self._spelled(card, place, self.rng.choice(others)) if others else None

    def _look_alike(self, card: MadeCard) -> MadeCard | None:
        places = [p for p in range(1, len(card.name)) if card.name[p] in _TAKEN_FOR]
        if not places:
            return None
        place = self.rng.choice(places)
        return self._spelled(card, place, _TAKEN_FOR[card.name[place]])

    def _spelled(self, card: MadeCard, place: int, character: str) -> MadeCard:
        return replace(card, name=card.name[:place] + character + card.name[place + 1 :])

    def _in_letters(self, card: MadeCard) -> MadeCard:
        length = 2 if card.name[:2] in _SURNAMES else 1
        surname = "".join(lazy_pinyin(card.name[:length])).capitalize()
        given = "".join(lazy_pinyin(card.name[length:])).capitalize()
        forms = (f"{surname} {given}", f"{given} {surname}", f"{surname}{given}".lower())
        return replace(card, name=self.rng.choices(forms, (5, 3, 2))[0])

    def _traditional(self, card: MadeCard) -> MadeCard | None:
        name = self.traditional.convert(card.name)
        return None if name == card.name else replace(card, name=name)

    def _wrong_digit(self, card: MadeCard) -> MadeCard | None:
        if not card.phones:
            return None
        phone = card.phones[0]
        place = self.rng.randrange(4, len(phone))
        digit = str((int(phone[place]) + self.rng.randrange(1, 10)) % 10)
        return replace(card, phones=(phone[:place] + digit + phone[place + 1 :],))

    def _swapped_digits(self, card: MadeCard) -> MadeCard | None:
        if not card.phones:
            return None
        phone = card.phones[0]
        places = [p for p in range(5, len(phone) - 1) if phone[p] != phone[p + 1]]
        if not places:
            return None
        p = self.rng.choice(places)
        return replace(card, phones=(phone[:p] + phone[p + 1] + phone[p] + phone[p + 2 :],))

    def _changed_phone(self, card: MadeCard) -> MadeCard:
        return replace(card, phones=(self._phone(),))

    def _day_and_month(self, card: MadeCard) -> MadeCard | None:
        if card.birthday is None:
            return None
        year, month, day = card.birthday
        if day > 12 or day == month:
            return None
        return replace(card, birthday=(year, day, month))

    # --- Somebody else ------------------------------------------------------------------------

    def _family(self, person: MadeCard) -> MadeCard:
        """A husband, a wife or a child: one phone, one address."""
        other = self._person()
        of_one_name = self.rng.random() < 0.5
        given = other.name[2 if other.name[:2] in _SURNAMES else 1 :]
        return replace(
            other,
            kind="family",
            name=self._surname(person) + given if of_one_name else other.name,
            phones=person.phones,
            address=person.address,
        )

    def _twin(self, person: MadeCard) -> MadeCard:
        """One day, one surname, often one character of the given name, one phone."""
        other = self._family(person)
        given = self._given(other.gender or "female")
        own = person.name[len(self._surname(person)) :]
        if len(own) == 2 and self.rng.random() < 0.6:
            given = own[0] + given[-1]
        if given == own:
            given = given[-1] + "双"
        return replace(
            other,
            kind="twin",
            name=self._surname(person) + given,
            birthday=person.birthday,
            employer=None,
        )

    def _namesake(self, person: MadeCard) -> MadeCard:
        return replace(self._person(), kind="namesake", name=person.name, gender=person.gender)

    def _father(self, person: MadeCard) -> MadeCard:
        other = self._person()
        given = other.name[2 if other.name[:2] in _SURNAMES else 1 :]
        birthday = None
        if person.birthday is not None and self.rng.random() < 0.85:
            _, month, day = self._birthday()
            birthday = (person.birthday[0] - self.rng.randrange(21, 36), month, min(day, 28))
        return replace(
            other,
            kind="father",
            name=self._surname(person) + given,
            birthday=birthday,
            phones=person.phones if self.rng.random() < 0.5 else other.phones,
            address=person.address,
        )

    def _surname(self, person: MadeCard) -> str:
        return person.name[: 2 if person.name[:2] in _SURNAMES else 1]


def _sound(character: str) -> str:
    return pinyin(character, style=Style.NORMAL)[0][0]


def _by_sound(characters: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for character in dict.fromkeys(characters):
        sound = _sound(character)
        found[sound] = found.get(sound, "") + character
    return found
