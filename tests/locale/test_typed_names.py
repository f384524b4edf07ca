"""What somebody may have typed who looks for a name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.locale.syllables import SYLLABLES, sounds
from app.locale.typed_names import MAXIMUM_MIXTURES, Mixture, typed_name


@pytest.mark.parametrize(
    ("letters", "first"),
    [
        ("liml", "li m- l-"),
        ("lml", "l- m- l-"),
        ("zhm", "zh- m-"),
        ("limla", "li m- la"),
        ("limlan", "li m- lan"),
        ("wangxia", "wang xia"),
        ("wangxiao", "wang xiao"),
        ("wangxu", "wang xu"),
        ("minglan", "ming lan"),
        ("limingla", "li ming la"),
        ("jius", "jiu s-"),
        ("shuangj", "shuang j-"),
        ("lvm", "lv m-"),
    ],
)
def test_long_syllables_are_understood_first(letters: str, first: str) -> None:
    found = next(sounds(letters))
    assert " ".join(f"{sound.letters}{'' if sound.is_whole else '-'}" for sound in found) == first


@pytest.mark.parametrize("letters", ["i", "uber", "smitv", "an" * 40 + "dv"])
def test_what_is_no_pinyin_is_told_soon(letters: str) -> None:
    assert next(sounds(letters), None) is None


def test_there_are_as_many_syllables_as_the_language_has() -> None:
    assert len(SYLLABLES) == 413


@pytest.mark.parametrize(
    ("typed", "folded", "letters", "initials"),
    [
        ("Li Ming", "liming", "liming", "liming"),
        ("lml", "lml", "lml", "lml"),
        ("l", "l", "l", None),
        ("lǚ", "lu", "lv", "lu"),
        ("Lyu", "lyu", "lv", "lyu"),
        ("Müller", "muller", "muller", "muller"),
        ("100%", "100", "100", None),
        ("李明朗", "李明朗", None, None),
        ("李ml", "李ml", None, None),
    ],
)
def test_a_text_is_folded_and_read_as_letters_where_it_has_no_characters(
    typed: str, folded: str, letters: str | None, initials: str | None
) -> None:
    found = typed_name(typed)
    assert (found.folded, found.letters, found.initials) == (folded, letters, initials)


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("李ml", Mixture("lml", "李__%", "lim%l%%", "李", "lim")),
        ("李m", Mixture("lm", "李_%", "lim%%", "李", "lim")),
        ("李minglang", Mixture("lml", "李__%", "liminglang%", "李", "liminglang")),
        ("李明l", Mixture("lml", "李明_%", "limingl%%", "李明", "limingl")),
        ("li明", Mixture("lm", "_明%", "liming%", "", "liming")),
        ("l明朗", Mixture("lml", "_明朗%", "l%minglang%", "", "l")),
        ("liml", Mixture("lml", "%", "lim%l%%", "", "lim")),
        ("li m l", Mixture("lml", "%", "lim%l%%", "", "lim")),
        ("zhml", Mixture("zml", "%", "zh%m%l%%", "", "zh")),
        ("lü明", Mixture("lm", "_明%", "lvming%", "", "lvming")),
    ],
)
def test_characters_syllables_and_initials_may_be_mixed(typed: str, first: Mixture) -> None:
    assert typed_name(typed).mixtures[0] == first


@pytest.mark.parametrize(
    "typed", ["李明朗", "liminglang", "limin", "liminl", "lml", "8000", "l", "%"]
)
def test_what_is_of_one_kind_is_no_mixture(typed: str) -> None:
    assert typed_name(typed).mixtures == ()


def test_many_characters_of_several_readings_are_told_to_be_no_mixture_soon() -> None:
    assert typed_name("曾单查解仇乐重长朝车行翟" * 2).mixtures == ()


@given(st.text(st.sampled_from("李明单行abcdefghilmnoruvwxyzü %_·8'"), max_size=30))
def test_whatever_is_typed_patterns_are_few_and_hold_no_wildcards_of_others(typed: str) -> None:
    found = typed_name(typed)
    assert len(found.mixtures) <= MAXIMUM_MIXTURES
    for mixture in found.mixtures:
        assert set(mixture.initials + mixture.leading_letters) <= set("abcdefghijklmnopqrstuvwxyz")
        assert mixture.letters_pattern.startswith(mixture.leading_letters)
        assert mixture.characters_pattern.startswith(mixture.leading_characters)
