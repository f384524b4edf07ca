"""Phone numbers as people write them."""

import pytest

from app.locale.phones import normalise_phone


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        pytest.param("13800138000", "+8613800138000", id="bare mobile number"),
        pytest.param(" 138-0013 8000 ", "+8613800138000", id="with gaps"),
        pytest.param("１３８００１３８０００", "+8613800138000", id="full-width digits"),
        pytest.param("+86 138 0013 8000", "+8613800138000", id="with country code"),
        pytest.param("008613800138000", "+8613800138000", id="with trunk prefix"),
        pytest.param("(010) 8888-6666", "+861088886666", id="landline with area code"),
        pytest.param("+1 202-555-0100", "+12025550100", id="from abroad"),
    ],
)
def test_ways_of_writing_a_number_are_one_number(written: str, kept: str) -> None:
    assert normalise_phone(written, "CN") == kept


def test_a_number_without_country_code_is_one_of_the_region() -> None:
    assert normalise_phone("202 555 0100", "US") == "+12025550100"


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("12345", id="too short"),
        pytest.param("1380013800", id="a digit missing"),
        pytest.param("138001380000", id="a digit too many"),
        pytest.param("+8610000000001", id="no such prefix in the plan"),
        pytest.param("1380013800O", id="a letter among the digits"),
        pytest.param("010-88886666#5", id="an extension would be lost"),
        pytest.param("", id="nothing"),
        pytest.param("1" * 41, id="absurdly long"),
        pytest.param("\ud800", id="a lone surrogate"),
    ],
)
def test_what_the_numbering_plan_does_not_know_is_refused_without_repeating_it(
    written: str,
) -> None:
    with pytest.raises(ValueError, match=r"^Not a valid phone number") as refusal:
        normalise_phone(written, "CN")
    assert not written or written not in str(refusal.value)
