"""Files as they really come: cells with line ends, stray marks, sheets of absurd size."""

import csv
import io
import zipfile

import pytest
import xlsxwriter

from app.integrations.files.sniffing import Reading, UnreadableFileError
from app.integrations.files.tables import SWALLOWED, CsvFeed, xlsx_rows

UTF8 = Reading("csv", "utf-8", ",")
# An inch is a mark that opens nothing; the cell after it holds a line end.
ODD = 'R1,27" 显示器,5\r\nR2,"两行\r\n文字",6\r\nR3,"他说 ""好""",7\n\nR4,末,8\rR5,"",9'


def rows_in_parts(content: bytes, size: int) -> list[list[str]]:
    feed, rows = CsvFeed(UTF8), []
    for at in range(0, len(content), size):
        rows += feed.feed(content[at : at + size], is_last=at + size >= len(content))
    return rows


@pytest.mark.parametrize("size", [1, 2, 7, 16, 33, 1000])
def test_rows_are_the_same_wherever_a_part_ends(size: int) -> None:
    assert rows_in_parts(ODD.encode(), size) == list(csv.reader(io.StringIO(ODD, newline="")))


@pytest.mark.parametrize("size", [5, 11, 1000])
def test_nothing_is_read_twice_where_a_file_holds_nul_characters(size: int) -> None:
    content = b"R1,a,1\nR2,\0\0\0\0b,2\nR3,\0c,3\nR4,d,4\n"
    assert rows_in_parts(content, size) == [
        ["R1", "a", "1"], ["R2", "b", "2"], ["R3", "c", "3"], ["R4", "d", "4"],
    ]  # fmt: skip


@pytest.mark.parametrize("size", [7, 1000])
@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ('a,b\nR1,"open\nR2,2\n', ["R1", "open\nR2,2\n", SWALLOWED]),
        ('a,b\nR1,"open', ["R1", "open", SWALLOWED]),
        ('a,b\nR1,"closed"', ["R1", "closed"]),
        ('a,b\nR1,"two\nlines"\n', ["R1", "two\nlines"]),
        ('a,b,c,d\n1,2,3,"4\n5,6,7,8\n9,"\n', ["1", "2", "3", "4\n5,6,7,8\n9,", SWALLOWED]),
        ('a,b\n1,"' + "2\n" * 30 + '"\n', ["1", "2\n" * 30]),
        ('a,b\n1,"' + "2,3\n" * 30 + '"\n', ["1", "2,3\n" * 30, SWALLOWED]),
    ],
)
def test_a_row_that_a_stray_mark_has_swallow_others_is_marked(
    text: str, cells: list[str], size: int
) -> None:
    assert rows_in_parts(text.encode(), size)[-1] == cells


@pytest.mark.parametrize("begin", ["", '"'])
@pytest.mark.parametrize("filled", ["a", "a,"])
def test_a_row_without_an_end_is_given_up_before_it_fills_the_memory(
    begin: str, filled: str
) -> None:
    feed, part = CsvFeed(UTF8), (filled * (1_000_000 // len(filled))).encode()
    read: list[list[str]] = []

    def read_on() -> None:
        for number in range(6):
            read.extend(feed.feed(begin.encode() * (not number) + part))

    with pytest.raises(UnreadableFileError) as refused:
        read_on()
    assert (refused.value.code, read) == ("bad-csv", [])


def workbook(*cells: tuple[int, int, str | None]) -> bytes:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file)
    sheet, coloured = book.add_worksheet(), book.add_format({"bg_color": "yellow"})
    for row, column, text in cells:
        sheet.write(row, column, text, coloured)
    book.close()
    return file.getvalue()


def test_a_sheet_that_one_cell_makes_huge_is_refused_and_colours_do_no_harm() -> None:
    table = ((0, 0, "小票号"), (1, 0, "R1"))
    with pytest.raises(UnreadableFileError) as refused:
        list(xlsx_rows(workbook(*table, (1_048_575, 16_383, "x"))))
    assert refused.value.code == "too-large-inside"
    assert list(xlsx_rows(workbook(*table, (1_048_575, 16_383, None)))) == [[["小票号"], ["R1"]]]


def sheet_of(cells: str) -> bytes:
    """Return a workbook whose sheet is written in this way."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook((0, 0, "小票号")))) as plain,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in plain.namelist():
            sheet = f"<worksheet><sheetData>{cells}</sheetData></worksheet>".encode()
            archive.writestr(name, sheet if "sheet1" in name else plain.read(name))
    return file.getvalue()


FAR = '<v>1</v></c><c r="XFD1048576"><v>1</v></c></row>'


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        (f'<row r="1"><c r="A1">{FAR}', "too-large-inside"),
        ('<row r="1"><c r = "xfd1048576"><v>1</v></c></row>', "too-large-inside"),
        (f'<x:row xmlns:x="a"/><row {" " * 300}><c {" " * 300}>{FAR}', "too-large-inside"),
        ("<row/>" * 60_000 + f"<row>{'<c/>' * 900}<c><v>1</v></c></row>", "too-large-inside"),
        ('<row r="1"><c r="A1" a=1><v>1</v></c></row>', "bad-xlsx"),
        ('<row r="1"><c r="A99999999"><v>1</v></c></row>', "bad-xlsx"),
        ('<row r="1"><c r="AAAA1"><v>1</v></c></row>', "bad-xlsx"),
    ],
)
def test_a_huge_sheet_is_refused_however_its_cells_are_written(cells: str, code: str) -> None:
    with pytest.raises(UnreadableFileError) as refused:
        list(xlsx_rows(sheet_of(cells)))
    assert refused.value.code == code


def test_cells_that_follow_one_another_are_read() -> None:
    written = "<row><c><v>1</v></c><c/><c><v>2</v></c></row>"
    assert list(xlsx_rows(sheet_of(written))) == [[["1", "", "2"]]]


def test_a_workbook_of_two_programs_is_none() -> None:
    file = io.BytesIO(sheet_of("<row><c><v>1</v></c></row>"))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("content.xml", "<x/>")
    with pytest.raises(UnreadableFileError) as refused:
        list(xlsx_rows(file.getvalue()))
    assert refused.value.code == "bad-xlsx"


def test_a_workbook_that_hides_how_large_it_is_cannot_be_read() -> None:
    file = io.BytesIO(workbook((0, 0, "小票号"), (1, 0, "R1")))
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/more.xml", b"0" * 1_000_000)
    content = file.getvalue()
    announced = (1_000_000).to_bytes(4, "little")
    assert content.count(announced) == 2
    with pytest.raises(UnreadableFileError) as refused:
        list(xlsx_rows(content.replace(announced, (10).to_bytes(4, "little"))))
    assert refused.value.code == "bad-xlsx"


def test_a_table_of_another_program_is_no_workbook() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", "<x/>")
    with pytest.raises(UnreadableFileError) as refused:
        list(xlsx_rows(file.getvalue()))
    assert refused.value.code == "bad-xlsx"
