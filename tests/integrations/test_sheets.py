"""Files as programs read them: bytes of CSV, types and sheets of XLSX, nothing left behind."""

import csv
import io
import tempfile
import zipfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

from app.integrations.sheets import Cell, XlsxFile, csv_begin, csv_rows

EVENING = datetime(2026, 11, 21, 18, 30, tzinfo=UTC).replace(tzinfo=None)
LONG_AGO = datetime(1899, 12, 31, 1, 2, 3, tzinfo=UTC).replace(tzinfo=None)
NAMES = ["姓名", "金额", "件数", "日期", "时间", "备注"]
ROWS: list[Sequence[Cell]] = [
    ["王小明", Decimal("-58.00"), 3, date(2026, 11, 21), EVENING, None],
    ["=1+1", Decimal("1E+3"), 0, date(1850, 1, 2), None, 'a "b", c\nd'],
    ["＝1", Decimal("0.500"), -7, None, LONG_AGO, ""],
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are made during the test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def xlsx(rows: Sequence[Sequence[Cell]], names: Sequence[str] = NAMES, **options: int) -> bytes:
    """Return the bytes of a workbook."""
    made = XlsxFile("客户卡", names, **options)
    made.add(rows)
    with made.finish() as file:
        return file.read()


def sheets_of(content: bytes) -> dict[str, Sequence[Sequence[object]]]:
    """Return what a reader finds in each sheet."""
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


def test_csv_is_utf_8_with_its_mark_and_every_line_ends_with_crlf() -> None:
    assert csv_begin(NAMES) + csv_rows(ROWS) == (
        b"\xef\xbb\xbf"
        + (
            "姓名,金额,件数,日期,时间,备注\r\n"
            "王小明,-58.00,3,2026-11-21,2026-11-21 18:30:00,\r\n"
            '\'=1+1,1000,0,1850-01-02,,"a ""b"", c\nd"\r\n'
            "'＝1,0.500,-7,,1899-12-31 01:02:03,\r\n"
        ).encode()
    )


def test_csv_is_read_back_as_it_was() -> None:
    odd = ['"', ",", "a\r\nb", "a\rb", "'", "é", "🀄", " ", ";"]
    (read,) = csv.reader(io.StringIO(csv_rows([odd]).decode(), newline=""))
    assert read == odd


def test_a_row_of_one_empty_cell_is_a_row() -> None:
    assert csv_rows([[None], ["x"]]) == b'""\r\nx\r\n'


def test_xlsx_has_numbers_days_and_instants_as_such_and_text_as_it_is(folder: Path) -> None:
    assert sheets_of(xlsx(ROWS)) == {
        "客户卡": [
            NAMES,
            ["王小明", -58.0, 3.0, date(2026, 11, 21), EVENING, ""],
            ["=1+1", 1000.0, 0.0, "1850-01-02", "", 'a "b", c\nd'],
            ["＝1", 0.5, -7.0, "", "1899-12-31 01:02:03", ""],
        ]
    }
    assert list(folder.iterdir()) == []


def test_what_looks_like_a_formula_is_text_that_stays_text_when_edited(folder: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(xlsx([["=1+1"], ["a"]], ["x"]))) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()
        styles = parts.read("xl/styles.xml").decode()
        named = set(parts.namelist())
    assert "<f>" not in sheet
    assert "hyperlink" not in sheet.lower()
    assert '<c r="A2" s="2" t="inlineStr"><is><t>=1+1</t></is></c>' in sheet
    assert '<c r="A3" t="inlineStr"><is><t>a</t></is></c>' in sheet
    assert styles.count('quotePrefix="1"') == 2
    assert not any("external" in name.lower() for name in named)


def test_more_rows_than_a_sheet_has_go_on_in_further_sheets(folder: Path) -> None:
    found = sheets_of(xlsx([[number] for number in range(7)], ["n"], rows_of_a_sheet=3))
    assert found == {
        "客户卡": [["n"], [0.0], [1.0], [2.0]],
        "客户卡 2": [["n"], [3.0], [4.0], [5.0]],
        "客户卡 3": [["n"], [6.0]],
    }


def test_a_sheet_that_is_full_is_followed_by_none(folder: Path) -> None:
    found = sheets_of(xlsx([[number] for number in range(3)], ["n"], rows_of_a_sheet=3))
    assert list(found) == ["客户卡"]


def test_an_empty_list_is_a_sheet_with_its_names(folder: Path) -> None:
    assert sheets_of(xlsx([])) == {"客户卡": [NAMES]}


def test_text_longer_than_a_cell_takes_is_cut_and_says_so(folder: Path) -> None:
    ((_, (cell,)),) = sheets_of(xlsx([["字" * 40_000]], ["x"])).values()
    assert cell == "字" * 32_766 + "…"


def test_a_file_that_is_given_up_leaves_nothing_behind(folder: Path) -> None:
    made = XlsxFile("客户卡", NAMES)
    made.add(ROWS)
    assert [path.name[:13] for path in folder.iterdir()] == ["huike-export-"]
    made.discard()
    assert list(folder.iterdir()) == []
