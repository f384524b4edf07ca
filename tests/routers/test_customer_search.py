"""The search for customers: what finds whom, in which order, and for which reasons."""

from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from app.core.database import Database
from tests.support.cards import create_card, row_counts, seen
from tests.support.world import World

SEARCH = "/v1/customers/search"


async def search(
    client: httpx.AsyncClient, world: World, query: str, who: str = "manager", **more: Any
) -> dict[str, Any]:
    """Return the answer to a search."""
    answer = await client.post(SEARCH, headers=world.headers(who), json={"query": query, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def names(
    client: httpx.AsyncClient, world: World, query: str, who: str = "manager", **more: Any
) -> list[str]:
    """Return the names of the hits, in their order."""
    return [hit["name"] for hit in (await search(client, world, query, who, **more))["items"]]


async def reasons(client: httpx.AsyncClient, world: World, query: str) -> dict[str, list[str]]:
    """Return why each hit is one."""
    found = await search(client, world, query)
    return {hit["name"]: [reason["code"] for reason in hit["reasons"]] for hit in found["items"]}


async def write_cards(
    client: httpx.AsyncClient, world: World, written: Sequence[str], **fields: Any
) -> list[dict[str, Any]]:
    """Create a card for each name."""
    return [await create_card(client, world, name=name, **fields) for name in written]


FOUND_BY = {
    "李明朗": "exact_name",
    "李 明朗": "exact_name",
    "李": "name_prefix",
    "李明": "name_prefix",
    "明": "name_part",
    "明朗": "name_part",
    "朗": "name_part",
    "liminglang": "pinyin",
    "limin": "pinyin",
    "l": "pinyin",
    "Li Ming": "pinyin",
    "lǐ míng": "pinyin",
    "ＬＩＭＩＮ": "pinyin",
    "lml": "initials",
    "lm": "initials",
    "minglang": "pinyin_part",
    "ml": "initials_part",
    "李ml": "mixed",
    "李m": "mixed",
    "李minglang": "mixed",
    "李明l": "mixed",
    "li明": "mixed",
    "l明朗": "mixed",
    "liml": "mixed",
    "明lang": "mixed",
    "明l": "mixed",
    "0000": "phone_suffix",
    "138000": "phone_suffix",
    "13800138000": "phone",
    "138-0013-8000": "phone",
    "+86 138 0013 8000": "phone",
    "0086 13800138000": "phone",
    "１３８００１３８０００": "phone",
    "hk000123": "member_number",
    "HK0001": "member_number_prefix",
    "Reader@Example.com": "email",
    "reader@": "email_prefix",
    "wx_ml": "wechat",
    "WX_ML": "wechat",
    "k-77": "external",
}


async def test_one_card_is_found_in_many_ways_and_says_which(
    client: httpx.AsyncClient, world: World
) -> None:
    await write_cards(client, world, ["王小明", "周芳", "第三中学"])
    await create_card(
        client, world, name="李明朗",
        identities=[
            {"kind": "phone", "value": "13800138000"},
            {"kind": "phone", "value": "13800130000"},
            {"kind": "member_number", "value": "HK000123"},
            {"kind": "email", "value": "reader@example.com"},
            {"kind": "wechat", "value": "wx_ML"},
            {"kind": "external", "system": "erp", "value": "K-77"},
        ],
    )  # fmt: skip
    found = {query: await reasons(client, world, query) for query in FOUND_BY}
    assert {query: hits["李明朗"][0] for query, hits in found.items()} == FOUND_BY
    # 王小明 has one of the characters, and nothing else in common.
    assert {query for query, hits in found.items() if len(hits) > 1} == {"明"}


@pytest.mark.parametrize(
    "query",
    [
        "李明朗朗",
        "limg",
        "lmlx",
        "李x",
        "9999",
        "8001380",
        "reader@example.org",
        "K-7",
        "_李",
        "%",
        "__",
        # Nothing is left of an accent that stands alone.
        "´",
    ],
)
async def test_what_does_not_fit_is_not_found(
    client: httpx.AsyncClient, world: World, query: str
) -> None:
    await create_card(
        client, world, name="李明朗",
        identities=[
            {"kind": "phone", "value": "13800138000"},
            {"kind": "email", "value": "reader@example.com"},
            {"kind": "external", "system": "erp", "value": "K-77"},
        ],
    )  # fmt: skip
    found = await search(client, world, query)
    # The sign before a name is dropped as it is in names; it never stands for something else.
    assert [hit["name"] for hit in found["items"]] == (["李明朗"] if query == "_李" else [])
    assert found["has_more"] is False


LONG_NAMES = (
    "International Publishing and Distribution Company Limited Shanghai",
    "上海市浦东新区教育局图书采购中心股份有限公司",
)


@pytest.mark.parametrize(
    ("query", "found", "reason"),
    [
        (LONG_NAMES[0], LONG_NAMES[0], "name_prefix"),
        (LONG_NAMES[0].casefold().replace(" ", ""), LONG_NAMES[0], "name_prefix"),
        (LONG_NAMES[1], LONG_NAMES[1], "exact_name"),
        (
            "shanghaishipudongxinqujiaoyujutushucaigouzhongxingufenyouxiangongsi",
            LONG_NAMES[1],
            "pinyin",
        ),
    ],
)
async def test_a_name_that_is_longer_than_its_keys_is_found_by_the_whole_of_it(
    client: httpx.AsyncClient, world: World, query: str, found: str, reason: str
) -> None:
    await write_cards(client, world, LONG_NAMES, kind="organization")
    hits = await reasons(client, world, query)
    assert {name: told[0] for name, told in hits.items()} == {found: reason}


async def test_a_hit_shows_the_card_in_brief_with_its_phone_masked(
    client: httpx.AsyncClient, world: World
) -> None:
    store, owner = str(world.stores["S01"]), str(world.staff["clerk"])
    card = await create_card(
        client, world, name="单田芳", home_store_id=store, owner_staff_id=owner,
        identities=[
            {"kind": "phone", "value": "13900139111"},
            {"kind": "phone", "value": "13800138000", "is_primary": True},
        ],
    )  # fmt: skip
    brief = {
        "id": card["id"],
        "kind": "individual",
        "status": "active",
        "name": "单田芳",
        "tier": {"code": "small", "en": "Small", "zh": "小客户"},
        "home_store_id": store,
        "owner_staff_id": owner,
        "is_own_store": False,
    }
    assert await search(client, world, "dantf") == {
        "items": [
            {
                **brief,
                "phone": "+86138****8000",
                "reasons": [
                    {
                        "code": "mixed",
                        "en": "Characters, pinyin and initials mixed",
                        "zh": "汉字、拼音、首字母混合",
                    }
                ],
                "matched_reading": "dantianfang",
            }
        ],
        "has_more": False,
    }
    (by_phone,) = (await search(client, world, "9111", "clerk"))["items"]
    assert by_phone == {
        **brief,
        "is_own_store": True,
        "phone": "+86139****9111",
        "reasons": [
            {"code": "phone_suffix", "en": "Last digits of a phone number", "zh": "电话尾号"}
        ],
        "matched_reading": None,
    }


@pytest.mark.parametrize(
    ("name", "queries"),
    [
        ("曾国藩", "zengguofan zeng zgf ceng cengguofan 曾 國藩"),
        ("單田芳", "shan stf dan chan 单 單 单田芳"),
        ("解缙", "xie xj jie 解縉"),
        ("尉迟恭", "yuchi ycg weichi 尉遲"),
        ("万俟咏", "moqi mqy wan 萬俟"),
        ("吕绿", "lv lu lü lvlv lulu LYU ll 呂綠"),
        ("王行", "wangxing wanghang wh wx"),
        ("欧阳朝", "ouyang oyc oyz ouyangchao ouyangzhao 歐陽"),
        ("買買提·艾力", "买买提艾力 买买提·艾力 艾力 mmt maimaiti"),
        ("John O’Brien", "john obrien o'brien OBRIEN johno jo"),
        ("José Müller", "jose josé muller müller"),
        ("李Tom", "tom 李tom litom lt"),
        ("上海长宁图书有限公司", "上海 长宁 图书 shanghai changning 图书有限 shcn"),
        ("★", "★"),
    ],
)
async def test_readings_writings_and_scripts_all_lead_to_the_name(
    client: httpx.AsyncClient, world: World, name: str, queries: str
) -> None:
    await create_card(client, world, name=name)
    found = {query: await names(client, world, query) for query in queries.split()}
    assert found == {query: [name] for query in found}


async def test_the_own_stores_customers_come_first_and_inner_parts_last(
    client: httpx.AsyncClient, world: World
) -> None:
    s01, s02 = str(world.stores["S01"]), str(world.stores["S02"])
    for name in ("明朗", "明朗星", "李明朗", "明"):
        await create_card(client, world, name=name, home_store_id=s02)
        await create_card(client, world, name=f"{name}", home_store_id=s01)

    def order(found: dict[str, Any]) -> list[tuple[str, bool]]:
        return [(hit["name"], hit["is_own_store"]) for hit in found["items"]]

    expected = [
        ("明朗", True), ("明朗星", True), ("明朗", False), ("明朗星", False),
        ("李明朗", True), ("李明朗", False),
    ]  # fmt: skip
    for_clerk = await search(client, world, "明朗", "clerk")
    assert order(for_clerk) == expected
    assert {hit["home_store_id"] for hit in for_clerk["items"] if hit["is_own_store"]} == {s01}
    preferred = await search(client, world, "明朗", store_id=s02)
    assert order(preferred) == expected
    assert preferred["items"][0]["home_store_id"] == s02
    everybody = order(await search(client, world, "明朗"))
    by_name = ("明朗", "明朗", "明朗星", "明朗星", "李明朗", "李明朗")
    assert everybody == [(name, False) for name in by_name]


async def test_archived_cards_and_kinds_are_found_when_asked_for(
    client: httpx.AsyncClient, world: World
) -> None:
    person = await create_card(client, world, name="中学生")
    await create_card(client, world, kind="organization", name="中学")
    gone = await create_card(client, world, name="中学友")
    await client.post(f"/v1/customers/{gone['id']}/archive", headers=seen(world, gone))

    assert await names(client, world, "zhongxue") == ["中学", "中学生"]
    assert await names(client, world, "zx", kind="individual") == ["中学生"]
    assert await names(client, world, "中学", kind="organization") == ["中学"]
    archived = await search(client, world, "中学", include_archived=True)
    assert [(hit["name"], hit["status"]) for hit in archived["items"]] == [
        ("中学", "active"), ("中学友", "archived"), ("中学生", "active"),
    ]  # fmt: skip
    await client.post(f"/v1/customers/{person['id']}/archive", headers=seen(world, person))
    assert await names(client, world, "中学生") == []


async def test_the_readings_a_name_likely_has_go_before_the_others(
    client: httpx.AsyncClient, world: World
) -> None:
    await write_cards(client, world, ["单明", "但明", "丹明"])
    assert await names(client, world, "danming") == ["但明", "丹明", "单明"]
    assert await names(client, world, "shanming") == ["单明"]


async def test_a_page_is_bounded_and_says_that_there_is_more(
    client: httpx.AsyncClient, world: World
) -> None:
    cards = await write_cards(client, world, ["王一", "王二", "王三"])
    full = await search(client, world, "王", limit=3)
    assert (len(full["items"]), full["has_more"]) == (3, False)
    short = await search(client, world, "王", limit=2)
    assert (short["items"], short["has_more"]) == (full["items"][:2], True)
    assert {hit["id"] for hit in full["items"]} == {card["id"] for card in cards}


async def test_equal_names_keep_one_order(client: httpx.AsyncClient, world: World) -> None:
    cards = await write_cards(client, world, ["王伟"] * 5)
    for query in ("王伟", "wangwei", "ww", "伟"):
        found = await search(client, world, query)
        assert [hit["id"] for hit in found["items"]] == [card["id"] for card in cards]


async def test_keys_follow_every_change_of_a_card(client: httpx.AsyncClient, world: World) -> None:
    card = await create_card(client, world, name="李明朗", home_store_id=str(world.stores["S02"]))
    changed = await client.patch(
        f"/v1/customers/{card['id']}", headers=seen(world, card),
        json={"name": "单朗", "home_store_id": str(world.stores["S01"])},
    )  # fmt: skip
    assert await names(client, world, "李明朗") == []
    (hit,) = (await search(client, world, "shanlang", "clerk"))["items"]
    assert (hit["name"], hit["is_own_store"]) == ("单朗", True)
    added = await client.post(
        f"/v1/customers/{card['id']}/identities", headers=seen(world, changed.json()),
        json={"kind": "phone", "value": "13800138000"},
    )  # fmt: skip
    assert await names(client, world, "8000") == ["单朗"]
    removed = await client.delete(
        f"/v1/customers/{card['id']}/identities/{added.json()['identities'][0]['id']}",
        headers=seen(world, added.json()),
    )
    assert await names(client, world, "8000") == []
    archived = await client.post(
        f"/v1/customers/{card['id']}/archive", headers=seen(world, removed.json())
    )
    assert await names(client, world, "单朗") == []
    await client.post(f"/v1/customers/{card['id']}/restore", headers=seen(world, archived.json()))
    assert await names(client, world, "单朗") == ["单朗"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/query"),
        ({"query": ""}, "/query"),
        ({"query": "  "}, "/query"),
        ({"query": "李" * 101}, "/query"),
        ({"query": "李\u0000"}, "/query"),
        ({"query": 8000}, "/query"),
        ({"query": "李", "limit": 0}, "/limit"),
        ({"query": "李", "limit": 51}, "/limit"),
        ({"query": "李", "kind": "robot"}, "/kind"),
        ({"query": "李", "store_id": "S01"}, "/store_id"),
        ({"query": "李", "include_archived": "yes"}, "/include_archived"),
        ({"query": "李", "page": 2}, "/page"),
    ],
)
async def test_searches_that_cannot_be_are_refused_with_a_pointer(
    client: httpx.AsyncClient, world: World, body: dict[str, Any], pointer: str
) -> None:
    answer = await client.post(SEARCH, headers=world.headers(), json=body)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/validation")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_search_changes_nothing(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    await create_card(client, world)
    before = await row_counts(database)
    await search(client, world, "王")
    assert await row_counts(database) == before
