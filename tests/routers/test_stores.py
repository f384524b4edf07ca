"""Shops over the API."""

from typing import Any

import httpx
import pytest

from tests.support.world import World

CLOSED: list[list[str]] = []
LUNCH = [["09:00", "12:00"], ["13:00", "21:00"]]
BODY: dict[str, Any] = {
    "code": "S09", "name": "明湖路店", "region": "华东", "address": "明湖路 18 号",
    "opening_hours": {"sun": [["00:00", "24:00"]], "mon": LUNCH},
}  # fmt: skip


async def create(
    client: httpx.AsyncClient, world: World, status: int = 201, **more: Any
) -> httpx.Response:
    """Create a shop as an administrator."""
    answer = await client.post("/v1/stores", json={**BODY, **more}, headers=world.headers("admin"))
    assert answer.status_code == status, answer.text
    return answer


async def test_a_shop_is_created_with_its_address_its_tag_and_all_seven_days(
    client: httpx.AsyncClient, world: World
) -> None:
    answer = await create(client, world)
    store = answer.json()
    assert answer.headers["location"] == f"/v1/stores/{store['id']}"
    assert answer.headers["etag"] == '"v1"'
    assert store["opening_hours"] == {
        "mon": LUNCH, "tue": CLOSED, "wed": CLOSED, "thu": CLOSED, "fri": CLOSED, "sat": CLOSED,
        "sun": [["00:00", "24:00"]],
    }  # fmt: skip
    assert (store["phone"], store["is_active"], store["version"]) == (None, True, 1)
    read = await client.get(answer.headers["location"], headers=world.headers("clerk"))
    assert (read.json(), read.headers["etag"]) == (store, '"v1"')


async def test_a_shops_code_is_unique(client: httpx.AsyncClient, world: World) -> None:
    await create(client, world)
    answer = await create(client, world, 409, name="另一家")
    assert answer.json()["type"] == "/problems/conflict"


@pytest.mark.parametrize(
    "monday",
    [
        [["09:00", "08:00"]],
        [["09:00", "09:00"]],
        [["24:00", "24:00"]],
        [["9:00", "12:00"]],
        [["09:00", "24:01"]],
        [["09:00", "12:60"]],
        [["09:00"]],
        [["09:00", "12:00", "13:00"]],
        [["09:00", "12:00"], ["11:59", "13:00"]],
        [["13:00", "14:00"], ["09:00", "12:00"]],
        [["00:00", "24:00"]] * 2,
        "09:00-12:00",
        None,
    ],
)
async def test_opening_hours_that_make_no_sense_are_refused(
    client: httpx.AsyncClient, world: World, monday: object
) -> None:
    answer = await create(client, world, 422, opening_hours={"mon": monday})
    assert answer.json()["type"] == "/problems/validation"
    assert answer.json()["errors"][0]["pointer"].startswith("/opening_hours")
    assert (await client.get("/v1/stores?region=华东", headers=world.headers())).json() == {
        "items": [], "next_cursor": None,
    }  # fmt: skip


async def test_a_day_that_is_none_is_refused(client: httpx.AsyncClient, world: World) -> None:
    answer = await create(client, world, 422, opening_hours={"monday": LUNCH})
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/opening_hours"]


async def test_intervals_may_touch(client: httpx.AsyncClient, world: World) -> None:
    hours = {"mon": [["09:00", "12:00"], ["12:00", "24:00"]]}
    store = (await create(client, world, opening_hours=hours)).json()
    assert store["opening_hours"]["mon"] == hours["mon"]


async def test_a_change_touches_what_it_names_null_empties_and_the_trail_names_fields(
    client: httpx.AsyncClient, world: World
) -> None:
    created = await create(client, world)
    path = created.headers["location"]
    answer = await client.patch(
        path,
        json={"name": "明湖路旗舰店", "region": None, "address": BODY["address"]},
        headers=world.headers("admin", If_Match='"v1"'),
    )
    assert (answer.status_code, answer.headers["etag"]) == (200, '"v2"')
    store = answer.json()
    assert (store["name"], store["region"], store["version"]) == ("明湖路旗舰店", None, 2)
    assert {**store, "name": BODY["name"], "region": "华东", "version": 1,
            "updated_at": created.json()["updated_at"]} == created.json()  # fmt: skip
    trail = await client.get(
        "/v1/audit", params={"object_id": store["id"]}, headers=world.headers("auditor")
    )
    assert [(entry["action"], entry["fields"]) for entry in trail.json()["items"]] == [
        ("changed", ["name", "region"]),
        ("created", ["address", "code", "name", "opening_hours", "phone", "region"]),
    ]
    assert {entry["actor_id"] for entry in trail.json()["items"]} == {str(world.staff["admin"])}


async def test_a_change_that_changes_nothing_makes_no_version(
    client: httpx.AsyncClient, world: World
) -> None:
    created = await create(client, world)
    for body in ({}, {"name": BODY["name"]}):
        answer = await client.patch(
            created.headers["location"], json=body,
            headers=world.headers("admin", If_Match='"v1"'),
        )  # fmt: skip
        assert (answer.status_code, answer.json()) == (200, created.json())


async def test_who_comes_too_late_is_told_what_they_missed(
    client: httpx.AsyncClient, world: World
) -> None:
    path = (await create(client, world)).headers["location"]
    for version, body in (('"v1"', {"name": "甲"}), ('"v2"', {"phone": "021-5550 0102"})):
        headers = world.headers("admin", If_Match=version)
        assert (await client.patch(path, json=body, headers=headers)).status_code == 200
    missed = {}
    for version in ('"v1"', '"v2"', '"v9"', '"other"'):
        answer = await client.patch(
            path, json={"name": "乙"}, headers=world.headers("admin", If_Match=version)
        )
        assert answer.status_code == 412
        missed[version] = answer.json()["changed_fields"]
    assert missed == {'"v1"': ["name", "phone"], '"v2"': ["phone"], '"v9"': [], '"other"': []}
    assert (await client.get(path, headers=world.headers())).json()["name"] == "甲"


async def test_a_change_needs_the_tag_one_has_seen(client: httpx.AsyncClient, world: World) -> None:
    path = (await create(client, world)).headers["location"]
    answer = await client.patch(path, json={"name": "乙"}, headers=world.headers("admin"))
    assert answer.status_code == 428
    assert answer.json()["type"] == "/problems/precondition-required"


@pytest.mark.parametrize(
    "body", [{"name": None}, {"opening_hours": None}, {"is_active": None}, {"code": "S10"},
             {"id": "x"}, {"version": 2}]
)  # fmt: skip
async def test_what_can_not_be_emptied_or_is_protected_is_refused(
    client: httpx.AsyncClient, world: World, body: dict[str, Any]
) -> None:
    path = (await create(client, world)).headers["location"]
    answer = await client.patch(path, json=body, headers=world.headers("admin", If_Match='"v1"'))
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{next(iter(body))}"]


async def test_shops_are_listed_by_code_in_pages_and_filtered(
    client: httpx.AsyncClient, world: World
) -> None:
    await create(client, world)
    seen, cursor = [], None
    for _ in range(3):
        params = {"limit": "1"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/v1/stores", params=params, headers=world.headers())).json()
        seen += [store["code"] for store in page["items"]]
        cursor = page["next_cursor"]
    assert (seen, cursor) == (["S01", "S02", "S09"], None)
    found = await client.get("/v1/stores", params={"region": "华东"}, headers=world.headers())
    assert [store["code"] for store in found.json()["items"]] == ["S09"]
    found = await client.get("/v1/stores?is_active=false", headers=world.headers())
    assert found.json()["items"] == []


async def test_a_cursor_is_good_for_its_own_list_only(
    client: httpx.AsyncClient, world: World
) -> None:
    page = (await client.get("/v1/stores?limit=1", headers=world.headers())).json()
    for params in (
        {"cursor": page["next_cursor"], "is_active": "true"},
        {"cursor": page["next_cursor"][:-2] + "AA"},
    ):
        answer = await client.get("/v1/stores", params=params, headers=world.headers())
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-cursor")


async def test_a_repeated_request_creates_one_shop(client: httpx.AsyncClient, world: World) -> None:
    headers = world.headers("admin")
    first = await client.post("/v1/stores", json=BODY, headers=headers)
    second = await client.post("/v1/stores", json=BODY, headers=headers)
    assert (second.status_code, second.json()) == (201, first.json())
    assert second.headers["location"] == first.headers["location"]
    assert second.headers["idempotency-replayed"] == "true"
