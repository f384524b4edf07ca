"""A file becomes rows to be staged, part by part: any format, encoding and kind."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TypeAlias

from app.integrations.files.sniffing import Reading, UnreadableFileError, sniff
from app.integrations.files.tables import SWALLOWED, CsvFeed, xlsx_rows
from app.rules.import_columns import (
    FIELDS,
    HEADER_LOOKED_FOR_IN,
    fold_header,
    header_row,
    missing,
    propose,
)
from app.services.import_card_rows import CardRows
from app.services.import_interaction_rows import InteractionRows
from app.services.import_purchase_rows import PurchaseRows
from app.services.import_values import ImportContext
from app.vocabulary import ImportKind

SAMPLE_ROWS = 5
_LONGEST_SAMPLE = 60
_MAXIMUM_COLUMNS = 500


Rows: TypeAlias = CardRows | PurchaseRows | InteractionRows
"""What takes the rows of one kind of file."""

_KINDS: Mapping[ImportKind, type[Rows]] = {
    ImportKind.CARDS: CardRows,
    ImportKind.PURCHASES: PurchaseRows,
    ImportKind.INTERACTIONS: InteractionRows,
}


class MissingColumnsError(Exception):
    """Fields that must have a column have none, or a column that was named is not there."""

    def __init__(self, fields: list[str], columns: list[str]) -> None:
        super().__init__()
        self.fields = fields
        self.columns = columns


class FileReader:
    """Reads one file from its first part to its last."""

    def __init__(
        self,
        kind: ImportKind,
        context: ImportContext,
        wanted: Mapping[str, str | None],
        encoding: str | None = None,
    ) -> None:
        self.kind = kind
        self.context = context
        self.wanted = wanted
        self.reading: Reading | None = None
        self.headers: list[str] = []
        self.mapping: dict[str, int] = {}
        self.sample: list[list[str]] = []
        self.rows_read = 0
        self.rows: Rows | None = None
        self._encoding = encoding
        self._feed: CsvFeed | None = None
        self._waiting: list[list[str]] = []
        self._next_number = 1
        self._content: list[bytes] = []

    def take(self, part: bytes, *, is_last: bool) -> Iterator[bytes]:
        """Yield what COPY takes of the rows that end in this part.

        Raises:
            UnreadableFileError, UnicodeDecodeError: see :mod:`app.integrations.files`.
            MissingColumnsError: the columns don't do.
        """
        if self.reading is None:
            self.reading = sniff(part, encoding=self._encoding)
            if self.reading.format == "csv":
                self._feed = CsvFeed(self.reading)
        if self._feed is not None:
            yield self._rows(self._feed.feed(part, is_last=is_last), is_last=is_last)
            return
        # The directory of a workbook stands at its end: it is read as a whole.
        self._content.append(part)
        if is_last:
            content = b"".join(self._content)
            self._content.clear()
            for block in xlsx_rows(content):
                yield self._rows(block, is_last=False)
            yield self._rows([], is_last=True)

    def _rows(self, rows: list[list[str]], *, is_last: bool) -> bytes:
        if self.rows is None:
            self._waiting += rows
            if len(self._waiting) < HEADER_LOOKED_FOR_IN and not is_last:
                return b""
            rows = self._begin()
        self.rows_read += len(rows)
        assert self.rows is not None
        copied = self.rows.take(rows, self._next_number)
        self._next_number += len(rows)
        return copied

    def _begin(self) -> list[list[str]]:
        """Find the names of the columns; return the rows below them."""
        rows, self._waiting = self._waiting, []
        place = header_row(self.kind, rows)
        header = [cell.strip() for cell in rows[place]] if rows else []
        if header[-1:] == [SWALLOWED]:
            raise UnreadableFileError(
                "bad-csv",
                "The file is no CSV: a cell in the row of the columns' names has no end.",
                "文件不是有效的 CSV：列名行中有单元格没有结束。",
            )
        while header and not header[-1]:
            header.pop()
        if not header:
            raise UnreadableFileError("empty-file", "The file is empty.", "文件为空。")
        if len(header) > _MAXIMUM_COLUMNS:
            raise UnreadableFileError(
                "too-many-columns",
                f"The table has more than {_MAXIMUM_COLUMNS} columns.",
                f"表格超过 {_MAXIMUM_COLUMNS} 列。",
            )
        self.headers = [cell[:100] for cell in header]
        self.mapping = propose(self.kind, self.headers)
        self._apply_wishes()
        lacking = missing(self.kind, self.mapping)
        if lacking:
            raise MissingColumnsError(lacking, [])
        below = rows[place + 1 :]
        whole = (row for row in below if row[-1:] != [SWALLOWED])
        self.sample = [self._masked(row) for row in islice(whole, SAMPLE_ROWS)]
        self.rows = _KINDS[self.kind](self.context, self.mapping, len(header))
        self._next_number = place + 2
        return below

    def _apply_wishes(self) -> None:
        places = {
            fold_header(name): place for place, name in reversed(list(enumerate(self.headers)))
        }
        unknown = []
        for field, column in self.wanted.items():
            if column is None:
                self.mapping.pop(field, None)
            elif (place := places.get(fold_header(column))) is not None:
                self.mapping[field] = place
            else:
                unknown.append(column)
        if unknown:
            raise MissingColumnsError([], unknown)

    def _masked(self, row: list[str]) -> list[str]:
        personal = {
            self.mapping[field.name]
            for field in FIELDS[self.kind]
            if field.is_personal and field.name != "name" and field.name in self.mapping
        }
        shown = [cell.strip()[:_LONGEST_SAMPLE] for cell in row[: len(self.headers)]]
        return [
            f"{cell[:3]}***{cell[-2:]}" if place in personal and len(cell) > 5 else cell
            for place, cell in enumerate(shown)
        ]
