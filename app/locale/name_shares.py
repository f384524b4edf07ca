"""How common names are: shares of all people, for weighing what agreeing in a name says.

The hundred and some surnames that most people bear, about as the Ministry of Public Security
reports them from year to year; given names from the characters that they are most often made of.
Rough figures do: evidence counts by the logarithm, and a factor of two is one bit.
"""

from dataclasses import dataclass
from typing import Final

_SURNAMES_BY_PER_MILLE: Final = {
    72: "王",
    71: "李",
    68: "张",
    54: "刘",
    46: "陈",
    31: "杨",
    22: "黄赵",
    20: "吴周",
    15: "徐孙",
    13: "马朱",
    12: "胡郭何",
    11: "林高",
    10: "罗郑",
    9: "梁",
    8: "谢宋唐",
    7: "许韩冯邓曹",
    6: "彭曾肖田董",
    5: "潘袁蔡蒋余于杜叶程魏苏吕丁",
    4: "任卢姚沈钟姜崔谭陆范汪廖石",
    3: "金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱",
    2: "戴严莫孔向常汤康易乔赖樊庞殷施洪颜倪涂温芦俞章鲁葛伍申尤柴毕岳齐",
}
_SURNAME_SHARES: Final = {
    surname: per_mille / 1000
    for per_mille, surnames in _SURNAMES_BY_PER_MILLE.items()
    for surname in surnames
}
_RARE_SURNAME: Final = 0.0002
_COMPOUND_SURNAMES_WRITTEN: Final = (
    "欧阳 上官 司徒 司马 诸葛 令狐 皇甫 尉迟 公孙 慕容 夏侯 东方 端木 独孤 南宫 长孙 宇文 "
    "轩辕 闻人 呼延 钟离 申屠 澹台 万俟 淳于 公羊 濮阳 太史 赫连 百里 东郭 西门 司空 鲜于 "
    "闾丘 亓官 拓跋 完颜 纳兰 第五 仲孙"
)
_COMPOUND_SURNAMES: Final = frozenset(_COMPOUND_SURNAMES_WRITTEN.split())
_COMPOUND_SURNAME: Final = 0.00003
_TITLES_WRITTEN: Final = (
    "先生 女士 小姐 太太 夫人 老师 经理 师傅 阿姨 叔叔 大爷 大妈 大姐 医生 主任 总 总监 同学"
)
_TITLES: Final = frozenset(_TITLES_WRITTEN.split())
"""What stands behind a surname where nobody asked for the given name."""

# Of given names of one character, and of either place in those of two.
_COMMON_ALONE: Final = "伟芳娜敏静丽强磊军洋勇艳杰娟涛超霞平刚明辉鹏华飞鑫波斌宇浩凯健俊帆雪婷玲燕"
_ALONE: Final = 0.012
_COMMON_IN_PAIRS: Final = (
    "英华文玉明国志建秀丽红春金兰海晓小永云德桂军平珍梅荣生东芳林"
    "龙玲祥新义凤成清美子雨宇佳浩欣梓思嘉一"
)
_IN_PAIRS: Final = 0.012
_OTHER_CHARACTER: Final = 0.0012
_COMMON_PAIRS_WRITTEN: Final = (
    "秀英 桂英 玉兰 秀兰 桂兰 秀珍 建华 建国 建军 志强 志明 海燕 晓燕 小红 婷婷 丽华 玉梅 "
    "玉英 桂珍 红梅 春梅 国强 志伟 文博 浩然 子涵 雨涵 梓涵 欣怡 思雨 宇轩 浩宇 佳怡 一诺 "
    "雨桐 子轩 宇航"
)
_COMMON_PAIRS: Final = frozenset(_COMMON_PAIRS_WRITTEN.split())
_COMMON_PAIR: Final = 0.001
_ONE_CHARACTER_GIVEN: Final = 0.15
"""Of people; nearly all others have a given name of two characters."""

_SAME_SOUND: Final = 4.0
"""So many times as many people have a name that sounds like a character as have the character."""
_LATIN_NAME: Final = 0.00001
_ORGANIZATION: Final = 0.000003


@dataclass(frozen=True, slots=True)
class NameParts:
    """A folded name taken apart, with the shares of people who have it.

    ``given`` is empty where only a surname is known (王女士); ``surname`` is empty where the name
    is not written in Chinese characters.
    """

    surname: str
    given: str
    surname_share: float
    name_share: float
    reading_share: float


def name_parts(name: str) -> NameParts:
    """Take a person's folded name apart."""
    if not _is_han(name):
        return NameParts("", name, 0.0, _LATIN_NAME, _LATIN_NAME)
    length = 2 if name[:2] in _COMPOUND_SURNAMES else 1
    surname, given = name[:length], name[length:]
    if given in _TITLES:
        given = ""
    share = _COMPOUND_SURNAME if length == 2 else _SURNAME_SHARES.get(surname, _RARE_SURNAME)
    given_share = _given_share(given)
    return NameParts(
        surname,
        given,
        share,
        share * given_share,
        min(1.0, share * given_share * _SAME_SOUND ** len(given)),
    )


def organization_parts(name: str) -> NameParts:
    """Return the parts of an organization's name: no surname, and hardly ever met by chance."""
    return NameParts("", name, 0.0, _ORGANIZATION, _ORGANIZATION)


def _given_share(given: str) -> float:
    if not given:
        return 1.0
    if len(given) == 1:
        return _ONE_CHARACTER_GIVEN * (_ALONE if given in _COMMON_ALONE else _OTHER_CHARACTER)
    if given in _COMMON_PAIRS:
        return _COMMON_PAIR
    share = 1 - _ONE_CHARACTER_GIVEN
    for character in given[:2]:
        share *= _IN_PAIRS if character in _COMMON_IN_PAIRS else _OTHER_CHARACTER
    return share


def _is_han(text: str) -> bool:
    return bool(text) and all("\u3400" <= character <= "\u9fff" for character in text)
