"""Names folded for comparison, and read aloud."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.locale.pinyin import MAXIMUM_READINGS, Reading, fold_name, name_units, readings

ANY_NAME = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from("李明朗單长行乐吕女 ·aéü'Ａ")),
    max_size=20,
)


@pytest.mark.parametrize(
    ("typed", "folded"),
    [
        pytest.param("李明朗", "李明朗", id="stays"),
        pytest.param(" 李 明\u3000朗 ", "李明朗", id="spaces go"),
        pytest.param("歐陽 鋒", "欧阳锋", id="traditional"),
        pytest.param("張乾", "张干", id="character by character, not by phrase"),
        pytest.param("買買提·艾力", "买买提艾力", id="middle dot"),
        pytest.param("买买提•艾力", "买买提艾力", id="bullet"),
        pytest.param("買買提・艾力", "买买提艾力", id="dot of Japanese"),
        pytest.param("ＬＩ　Ｍｉｎｇ", "liming", id="full width, case"),
        pytest.param("O’Brien", "obrien", id="apostrophe"),
        pytest.param("Jean-Paul", "jeanpaul", id="hyphen"),
        pytest.param("José Müller", "josemuller", id="accents"),
        pytest.param("Straße", "strasse", id="sharp s"),
        pytest.param("ガブリエル", "ガブリエル", id="voiced kana are no accents"),
        pytest.param("100%_纯棉", "100纯棉", id="signs"),
        pytest.param("★ ☆", "★☆", id="nothing but signs"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_names_that_are_written_differently_are_folded_to_one(typed: str, folded: str) -> None:
    assert fold_name(typed) == folded


def test_a_name_is_a_row_of_characters_and_words() -> None:
    assert name_units("Amy 李小明 O'Neil-3号") == ("amy", "李", "小", "明", "oneil", "3", "号")


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("李明朗", "liminglang"),
        ("曾国藩", "zengguofan cengguofan"),
        ("单雄信", "shanxiongxin danxiongxin chanxiongxin"),
        ("單雄信", "shanxiongxin danxiongxin chanxiongxin"),
        ("解缙", "xiejin jiejin"),
        ("仇英", "qiuying chouying"),
        ("查慎行", "zhashenxing chashenxing zhashenhang chashenhang"),
        ("尉迟恭", "yuchigong weichigong"),
        ("尉海", "weihai yuhai"),
        ("万俟咏", "moqiyong wanqiyong mosiyong wansiyong"),
        ("乐嘉", "yuejia lejia"),
        ("朴树", "piaoshu pushu poshu"),
        ("盖聂", "genie gainie"),
        ("区伟", "ouwei quwei"),
        ("任静", "renjing"),
        ("华佗", "huatuo"),
        ("宁泽", "ningze"),
        ("覃辉", "qinhui tanhui"),
        ("冼星海", "xianxinghai"),
        ("缪昌", "miaochang mouchang miuchang"),
        ("员外", "yunwai yuanwai"),
        ("种师道", "chongshidao zhongshidao"),
        ("逄涛", "pangtao"),
        ("繁钦", "poqin fanqin"),
        ("黑明", "heming heiming"),
        ("折克行", "shekexing zhekexing shekehang zhekehang"),
        ("召伯", "shaobo zhaobo shaobai zhaobai"),
        ("那英", "naying nuoying neiying"),
        ("洗英", "xianying xiying"),
        ("长孙无忌", "zhangsunwuji changsunwuji"),
        ("澹台明", "tantaiming dantaiming"),
        ("令狐冲", "linghuchong"),
        ("单于飞", "chanyufei danyufei shanyufei"),
        ("宿白", "subai xiubai"),
        ("哈文", "hawen"),
        ("柏杨", "baiyang boyang"),
        ("秘辛", "bixin mixin"),
        ("重耳", "chonger zhonger"),
        ("翟天临", "zhaitianlin ditianlin"),
        ("郇瑞", "xunrui huanrui"),
        ("乐正绫", "yuezhengling lezhengling"),
        ("缑氏", "goushi"),
        ("仝卓", "tongzhuo"),
        ("逯海", "luhai"),
        ("乜华", "niehua miehua"),
        ("亓月", "qiyue"),
        ("曾", "zeng ceng"),
        ("欧阳", "ouyang"),
    ],
)
def test_a_surname_is_read_as_its_bearers_read_it_and_otherwise_after_that(
    name: str, read: str
) -> None:
    assert [reading.full for reading in readings(name).alternatives] == read.split()


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("吕布", "lvbu lubu"),
        ("王女", "wangnv wangnu"),
        ("方略", "fanglve fanglue"),
        ("闾丘露", "lvqiulu luqiulu lvqiulou luqiulou"),
    ],
)
def test_the_vowel_of_lv_is_typed_in_two_ways(name: str, read: str) -> None:
    assert [reading.full for reading in readings(name).alternatives] == read.split()


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("王行", "wangxing wanghang"),
        ("黄乐", "huangle huangyue"),
        ("于长青", "yuchangqing yuzhangqing"),
        ("张朝阳", "zhangchaoyang zhangzhaoyang"),
        ("王重阳", "wangchongyang wangzhongyang"),
        ("李银行", "liyinhang liyinxing"),
        ("张乾", "zhangqian zhanggan"),
        ("張乾", "zhangqian zhanggan"),
        ("沈曾植", "shenzengzhi chenzengzhi shencengzhi chencengzhi"),
    ],
)
def test_a_given_name_that_can_be_read_in_two_ways_is_found_by_both(name: str, read: str) -> None:
    assert [reading.full for reading in readings(name).alternatives] == read.split()


def test_a_long_name_is_a_bodys_and_begins_with_no_surname() -> None:
    assert readings("解放路小学").full == "jiefangluxiaoxue"
    assert readings("重庆长宁贸易公司").full == "chongqingchangningmaoyigongsi"


def test_words_in_other_scripts_are_read_as_they_stand() -> None:
    found = readings("Amy 李 O'Neil")
    assert found.alternatives == (Reading(("amy", "li", "oneil")),)
    assert (found.folded, found.full, found.initials) == ("amy李oneil", "amylioneil", "alo")


def test_initials_are_those_of_the_syllables() -> None:
    assert readings("李明朗").initials == "lml"
    assert readings("尉迟长安").initials == "ycca"
    assert [reading.initials for reading in readings("单强").alternatives] == [
        "sq",
        "dq",
        "cq",
        "sj",
        "dj",
        "cj",
    ]


def test_a_character_that_nobody_can_read_stands_for_itself() -> None:
    assert readings("𠮷田").full == "𠮷tian"


@given(ANY_NAME)
def test_folding_twice_is_folding_once(name: str) -> None:
    assert fold_name(fold_name(name)) == fold_name(name)


@given(ANY_NAME)
def test_every_name_has_some_different_readings_of_all_its_units(name: str) -> None:
    found = readings(name)
    assert found.folded == fold_name(name)
    assert 1 <= len(found.alternatives) <= MAXIMUM_READINGS
    assert len(set(found.alternatives)) == len(found.alternatives)
    for reading in found.alternatives:
        assert len(reading.syllables) == len(found.units) == len(reading.initials)
