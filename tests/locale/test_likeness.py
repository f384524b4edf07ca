"""How alike names, addresses and employers are that are not the same, and how common names are."""

import pytest

from app.locale.likeness import (
    address_likeness,
    look_alike,
    name_likeness,
    organization_likeness,
)
from app.locale.name_shares import name_parts
from app.locale.pinyin import fold_name, readings


def likeness(one: str, other: str) -> float:
    """Measure two names as cards are measured."""
    first, second = readings(one), readings(other)
    return name_likeness(
        first.folded,
        second.folded,
        frozenset(reading.full for reading in first.alternatives),
        frozenset(reading.full for reading in second.alternatives),
    )


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("王小明", "王小朋", 1.0),
        ("陈未", "陈末", 1.0),
        ("李明", "李敏", 1.0),
        ("张珊珊", "章珊珊", 1.0),
        ("刘静", "牛静", 1.0),
        ("王小明", "王小亮", 0.0),
        ("王小明", "王明", 0.0),
        ("Wang Xiaoming", "Wang Xiaomin", 0.917),
        ("王小明", "Wang Xiaomin", 0.917),
        ("Li Na", "Li Bo", 0.5),
    ],
)
def test_names_are_alike_to_the_eye_or_to_the_ear(one: str, other: str, expected: float) -> None:
    assert likeness(one, other) == pytest.approx(expected, abs=0.0005)
    assert likeness(other, one) == likeness(one, other)


@pytest.mark.parametrize(
    ("one", "other", "at_least", "at_most"),
    [
        ("上海市徐汇区漕溪路12号", "上海市徐汇区漕溪路12号", 1.0, 1.0),
        ("上海市徐汇区漕溪路12号", "漕溪路12号", 0.99, 0.99),
        ("上海市徐汇区漕溪路12号", "上海徐汇漕溪路12号", 0.85, 0.99),
        ("上海市徐汇区漕溪路12号", "上海市徐汇区漕溪路13号", 0.0, 0.0),
        ("上海市徐汇区漕溪路12号", "杭州市西湖区文三路12号", 0.0, 0.6),
        ("上海市徐汇区", "上海市徐汇区", 0.9, 0.9),
    ],
)
def test_addresses_are_alike_where_words_and_numbers_are(
    one: str, other: str, at_least: float, at_most: float
) -> None:
    assert at_least <= address_likeness(one, other) <= at_most
    assert address_likeness(other, one) == address_likeness(one, other)


def test_a_bodys_name_may_be_a_part_of_another_one() -> None:
    assert organization_likeness("上海明湖书店", "明湖书店") == 1.0
    assert organization_likeness("明湖书店", "学海书店") < 0.85
    assert organization_likeness("书店", "明湖书店") < 0.85


@pytest.mark.parametrize(
    ("name", "surname", "given"),
    [
        ("王小明", "王", "小明"),
        ("尉迟恭", "尉迟", "恭"),
        ("欧阳", "欧阳", ""),
        ("王女士", "王", ""),
        ("王", "王", ""),
        ("李总", "李", ""),
        ("Tony Wang", "", "tonywang"),
    ],
)
def test_a_name_is_taken_apart(name: str, surname: str, given: str) -> None:
    parts = name_parts(fold_name(name))
    assert (parts.surname, parts.given) == (surname, given)


def test_common_names_have_larger_shares_and_a_reading_is_shared_by_more() -> None:
    by_share = ["王女士", "王伟", "王秀英", "王澈", "王小明", "尉迟澈", "尉迟岚澈"]
    shares = [name_parts(name).name_share for name in by_share]
    assert shares == sorted(shares, reverse=True)
    assert len(set(shares)) == len(shares)
    for name in by_share:
        parts = name_parts(name)
        assert 0 < parts.name_share <= parts.reading_share <= 1


def test_looking_alike_goes_both_ways_and_never_from_a_character_to_itself() -> None:
    assert look_alike("明", "朋")
    assert look_alike("朋", "明")
    assert not look_alike("明", "明")
