"""Files are told apart by what is in them, and read in any parts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.integrations.files.sniffing import Reading, UnreadableFileError, sniff
from app.integrations.files.tables import CsvFeed, xlsx_rows
from app.rules.import_columns import header_row, missing, propose
from app.vocabulary import ImportKind

TEXT = "小票号;金额\nR1;1,5\nR2;2,5\n"


@pytest.mark.parametrize(
    ("content", "reading"),
    [
        (TEXT.encode(), Reading("csv", "utf-8", ";")),
        (TEXT.encode("utf-8-sig"), Reading("csv", "utf-8-sig", ";")),
        (TEXT.encode("gb18030"), Reading("csv", "gb18030", ";")),
        (TEXT.encode("utf-16"), Reading("csv", "utf-16", ";")),
        ("a,b\n1,2\n".encode("utf-16-le"), Reading("csv", "utf-16-le", ",")),
        (b"a\tb\n1\t2\n", Reading("csv", "utf-8", "\t")),
        (b"a|b\n1|2\n", Reading("csv", "utf-8", "|")),
        (b"sep=;\na;b\n", Reading("csv", "utf-8", ";")),
        (b'"a,b";"c,d"\n1;2\n', Reading("csv", "utf-8", ";")),
    ],
)
def test_encoding_and_delimiter_are_told_from_the_text(content: bytes, reading: Reading) -> None:
    assert sniff(content) == reading


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"  \n", "empty-file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "old-excel"),
        (b"abc\x00\x01\x02\x03,,,\x00\x00\x00", "not-text"),
    ],
)
def test_what_cannot_be_read_is_said(content: bytes, code: str) -> None:
    with pytest.raises(UnreadableFileError) as refused:
        sniff(content)
    assert refused.value.code == code


def test_a_broken_workbook_is_said() -> None:
    with pytest.raises(UnreadableFileError) as refused:
        list(xlsx_rows(b"PK\x03\x04 not really"))
    assert refused.value.code == "bad-xlsx"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.text('ab ,;"\n小票é', max_size=6), min_size=2, max_size=3),
        min_size=1,
        max_size=8,
    ),
    st.integers(1, 9),
)
def test_rows_are_the_same_in_whatever_parts_a_file_comes(rows: list[list[str]], size: int) -> None:
    import csv
    import io

    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    content = text.getvalue().encode("gb18030")
    feed = CsvFeed(Reading("csv", "gb18030", ","))
    found = []
    for start in range(0, len(content), size):
        part = content[start : start + size]
        found += feed.feed(part, is_last=start + size >= len(content))
    assert found == rows


def test_columns_are_known_by_the_names_of_exports() -> None:
    assert propose(ImportKind.PURCHASES, ["单 号", "日期", "时间", "实付（元）", "Member No."]) == {
        "receipt_number": 0, "occurred_at": 1, "time": 2, "amount": 3, "member_number": 4,
    }  # fmt: skip
    assert propose(ImportKind.PURCHASES, ["订单号", "时间", "金额"])["occurred_at"] == 1
    assert propose(ImportKind.CARDS, ["客户姓名", "联系电话", "出生日期", "会员卡号"]) == {
        "name": 0, "birthday": 2, "phone": 1, "member_number": 3,
    }  # fmt: skip


def test_the_names_of_columns_are_found_below_titles() -> None:
    rows = [["销售明细"], ["2026 年"], ["小票号", "日期", "金额"], ["R1", "2026-01-01", "1"]]
    assert header_row(ImportKind.PURCHASES, rows) == 2


def test_what_lacks_a_column_is_named() -> None:
    assert missing(ImportKind.PURCHASES, {"receipt_number": 0, "unit_price": 1}) == ["occurred_at"]
    assert missing(ImportKind.INTERACTIONS, {}) == ["occurred_at", "channel", "subject"]
