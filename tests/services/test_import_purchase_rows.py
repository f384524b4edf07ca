"""Rows of purchases are read the same, whatever was read before them and is still known."""

import random
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from app.services.import_purchase_rows import PurchaseRows
from app.services.import_values import ImportContext

FIELDS = (
    "receipt_number", "occurred_at", "member_number", "phone", "store", "status", "cashier",
    "original_receipt", "sku", "title", "unit_cost", "quantity", "unit_price", "discount", "amount",
)  # fmt: skip
CELLS = {
    "receipt_number": ("R1", "C1001", "1001", "", "bad number"),
    "occurred_at": ("2026-11-01 10:00", "2026/11/02", "03/04/2026", "2030-01-01"),
    "member_number": ("", "HK1", "HK1", "HK2", "1.2E+10"),
    "phone": ("", "13800138000", "12"),
    "store": ("", "", "S01", "S99"),
    "status": ("", "", "", "退货", "作废"),
    "cashier": ("", "甲", "x" * 101),
    "original_receipt": ("", "", "R1", "不"),
    "sku": ("", "B1"),
    "title": ("", "红楼梦", "'=1+1"),
    "unit_cost": ("", "", "12.5", "-1", "x"),
    "quantity": ("", "1", "1", "2", "0", "-1", "一"),
    "unit_price": ("", "48", "48", "x"),
    "discount": ("", "", "8", "x"),
    "amount": ("", "48", "96", "-48", "0"),
}
CONTEXT = ImportContext(
    import_id=UUID(int=1),
    zone=ZoneInfo("Asia/Shanghai"),
    phone_region="CN",
    now=datetime(2026, 11, 28, 4, tzinfo=UTC),
    stores={"s01": UUID(int=2)},
    store_id=UUID(int=3),
)


def reader() -> PurchaseRows:
    return PurchaseRows(CONTEXT, {name: at for at, name in enumerate(FIELDS)}, len(FIELDS))


def test_what_is_known_of_the_rows_before_changes_nothing() -> None:
    chance = random.Random(3)
    rows: list[list[str]] = []
    for _ in range(4_000):
        if rows and chance.random() < 0.6:
            # Another row of the same receipt, alike but for some cells.
            row = list(rows[-1])
            for name in chance.sample(FIELDS[2:], chance.randint(0, 3)):
                row[FIELDS.index(name)] = chance.choice(CELLS[name])
        else:
            row = [
                chance.choice(CELLS[name] if chance.random() < 0.3 else CELLS[name][:2])
                for name in FIELDS
            ]
            row[0] = chance.choice((row[0], f"N{len(rows)}"))
        rows.append(row)
    remembering, forgetting = reader(), reader()
    remembered = remembering.take([list(row) for row in rows], 2)
    one_by_one = []
    for number, row in enumerate(rows, 2):
        fresh = reader()
        # What the whole file says is kept, what helps to read a row is not.
        forgetting._bought, forgetting._last = fresh._bought, None
        one_by_one.append(forgetting.take([list(row)], number))

    assert remembered == b"".join(one_by_one)
    assert remembering.findings.counts == forgetting.findings.counts
    assert remembering.findings.rows == forgetting.findings.rows
    assert remembering.bad_receipts == forgetting.bad_receipts
    assert remembering.shared_numbers() == forgetting.shared_numbers()
    assert remembered.count(b"\n") > 500
    assert len(remembering.findings.counts) > 15


def test_two_rows_of_a_receipt_have_its_head_and_each_its_goods() -> None:
    row = dict.fromkeys(FIELDS, "")
    row |= {"receipt_number": "R1", "occurred_at": "2026-11-01 10:00", "member_number": "HK1"}
    first = {**row, "title": "红楼梦", "quantity": "2", "unit_price": "24", "amount": "48"}
    second = {**row, "title": "西游记", "unit_cost": "3.5", "amount": "20"}
    taken = reader().take([list(first.values()), list(second.values())], 2).decode()
    head = (
        f"\tR1\tR1\t\\N\t2026-11-01 10:00:00+08:00\t{UUID(int=3)}\tmember_number\t\tHK1\t\\N"
        "\t\\N\t\\N"
    )
    assert taken.splitlines() == [
        f"{UUID(int=1)}\t1\t2{head}\t红楼梦\t\\N\t2.000\t24.00\t48.00\t\\N",
        f"{UUID(int=1)}\t1\t3{head}\t西游记\t\\N\t1.000\t20.00\t20.00\t3.50",
    ]
