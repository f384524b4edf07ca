"""Files of purchases: what tills export, with all its dirt, and what becomes of it."""

from collections import Counter
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.core.config import Settings
from app.core.database import Database
from app.models import metadata
from tests.support import dirty_files
from tests.support.cards import create_card
from tests.support.events import refund
from tests.support.import_files import ask, report, step, upload
from tests.support.world import World, send_event

COUNTED = Counter(
    code for code, _ in dirty_files.ROWS if code not in {"good", "refund", "zero-price"}
)
UNTOLD = {"audit_entry", "outbox_event", "idempotency_key"}


async def table_counts(database: Database) -> dict[str, int]:
    """Return the number of rows of every table, but for what tells what was done."""
    async with database.transaction() as session:
        return {
            name: await session.scalar(text(f"SELECT count(*) FROM {name}")) or 0
            for name in metadata.tables
            if name not in UNTOLD and not name.startswith("import_")
        }


async def rows_of(database: Database, statement: str) -> list[tuple[Any, ...]]:
    async with database.transaction() as session:
        return [tuple(row) for row in await session.execute(text(statement))]


@pytest.fixture
async def cards(client: httpx.AsyncClient, world: World) -> list[dict[str, Any]]:
    """Two cards that the file names: one by number, one by phone."""
    return [
        await create_card(client, world, identities=[{"kind": kind, "value": value}])
        for kind, value in (("member_number", "HK1"), ("phone", "13800138000"))
    ]


FILES = {
    "GB18030": dirty_files.as_csv,
    "XLSX": dirty_files.as_xlsx,
}


@pytest.mark.parametrize("name", FILES)
async def test_a_dirty_file_is_counted_row_by_row_and_told_in_both_languages(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings,
    cards: list[dict[str, Any]], name: str,
) -> None:  # fmt: skip
    job = await upload(client, world, FILES[name](), kind="purchases", source="till-1")
    job = await step(client, world, database, settings, job)

    assert (job["status"], job["problem"]) == ("checked", None)
    refused = {"scientific-number", "bad-date", "ambiguous-date", "in-the-future", "bad-amount",
               "receipt-incomplete", "missing-value"}  # fmt: skip
    assert job["counts"] == {
        **COUNTED, "rows": 25, "good": 12, "refund": 2, "zero-price": 1, "no-customer": 4,
        "refused": sum(COUNTED[code] for code in refused),
    }  # fmt: skip
    job = await ask(client, world, job, "run")
    job = await step(client, world, database, settings, job)

    assert job["status"] == "done"
    assert job["written"] == {
        "rows": 12, "receipts": 10, "awaiting": 2, "linked_refunds": 2, "upgrades": 1,
        "refund": 2, "zero-price": 1, "no-customer": 4,
    }  # fmt: skip
    told = await report(client, world, job)
    assert told["text_zh"] == (
        "文件共 25 行。12 行已导入。共 10 张小票。2 张小票等待客户建卡。2 张退货小票已对应原销售。"
        "1 位客户升级。2 个空行，已略过。1 个合计行，已略过。1 行重复，已跳过。"
        "1 行属于已作废小票，未导入。1 行数量与金额均为零，未导入。"
        "4 行没有客户信息，仅计入门店业绩。"
        "1 行金额为零，按赠品保留。2 行为退货，按退货入账。7 行有错误，未导入：1 处必填项为空；"
        "1 处日期无法识别；1 处日月无法区分，请写成 2026-11-28；1 处日期在未来；1 处金额无法识别；"
        "1 处长号码被 Excel 转成科学计数法，位数已丢失；请将该列设为文本后重新导出；"
        "1 处同一小票的其他行有错误。"
    )
    assert told["text_en"].startswith(
        "The file has 25 rows. 12 rows imported. 10 receipts written. "
        "2 receipts waiting for a customer's card. 2 refunds matched with a sale. "
        "1 customer lifted to a higher tier. 2 rows left out as blank. "
        "1 row left out as totals. 1 row skipped as a repeat of an earlier row. "
        "1 row of a cancelled receipt left out. 1 row with quantity and amount zero left out. "
        "4 rows without a customer: counted for the shop only. "
        "1 row at no price kept as a gift. 2 rows of returned goods, recorded as refunds. "
    )
    listed = await client.get(
        f"/v1/imports/{job['id']}/errors?treatment=refused", headers=world.headers("manager")
    )
    assert [(row["row"], row["column_name"], row["code"]) for row in listed.json()["items"]] == [
        (17, "手机", "scientific-number"),
        (18, "日期", "bad-date"),
        (19, "日期", "ambiguous-date"),
        (20, "日期", "in-the-future"),
        (21, "实付", "bad-amount"),
        (22, None, "receipt-incomplete"),
        (23, "小票号", "missing-value"),
    ]
    assert await rows_of(
        database,
        """
        SELECT receipt_number, kind, amount, business_day::text, refund_of_id IS NOT NULL
        FROM purchase ORDER BY receipt_number
        """,
    ) == [
        ("C100", "sale", Decimal("48.00"), "2026-11-05", False),
        ("R1", "sale", Decimal("1259.70"), "2026-11-01", False),
        ("R1-R", "refund", Decimal("600.00"), "2026-11-06", True),
        ("R2", "sale", Decimal("59.70"), "2026-11-02", False),
        ("R3", "sale", Decimal("59.70"), "2026-11-03", False),
    ]
    assert await rows_of(
        database,
        "SELECT receipt_number, kind, awaits_value, amount, business_day::text"
        " FROM unattached_purchase ORDER BY receipt_number",
    ) == [
        ("4001", "sale", "HK2", Decimal("48.00"), "2026-11-04"),
        ("C4001", "refund", "HK2", Decimal("48.00"), "2026-11-07"),
        ("R14", "sale", None, Decimal("36.00"), "2026-11-08"),
        ("R5", "sale", None, Decimal("48.00"), "2026-10-28"),
        ("R6", "sale", None, Decimal("48.00"), "2026-11-06"),
    ]
    tier = await client.get(
        f"/v1/customers/{cards[0]['id']}/tier", headers=world.headers("manager")
    )
    assert tier.json()["level"]["code"] == "ordinary"


async def test_values_that_no_column_holds_are_refused_row_by_row(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    rows = (
        "R1,2026-11-01 10:00:00+99:99,5,",
        "R2,2026-11-01T10:00:00+08:00,5,",
        "R3,46332.9999999,5,",
        f"R4,2026-11-01,{'9' * 5000},",
        "R5,2026-11-01,1E+999999999,",
        "R6,2026-11-01,NaN,",
        "R7,2026-11-01,999999999999.99,999999999999.99",
        "R8,2026-11-01,999999999999.99,",
        "R8,2026-11-02,0.01,",
        "R9,0000-00-00,5,",
        "R10,99999.5,5,",
        "R11,2026-11-01,0E+999999999,1E-999999999",
    )
    content = "\n".join(("小票号,日期,金额,成本", *rows)).encode()
    job = await upload(client, world, content, kind="purchases", source="till-1")
    job = await step(client, world, database, settings, job)
    assert (job["status"], job["problem"]) == ("checked", None)
    assert job["counts"] == {
        "rows": 12, "good": 4, "refused": 8, "bad-date": 3, "bad-amount": 3,
        "receipt-incomplete": 2, "no-customer": 4, "zero-price": 1,
    }  # fmt: skip
    job = await ask(client, world, job, "run")
    job = await step(client, world, database, settings, job)
    assert (job["status"], job["written"]["receipts"]) == ("done", 4)
    assert await rows_of(
        database,
        "SELECT receipt_number, amount, (occurred_at AT TIME ZONE 'Asia/Shanghai')::text"
        " FROM unattached_purchase ORDER BY receipt_number",
    ) == [
        ("R11", Decimal("0.00"), "2026-11-01 12:00:00"),
        ("R2", Decimal("5.00"), "2026-11-01 10:00:00"),
        ("R3", Decimal("5.00"), "2026-11-07 00:00:00"),
        ("R7", Decimal("999999999999.99"), "2026-11-01 12:00:00"),
    ]


async def test_what_was_imported_is_undone_as_if_it_had_never_been(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings,
    cards: list[dict[str, Any]],
) -> None:  # fmt: skip
    before = await table_counts(database)
    job = await upload(client, world, dirty_files.as_csv(), kind="purchases", source="till-1")
    job = await step(client, world, database, settings, job)
    job = await ask(client, world, job, "run")
    job = await step(client, world, database, settings, job)
    assert await table_counts(database) != before

    job = await ask(client, world, job, "undo")
    job = await step(client, world, database, settings, job)

    assert (job["status"], job["written"]["removed"]) == ("undone", 10)
    assert await table_counts(database) == before
    told = await report(client, world, job)
    assert told["sentences"][-1]["zh"] == "已撤销：移除 10 项。"
    tier = await client.get(
        f"/v1/customers/{cards[0]['id']}/tier", headers=world.headers("manager")
    )
    assert tier.json()["level"]["code"] == "small"
    again = await ask(client, world, job, "undo", 409)
    assert again["type"] == "/problems/invalid-transition"


async def test_a_receipt_that_a_till_has_refunded_since_is_kept_and_listed(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings,
    cards: list[dict[str, Any]],
) -> None:  # fmt: skip
    job = await upload(client, world, dirty_files.as_csv(), kind="purchases", source="till-1")
    job = await step(client, world, database, settings, job)
    job = await ask(client, world, job, "run")
    job = await step(client, world, database, settings, job)
    taken_back = refund({"receipt_number": "R2", "total": "59.70"}, receipt_number="T1")
    assert (await send_event(client, world, taken_back)).json()["status"] == "applied"

    job = await ask(client, world, job, "undo")
    job = await step(client, world, database, settings, job)

    kept = await client.get(f"/v1/imports/{job['id']}/kept", headers=world.headers("manager"))
    assert [(item["customer_id"], item["reason"]) for item in kept.json()["items"]] == [
        (cards[1]["id"], "has-refunds")
    ]
    assert job["written"]["kept"] == 1
    assert await rows_of(database, "SELECT receipt_number FROM purchase WHERE kind = 'sale'") == [
        ("R2",)
    ]


async def test_a_file_that_comes_twice_changes_nothing_the_second_time(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings,
    cards: list[dict[str, Any]],
) -> None:  # fmt: skip
    jobs = []
    for _ in range(2):
        job = await upload(client, world, dirty_files.as_csv(), kind="purchases", source="till-1")
        job = await step(client, world, database, settings, job)
        job = await ask(client, world, job, "run")
        jobs.append(await step(client, world, database, settings, job))
    assert jobs[1]["written"] == {"receipt-exists": 12}
    told = await report(client, world, jobs[1])
    assert "12 行的小票已经存在，已跳过。" in told["text_zh"]
    assert "12 rows skipped: their receipts are there already." in told["text_en"]
    for effect in ("returned goods", "kept as a gift", "without a customer"):
        assert effect not in told["text_en"]
    assert len(await rows_of(database, "SELECT 1 FROM receipt")) == 10


async def test_a_refund_of_a_till_that_came_before_the_file_finds_its_sale(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings,
    cards: list[dict[str, Any]],
) -> None:  # fmt: skip
    early = refund({"receipt_number": "R2", "total": "59.70"}, receipt_number="T1")
    assert (await send_event(client, world, early)).json()["status"] == "parked"
    job = await upload(client, world, dirty_files.as_csv(), kind="purchases", source="till-1")
    job = await step(client, world, database, settings, job)
    job = await ask(client, world, job, "run")
    await step(client, world, database, settings, job)
    assert await rows_of(
        database,
        "SELECT p.amount, s.receipt_number FROM purchase AS p JOIN purchase AS s"
        " ON s.customer_id = p.customer_id AND s.id = p.refund_of_id"
        f" WHERE p.event_id = '{early['event_id']}'",
    ) == [(Decimal("59.70"), "R2")]


async def test_statistics_are_those_that_tills_would_have_made(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings,
    cards: list[dict[str, Any]],
) -> None:  # fmt: skip
    job = await upload(client, world, dirty_files.as_csv(), kind="purchases", source="till-1")
    job = await step(client, world, database, settings, job)
    job = await ask(client, world, job, "run")
    await step(client, world, database, settings, job)
    stats = await client.get(
        f"/v1/customers/{cards[0]['id']}/statistics", headers=world.headers("manager")
    )
    figures = stats.json()
    assert (figures["purchases"], figures["refunds"], figures["net"]) == (2, 1, "707.70")


async def test_columns_that_are_not_found_can_be_named(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    content = "票据,交易时间,应收款\nR1,2026-11-01,10\n".encode()
    job = await upload(client, world, content, kind="purchases", source="till-1")
    job = await step(client, world, database, settings, job)
    assert (job["status"], job["problem"]["code"], job["problem"]["fields"]) == (
        "failed", "columns-missing", ["receipt_number", "amount"],
    )  # fmt: skip
    assert job["problem"]["zh"] == (
        "未找到以下字段对应的列：小票号（receipt_number）、金额（amount）。请在 mapping 中指定。"
    )
    answer = await client.patch(
        f"/v1/imports/{job['id']}",
        headers=world.headers("manager", If_Match=f'"v{job["version"]}"'),
        json={"mapping": {"receipt_number": "票据", "amount": "应收款"}},
    )
    assert answer.status_code == 200, answer.text
    job = await step(client, world, database, settings, job)
    assert (job["status"], job["counts"]["good"]) == ("checked", 1)
    assert [column["field"] for column in job["columns"]] == [
        "receipt_number", "occurred_at", "amount",
    ]  # fmt: skip


RECEIPTS = """小票号,日期,会员卡号,书名,数量,单价,金额,门店,original receipt no,导购
C0001,2026-11-01,HK1,红楼梦,1,48,48,S01,,甲
C0002,2026-11-01,HK1,西游记,2,30,50,S01,,甲
C0003,2026-11-02,HK1,红楼梦,-1,48,-48,S01,C0001,乙
C0002,2026-11-03,HK1,西游记,-1,25,-25,S01,,乙
0009,2026-11-03,HK1,聊斋,1,20,20,S01,,乙
C0009,2026-11-03,HK1,聊斋,-1,20,-20,S01,,乙
C0010,2026-11-03,HK1,论语,一,20,二十,S99,,乙
"""


async def test_a_c_before_a_number_cancels_only_where_the_row_takes_back(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings,
    cards: list[dict[str, Any]],
) -> None:  # fmt: skip
    job = await upload(client, world, RECEIPTS.encode(), kind="purchases", source="till-1")
    job = await step(client, world, database, settings, job)
    assert job["counts"] == {
        "rows": 7, "good": 6, "refused": 1, "refund": 3, "amount-differs": 1, "bad-quantity": 1,
        "unknown-store": 1,
    }  # fmt: skip
    preview = await report(client, world, job)
    assert [one["en"] for one in preview["sentences"][1:3]] == [
        "6 rows can be imported.", "Columns that are not used: 导购.",
    ]  # fmt: skip
    listed = await client.get(f"/v1/imports/{job['id']}/errors", headers=world.headers("manager"))
    assert [(row["row"], row["column_name"], row["code"]) for row in listed.json()["items"]] == [
        (3, "金额", "amount-differs"), (8, "数量", "bad-quantity"), (8, "门店", "unknown-store"),
    ]  # fmt: skip
    job = await ask(client, world, job, "run")
    job = await step(client, world, database, settings, job)
    assert await rows_of(
        database,
        "SELECT p.receipt_number, p.amount, s.receipt_number FROM purchase AS p"
        " LEFT JOIN purchase AS s ON s.id = p.refund_of_id ORDER BY 1",
    ) == [
        ("0009", Decimal("20.00"), None),
        ("C0001", Decimal("48.00"), None),
        ("C0002", Decimal("50.00"), None),
        ("C0002-R", Decimal("25.00"), "C0002"),
        ("C0003", Decimal("48.00"), "C0001"),
        ("C0009", Decimal("20.00"), "0009"),
    ]
    text_zh = (await report(client, world, job))["text_zh"]
    assert "1 行单价×数量与金额不符，以金额为准。" in text_zh
    assert "1 行有错误，未导入：1 处数量无法识别；1 处门店不存在。" in text_zh


async def test_a_discount_explains_an_amount_and_half_cents_are_no_contradiction(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    content = "小票号,日期,数量,单价,优惠,金额\nR1,2026-11-01,3,3.33,,10\nR2,2026-11-01,1,48,8,40\n"
    content += "R3,2026-11-01,1,48,8,48\nR4,2026-11-01,1,48,8,41\n"
    job = await upload(client, world, content.encode(), kind="purchases", source="till-1")
    job = await step(client, world, database, settings, job)
    assert job["counts"] == {"rows": 4, "good": 4, "no-customer": 4, "amount-differs": 1}


# The second line of a receipt lacks the end of a cell: what is left of it would not add up.
SWALLOWING_RECEIPTS = """小票号,日期,金额,书名
R1,2026-11-01,1.00,a
R2,2026-11-01,1.00,b
R2,2026-11-02,2.00,"27 寸
R3,2026-11-02,3.00,c
"""
SWALLOWING_CARDS = """姓名,电话,备注
王一,13800138001,a
王二,13800138002,"b
王三,13800138003,c"""


@pytest.mark.parametrize(
    ("kind", "content", "row", "good"),
    [("purchases", SWALLOWING_RECEIPTS, 4, 1), ("cards", SWALLOWING_CARDS, 3, 1)],
)
async def test_a_row_with_a_stray_quotation_mark_is_named_and_left_out(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings,
    kind: str, content: str, row: int, good: int,
) -> None:  # fmt: skip
    source = {"source": "till-1"} if kind == "purchases" else {}
    job = await upload(client, world, content.encode(), kind=kind, **source)
    job = await step(client, world, database, settings, job)

    assert (job["status"], job["counts"]["good"]) == ("checked", good)
    assert job["counts"]["stray-quotation-mark"] == 1
    assert await rows_of(
        database,
        "SELECT row_number, column_number FROM import_finding WHERE code = 'stray-quotation-mark'",
    ) == [(row, 0)]


async def test_a_list_of_imports_shows_the_first_columns_of_a_wide_table(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    names = ",".join(["小票号", "日期", "金额", *(f"c{number}" for number in range(57))])
    content = f"{names}\nR1,2026-11-01,1.00{',x' * 57}\n".encode()
    job = await upload(client, world, content, kind="purchases", source="till-1")
    job = await step(client, world, database, settings, job)
    assert (len(job["columns"]), len(job["sample"][0])) == (60, 60)
    answer = await client.get("/v1/imports", headers=world.headers("manager"))
    (listed,) = answer.json()["items"]
    assert (len(listed["columns"]), len(listed["sample"][0])) == (50, 50)
