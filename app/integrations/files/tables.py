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
from xml.parsers import expat

from python_calamine import CalamineError, CalamineWorkbook

from app.integrations.files.sniffing import Reading, UnreadableFileError

Row = list[str]

LONGEST_CELL: Final = 100_000
SWALLOWED: Final = "\0"
"""Ends a row in which a stray quotation mark has made one cell of the rows that follow."""
_MOST_LINE_ENDS: Final = 20
_FEWEST_DELIMITERS: Final = 3
# A row that nobody ended would have the rest of the file wait for its end.
_LONGEST_ROW: Final = 4_000_000
_XLSX_UNPACKED_LIMIT: Final = 2_000_000_000
_XLSX_CELLS_LIMIT: Final = 50_000_000
_READ_BYTES: Final = 4_000_000
# Of each one the reader keeps a text: they cost more room than they take in the file.
_SHARED_TEXTS_LIMIT: Final = 20_000_000
_HOLDS_CELLS: Final = b"sheetData"
_SHARED_TEXT: Final = re.compile(rb"[<:]si[\s/>]")
# What the reader would take instead of the workbook, if that turned out to be none.
_OTHER_PROGRAMS: Final = frozenset({"content.xml", "xl/workbook.bin"})
_ROWS_AT_ONCE: Final = 10_000


class _Lines:
    """The lines of a text, and how far they were taken."""

    def __init__(self, text: str) -> None:
        self._text = io.StringIO(text, newline="")
        self.taken = self.number = 0

    def __iter__(self) -> Iterator[str]:
        for line in self._text:
            self.taken += len(line)
            self.number += 1
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
        self._width = self._given = 0
        csv.field_size_limit(LONGEST_CELL)

    def feed(self, part: bytes, *, is_last: bool = False) -> list[Row]:
        """Return the rows that have ended with this part.

        Raises:
            UnreadableFileError: a cell, or a row, has no end.
        """
        text = self._rest + self._decoder.decode(part, is_last).replace("\0", "")
        if not is_last and (whole := self._of_single_lines(text)) is not None:
            return whole
        lines = _Lines(text)
        rows: list[Row] = []
        begun = ended = number = 0
        try:
            for row in csv.reader(lines, delimiter=self._delimiter):
                if lines.number - number > 1 and self._has_swallowed(row):
                    row.append(SWALLOWED)
                elif len(row) > self._width:
                    self._width = len(row)
                rows.append(row)
                begun, ended, number = ended, lines.taken, lines.number
        except csv.Error as error:
            raise _without_end(self._given + len(rows) + 1) from error
        if is_last:
            self._rest = ""
            if rows and rows[-1][-1:] != [SWALLOWED] and self._is_open(text[begun:]):
                rows[-1].append(SWALLOWED)
            return rows
        self._rest = text[begun:]
        if len(self._rest) > _LONGEST_ROW:
            raise _without_end(self._given + max(len(rows), 1))
        self._given += max(len(rows) - 1, 0)
        return rows[:-1]

    def _of_single_lines(self, text: str) -> list[Row] | None:
        """Return the rows that have ended, if each is one line, as nearly all are; else None.

        The reader then runs to the end by itself, which takes a third less time.
        """
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=self._delimiter)
        try:
            rows = list(reader)
        except csv.Error:
            return None
        if not rows or reader.line_num != len(rows):
            return None
        end = text.rstrip("\r\n")
        rest = max(end.rfind("\n"), end.rfind("\r")) + 1
        if len(text) - rest > _LONGEST_ROW or not rows[-1]:
            return None
        self._rest = text[rest:]
        self._width = max(self._width, *map(len, rows))
        self._given += len(rows) - 1
        return rows[:-1]

    def _has_swallowed(self, row: Row) -> bool:
        """Tell whether a cell looks like rows of this table rather than like lines of a text."""
        as_many = max(self._width - 1, _FEWEST_DELIMITERS)
        for cell in row:
            if "\n" in cell or "\r" in cell:
                parted = [line.count(self._delimiter) for line in cell.splitlines()]
                # The first line and the last one may be parts of rows.
                if any(count >= as_many for count in parted[1:-1]):
                    return True
                if len(parted) > _MOST_LINE_ENDS and parted.count(0) * 2 < len(parted):
                    return True
        return False

    def _is_open(self, text: str) -> bool:
        """Tell whether a row ends inside a cell: then another line would belong to it."""
        lines = io.StringIO(f"{text}\nend", newline="")
        try:
            return len(list(csv.reader(lines, delimiter=self._delimiter))) == 1
        except csv.Error:
            # The other line made the cell longer than any.
            return True


def _without_end(number: int) -> UnreadableFileError:
    return UnreadableFileError(
        "bad-csv",
        f"The file is no CSV: a cell of row {number} has no end, probably for a stray quotation "
        "mark.",
        f"文件不是有效的 CSV：第 {number} 行某个单元格没有结束，可能有多余的引号。",
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
        names_alone = None
        for number in range(len(workbook.sheet_names)):
            sheet = workbook.get_sheet_by_index(number)
            if sheet.height > 1:
                # Rows above the first filled one are there too, so that numbers are the sheet's.
                yield from _blocks(sheet.to_python(skip_empty_area=False))
                return
            if sheet.height == 1 and names_alone is None:
                names_alone = sheet
        if names_alone is not None:
            yield from _blocks(names_alone.to_python(skip_empty_area=False))
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
    names = {part.filename.lower() for part in parts}
    if "xl/workbook.xml" not in names or names & _OTHER_PROGRAMS:
        # A table of another program: what it says is repeated takes room as if it were there.
        raise _bad_workbook()
    if sum(part.file_size for part in parts) > _XLSX_UNPACKED_LIMIT:
        raise _too_large()
    shared = 0
    for part in parts:
        holds_cells, texts = _looked_over(archive, part)
        shared += texts
        if shared > _SHARED_TEXTS_LIMIT:
            raise _too_large()
        if holds_cells:
            _Cells().measure(archive, part)


def _looked_over(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[bool, int]:
    """Tell whether a part may hold cells, and how many texts it shares with them."""
    texts = 0
    with archive.open(info) as part:
        before = b""
        while read := part.read(_READ_BYTES):
            # What is cut in two here is looked at with the next piece.
            text = before + read
            if _HOLDS_CELLS in text:
                return True, texts
            texts += len(_SHARED_TEXT.findall(text))
            before = text[-len(_HOLDS_CELLS) :]
    return False, texts


class _Cells:
    """Counts the cells of a sheet that say something, and the rectangle that they need.

    A cell that is only coloured has no value, and takes no room. One that does not say where it
    is follows the one before it. The XML is read by its grammar: whatever way of writing it a
    pattern of ours would overlook, the reader of workbooks would not.
    """

    def __init__(self) -> None:
        self._row = self._column = self._cell_row = self._digits_row = 0
        self._digits = ""
        self._is_open = False
        self._height = self._width = self._count = 0
        self._columns: dict[str, int] = {}
        # As the reader does: whatever the part says that it is written in.
        self._parser = expat.ParserCreate("utf-8")
        self._parser.StartElementHandler = self._begin
        self._parser.StartDoctypeDeclHandler = self._refuse

    def measure(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        """Read a sheet to its end.

        Raises:
            UnreadableFileError: it is larger than would fit, or no XML.
        """
        try:
            with archive.open(info) as part:
                while read := part.read(_READ_BYTES):
                    self._parser.Parse(read)
                    if max(self._count, self._height * self._width) > _XLSX_CELLS_LIMIT:
                        raise _too_large()
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise _bad_workbook() from error

    def _begin(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if name == "c":
            self._is_open = True
            if (at := attributes.get("r")) is None:
                self._column, self._cell_row = self._column + 1, self._row
            else:
                self._place(at)
        elif name in {"v", "is"}:
            if self._is_open:
                self._is_open = False
                self._count += 1
                self._width = max(self._width, self._column)
                self._height = max(self._height, self._cell_row)
        elif name == "row":
            said = attributes.get("r")
            self._row = self._row + 1 if said is None else _whole(said)
            self._column = 0

    def _place(self, at: str) -> None:
        """Note where a reference is; its row is what counts for the cell, not its row's."""
        letters = at.rstrip("0123456789")
        column = self._columns.get(letters)
        if column is None:
            if not (letters.isascii() and letters.isalpha() and len(letters) <= 3):
                raise _bad_workbook()
            column = self._columns[letters] = _column_number(letters.upper())
        self._column = column
        digits = at[len(letters) :]
        if digits != self._digits:
            self._digits, self._digits_row = digits, _whole(digits)
        self._cell_row = self._digits_row

    @staticmethod
    def _refuse(*_: object) -> None:
        """Refuse a document that declares what its own words mean: no workbook does."""
        raise _bad_workbook()


def _whole(digits: str) -> int:
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 7):
        raise _bad_workbook()
    return int(digits)


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
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
