"""Lists as files: who may take which away, what is in them, and what is written down about it."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, insert, select, update
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.core.ids import new_id
from app.models import AuditEntry, Customer, CustomField, DuplicatePair, Export
from app.vocabulary import (
    Action,
    CustomerKind,
    CustomerStatus,
    DuplicateState,
    FieldGroup,
    FieldType,
)
from tests.conftest import client_of
from tests.support.cards import create_card, pointers_of, seen
from tests.support.events import refund, sale
from tests.support.files import export, rows_of
from tests.support.world import World, send_event

PHONE = {"kind": "phone", "value": "13800138000", "is_primary": True}
OTHER_PHONE = {"kind": "phone", "value": "13900139000"}
EMAIL = {"kind": "email", "value": "xiaoming@example.com"}


async def written_down(database: Database) -> tuple[list[Export], list[AuditEntry]]:
    """Return the records of exports, and what the audit trail says of them, in order."""
    async with database.transaction() as session:
        records = await session.scalars(select(Export).order_by(col(Export.id)))
        entries = await session.scalars(
            select(AuditEntry)
            .where(col(AuditEntry.object_type) == "export")
            .order_by(col(AuditEntry.id))
        )
        return list(records), list(entries)


async def test_a_small_list_is_exactly_these_bytes(client: httpx.AsyncClient, world: World) -> None:
    await create_card(
        client, world, name="=1+1", identities=[PHONE], home_store_id=str(world.stores["S01"])
    )
    answer = await export(
        client, world, "customers", columns=["name", "kind", "tier", "home_store", "phone"]
    )
    assert answer.content == (
        b"\xef\xbb\xbf"
        + "姓名,类型,层级,归属门店,电话\r\n'=1+1,个人,小客户,Store S01,'+86138****8000\r\n".encode()
    )
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["cache-control"] == "no-store"
    assert re.fullmatch(
        r'attachment; filename="customers-20\d{6}-\d{6}\.csv"',
        answer.headers["content-disposition"],
    )


@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
async def test_both_kinds_of_file_hold_the_list_as_it_is_filtered_and_sorted(
    client: httpx.AsyncClient, world: World, file_format: str
) -> None:
    for name in ("丙", "甲", "乙"):
        await create_card(client, world, name=name)
    gone = await create_card(client, world, name="丁")
    await client.post(f"/v1/customers/{gone['id']}/archive", headers=seen(world, gone))
    await create_card(client, world, name="第三中学", kind="organization")

    async def names(**body: Any) -> list[str]:
        answer = await export(
            client, world, "customers", format=file_format, language="en", columns=["name"], **body
        )
        head, *rows = rows_of(answer)
        assert head == ["Name"]
        return [row[0] for row in rows]

    assert await names() == ["第三中学", "乙", "甲", "丙"]
    assert await names(sort="created_at") == ["丙", "甲", "乙", "第三中学"]
    assert await names(sort="name", filters={"kind": "individual"}) == sorted("丙甲乙")
    assert await names(filters={"status": "archived"}) == ["丁"]
    assert await names(filters={"home_store_id": str(world.stores["S02"])}) == []


async def test_filters_of_the_file_are_those_of_the_list(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    for path, schema in (
        ("/v1/customers", "CustomerFilters"),
        ("/v1/pos/events", "PosEventFilters"),
        ("/v1/audit", "AuditFilters"),
        ("/v1/duplicates", "DuplicateFilters"),
        ("/v1/customers/{customer_id}/interactions", "ContactFilters"),
    ):
        parameters = {one["name"] for one in document["paths"][path]["get"]["parameters"]}
        filters = set(document["components"]["schemas"][schema]["properties"])
        # Parameters are given again and again where a body has a list.
        parameters = {{"tag": "tags", "interest": "interests"}.get(one, one) for one in parameters}
        assert parameters - {"sort", "limit", "cursor"} == filters - {"store_id"}, path


async def test_every_column_of_a_card_can_be_asked_for_and_has_names_of_its_own(
    client: httpx.AsyncClient, world: World
) -> None:
    card = await create_card(
        client,
        world,
        gender="female",
        birthday={"calendar": "lunar", "year": 1990, "month": 8, "day": 15},
        identities=[PHONE, OTHER_PHONE, {"kind": "external", "system": "erp", "value": "K1"}],
        owner_staff_id=str(world.staff["clerk"]),
        registered_on="2026-03-01",
        tags=["vip", "罕见"],
        family=[{"relation": "child", "name": "王小小"}, {"relation": "spouse"}],
    )
    wanted = {
        "id": card["id"],
        "gender": "女",
        "gender_code": "female",
        "birthday": "农历 1990-08-15",
        "next_birthday_on": card["birthday"]["next_on"],
        "tags": "vip; 罕见",
        "family": "子女 王小小; 配偶",
        "completeness": str(card["completeness"]["score"]),
        "credit_limit": "",
        "other_phones": "'+86139****9000",
        "external_ids": "erp: K1",
        "owner": "Clerk",
        "owner_staff_id": card["owner_staff_id"],
        "registered_on": "2026-03-01",
        "version": "1",
        "archived_at": "",
    }
    _, row = rows_of(await export(client, world, "customers", columns=list(wanted)))
    assert dict(zip(wanted, row, strict=True)) == wanted
    for language in ("zh", "en"):
        names, _ = rows_of(await export(client, world, "customers", language=language))
        assert len(set(names)) == len(names) >= 25


async def test_own_fields_of_the_chain_are_columns(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world)
    now = clock.now()
    async with database.transaction() as session:
        for code, kind, label, choices in (
            ("reads", FieldType.MULTI_CHOICE, "爱读", [
                {"code": "poetry", "en": "Poetry", "zh": "诗歌"},
                {"code": "history", "en": "History", "zh": "历史"},
            ]),
            ("height", FieldType.NUMBER, "身高", None),
            ("vip", FieldType.YES_NO, "贵宾", None),
        ):  # fmt: skip
            await session.execute(
                insert(CustomField).values(
                    id=new_id(), scope=CustomerKind.INDIVIDUAL, code=code, label_en=code,
                    label_zh=label, type=kind, section=FieldGroup.BASICS, choices=choices,
                    created_at=now, updated_at=now,
                )
            )  # fmt: skip
        await session.execute(
            update(Customer)
            .where(col(Customer.id) == UUID(card["id"]))
            .values(custom={"reads": ["poetry", "history"], "vip": True})
        )
    columns = ["name", "custom.reads", "custom.vip", "custom.height"]
    assert rows_of(await export(client, world, "customers", columns=columns)) == [
        ["姓名", "爱读", "贵宾", "身高"],
        ["王小明", "诗歌; 历史", "是", ""],
    ]
    filters = {"kind": "individual", "custom": ["reads:poetry"]}
    names, _ = rows_of(await export(client, world, "customers", filters=filters))
    assert names[-3:] == ["身高", "爱读", "贵宾"]


async def test_values_are_masked_unless_who_may_see_them_says_why(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    await create_card(client, world, identities=[PHONE, OTHER_PHONE, EMAIL])
    columns = ["name", "phone", "other_phones", "email"]
    masked = rows_of(await export(client, world, "customers", columns=columns))[1]
    assert masked == ["王小明", "'+86138****8000", "'+86139****9000", masked[3]]
    assert "xiaoming" not in masked[3]
    whole = await export(
        client, world, "customers", columns=columns, unmask_reason="mailing of 11/21"
    )
    assert rows_of(whole)[1] == [
        "王小明", "'+8613800138000", "'+8613900139000", "xiaoming@example.com"
    ]  # fmt: skip
    records, entries = await written_down(database)
    assert [(one.unmask_reason, one.rows) for one in records] == [
        (None, 1), ("mailing of 11/21", 1),
    ]  # fmt: skip
    assert [(entry.action, entry.fields) for entry in entries] == [
        (Action.EXPORTED, sorted(columns)),
        (Action.EXPORTED, sorted(columns)),
        (Action.DISCLOSED, ["email", "other_phones", "phone"]),
    ]
    assert {entry.actor_id for entry in entries} == {world.staff["manager"]}


async def test_a_reason_without_values_to_see_discloses_nothing(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    await export(client, world, "customers", columns=["name"], unmask_reason="why not")
    records, entries = await written_down(database)
    assert [record.unmask_reason for record in records] == [None]
    assert [entry.action for entry in entries] == [Action.EXPORTED]


@pytest.mark.parametrize(
    ("who", "body", "status"),
    [
        ("marketing", {}, 200),
        ("marketing", {"unmask_reason": "I want to"}, 403),
        ("manager", {"unmask_reason": "a mailing"}, 200),
        ("store_manager", {}, 403),
        ("store_manager", {"filters": {"home_store_id": "S02"}}, 403),
        ("store_manager", {"filters": {"home_store_id": "S01"}}, 200),
        ("store_manager", {"filters": {"home_store_id": "S01"}, "unmask_reason": "回访"}, 200),
        ("clerk", {"filters": {"home_store_id": "S01"}}, 403),
    ],
)
async def test_who_may_take_which_cards_away(
    client: httpx.AsyncClient,
    world: World,
    database: Database,
    who: str,
    body: dict[str, Any],
    status: int,
) -> None:
    filters = {name: str(world.stores[code]) for name, code in body.get("filters", {}).items()}
    answer = await export(client, world, "customers", who, **{**body, "filters": filters})
    assert answer.status_code == status, answer.text
    records, entries = await written_down(database)
    assert bool(records) is bool(entries) is (status == 200)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"format": "pdf"}, [("/format", "enum")]),
        ({"language": "fr"}, [("/language", "literal-error")]),
        ({"columns": []}, [("/columns", "too-short")]),
        ({"columns": ["name", "secret"]}, [("/columns/1", "unknown")]),
        ({"filters": {"kind": "robot"}}, [("/filters/kind", "enum")]),
        ({"filters": {"custom": ["height:180"]}}, [("/filters/custom", "unknown")]),
        (
            {"filters": {"completeness_below": 0}},
            [("/filters/completeness_below", "greater-than-equal")],
        ),
        ({"filters": {"colour": "red"}}, [("/filters/colour", "extra-forbidden")]),
        ({"sort": "note"}, [("/sort", "literal-error")]),
        ({"unmask_reason": " "}, [("/unmask_reason", "string-too-short")]),
        ({"unmask_reason": "\u200b\u200b"}, [("/unmask_reason", "reason")]),
    ],
)
async def test_what_cannot_be_asked_for_is_refused_and_nothing_written_down(
    client: httpx.AsyncClient,
    world: World,
    database: Database,
    body: dict[str, Any],
    found: list[tuple[str, str]],
) -> None:
    answer = await export(client, world, "customers", **body)
    assert (answer.status_code, pointers_of(answer)) == (422, found)
    assert await written_down(database) == ([], [])


async def test_a_list_that_is_too_long_is_refused_before_it_begins(
    database: Database, world: World, settings: Settings
) -> None:
    narrow = settings.model_copy(update={"export_limit_rows": 2})
    async with client_of(database, narrow) as client:
        for name in ("甲", "乙"):
            await create_card(client, world, name=name)
        assert len(rows_of(await export(client, world, "customers"))) == 3
        await create_card(client, world, name="丙")
        answer = await export(client, world, "customers")
        assert (answer.status_code, pointers_of(answer)) == (
            422, [("/filters", "too-many-rows")]
        )  # fmt: skip
    records, _ = await written_down(database)
    assert [record.rows for record in records] == [2]


async def test_receipts_of_a_store_come_by_day_and_those_of_a_card_as_they_are_listed(
    client: httpx.AsyncClient, world: World
) -> None:
    card = await create_card(
        client, world, identities=[{"kind": "member_number", "value": "HK000001"}]
    )
    now = clock.now()
    old = sale("58.00", at=(now - timedelta(days=40)).isoformat())
    new = sale("20.50")
    back = refund(old, "8.00")
    other = sale("9.99", store="S02")
    for event, till in ((new, "till-1"), (old, "till-1"), (back, "till-1"), (other, "till-2")):
        assert (await send_event(client, world, event, till)).status_code == 200
    columns = ["receipt_number", "kind", "store_code", "amount"]

    async def receipts(who: str = "manager", **filters: Any) -> list[list[Any]]:
        answer = await export(
            client, world, "purchases", who, format="xlsx", columns=columns, filters=filters
        )
        head, *rows = rows_of(answer)
        assert head == ["小票号", "类型", "门店代码", "金额"]
        return rows

    number = "receipt_number"
    s01 = [
        [old[number], "销售", "S01", 58.0],
        [new[number], "销售", "S01", 20.5],
        [back[number], "退货", "S01", 8.0],
    ]
    s02 = [other[number], "销售", "S02", 9.99]
    store = str(world.stores["S01"])
    assert await receipts(store_id=store) == s01
    assert await receipts() == [*s01, s02]
    assert await receipts("store_manager", store_id=store) == s01
    today = now.astimezone(Settings(_env_file=None).zone).date().isoformat()
    assert await receipts(store_id=store, business_day_from=today) == s01[1:]
    assert await receipts(store_id=store, business_day_to="2026-01-01") == []
    listed = await client.get(f"/v1/customers/{card['id']}/purchases", headers=world.headers())
    in_order = [item[number] for item in listed.json()["items"]]
    assert [row[0] for row in await receipts(customer_id=card["id"])] == in_order
    for who, filters, status in (
        ("store_manager", {}, 403),
        ("store_manager", {"store_id": str(world.stores["S02"])}, 403),
        ("store_manager", {"customer_id": card["id"]}, 200),
        ("manager", {"customer_id": str(new_id())}, 404),
        ("marketing", {}, 403),
    ):
        answer = await export(client, world, "purchases", who, filters=filters)
        assert answer.status_code == status, who


async def test_a_merged_cards_receipts_are_its_survivors(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    survivor = await create_card(
        client, world, identities=[{"kind": "member_number", "value": "HK000001"}]
    )
    merged = await create_card(client, world, name="李文")
    await send_event(client, world, sale("58.00"))
    async with database.transaction() as session:
        await session.execute(
            update(Customer)
            .where(col(Customer.id) == UUID(merged["id"]))
            .values(status=CustomerStatus.MERGED, merged_into_id=UUID(survivor["id"]))
        )
    answer = await export(
        client, world, "purchases", columns=["customer_id", "amount"],
        filters={"customer_id": merged["id"]},
    )  # fmt: skip
    assert rows_of(answer)[1:] == [[survivor["id"], "58.00"]]


async def test_events_of_tills_come_without_what_they_say(
    client: httpx.AsyncClient, world: World
) -> None:
    held = sale("58.00", store="S99")
    assert (await send_event(client, world, held)).json()["status"] == "held"
    await send_event(client, world, sale("10.00", member=None, store="S02"), "till-2")
    columns = ["source", "event_id", "status", "status_code", "problem", "problem_code"]
    whole = rows_of(await export(client, world, "pos-events", language="en", columns=columns))
    assert [row[0] for row in whole[1:]] == ["till-2", "till-1"]
    own = rows_of(await export(client, world, "pos-events", "store_manager", columns=columns))
    assert own[1:] == [
        ["till-1", held["event_id"], "搁置待查", "held", "门店与来源不符", "wrong-store"]
    ]
    only_held = await export(client, world, "pos-events", filters={"status": "held"})
    assert len(rows_of(only_held)) == 2
    assert "body" not in only_held.text


async def test_the_trail_is_exported_with_what_was_done_in_words(
    client: httpx.AsyncClient, world: World
) -> None:
    card = await create_card(client, world)
    answer = await export(
        client, world, "audit", columns=["actor", "action", "object_type", "object_id", "fields"],
        filters={"object_type": "customer", "from": "2026-01-01T00:00:00Z"},
    )  # fmt: skip
    assert rows_of(answer)[1] == ["Manager", "新建", "customer", card["id"], answer.text and (
        "kind; name; origin; registered_on"
    )]  # fmt: skip


async def test_who_took_which_list_away_can_be_read(
    client: httpx.AsyncClient, world: World
) -> None:
    await create_card(client, world)
    await export(client, world, "customers", filters={"kind": "individual"}, columns=["name"])
    await export(client, world, "audit", "manager", format="xlsx", language="en")
    first = await client.get("/v1/exports?limit=1", headers=world.headers("auditor"))
    second = await client.get(
        f"/v1/exports?cursor={first.json()['next_cursor']}", headers=world.headers("auditor")
    )
    assert [one["kind"] for one in first.json()["items"]] == ["audit"]
    (of_cards,) = second.json()["items"]
    assert of_cards == {
        "id": of_cards["id"],
        "kind": "customers",
        "format": "csv",
        "language": "zh",
        "columns": ["name"],
        "filters": ["kind"],
        "unmask_reason": None,
        "rows": 1,
        "requested_at": of_cards["requested_at"],
        "ended_at": of_cards["ended_at"],
        "actor_kind": "staff",
        "actor_id": str(world.staff["manager"]),
    }
    assert of_cards["requested_at"] <= of_cards["ended_at"]
    assert second.json()["next_cursor"] is None


async def test_pages_of_a_file_lose_and_repeat_nothing(
    client: httpx.AsyncClient, world: World, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.exports.ROWS_OF_A_PAGE", 3)
    ids = [(await create_card(client, world, name="同名"))["id"] for _ in range(7)]
    for sort, expected in (("created_at", ids), ("-created_at", ids[::-1])):
        answer = await export(client, world, "customers", columns=["id"], sort=sort)
        assert [row[0] for row in rows_of(answer)[1:]] == expected
    answer = await export(client, world, "audit", columns=["id"])
    async with database.transaction() as session:
        entries = await session.scalar(select(func.count()).select_from(AuditEntry)) or 0
    assert len({row[0] for row in rows_of(answer)[1:]}) == entries


async def test_contacts_of_a_store_come_by_day_and_those_of_a_card_as_they_are_listed(
    client: httpx.AsyncClient, world: World
) -> None:
    card, other = await create_card(client, world), await create_card(client, world, name="李文")
    for of, subject, days_ago, store, channel in (
        (card, "=新书", 1, "S01", "phone"),
        (other, "退货", 3, "S01", "in_store"),
        (card, "地址", 2, "S02", "phone"),
    ):
        answer = await client.post(
            f"/v1/customers/{of['id']}/interactions",
            headers=world.headers("admin"),
            json={
                "channel": channel,
                "direction": "inbound",
                "occurred_at": (clock.now() - timedelta(days=days_ago)).isoformat(),
                "subject": subject,
                "store_id": str(world.stores[store]),
            },
        )
        assert answer.status_code == 201, answer.text
    columns = ["subject", "channel", "direction_code", "store_code", "recorded_by"]

    async def contacts(who: str = "manager", **filters: Any) -> list[str]:
        answer = await export(client, world, "interactions", who, columns=columns, filters=filters)
        return [row[0] for row in rows_of(answer)[1:]]

    store = str(world.stores["S01"])
    assert await contacts() == ["退货", "地址", "'=新书"]
    assert await contacts("store_manager", store_id=store) == ["退货", "'=新书"]
    assert await contacts(store_id=store, channel="phone") == ["'=新书"]
    assert await contacts(customer_id=card["id"]) == ["'=新书", "地址"]
    (row,) = rows_of(
        await export(
            client, world, "interactions", columns=columns,
            filters={"customer_id": other["id"]}, format="xlsx",
        )
    )[1:]  # fmt: skip
    assert row == ["退货", "到店", "inbound", "S01", "Admin"]
    for who, filters, status in (
        ("store_manager", {}, 403),
        ("store_manager", {"customer_id": card["id"]}, 200),
        ("marketing", {}, 200),
        ("manager", {"customer_id": str(new_id())}, 404),
    ):
        answer = await export(client, world, "interactions", who, filters=filters)
        assert answer.status_code == status, who


async def test_pairs_of_cards_come_most_alike_first_with_why(
    client: httpx.AsyncClient, world: World, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.exports.ROWS_OF_A_PAGE", 1)
    store = str(world.stores["S01"])
    cards = [
        await create_card(client, world, name=name, home_store_id=home)
        for name, home in (("王小明", None), ("李文娟", store), ("赵思远", None))
    ]
    first, second, third = sorted(UUID(card["id"]) for card in cards)
    async with database.transaction() as session:
        for one, other, score in ((first, second, 700), (second, third, 900), (first, third, 800)):
            await session.execute(
                insert(DuplicatePair).values(
                    first_id=one, second_id=other, state=DuplicateState.OPEN, score=score,
                    reasons=[{"code": "same_birthday", "weight": 140}], found_at=clock.now(),
                )
            )  # fmt: skip
    columns = ["score", "reasons", "state_code", "first_id", "second_id"]

    async def pairs(who: str = "manager", **filters: Any) -> list[list[Any]]:
        answer = await export(client, world, "duplicates", who, columns=columns, filters=filters)
        return rows_of(answer)[1:]

    in_order = [
        ["900", "生日相同", "open", str(second), str(third)],
        ["800", "生日相同", "open", str(first), str(third)],
        ["700", "生日相同", "open", str(first), str(second)],
    ]
    assert await pairs() == in_order
    assert await pairs(min_score=750) == in_order[:2]
    assert await pairs(state="different") == []
    of_store = [row for row in in_order if cards[1]["id"] in row]
    assert await pairs("store_manager", home_store_id=store) == of_store
    refused = await export(client, world, "duplicates", "store_manager")
    assert refused.status_code == 403
