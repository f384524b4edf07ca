"""Rows of text out of files: CSV as it arrives, XLSX as a whole."""

import codecs
import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from python_calamine import CalamineError, CalamineWorkbook

from app.integrations.files.sniffing import Reading, UnreadableFileError

Row = list[str]

LONGEST_CELL: Final = 100_000
# A quote that nobody closed would have the rest of the file wait for its end.
_LONGEST_WAIT: Final = 4_000_000
_XLSX_UNPACKED_LIMIT: Final = 2_000_000_000
_ROWS_AT_ONCE: Final = 10_000


class CsvFeed:
    """Takes the bytes of a CSV file in parts, and gives its rows.

    Raises ``UnicodeDecodeError`` where a file that looked like UTF-8 is not, further down.
    """

    def __init__(self, reading: Reading) -> None:
        strictness = "replace" if reading.encoding == "gb18030" else "strict"
        self._decoder = codecs.getincrementaldecoder(reading.encoding)(strictness)
        self._delimiter = reading.delimiter
        self._rest = ""
        csv.field_size_limit(LONGEST_CELL)

    def feed(self, part: bytes, *, is_last: bool = False) -> list[Row]:
        """Return the rows that have ended with this part."""
        text = self._rest + self._decoder.decode(part, is_last)
        end = len(text) if is_last else self._end_of_rows(text)
        self._rest = text[end:]
        if "\0" in text:
            text = text.replace("\0", "")
        try:
            return list(csv.reader(io.StringIO(text[:end], newline=""), delimiter=self._delimiter))
        except csv.Error as error:
            raise UnreadableFileError(
                "bad-csv",
                "The file is no CSV: a cell has no end, probably for a stray quotation mark.",
                "文件不是有效的 CSV：某个单元格没有结束，可能有多余的引号。",
            ) from error

    def _end_of_rows(self, text: str) -> int:
        """Return the end of the last row that is surely whole: no quotation is open there."""
        end = text.rfind("\n") + 1
        if text.count('"', 0, end) % 2 == 0:
            return end
        # Inside a quotation: go back to where it was not open yet.
        before = text.rfind('"', 0, end)
        while before >= 0:
            end = text.rfind("\n", 0, before) + 1
            if text.count('"', 0, end) % 2 == 0:
                break
            before = text.rfind('"', 0, end)
        if end <= 0 and len(text) > _LONGEST_WAIT:
            return text.rfind("\n") + 1
        return max(end, 0)


def xlsx_rows(content: bytes) -> Iterator[list[Row]]:
    """Return the rows of the first sheet that has some, in blocks.

    Raises:
        UnreadableFileError: no XLSX, protected by a password, or far larger than it looks.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > _XLSX_UNPACKED_LIMIT:
            raise UnreadableFileError(
                "too-large-inside",
                "The workbook is too large; save the sheet as CSV.",
                "工作簿过大，请将工作表另存为 CSV。",
            )
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        for number in range(len(workbook.sheet_names)):
            sheet = workbook.get_sheet_by_index(number)
            if sheet.total_height > 1:
                # Rows above the first filled one are there too, so that numbers are the sheet's.
                yield from _blocks(sheet.to_python(skip_empty_area=False))
                return
    except UnreadableFileError:
        raise
    except (CalamineError, zipfile.BadZipFile, ValueError, OSError) as error:
        raise UnreadableFileError(
            "bad-xlsx",
            "The workbook can't be read; if it has a password, take it off.",
            "无法读取工作簿；如有密码请先取消。",
        ) from error
    raise UnreadableFileError("empty-file", "The workbook is empty.", "工作簿为空。")


def _blocks(rows: Iterable[list[Any]]) -> Iterator[list[Row]]:
    block: list[Row] = []
    for row in rows:
        block.append([_text(cell) for cell in row])
        if len(block) == _ROWS_AT_ONCE:
            yield block
            block = []
    if block:
        yield block


def _text(cell: Any) -> str:
    """Return a cell of a workbook as a person would have typed it."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime):
        return cell.replace(microsecond=0).isoformat(" ")
    if isinstance(cell, time | date):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell)
    return "" if cell is None else str(cell)
