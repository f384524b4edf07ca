"""Names as people type them."""

import pytest

from app.locale.names import is_one_word, tidy_name


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        pytest.param("王小明", "王小明", id="stays"),
        pytest.param("  王小明\t", "王小明", id="trimmed"),
        pytest.param("ＡＢＣ\u3000１２３", "ABC 123", id="full width folded, wide space too"),
        pytest.param("Li\n\n  Ming", "Li Ming", id="one space inside"),
        pytest.param("王\u200b小\u200e明", "王小明", id="invisible characters left out"),
        pytest.param("\u200b \u3000", "", id="nothing visible"),
    ],
)
def test_a_name_is_kept_as_it_looks(typed: str, kept: str) -> None:
    assert tidy_name(typed) == kept


@pytest.mark.parametrize(
    ("text", "is_word"),
    [
        ("wx_王小明-01", True),
        ("", False),
        ("a b", False),
        ("a\u3000b", False),
        ("a\u200bb", False),
        ("a\x7fb", False),
        ("a\0b", False),
    ],
)
def test_a_word_has_neither_spaces_nor_invisible_characters(text: str, is_word: bool) -> None:
    assert is_one_word(text) is is_word
