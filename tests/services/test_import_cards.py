"""Files of cards and of contacts: all that the API would have done, and taken back again."""

from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.core.config import Settings
from app.core.database import Database
from tests.services.test_import_purchases import rows_of, table_counts
from tests.support.cards import create_card, read_card
from tests.support.events import sale
from tests.support.import_files import ask, report, step, upload
from tests.support.world import World, send_event

CARDS = """姓名,性别,生日,手机,邮箱,会员卡号,标签,门店,注册日期,备注
王小明,男,农历八月十五,138 0013 8000,xm@example.com,HK1,会员、常客,S01,2020-01-01,老客户
李明朗,F,1990/2/3,+8613800138001,,HK2,,,2026年11月1日,
明湖小学,,,,,HK3,,S02,,
李明朗,F,1990/2/3,+8613800138001,,HK2,,,2026年11月1日,
赵一,男,,13800138000,,,,,,
钱二,男,,1.38E+10,,,,,,
孙三,不男不女,,,,,,,,
,男,,13800138009,,,,,,
周五,,2099-01-01,,,,,,,
吴六,,,12345,,,,,,
郑七,,,,不是邮箱,,,,,
合计,8,,,,,,,,
"""


async def imported(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings,
    content: str, **body: Any,
) -> dict[str, Any]:  # fmt: skip
    """Upload, check and run a file; return the import."""
    job = await upload(client, world, content.encode("gb18030"), **body)
    job = await step(client, world, database, settings, job)
    assert job["status"] == "checked", job["problem"]
    job = await ask(client, world, job, "run")
    return await step(client, world, database, settings, job)


async def test_cards_are_created_as_the_api_creates_them(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    by_hand = await create_card(
        client, world, name="王小明", gender="male", origin="import", note="老客户",
        birthday={"calendar": "lunar", "month": 8, "day": 15}, tags=["会员", "常客"],
        home_store_id=str(world.stores["S01"]), registered_on="2020-01-01",
        identities=[
            {"kind": "phone", "value": "13911112222", "is_primary": True},
            {"kind": "email", "value": "other@example.com", "is_primary": True},
            {"kind": "member_number", "value": "HK0", "is_primary": True},
        ],
    )  # fmt: skip
    job = await imported(client, world, database, settings, CARDS, kind="cards")

    assert job["counts"] == {
        "rows": 12, "good": 3, "refused": 7, "duplicate-row": 1, "totals-row": 1,
        "identity-repeated": 1, "scientific-number": 1, "unknown-code": 1, "missing-value": 1,
        "in-the-future": 1, "bad-phone": 1, "bad-email": 1,
    }  # fmt: skip
    assert job["written"] == {"rows": 3, "cards_created": 3, "possible_duplicates": 1}
    found = await client.post(
        "/v1/customers/lookup",
        headers=world.headers("manager"),
        json={"kind": "member_number", "value": "HK1"},
    )
    card = found.json()
    own = {"id", "identities", "created_at", "updated_at"}
    assert {k: v for k, v in card.items() if k not in own} == {
        k: v for k, v in by_hand.items() if k not in own
    }
    assert [(i["kind"], i["is_primary"]) for i in card["identities"]] == [
        (i["kind"], i["is_primary"]) for i in by_hand["identities"]
    ]
    history = [
        (await client.get(f"/v1/customers/{one['id']}/changes", headers=world.headers("manager")))
        .json()["items"]
        for one in (card, by_hand)
    ]  # fmt: skip
    assert [len(one) for one in history] == [1, 1]
    assert set(history[0][0]["changes"]) == set(history[1][0]["changes"])


async def test_receipts_and_contacts_that_waited_join_imported_cards_and_count(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    event = sale("1200.00", member="HK2")
    assert (await send_event(client, world, event)).json()["status"] == "awaiting_customer"
    contacts = "日期,渠道,主题,会员卡号,时长\n2026-11-02 10:00,电话,询问,HK2,3\n"
    job = await imported(client, world, database, settings, contacts, kind="interactions")
    assert job["written"] == {"rows": 1, "waiting_contacts": 1}
    job = await imported(client, world, database, settings, CARDS, kind="cards")
    assert job["written"] == {"rows": 3, "cards_created": 3, "attached": 1}
    assert "1 张等待中的小票已归户。" in (await report(client, world, job))["text_zh"]
    assert await rows_of(
        database,
        "SELECT s.net, t.level FROM customer_stats AS s JOIN tier_assignment AS t"
        " USING (customer_id) WHERE t.valid_to IS NULL AND s.net > 0",
    ) == [(Decimal("1200.00"), "main")]
    assert await rows_of(
        database, "SELECT i.subject, s.contacts FROM interaction AS i"
        " JOIN customer_service_stats AS s USING (customer_id)",
    ) == [("询问", 1)]  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "written", "name", "version"),
    [
        ("skip", {"rows": 2, "cards_created": 2, "card-left": 1}, "旧名", 1),
        ("error", {"rows": 2, "cards_created": 2, "card-exists": 1, "refused": 1}, "旧名", 1),
        ("update", {"rows": 3, "cards_created": 2, "cards_updated": 1}, "王小明", 2),
    ],
)
async def test_a_known_customer_is_treated_as_it_was_asked_for(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings,
    policy: str, written: dict[str, int], name: str, version: int,
) -> None:  # fmt: skip
    known = await create_card(
        client, world, name="旧名", note="旧备注",
        identities=[{"kind": "member_number", "value": "HK1"}],
    )  # fmt: skip
    job = await imported(client, world, database, settings, CARDS, kind="cards", on_existing=policy)
    assert job["written"] == written
    card = await read_card(client, world, known["id"])
    assert (card["name"], card["version"]) == (name, version)
    if policy == "update":
        assert {i["kind"] for i in card["identities"]} == {"member_number", "phone", "email"}
        job = await ask(client, world, job, "undo")
        job = await step(client, world, database, settings, job)
        card = await read_card(client, world, known["id"])
        assert (card["name"], card["note"], card["version"]) == ("旧名", "旧备注", 3)
        assert [i["kind"] for i in card["identities"]] == ["member_number"]
        assert (job["written"]["removed"], job["written"]["restored"]) == (2, 1)
        told = (await report(client, world, job))["sentences"][-1]
        assert told["en"] == "Undone: 2 items removed, 1 card restored."
        assert told["zh"] == "已撤销：移除 2 项，恢复原内容 1 张客户卡。"


async def test_cards_and_contacts_are_undone_but_for_cards_that_are_in_use(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    before = await table_counts(database)
    cards = await imported(client, world, database, settings, CARDS, kind="cards")
    contacts = await imported(
        client, world, database, settings,
        "日期,渠道,主题,会员卡号\n2026-11-02,电话,询问,HK1\n2026-11-02,微信,投诉,HK99\n",
        kind="interactions",
    )  # fmt: skip
    contacts = await ask(client, world, contacts, "undo")
    contacts = await step(client, world, database, settings, contacts)
    assert contacts["written"]["removed"] == 2
    answer = (await send_event(client, world, sale("10.00", member="HK3"))).json()
    assert answer["status"] == "applied"

    cards = await ask(client, world, cards, "undo")
    cards = await step(client, world, database, settings, cards)

    assert (cards["written"]["removed"], cards["written"]["kept"]) == (2, 1)
    kept = await client.get(f"/v1/imports/{cards['id']}/kept", headers=world.headers("manager"))
    assert [item["reason"] for item in kept.json()["items"]] == ["card-in-use"]
    after = await table_counts(database)
    more = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert more == {
        "customer": 1, "customer_identity": 1, "identity": 1, "customer_change": 1,
        "tier_assignment": 1, "customer_stats": 1, "purchase": 1, "purchase_line": 1,
        "receipt": 1, "customer_search_key": 5, "duplicate_card": 1,
        "duplicate_key": 2, "pos_event": 1,
    }  # fmt: skip


async def test_values_stand_in_no_finding_and_in_no_sample(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    job = await upload(client, world, CARDS.encode(), kind="cards")
    job = await step(client, world, database, settings, job)
    assert "13800138" not in str(job["sample"])
    assert "xm@example.com" not in str(job["sample"])
    async with database.transaction() as session:
        columns = await session.execute(
            text("SELECT column_name FROM information_schema.columns"
                 " WHERE table_name = 'import_finding'")
        )  # fmt: skip
        assert {row[0] for row in columns} == {"import_id", "row_number", "code", "column_number"}


async def test_days_that_the_api_would_not_take_are_refused_in_files_too(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    contacts = "日期,渠道,主题,下一步,下一步日期\n" + "".join(
        f"{row}\n"
        for row in (
            "2026-11-02,电话,询问,回电,2026-11-02",
            "2026-11-02,电话,询问,回电,2026-11-01",
            "2026-11-02,电话,询问,回电,9999-12-31",
            "2026-11-02,电话,询问,,2026-11-03",
            "1989-12-31,电话,询问,,",
            "2026-11-02,电话,\x01,,",
        )
    )
    job = await imported(client, world, database, settings, contacts, kind="interactions")
    assert job["counts"] == {
        "rows": 6, "good": 1, "refused": 5, "bad-date": 3, "missing-value": 2, "no-customer": 1,
    }  # fmt: skip
    cards = "姓名,注册日期,备注\n王一,1799-12-31,\n王二,1800-01-01,\x02\n"
    job = await imported(client, world, database, settings, cards, kind="cards")
    assert job["counts"] == {"rows": 2, "good": 1, "refused": 1, "bad-date": 1}
    assert await rows_of(database, "SELECT registered_on::text, note FROM customer") == [
        ("1800-01-01", None)
    ]


async def found(client: httpx.AsyncClient, world: World, job: Any) -> list[tuple[int, str, str]]:
    """Return what is the matter with rows: row, column, code."""
    listed = await client.get(f"/v1/imports/{job['id']}/errors", headers=world.headers("manager"))
    return [(row["row"], row["column_name"], row["code"]) for row in listed.json()["items"]]


async def test_all_faults_of_a_row_are_told_with_their_columns(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    content = (
        "姓名,手机,会员卡号,性别,生日,门店\n"
        "王一,13800138000,HK1,,,\n"
        "李二,13800138000,HK1,,,\n"
        ",12345,,X,下周,S99\n"
        "赵四,0,HK4,,,\n"
    )
    job = await upload(client, world, content.encode(), kind="cards")
    job = await step(client, world, database, settings, job)
    assert await found(client, world, job) == [
        (3, "手机", "identity-repeated"), (3, "会员卡号", "identity-repeated"),
        (4, "生日", "bad-birthday"), (4, "手机", "bad-phone"), (4, "姓名", "missing-value"),
        (4, "性别", "unknown-code"), (4, "门店", "unknown-store"),
        (5, "手机", "zero-for-none"),
    ]  # fmt: skip
    assert (job["counts"]["rows"], job["counts"]["good"], job["counts"]["refused"]) == (4, 2, 2)
    listed = await client.get(f"/v1/imports/{job['id']}/errors", headers=world.headers("manager"))
    (word,) = [row for row in listed.json()["items"] if row["code"] == "unknown-code"]
    assert (word["en"], word["zh"]) == (
        "not one of the known words: female, male, other", "不是可识别的取值：女、男、其他",
    )  # fmt: skip


async def test_durations_and_outcomes_are_read_as_people_write_them(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    contacts = (
        "日期,渠道,主题,结果,时长,手机\n"
        "2026-11-02,电话,询问,跟进,3分钟,\n"
        "2026-11-03,电话,询问,,90秒,13800138000\n"
        "2026-11-04,传真,询问,不知道,很久,\n"
    )
    job = await imported(client, world, database, settings, contacts, kind="interactions")
    assert job["written"] == {"rows": 2, "waiting_contacts": 1, "no-customer": 1}
    assert await rows_of(
        database,
        "SELECT body ->> 'outcome', (body ->> 'duration_seconds')::integer"
        " FROM unattached_interaction ORDER BY occurred_at",
    ) == [("follow_up", 180), (None, 90)]
    assert await found(client, world, job) == [
        (4, "时长", "bad-duration"), (4, "渠道", "unknown-code"), (4, "结果", "unknown-code"),
    ]  # fmt: skip
    told = await report(client, world, job)
    assert "1 row without a customer: kept until attached to a card." in told["text_en"]
    assert "门店业绩" not in told["text_zh"]


async def test_the_apostrophe_of_our_own_exports_is_taken_off_again(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    content = "姓名,手机,备注\n'=王,'+8613800138000,'-10% 已告知\nO'Neill,,'旧' 客户\n"
    await imported(client, world, database, settings, content, kind="cards")
    assert await rows_of(database, "SELECT name, note FROM customer ORDER BY name") == [
        ("=王", "-10% 已告知"), ("O'Neill", "'旧' 客户"),
    ]  # fmt: skip
    receipt = "小票号,日期,金额,书名\nR1,2026-11-02,10,'@红楼梦\n"
    await imported(
        client, world, database, settings, receipt, kind="purchases", source="till-1"
    )  # fmt: skip
    assert await rows_of(database, "SELECT lines -> 0 ->> 'title' FROM unattached_purchase") == [
        ("@红楼梦",)
    ]
