"""Whether two cards are one customer's: what each agreement weighs, and what never happens."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.duplicates import (
    DEFAULT_POLICY,
    NOT_COMPARABLE,
    BirthdayFacts,
    CardFacts,
    Likeness,
    compare,
    is_one_slip,
)
from app.vocabulary import BirthdayCalendar, CustomerKind, DuplicateReason, Gender

SOLAR, LUNAR = BirthdayCalendar.SOLAR, BirthdayCalendar.LUNAR
BORN = BirthdayFacts(SOLAR, 1990, 8, 5)
UNLIKE = Likeness()


def card(name: str = "王小明", reading: str = "wangxiaoming", **facts: Any) -> CardFacts:
    """Return what is compared of a person's card; the name is one of a million people's."""
    values: dict[str, Any] = {
        "kind": CustomerKind.INDIVIDUAL,
        "name": name,
        "readings": frozenset({reading}),
        "surname": "" if name.isascii() else name[0],
        "given": name if name.isascii() else name[1:],
        "is_latin": name.isascii(),
        "surname_share": 0.0625,
        "name_share": 2.0**-14,
        "reading_share": 2.0**-10,
        **facts,
    }
    return CardFacts(**values)


def reasons_of(one: CardFacts, other: CardFacts, likeness: Likeness = UNLIKE) -> list[str]:
    """Return the codes of why two cards look alike or not."""
    return [str(reason.code) for reason in compare(one, other, likeness).reasons]


PHONE, NEAR, FAR = "+8613800138000", "+8613800138001", "+8613912345678"
ADDRESS = "上海市徐汇区漕溪路12号"


@pytest.mark.parametrize(
    ("one", "other", "likeness", "reason", "weight"),
    [
        (card(), card(), UNLIKE, "same_name", 137),
        (card(name_share=2.0**-4), card(), UNLIKE, "same_name", 37),
        (card(name_share=1e-9), card(name_share=1e-9), UNLIKE, "same_name", 170),
        (card(), card("王晓明"), UNLIKE, "same_name_pinyin", 67),
        (card(), card("wangxiaoming"), UNLIKE, "same_name_pinyin", 98),
        (card(), card("王小朋", "wangxiaopeng"), Likeness(name=1.0), "similar_name", 60),
        (card(), card("王小朋", "wangxiaopeng"), Likeness(name=0.85), "similar_name", 60),
        (card(), card("王小朋", "wangxiaopeng"), Likeness(name=0.84), "different_name", -80),
        (
            card(), card("王小亮", "wangxiaoliang"), Likeness(one_character=True),
            "one_character_differs", -30,
        ),
        (card(), card("李强", "liqiang"), UNLIKE, "different_name", -80),
        (card(), card("王", "wang", given=""), UNLIKE, "same_surname", 40),
        (card(), card("李", "li", given="", surname="李"), UNLIKE, "different_name", -80),
        (card(gender=Gender.MALE), card(gender=Gender.MALE), UNLIKE, "same_gender", 10),
        (card(gender=Gender.MALE), card(gender=Gender.FEMALE), UNLIKE, "different_gender", -50),
        (
            card(phones=frozenset({FAR, PHONE})), card(phones=frozenset({PHONE})), UNLIKE,
            "same_phone", 140,
        ),
        (
            card(phones=frozenset({PHONE})), card(phones=frozenset({FAR, NEAR})), UNLIKE,
            "similar_phone", 100,
        ),
        (
            card(phones=frozenset({PHONE})), card(phones=frozenset({FAR})), UNLIKE,
            "different_phone", -10,
        ),
        (
            card(emails=frozenset({"a@example.com"})), card(emails=frozenset({"a@example.com"})),
            UNLIKE, "same_email", 140,
        ),
        (
            card(emails=frozenset({"a@example.com"})), card(emails=frozenset({"b@example.com"})),
            UNLIKE, "different_email", -10,
        ),
        (
            card(member_numbers=frozenset({"HK1", "HK2"})), card(member_numbers=frozenset({"HK2"})),
            UNLIKE, "same_member_number", 200,
        ),
        (
            card(other_identities=frozenset({"erp:1"})),
            card(other_identities=frozenset({"erp:1"})), UNLIKE, "same_other_identity", 180,
        ),
        (card(address=ADDRESS), card(address=ADDRESS), Likeness(address=1.0), "same_address", 100),
        (
            card(address=ADDRESS), card(address="漕溪路12号"), Likeness(address=0.99),
            "similar_address", 50,
        ),
        (card(address=ADDRESS), card(address="x"), UNLIKE, "different_address", -10),
        (card(employer="日报社"), card(employer="日报社"), UNLIKE, "same_employer", 60),
        (
            card(employer="日报社"), card(employer="晚报社"), Likeness(employer=0.9),
            "similar_employer", 40,
        ),
        (card(employer="日报社"), card(employer="医院"), UNLIKE, "different_employer", -10),
    ],
)  # fmt: skip
def test_each_agreement_has_its_weight(
    one: CardFacts, other: CardFacts, likeness: Likeness, reason: str, weight: int
) -> None:
    found = {str(one.code): one.weight for one in compare(one, other, likeness).reasons}
    assert found[reason] == weight


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        (BORN, BORN, "same_birthday"),
        (BORN, replace(BORN, year=None), "same_day_of_year"),
        (BORN, replace(BORN, year=None, day=6), "different_birthday"),
        (BORN, replace(BORN, month=5, day=8), "swapped_birthday"),
        (BORN, replace(BORN, year=1991), "similar_birthday"),
        (BORN, replace(BORN, month=9), "similar_birthday"),
        (BORN, replace(BORN, day=6), "similar_birthday"),
        (BORN, replace(BORN, month=9, day=6), "different_birthday"),
        (BORN, replace(BORN, year=1991, month=5, day=8), "different_birthday"),
        (BORN, replace(BORN, calendar=LUNAR, solar=date(1990, 9, 22)), "other_calendar"),
        (
            BORN,
            BirthdayFacts(LUNAR, 1990, 6, 15, solar=date(1990, 8, 5)),
            "different_birthday",
        ),
        (
            replace(BORN, solar=date(1990, 8, 5)),
            BirthdayFacts(LUNAR, 1990, 6, 15, solar=date(1990, 8, 5)),
            "same_birthday",
        ),
        (
            BirthdayFacts(LUNAR, 1990, 5, 3),
            BirthdayFacts(LUNAR, 1990, 5, 3, is_leap_month=True),
            "similar_birthday",
        ),
    ],
)
def test_birthdays_agree_in_all_or_in_parts(
    one: BirthdayFacts, other: BirthdayFacts, reason: str
) -> None:
    assert reason in reasons_of(card(birthday=one), card(birthday=other))
    assert reason in reasons_of(card(birthday=other), card(birthday=one))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (PHONE, PHONE, False),
        (PHONE, NEAR, True),
        ("+8613800138000", "+8613800130800", True),
        ("+8613800138000", "+8613800118300", False),
        ("+8613800138000", "+8613800139001", False),
        ("+8613800138000", "+861380013800", False),
    ],
)
def test_a_slip_is_one_wrong_digit_or_two_swapped_neighbours(
    one: str, other: str, expected: bool
) -> None:
    assert is_one_slip(one, other) is expected
    assert is_one_slip(other, one) is expected


# --- What is made of it -----------------------------------------------------------------------


def test_the_score_is_the_probability_in_thousandths() -> None:
    """-20 bits to begin with; the name gives 14 - 0.3 bits, the birthday 14: even odds at 0."""
    even = replace(DEFAULT_POLICY, same_name_m=1.0, same_birthday=6.0)
    one = card(birthday=BORN)
    assert compare(one, one, UNLIKE, even).score == 500
    assert compare(one, one, UNLIKE, replace(even, same_birthday=7.0)).score == 667
    assert compare(one, one, UNLIKE, replace(even, same_birthday=5.0)).score == 333


def test_a_rare_name_says_more_than_a_common_one() -> None:
    common = card(name_share=2e-4, birthday=BORN)
    rare = card("尉迟恭", "yuchigong", name_share=4e-8, birthday=BORN)
    assert compare(common, common, UNLIKE).score == 984
    assert compare(rare, rare, UNLIKE).score == 1000
    assert compare(replace(rare, birthday=None), replace(rare, birthday=None), UNLIKE).score == 111


def test_a_name_alone_refuses_and_lists_nothing_however_rare_it_is() -> None:
    rare = card(name_share=1e-12, gender=Gender.MALE)
    lenient = replace(DEFAULT_POLICY, name_at_most=60.0)
    alone = compare(rare, rare, UNLIKE, lenient)
    assert (alone.score, alone.is_corroborated) == (1000, False)
    assert (alone.is_refused(), alone.is_listed()) == (False, False)


def test_a_person_is_no_organization() -> None:
    one = card(phones=frozenset({PHONE}))
    other = replace(one, kind=CustomerKind.ORGANIZATION)
    assert compare(one, other, UNLIKE) == NOT_COMPARABLE


HOUSEHOLD: dict[str, Any] = {
    "phones": frozenset({PHONE}),
    "emails": frozenset({"home@example.com"}),
    "address": ADDRESS,
}
AT_HOME = Likeness(address=1.0)


@pytest.mark.parametrize(
    ("other", "likeness"),
    [
        (card("王小红", "wangxiaohong", birthday=replace(BORN, year=1993, month=1)), AT_HOME),
        (card("李红", "lihong"), AT_HOME),
        (
            card("王小亮", "wangxiaoliang", birthday=BORN),
            replace(AT_HOME, one_character=True),
        ),
    ],
    ids=["sister", "wife", "twin"],
)
def test_a_household_shares_phone_and_address_and_is_not_one_customer(
    other: CardFacts, likeness: Likeness
) -> None:
    one = card(birthday=BORN, **HOUSEHOLD)
    found = compare(one, replace(other, **HOUSEHOLD), likeness)
    assert not found.is_listed()
    assert "shared_household" in [str(reason.code) for reason in found.reasons]
    assert sum(r.weight for r in found.reasons if r.code in {
        DuplicateReason.SAME_PHONE, DuplicateReason.SAME_EMAIL, DuplicateReason.SAME_ADDRESS,
        DuplicateReason.SHARED_HOUSEHOLD,
    }) == 80  # fmt: skip


# --- What always holds ------------------------------------------------------------------------

shares = st.sampled_from([1e-9, 1e-6, 1e-4, 0.01])
names = st.sampled_from(
    [("王小明", "wangxiaoming"), ("王晓明", "wangxiaoming"), ("wangxiaoming", "wangxiaoming"),
     ("王小亮", "wangxiaoliang"), ("李强", "liqiang")]
)  # fmt: skip
birthdays = st.none() | st.builds(
    BirthdayFacts,
    calendar=st.sampled_from([SOLAR, LUNAR]),
    year=st.none() | st.sampled_from([1990, 1991]),
    month=st.integers(4, 6),
    day=st.integers(4, 6),
    is_leap_month=st.booleans(),
)


def some(*values: str) -> st.SearchStrategy[frozenset[str]]:
    """Return any of the sets that can be made of these values."""
    return st.frozensets(st.sampled_from(values))


@st.composite
def cards(draw: st.DrawFn) -> CardFacts:
    """Draw a card of a world so small that agreements are frequent."""
    name, reading = draw(names)
    return card(
        name,
        reading,
        kind=draw(st.sampled_from([CustomerKind.INDIVIDUAL] * 4 + [CustomerKind.ORGANIZATION])),
        name_share=draw(shares),
        reading_share=draw(shares),
        gender=draw(st.none() | st.sampled_from(Gender)),
        birthday=draw(birthdays),
        phones=draw(some(PHONE, NEAR, FAR)),
        emails=draw(some("a@example.com", "b@example.com")),
        member_numbers=draw(some("HK1", "HK2")),
        other_identities=draw(some("erp:1")),
        employer=draw(st.sampled_from(["", "日报社", "医院"])),
        address=draw(st.sampled_from(["", ADDRESS, "文三路1号"])),
    )


likenesses = st.builds(
    Likeness,
    name=st.floats(0, 1),
    one_character=st.booleans(),
    address=st.floats(0, 1),
    employer=st.floats(0, 1),
)


@given(cards(), cards(), likenesses)
def test_the_order_of_two_cards_makes_no_difference(
    one: CardFacts, other: CardFacts, likeness: Likeness
) -> None:
    assert compare(one, other, likeness) == compare(other, one, likeness)


def _agreeing(one: CardFacts, other: CardFacts) -> Sequence[tuple[CardFacts, CardFacts]]:
    """Return the two cards with one more thing each that they agree in."""
    added: list[tuple[CardFacts, CardFacts]] = []
    sets: dict[str, Any] = {
        "phones": "+8613700000000", "emails": "c@example.com", "member_numbers": "HK9",
        "other_identities": "erp:9",
    }  # fmt: skip
    for field, value in sets.items():
        added.append(
            (
                replace(one, **{field: getattr(one, field) | {value}}),
                replace(other, **{field: getattr(other, field) | {value}}),
            )
        )
    whole: dict[str, Any] = {"gender": Gender.FEMALE, "birthday": BORN, "employer": "出版社"}
    for field, agreed in whole.items():
        if not getattr(one, field) or not getattr(other, field):
            added.append((replace(one, **{field: agreed}), replace(other, **{field: agreed})))
    return added


@given(cards(), cards(), likenesses)
def test_more_that_agrees_never_lowers_the_score(
    one: CardFacts, other: CardFacts, likeness: Likeness
) -> None:
    before = compare(one, other, likeness)
    for agreeing in _agreeing(one, other):
        after = compare(*agreeing, likeness)
        assert after.score >= before.score
        assert after.is_corroborated >= before.is_corroborated


@given(cards(), cards(), likenesses)
def test_reasons_add_up_to_the_score_and_the_weightiest_comes_first(
    one: CardFacts, other: CardFacts, likeness: Likeness
) -> None:
    found = compare(one, other, likeness)
    assert 0 <= found.score <= 1000
    assert len({reason.code for reason in found.reasons}) == len(found.reasons)
    weights = [abs(reason.weight) for reason in found.reasons]
    assert weights == sorted(weights, reverse=True)
    if found is not NOT_COMPARABLE:
        bits = DEFAULT_POLICY.prior + sum(reason.weight for reason in found.reasons) / 10
        # Each reason is rounded to a tenth of a bit.
        assert abs(found.score - 1000 / (1 + 2.0**-bits)) <= 0.5 + 1000 * 0.05 * len(weights) / 4


@given(cards(), cards(), likenesses)
def test_what_is_refused_is_also_listed(
    one: CardFacts, other: CardFacts, likeness: Likeness
) -> None:
    found = compare(one, other, likeness)
    assert found.is_listed() >= found.is_refused()
