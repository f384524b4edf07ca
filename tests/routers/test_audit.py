"""The audit trail over the API."""

from datetime import datetime, timedelta

import httpx
import pytest
from sqlalchemy import text

from app.core import clock
from app.core.clock import FixedClock
from app.core.database import Database, sqlstate_of
from app.core.errors import HuikeError
from tests.support.world import World


async def make_products(client: httpx.AsyncClient, world: World, names: str) -> list[str]:
    """Create products, administrator and manager by turns; return their ids."""
    made = []
    for number, name in enumerate(names):
        answer = await client.post(
            "/v1/products",
            json={"sku": name, "title": f"书名{name}", "category": "文学"},
            headers=world.headers(("admin", "manager")[number % 2]),
        )
        assert answer.status_code == 201
        made.append(answer.json()["id"])
    return made


async def entries(client: httpx.AsyncClient, world: World, **params: str) -> list[str]:
    """Return the objects of a page of the trail."""
    answer = await client.get("/v1/audit", params=params, headers=world.headers("auditor"))
    assert answer.status_code == 200, answer.text
    return [entry["object_id"] for entry in answer.json()["items"]]


async def test_the_trail_tells_who_did_what_to_which_object_in_which_request(
    client: httpx.AsyncClient, world: World
) -> None:
    answer = await client.post(
        "/v1/products", json={"sku": "A", "title": "秘密的书名", "category": "文学"},
        headers=world.headers("manager"),
    )  # fmt: skip
    trail = await client.get("/v1/audit", headers=world.headers("auditor"))
    entry = trail.json()["items"][0]
    assert entry.pop("id")
    assert entry.pop("at")
    assert entry == {
        "actor_kind": "staff",
        "actor_id": str(world.staff["manager"]),
        "action": "created",
        "object_type": "product",
        "object_id": answer.json()["id"],
        "fields": ["category", "isbn", "list_price", "sku", "title", "unit_cost"],
        "request_id": answer.headers["x-request-id"],
    }
    assert "秘密" not in trail.text
    assert "文学" not in trail.text


async def test_the_trail_is_newest_first_and_paged_without_loss(
    client: httpx.AsyncClient, world: World
) -> None:
    made = await make_products(client, world, "ABCDE")
    seen, cursor = [], None
    while True:
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (
            await client.get("/v1/audit", params=params, headers=world.headers("manager"))
        ).json()
        seen += [entry["object_id"] for entry in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == made[::-1]


async def test_the_trail_is_filtered_by_object_actor_and_action(
    client: httpx.AsyncClient, world: World
) -> None:
    a, b, c = await make_products(client, world, "ABC")
    changed = await client.patch(
        f"/v1/products/{b}", json={"title": "新书名"},
        headers=world.headers("manager", If_Match='"v1"'),
    )  # fmt: skip
    assert changed.status_code == 200
    assert await entries(client, world) == [b, c, b, a]
    assert await entries(client, world, object_id=b) == [b, b]
    assert await entries(client, world, object_type="product", action="changed") == [b]
    assert await entries(client, world, object_type="store") == []
    assert await entries(client, world, actor_id=str(world.staff["admin"])) == [c, a]
    assert await entries(client, world, actor_id=str(world.staff["clerk"])) == []


async def test_the_trail_is_filtered_by_time_from_included_to_left_out(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    a, b, c = await make_products(client, world, "ABC")
    async with database.transaction() as session:
        instants = list(
            (await session.execute(text("SELECT at FROM audit_entry ORDER BY id"))).scalars()
        )
    first, second, third = (instant.isoformat() for instant in instants)
    assert await entries(client, world, **{"from": second}) == [c, b]
    assert await entries(client, world, to=second) == [a]
    assert await entries(client, world, **{"from": first, "to": third}) == [b, a]
    assert await entries(client, world, **{"from": third, "to": first}) == []


@pytest.mark.parametrize(
    ("params", "pointer"),
    [
        ({"from": "2026-11-21T12:00:00"}, "/query/from"),
        ({"to": "yesterday"}, "/query/to"),
        ({"action": "burnt"}, "/query/action"),
        ({"object_id": "1"}, "/query/object_id"),
        ({"object_type": "Store'"}, "/query/object_type"),
        ({"limit": "201"}, "/query/limit"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, world: World, params: dict[str, str], pointer: str
) -> None:
    answer = await client.get("/v1/audit", params=params, headers=world.headers("auditor"))
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_entry SET fields = '{}'", "DELETE FROM audit_entry"]
)
async def test_the_service_itself_can_not_change_the_trail(
    client: httpx.AsyncClient, world: World, database: Database, statement: str
) -> None:
    await make_products(client, world, "A")
    with pytest.raises(HuikeError) as refused:
        async with database.transaction() as session:
            await session.execute(text(statement))
    cause = refused.value.__cause__
    assert cause is not None
    assert sqlstate_of(cause) == "42501", "insufficient privilege"
    assert len(await entries(client, world)) == 1


async def test_no_value_of_any_administered_field_stands_in_the_trail(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    canary = "kanarienvogel"
    store = str(world.stores["S01"])
    made: dict[str, str] = {}
    for path, body in {
        "/v1/stores": {"code": f"{canary}1", "name": canary, "region": canary, "address": canary,
                       "phone": canary, "opening_hours": {}},
        "/v1/products": {"sku": canary, "title": canary, "category": canary},
        "/v1/staff": {"username": canary, "display_name": canary, "role": "clerk",
                      "store_ids": [store], "password": f"{canary}-password"},
        "/v1/sources": {"code": canary, "name": canary, "kind": "till", "mode": "test",
                        "store_id": store, "receipt_rule": "ever"},
        "/v1/api-clients": {"name": canary, "scopes": ["stores:read"]},
    }.items():  # fmt: skip
        answer = await client.post(path, json=body, headers=world.headers("admin"))
        assert answer.status_code == 201, answer.text
        made[path] = answer.headers["location"]
    for path, body in {
        "/v1/stores": {"name": f"{canary}2"}, "/v1/products": {"title": f"{canary}2"},
        "/v1/staff": {"display_name": f"{canary}2"}, "/v1/sources": {"name": f"{canary}2"},
        "/v1/api-clients": {"name": f"{canary}2"},
    }.items():  # fmt: skip
        answer = await client.patch(
            made[path], json=body, headers=world.headers("admin", If_Match='"v1"')
        )
        assert answer.status_code == 200, answer.text
    absence = {"starts_on": "2026-12-01", "ends_on": "2026-12-02", "reason": "other",
               "note": canary}  # fmt: skip
    for path, more in (
        (f"{made['/v1/staff']}/absences", absence),
        (f"{made['/v1/staff']}/password-reset", {"password": f"{canary}-password-2"}),
        (f"{made['/v1/api-clients']}/keys", {}),
        (f"{made['/v1/sources']}/secrets", {}),
    ):
        answer = await client.post(path, json=more, headers=world.headers("admin"))
        assert answer.status_code in {200, 201}, answer.text
    async with database.transaction() as session:
        rows = list((await session.execute(text("SELECT e::text FROM audit_entry AS e"))).scalars())
    assert len(rows) == 15
    assert canary not in "\n".join(rows)


async def test_an_entry_is_dated_by_the_clock_in_force(
    client: httpx.AsyncClient, world: World
) -> None:
    later = clock.now() + timedelta(hours=1)
    with clock.using(FixedClock(later), everywhere=True):
        await make_products(client, world, "A")
        trail = await client.get("/v1/audit", headers=world.headers("auditor"))
    assert datetime.fromisoformat(trail.json()["items"][0]["at"]) == later
