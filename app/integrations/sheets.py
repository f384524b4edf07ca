"""Tables as files that spreadsheet programs open: CSV as it comes, XLSX through xlsxwriter.

Text of people is kept from being a formula. Numbers are the service's own and stay numbers: a
minus before an amount is no danger.
"""

import csv
import io
import tempfile
import threading
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import BinaryIO, Final

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from app.rules.spreadsheets import begins_like_a_formula, harmless

Cell = str | int | Decimal | date | datetime | None
"""Instants are local and without an offset: spreadsheet programs know no time zones."""

ROWS_OF_A_SHEET: Final = 1_048_575
"""What Excel has, but for the row of names."""
_LONGEST_TEXT: Final = 32_767
_FIRST_YEAR: Final = 1900
_WIDTH: Final = 18


def csv_begin(names: Sequence[str]) -> bytes:
    """Return the mark by which Excel knows UTF-8, and the row of names."""
    return b"\xef\xbb\xbf" + csv_rows([names])


def csv_rows(rows: Iterable[Sequence[Cell]]) -> bytes:
    """Return rows as RFC 4180 wants them."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(
        [_csv_text(cell) for cell in row] for row in rows
    )
    return text.getvalue().encode()


def _csv_text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.isoformat(" ", "seconds")
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, str):
        return harmless(cell)
    return f"{cell:f}" if isinstance(cell, Decimal) else str(cell)


class XlsxFile:
    """A workbook that is written row by row, in little memory, to files that have no name.

    Its methods take their time, and belong in a thread. A table with more rows than a sheet has
    goes on in further sheets.
    """

    def __init__(
        self, title: str, names: Sequence[str], *, rows_of_a_sheet: int = ROWS_OF_A_SHEET
    ) -> None:
        self._title = title
        self._names = names
        self._rows_of_a_sheet = rows_of_a_sheet
        self._lock = threading.Lock()
        self._folder = tempfile.TemporaryDirectory(prefix="huike-export-")
        self._file: BinaryIO = tempfile.TemporaryFile(dir=self._folder.name)  # noqa: SIM115
        self._book = Workbook(
            self._file,
            {
                "constant_memory": True,
                "tmpdir": self._folder.name,
                "strings_to_formulas": False,
                "strings_to_numbers": False,
                "strings_to_urls": False,
                "use_zip64": True,
            },
        )
        self._head: Format = self._book.add_format({"bold": True, "quote_prefix": True})
        # The apostrophe of a spreadsheet program: kept beside the text, and not part of it.
        self._quoted: Format = self._book.add_format({"quote_prefix": True})
        self._money: Format = self._book.add_format({"num_format": "0.00"})
        self._day: Format = self._book.add_format({"num_format": "yyyy-mm-dd"})
        self._instant: Format = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._sheet = self._next_sheet()

    def add(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Write rows."""
        with self._lock:
            for row in rows:
                if self._row > self._rows_of_a_sheet:
                    self._sheet = self._next_sheet()
                for column, cell in enumerate(row):
                    self._write(column, cell)
                self._row += 1

    def finish(self) -> BinaryIO:
        """Return the whole file, read from its beginning; closing it removes it."""
        with self._lock:
            self._book.close()
            self._folder.cleanup()
            self._file.seek(0)
            return self._file

    def discard(self) -> None:
        """Leave nothing behind, once another thread that is writing has got to an end."""
        with self._lock:
            for sheet in self._book.worksheets():
                if sheet.row_data_fh is not None:
                    sheet.row_data_fh.close()
            self._file.close()
            self._folder.cleanup()

    def _next_sheet(self) -> Worksheet:
        number = len(self._book.worksheets()) + 1
        sheet: Worksheet = self._book.add_worksheet(
            self._title if number == 1 else f"{self._title} {number}"
        )
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, max(len(self._names) - 1, 0), _WIDTH)
        for column, name in enumerate(self._names):
            sheet.write_string(0, column, name, self._head)
        self._row = 1
        return sheet

    def _write(self, column: int, cell: Cell) -> None:
        sheet, row = self._sheet, self._row
        if cell is None or cell == "":
            return
        if isinstance(cell, date) and cell.year < _FIRST_YEAR:
            # Excel's calendar begins later.
            cell = _csv_text(cell)
        if isinstance(cell, datetime):
            sheet.write_datetime(row, column, cell, self._instant)
        elif isinstance(cell, date):
            sheet.write_datetime(row, column, cell, self._day)
        elif isinstance(cell, str):
            if len(cell) > _LONGEST_TEXT:
                cell = f"{cell[: _LONGEST_TEXT - 1]}…"
            sheet.write_string(
                row, column, cell, self._quoted if begins_like_a_formula(cell) else None
            )
        else:
            is_money = isinstance(cell, Decimal) and cell.as_tuple().exponent == -2
            sheet.write_number(row, column, cell, self._money if is_money else None)
