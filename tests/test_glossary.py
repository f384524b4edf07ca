"""The glossary has every word of the code, with the labels that the API serves."""

import re
from pathlib import Path

from app.models import metadata
from app.vocabulary import VOCABULARIES

GLOSSARY = Path(__file__).resolve().parents[1] / "docs" / "glossary.md"
TEXT = GLOSSARY.read_text(encoding="utf-8")


def test_every_vocabulary_has_its_table_of_codes_and_labels() -> None:
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL))
    assert list(sections) == list(VOCABULARIES)
    for name, vocabulary in VOCABULARIES.items():
        rows = re.findall(r"^\| `(.+?)` \| (.+?) \| (.+?) \|$", sections[name], re.MULTILINE)
        assert rows == [(str(code), code.label.en, code.label.zh) for code in vocabulary], name
        assert f"`{vocabulary.__name__}`" in sections[name]


def test_every_table_of_the_database_is_some_words_place_in_code() -> None:
    # Bookkeeping that nobody talks about.
    silent = {"sign_in_throttle", "staff_store"}
    tables = {str(name) for name in metadata.tables} - silent
    assert len(tables) >= 20
    assert {table for table in tables if f"`{table}`" not in TEXT} == set()


def test_a_word_stands_once() -> None:
    chapters = TEXT.split("## Vocabularies")[0]
    words = re.findall(
        r"^\| (?!Chinese|---)(.+?) \| (.+?) \| .+? \| .+? \|$", chapters, re.MULTILINE
    )
    assert len(words) >= 50
    for position in (0, 1):
        column = [row[position] for row in words]
        assert sorted(set(column)) == sorted(column)
