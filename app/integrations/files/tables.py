"""Rows of text out of files: CSV as it arrives, XLSX as a whole."""

import codecs
import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from python_calamine import CalamineError, CalamineWorkbook

from app.integrations.files.sniffing import Reading, UnreadableFileError

Row = list[str]

LONGEST_CELL: Final = 100_000
# A row that nobody ended would have the rest of the file wait for its end.
_LONGEST_ROW: Final = 4_000_000
_XLSX_UNPACKED_LIMIT: Final = 2_000_000_000
_XLSX_CELLS_LIMIT: Final = 50_000_000
_READ_BYTES: Final = 4_000_000
_LONGEST_TAG: Final = 300
_ANY_COLUMN: Final = re.compile(rb"""r=["']([A-Z]{1,3})\d""")
# Of cells that say something: one that is only coloured closes itself, and takes no room.
_COLUMN_OF_FILLED: Final = re.compile(
    rb"""<(?:\w{1,20}:)?c\s(?:[^>]{0,200}?\s)?r=["']([A-Z]{1,3})\d[^>]{0,200}(?<!/)>"""
)
_ROW: Final = re.compile(rb"""<(?:\w{1,20}:)?row\s(?:[^>]{0,200}?\s)?r=["'](\d{1,7})["']""")
_ROWS_AT_ONCE: Final = 10_000


class _Lines:
    """The lines of a text, and how far they were taken."""

    def __init__(self, text: str) -> None:
        self._text = io.StringIO(text, newline="")
        self.taken = 0

    def __iter__(self) -> Iterator[str]:
        for line in self._text:
            self.taken += len(line)
            yield line


class CsvFeed:
    """Takes the bytes of a CSV file in parts, and gives its rows.

    The last row of a part may go on in the next one, and waits for it. Only the CSV reader knows
    which quotation mark opens a cell and which one stands in it, so it is asked where rows end.

    Raises ``UnicodeDecodeError`` where a file that looked like UTF-8 is not, further down.
    """

    def __init__(self, reading: Reading) -> None:
        strictness = "replace" if reading.encoding == "gb18030" else "strict"
        self._decoder = codecs.getincrementaldecoder(reading.encoding)(strictness)
        self._delimiter = reading.delimiter
        self._rest = ""
        csv.field_size_limit(LONGEST_CELL)

    def feed(self, part: bytes, *, is_last: bool = False) -> list[Row]:
        """Return the rows that have ended with this part.

        Raises:
            UnreadableFileError: a cell, or a row, has no end.
        """
        text = self._rest + self._decoder.decode(part, is_last).replace("\0", "")
        lines = _Lines(text)
        rows: list[Row] = []
        begun = ended = 0
        try:
            for row in csv.reader(lines, delimiter=self._delimiter):
                rows.append(row)
                begun, ended = ended, lines.taken
        except csv.Error as error:
            raise _without_end() from error
        if is_last:
            self._rest = ""
            return rows
        self._rest = text[begun:]
        if len(self._rest) > _LONGEST_ROW:
            raise _without_end()
        return rows[:-1]


def _without_end() -> UnreadableFileError:
    return UnreadableFileError(
        "bad-csv",
        "The file is no CSV: a cell has no end, probably for a stray quotation mark.",
        "文件不是有效的 CSV：某个单元格没有结束，可能有多余的引号。",
    )


def xlsx_rows(content: bytes) -> Iterator[list[Row]]:
    """Return the rows of the first sheet that has some, in blocks.

    Raises:
        UnreadableFileError: no XLSX, protected by a password, or far larger than it looks.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_size(archive)
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        for number in range(len(workbook.sheet_names)):
            sheet = workbook.get_sheet_by_index(number)
            if sheet.height > 1:
                # Rows above the first filled one are there too, so that numbers are the sheet's.
                yield from _blocks(sheet.to_python(skip_empty_area=False))
                return
    except UnreadableFileError:
        raise
    except (CalamineError, zipfile.BadZipFile, zlib.error, ValueError, OSError) as error:
        raise _bad_workbook() from error
    except RuntimeError as error:
        # Parts that are encrypted or packed in a way that no spreadsheet program uses.
        raise _bad_workbook() from error
    except BaseException as error:
        # What the reader's own language throws is no Exception, and would end the worker.
        if type(error).__name__ != "PanicException":
            raise
        raise _bad_workbook() from error
    raise UnreadableFileError("empty-file", "The workbook is empty.", "工作簿为空。")


def _check_size(archive: zipfile.ZipFile) -> None:
    """Refuse a workbook that would not fit into memory, before anything makes room for it.

    The reader makes room for the whole rectangle up to the last filled cell, which a single cell
    can put a million rows and sixteen thousand columns away; and it believes no announced size,
    so that each part is unpacked here first, as far as was announced.
    """
    parts = archive.infolist()
    if not any(part.filename.lower() == "xl/workbook.xml" for part in parts):
        # A table of another program: what it says is repeated takes room as if it were there.
        raise _bad_workbook()
    if sum(part.file_size for part in parts) > _XLSX_UNPACKED_LIMIT:
        raise _too_large()
    for part in parts:
        if _cells(archive, part, _ANY_COLUMN) > _XLSX_CELLS_LIMIT and (
            _cells(archive, part, _COLUMN_OF_FILLED) > _XLSX_CELLS_LIMIT
        ):
            raise _too_large()


def _cells(archive: zipfile.ZipFile, info: zipfile.ZipInfo, columns: "re.Pattern[bytes]") -> int:
    """Return how many cells the rectangle of a part has that is a sheet."""
    width = height = 0
    with archive.open(info) as part:
        before = b""
        while read := part.read(_READ_BYTES):
            # What is cut in two here is looked at with the next piece.
            text = before + read
            width = max([width, *map(_column_number, set(columns.findall(text)))])
            height = max([height, *map(int, set(_ROW.findall(text)))])
            before = text[-_LONGEST_TAG:]
    return width * height


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _too_large() -> UnreadableFileError:
    return UnreadableFileError(
        "too-large-inside",
        "The workbook is too large; save the sheet as CSV.",
        "工作簿过大，请将工作表另存为 CSV。",
    )


def _bad_workbook() -> UnreadableFileError:
    return UnreadableFileError(
        "bad-xlsx",
        "The workbook can't be read; if it has a password, take it off.",
        "无法读取工作簿；如有密码请先取消。",
    )


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
        return cell.replace("\0", "")
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
