"""How alike two texts are that are not the same: names that look or sound alike, addresses."""

import re
from typing import Final

from rapidfuzz import fuzz
from rapidfuzz.distance import OSA

_NUMBERS: Final = re.compile(r"[0-9]+|[零一二三四五六七八九十百]+")
_SHORTEST_PART: Final = 6
"""Of an address that is a part of another one: a shorter one may be a city's name."""
WITHOUT_NUMBER: Final = 0.9
"""The most that two addresses are alike that name no house."""

# Characters that are taken for one another in handwriting, or when picking from a list of strokes;
# those that also sound alike are found by their reading.
_LOOK_ALIKES: Final = (
    "己已巳 末未朱 土士 日曰 大太犬 人入八 千干于 王玉主 田由甲申 午牛 刀力 今令 明朋 洋样 "
    "晴睛 清情 佳住 任仕 木本 且目旦 自白 月用 贝见 文又 凤风 雨两 云去 元无 戊戌戍 巨臣 "
    "平乎 右石 左在 永水冰 东车乐 宇字 宋宗 宏宠 宫官 宜宣 律津 廷延 床庆 形彤 征证 思恩 "
    "拓柘 捷棒 敏敬 昊吴 昌昱 晋普 晨晏 晶品 旭旬 昕新 武式 江汪 沐沫 沛沫 波坡 洁活 淇洪 "
    "润阔 淑椒 潇满 炎灸 爽夹 珍诊 琳淋 瑞端 益盖 盈盆 睿壑 祥样 福副 秀季 程理 筠均 经轻 "
    "美姜 翠翌 耀跃 聪总 芬芳 花化 苏芬 茜西 茹如 荣菜 莹营 菲非 萍苹 蓉容 薇微 蓝篮 诗持 "
    "谦廉 贤坚 贵责 越赵 辉挥 运远 遥摇 郁都 铭名 雄维 雅稚 雪雷 露路 韵均 骏峻 高亮 鹏朋 "
    "龙尤 佩佣 倩情 兴光 利刘 勇男 卓草 君群 哲誓 坤神 妍研 妙纱 妹姝 姗珊 娅亚 婉碗 媛援 "
    "孟盂 季李 少小 向尚 岚风 帆机 希布 广厂 庄压 丁了 万方 于干 卢户 史吏 何河 余佘 冯马 "
    "汤扬 候侯 毛手 段叚 洗冼 治冶 栗粟 沈沉 祁祈 祟崇 茅矛 萧肃 裴斐 钱线 陈阵 阎闫 霍雀"
)


def _pairs() -> frozenset[tuple[str, str]]:
    return frozenset(
        (one, other)
        for group in _LOOK_ALIKES.split()
        for one in group
        for other in group
        if one != other
    )


_LOOK_ALIKE_PAIRS: Final = _pairs()


def look_alike(one: str, other: str) -> bool:
    """Tell whether one character is easily taken for the other."""
    return (one, other) in _LOOK_ALIKE_PAIRS


def differing_characters(one: str, other: str) -> list[tuple[str, str]]:
    """Return the places where two texts of one length differ."""
    return [pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]]


def name_likeness(one: str, other: str, readings: frozenset[str], others: frozenset[str]) -> float:
    """Return how alike two people's folded names are that differ, from 0 to 1.

    Names in characters are alike where one looks like another, or where they sound the same to many
    ears (in and ing, zh and z, l and n). Where one is in letters, one of every seven may be wrong,
    missing, added, or swapped with its neighbour.
    """
    if is_latin(one) or is_latin(other):
        return max((OSA.normalized_similarity(a, b) for a in readings for b in others), default=0.0)
    if len(one) != len(other):
        return 0.0
    differing = differing_characters(one, other)
    if len(differing) == 1 and look_alike(*differing[0]):
        return 1.0
    return 1.0 if {_by_ear(a) for a in readings} & {_by_ear(b) for b in others} else 0.0


def is_latin(name: str) -> bool:
    """Tell whether a folded name has letters of ASCII only."""
    return name.isascii()


_HEARD_ALIKE: Final = (
    (re.compile("([zcs])h"), r"\1"),
    (re.compile("([aei])ng(?![aeiouv])"), r"\1n"),
    (re.compile(r"\bl"), "n"),
)


def _by_ear(reading: str) -> str:
    for heard, as_if in _HEARD_ALIKE:
        reading = heard.sub(as_if, reading)
    return reading


def organization_likeness(one: str, other: str) -> float:
    """Return how alike two organizations' folded names are; one may be a part of the other."""
    if min(len(one), len(other)) >= 4:
        return max(fuzz.ratio(one, other), fuzz.partial_ratio(one, other)) / 100
    return fuzz.ratio(one, other) / 100


def address_likeness(one: str, other: str) -> float:
    """Return how alike two folded addresses are, from 0 to 1; other numbers are other doors."""
    if _NUMBERS.findall(one) != _NUMBERS.findall(other):
        return 0.0
    if one == other:
        likeness = 1.0
    else:
        likeness = min(0.99, fuzz.ratio(one, other) / 100)
        if min(len(one), len(other)) >= _SHORTEST_PART:
            likeness = max(likeness, min(0.99, fuzz.partial_ratio(one, other) / 100))
    return likeness if _NUMBERS.search(one) else min(likeness, WITHOUT_NUMBER)


def text_likeness(one: str, other: str) -> float:
    """Return how alike two short texts are, from 0 to 1."""
    return fuzz.ratio(one, other) / 100
