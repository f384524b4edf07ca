"""Identities as they are kept: two ways of writing one are one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.identities import IdentityError, IdentityKey, normalise
from app.vocabulary import IdentityKind


@pytest.mark.parametrize(
    ("kind", "system", "written", "kept"),
    [
        (IdentityKind.PHONE, None, "138 0013 8000", "+8613800138000"),
        (IdentityKind.EMAIL, None, " Li.Ming@EXAMPLE.Com ", "Li.Ming@example.com"),
        (IdentityKind.EMAIL, None, "ｌｉ＠example.com", "li@example.com"),
        (IdentityKind.MEMBER_NUMBER, None, " ＶＩＰ００１ ", "VIP001"),
        (IdentityKind.WECHAT, "", "wxid_Abc", "wxid_Abc"),
        (IdentityKind.EXTERNAL, "erp", "K-77", "K-77"),
    ],
)
def test_an_identity_is_kept_in_one_form(
    kind: IdentityKind, system: str | None, written: str, kept: str
) -> None:
    assert normalise(kind, system, written, "CN") == IdentityKey(kind, system or "", kept)


@pytest.mark.parametrize(
    ("kind", "system", "written", "part"),
    [
        pytest.param(IdentityKind.PHONE, None, "12345", "value", id="no phone number"),
        pytest.param(IdentityKind.EMAIL, None, "li@", "value", id="no e-mail address"),
        pytest.param(IdentityKind.EMAIL, None, "li@localhost", "value", id="no public domain"),
        pytest.param(IdentityKind.PHONE, None, "+86138****8000", "value", id="masked phone"),
        pytest.param(IdentityKind.EMAIL, None, "l****@example.com", "value", id="masked address"),
        pytest.param(IdentityKind.WECHAT, None, "w＊＊＊＊d", "value", id="masked, full width"),
        pytest.param(IdentityKind.WECHAT, None, "wx id", "value", id="a space inside"),
        pytest.param(IdentityKind.WECHAT, None, "wx\u200bid", "value", id="an invisible character"),
        pytest.param(IdentityKind.WECHAT, None, " \u3000", "value", id="nothing but spaces"),
        pytest.param(IdentityKind.MEMBER_NUMBER, None, "1" * 129, "value", id="too long a word"),
        pytest.param(IdentityKind.EMAIL, None, "a" * 255, "value", id="too long for anything"),
        pytest.param(IdentityKind.EXTERNAL, None, "K-77", "system", id="of no system"),
        pytest.param(IdentityKind.EXTERNAL, "e r p", "K-77", "system", id="of no such code"),
        pytest.param(IdentityKind.WECHAT, "erp", "wxid", "system", id="a system that has no place"),
    ],
)
def test_what_cannot_be_is_refused_with_the_part_that_is_wrong(
    kind: IdentityKind, system: str | None, written: str, part: str
) -> None:
    with pytest.raises(IdentityError) as refusal:
        normalise(kind, system, written, "CN")
    assert refusal.value.part == part
    assert written not in str(refusal.value)


@given(kind=st.sampled_from(IdentityKind), text=st.text(max_size=40))
def test_normalising_twice_changes_nothing_and_any_text_is_either_kept_or_refused(
    kind: IdentityKind, text: str
) -> None:
    system = "erp" if kind is IdentityKind.EXTERNAL else None
    try:
        once = normalise(kind, system, text, "CN")
    except IdentityError:
        return
    assert normalise(kind, system, once.value, "CN") == once


@given(digits=st.from_regex(r"\A1[3-9][0-9]{9}\Z"), gap=st.sampled_from(["", " ", "-"]))
def test_gaps_never_make_another_phone_number(digits: str, gap: str) -> None:
    try:
        plain = normalise(IdentityKind.PHONE, None, digits, "CN")
    except IdentityError:
        return
    written = gap.join((digits[:3], digits[3:7], digits[7:]))
    assert normalise(IdentityKind.PHONE, None, written, "CN") == plain
    assert plain.value == f"+86{digits}"
