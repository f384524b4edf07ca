"""Files as tills and spreadsheets really give them away: with everything that goes wrong."""

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import xlsxwriter

HEADER = ("小票号", "日期", "会员卡号", "手机", "商品编码", "书名", "数量", "单价", "实付", "状态")
TITLE = ("明湖书店销售明细", "", "", "", "", "", "", "", "", "")
BLANK = ("",) * 10
# What stands in each row, and what should become of it.
ROWS: Sequence[tuple[str, Sequence[str]]] = (
    ("good", ("R1", "2026-11-01 10:00:00", "HK1", "", "B1", "红楼梦", "1", "59.70", "59.70", "")),
    ("good", ("R1", "2026-11-01 10:00:00", "HK1", "", "B2", "西游记", "2", "￥600.00",
              "￥1,200.00", "")),
    ("duplicate-row", ("R1", "2026-11-01 10:00:00", "HK1", "", "B2", "西游记", "2", "￥600.00",
                       "￥1,200.00", "")),
    ("good", ("R2", "2026/11/02 9:05", "", "138 0013 8000", "B1", "红楼梦", "１", "59.70", "59.70",
              "")),
    ("good", ("R3", "20261103", "", "+86 13800138000", "B1", "红楼梦", "1", "59.70", "", "")),
    ("good", ("4001", "2026年11月4日 下午3:20", "HK2", "", "B3", "三国演义", "1", "48", "48", "")),
    ("good", ("R5", "28.10.2026", "散客", "", "B3", "三国演义", "1", "48", "48", "")),
    ("good", ("R6", "46332.5", "", "", "B3", "三国演义", "1", "48", "48", "")),
    ("zero-price", ("R6", "46332.5", "", "", "B9", "书签", "1", "0", "0", "")),
    ("cancelled", ("R7", "2026-11-05", "HK1", "", "B3", "三国演义", "1", "48", "48", "已作废")),
    ("good", ("C100", "2026-11-05", "HK1", "", "B3", "三国演义", "1", "48", "48", "")),
    ("refund", ("R1", "2026-11-06", "HK1", "", "B2", "西游记", "-1", "600", "(600.00)", "")),
    ("refund", ("C4001", "2026-11-07", "HK2", "", "B3", "三国演义", "-1", "48", "-48", "")),
    ("zero-quantity", ("R8", "2026-11-05", "", "", "B3", "三国演义", "0", "48", "0", "")),
    ("scientific-number", ("R9", "2026-11-05", "", "1.38E+10", "B3", "三国演义", "1", "48", "48",
                           "")),
    ("bad-date", ("R10", "下周", "", "", "B3", "三国演义", "1", "48", "48", "")),
    ("ambiguous-date", ("R11", "03/04/2026", "", "", "B3", "三国演义", "1", "48", "48", "")),
    ("in-the-future", ("R12", "2099-01-01", "", "", "B3", "三国演义", "1", "48", "48", "")),
    ("bad-amount", ("R13", "2026-11-05", "", "", "B3", "三国演义", "1", "48", "四十八", "")),
    ("receipt-incomplete", ("R13", "2026-11-05", "", "", "B1", "红楼梦", "1", "59.70", "59.70",
                            "")),
    ("missing-value", ("", "2026-11-05", "", "", "B1", "红楼梦", "1", "59.70", "59.70", "")),
    ("blank", BLANK),
    ("blank", BLANK),
    ("good", ("R14", "2026-11-08", "", "", "B4", "水浒传", "1", "36", "36", "")),
    ("totals-row", ("合计", "", "", "", "", "", "", "", "1600", "")),
)  # fmt: skip


def as_csv(encoding: str = "gb18030", delimiter: str = ",") -> bytes:
    """Return the rows as CSV, a title above the names of the columns."""
    text = io.StringIO(newline="")
    table = csv.writer(text, delimiter=delimiter)
    table.writerow(TITLE)
    table.writerow(HEADER)
    table.writerows(row for _, row in ROWS)
    return text.getvalue().encode(encoding)


def as_xlsx() -> bytes:
    """Return the rows as a workbook: dates and numbers as spreadsheets keep them."""
    content = io.BytesIO()
    book = xlsxwriter.Workbook(content, {"in_memory": True})
    sheet = book.add_worksheet("明细")
    day = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
    for number, row in enumerate((TITLE, HEADER, *(row for _, row in ROWS))):
        for place, cell in enumerate(row):
            if number > 1 and place == 1 and cell.startswith("2026-11-01"):
                moment: Any = datetime.fromisoformat("2026-11-01T10:00")
                sheet.write_datetime(number, place, moment, day)
            elif number > 1 and place in (6, 7, 8) and cell.replace(".", "").isascii():
                sheet.write(number, place, float(cell) if cell[:1].isdigit() else cell)
            else:
                sheet.write_string(number, place, cell)
    book.close()
    return content.getvalue()
