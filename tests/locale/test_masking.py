"""What is left of what finds a customer, for those who need not know it whole."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.locale.masking import HIDDEN, mask_email, mask_identity, mask_phone, mask_within, mask_word


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        pytest.param("+8613800138000", "+86138****8000", id="mobile of China"),
        pytest.param("+862164371234", "+8621****1234", id="landline of Shanghai"),
        pytest.param("+12025550123", "+120****0123", id="North America: its code is 1"),
        pytest.param("+85291234567", "+852****4567", id="eight digits: nothing in front"),
        pytest.param("+49301234567", "+493****4567", id="nine digits: one in front"),
        pytest.param("+3541234567", "+354****567", id="seven digits: three at the end"),
        pytest.param("+29012345", "+290****5", id="five digits: one at the end"),
        pytest.param("+2901234", "+290****", id="four digits: none"),
        pytest.param("138 0013 8000", "138****8000", id="as a till may write it"),
        pytest.param("１３８００１３８０００", "１３８****８０００", id="full width"),
        pytest.param("", "****", id="nothing"),
        pytest.param("+", "****", id="a plus alone"),
    ],
)
def test_a_phone_shows_its_ends(number: str, shown: str) -> None:
    assert mask_phone(number) == shown


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True))
def test_at_least_four_digits_of_a_phone_are_hidden(number: str) -> None:
    shown = mask_phone(number)
    assert HIDDEN in shown
    assert len(number) - len(shown.replace(HIDDEN, "")) >= 4


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("xiaoming@example.com", "x****@example.com"),
        ("x@example.com", "****@example.com"),
        ('"a@b"@example.com', '"****@example.com'),
        ("no address", "****"),
    ],
)
def test_an_address_shows_its_first_letter_and_its_domain(address: str, shown: str) -> None:
    assert mask_email(address) == shown


@pytest.mark.parametrize(
    ("word", "shown"), [("wx-canary-77", "w****7"), ("abcdef", "a****f"), ("abcde", "****")]
)
def test_a_word_shows_its_ends_unless_it_is_short(word: str, shown: str) -> None:
    assert mask_word(word) == shown


@pytest.mark.parametrize("kind", ["member_number", "external"])
def test_numbers_that_reach_nobody_are_shown(kind: str) -> None:
    assert mask_identity(kind, "HK000123") == "HK000123"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(
            {"identities": [[], [{"kind": "phone", "value": "+8613800138000", "label": "home"}]]},
            {"identities": [[], [{"kind": "phone", "value": "+86138****8000", "label": "home"}]]},
            id="identities of a change",
        ),
        pytest.param(
            {"phone": [None, "+8613800138000"], "name": ["王小明", "王晓明"]},
            {"phone": [None, "+86138****8000"], "name": ["王小明", "王晓明"]},
            id="fields of a contact person",
        ),
        pytest.param(
            {"customer": {"kind": "member_number", "value": "HK1"}, "total": 1},
            {"customer": {"kind": "member_number", "value": "HK1"}, "total": 1},
            id="nothing to hide",
        ),
        pytest.param({"email": "x****@example.com"}, {"email": "x****@example.com"}, id="masked"),
    ],
)
def test_what_reaches_somebody_is_hidden_wherever_it_stands(value: Any, shown: Any) -> None:
    assert mask_within(value) == shown
