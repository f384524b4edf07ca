"""What kind of file this is: told from its first bytes, never from its name."""

import codecs
from dataclasses import dataclass
from typing import Final

DELIMITERS: Final = (",", ";", "\t", "|")
_LINES_LOOKED_AT: Final = 30
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ZIP: Final = b"PK\x03\x04"
_OLD_EXCEL: Final = b"\xd0\xcf\x11\xe0"


class UnreadableFileError(ValueError):
    """The file can't be read at all; said in both languages, with a code."""

    def __init__(self, code: str, message: str, message_zh: str) -> None:
        super().__init__(message)
        self.code = code
        self.message_zh = message_zh


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is read; ``delimiter`` and ``encoding`` are empty for XLSX."""

    format: str
    encoding: str = ""
    delimiter: str = ""


def sniff(head: bytes, *, encoding: str | None = None) -> Reading:
    """Return how to read a file that begins with these bytes.

    ``encoding`` is what it turned out to be in, where its beginning told nothing.

    Raises:
        UnreadableFileError: empty, an old Excel file, or no text.
    """
    if not head.strip():
        raise UnreadableFileError("empty-file", "The file is empty.", "文件为空。")
    if head.startswith(_ZIP):
        return Reading("xlsx")
    if head.startswith(_OLD_EXCEL):
        raise UnreadableFileError(
            "old-excel",
            "This is an Excel file of before 2007; save it as XLSX or CSV.",
            "这是旧版 Excel（.xls）文件，请另存为 XLSX 或 CSV。",
        )
    found = encoding or encoding_of(head)
    text = codecs.getincrementaldecoder(found)("replace").decode(head)
    if text.count("\0") > 0:
        raise UnreadableFileError(
            "not-text", "This is neither text nor XLSX.", "该文件既不是文本也不是 XLSX。"
        )
    return Reading("csv", found, delimiter_of(text))


def encoding_of(head: bytes) -> str:
    """Return UTF-8 or UTF-16 where the bytes are that, else GB18030, which takes nearly any."""
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name
    if len(head) >= 4:
        # Half of the bytes of Latin letters, digits and commas are zero in UTF-16.
        sample = head[:2000]
        if sample[1::2].count(0) > len(sample) // 5:
            return "utf-16-le"
        if sample[0::2].count(0) > len(sample) // 5:
            return "utf-16-be"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "gb18030"
    return "utf-8"


def delimiter_of(text: str) -> str:
    """Return the character that parts the cells: the one most lines have equally often."""
    lines = [line for line in text.splitlines() if line.strip()][:_LINES_LOOKED_AT]
    if lines and lines[0].lower().startswith("sep=") and len(lines[0].strip()) == 5:
        return lines[0].strip()[4]
    best, best_score = ",", 0
    for delimiter in DELIMITERS:
        counts = [_outside_quotes(line, delimiter) for line in lines]
        usual = max(set(counts), key=lambda count: (counts.count(count), count), default=0)
        score = counts.count(usual) * min(usual, 5) if usual else 0
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _outside_quotes(line: str, delimiter: str) -> int:
    return sum(part.count(delimiter) for part in line.split('"')[::2])
