"""Read the documents the way a reader does: their blocks, their headings, their links."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
POS_GUIDE: Final = ROOT / "docs" / "guides" / "pos-senders.md"

_NAMED_BLOCK = re.compile(
    r"^<!-- (?P<name>[a-z]+: [a-z-]+) -->\n```[a-z]*\n(?P<text>.*?)\n```$", re.MULTILINE | re.DOTALL
)
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def documents() -> list[Path]:
    """Return every Markdown document of the project."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def named_blocks(path: Path) -> dict[str, str]:
    """Return the fenced blocks that a comment names, such as ``send: sale``, in their order."""
    return {
        found["name"]: found["text"]
        for found in _NAMED_BLOCK.finditer(path.read_text(encoding="utf-8"))
    }


def without_code(text: str) -> str:
    """Return a document without its fenced blocks."""
    return _FENCE.sub("", text)


def code_of(text: str) -> Iterator[str]:
    """Yield what stands as code in a document: fenced blocks and spans."""
    yield from _FENCE.findall(text)
    yield from re.findall(r"`([^`\n]+)`", without_code(text))


def anchors_of(text: str) -> set[str]:
    """Return the anchors that a page made of the document has, one for each heading."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in _HEADING.findall(without_code(text))
    }


def links_of(text: str) -> list[str]:
    """Return the addresses that a document's links point to."""
    return _LINK.findall(without_code(text))
