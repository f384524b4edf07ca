"""Machines and their keys over the API."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.core import clock, security
from app.core.clock import FixedClock
from app.core.config import Settings
from app.core.database import Database
from tests.conftest import client_of
from tests.support.world import World, build_world


async def create(
    client: httpx.AsyncClient, world: World, status: int = 201, **more: Any
) -> httpx.Response:
    """Register a machine as an administrator."""
    answer = await client.post(
        "/v1/api-clients",
        json={"name": "会员网页", "scopes": ["stores:read", "customers:read"], **more},
        headers=world.headers("admin"),
    )
    assert answer.status_code == status, answer.text
    return answer


async def make_key(
    client: httpx.AsyncClient, world: World, path: str, **more: Any
) -> httpx.Response:
    """Make a key as an administrator."""
    return await client.post(f"{path}/keys", json=more, headers=world.headers("admin"))


async def stores_with(client: httpx.AsyncClient, key: str) -> int:
    """Return the status of a request with a key."""
    return (await client.get("/v1/stores", headers={"X-API-Key": key})).status_code


async def test_a_machine_is_registered_given_a_key_and_let_in_by_it(
    client: httpx.AsyncClient, world: World
) -> None:
    created = await create(client, world)
    machine, path = created.json(), created.headers["location"]
    assert path == f"/v1/api-clients/{machine['id']}"
    assert created.headers["etag"] == '"v1"'
    assert (machine["scopes"], machine["keys"]) == (["customers:read", "stores:read"], [])
    answer = await make_key(client, world, path)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    made = answer.json()
    key = made.pop("key")
    assert answer.headers["location"] == f"{path}/keys/{made['id']}"
    assert made["prefix"] == key[:12]
    assert security.is_well_formed_api_key(key)
    assert await stores_with(client, key) == 200
    forbidden = await client.get("/v1/products", headers={"X-API-Key": key})
    assert (forbidden.status_code, forbidden.json()["permission"]) == (403, "catalogue:read")
    read = await client.get(answer.headers["location"], headers=world.headers("admin"))
    assert {**read.json(), "last_used_at": None} == made
    assert read.json()["last_used_at"] is not None


async def test_a_key_is_shown_once_and_stored_as_its_hash(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    path = (await create(client, world)).headers["location"]
    headers = world.headers("admin")
    first = await client.post(f"{path}/keys", json={}, headers=headers)
    again = await client.post(f"{path}/keys", json={}, headers=headers)
    assert again.json() == {**first.json(), "key": None}
    key = first.json()["key"]
    listed = await client.get("/v1/api-clients", headers=world.headers("admin"))
    assert key not in listed.text
    async with database.transaction() as session:
        for table in ("api_key", "audit_entry", "idempotency_key"):
            rows = "\n".join(
                (await session.execute(text(f"SELECT t::text FROM {table} AS t"))).scalars()
            )
            assert rows
            assert key not in rows, table
        hashes = (await session.execute(text("SELECT key_hash FROM api_key"))).scalars()
        assert security.hash_secret(key) in set(hashes)


@pytest.mark.parametrize(
    "scopes",
    [
        ["staff:write"],
        ["stores:read", "api_clients:write"],
        ["sources:read", "sources:write"],
        ["everything"],
        "stores:read",
    ],
)
async def test_scopes_that_stay_with_people_or_are_none_are_refused(
    client: httpx.AsyncClient, world: World, scopes: object
) -> None:
    answer = await create(client, world, 422, scopes=scopes)
    assert answer.json()["errors"][0]["pointer"].startswith("/scopes")


async def test_a_stored_scope_that_stays_with_people_opens_nothing(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    async with database.transaction() as session:
        await session.execute(
            text("UPDATE api_client SET scopes = ARRAY['stores:read', 'sources:write']")
        )
    path = f"/v1/sources/{world.sources['till-1']}/secrets"
    headers = {"X-API-Key": world.api_key, "Idempotency-Key": "k"}
    answer = await client.post(path, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")
    assert await stores_with(client, world.api_key) == 200


async def test_a_machines_name_is_unique_also_when_it_is_changed(
    client: httpx.AsyncClient, world: World
) -> None:
    assert (await create(client, world, 409, name="web page")).json()[
        "type"
    ] == "/problems/conflict"
    path = (await create(client, world)).headers["location"]
    answer = await client.patch(
        path, json={"name": "web page"}, headers=world.headers("admin", If_Match='"v1"')
    )
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/conflict")


async def test_new_scopes_are_in_force_at_once(client: httpx.AsyncClient, world: World) -> None:
    path = (await create(client, world)).headers["location"]
    key = (await make_key(client, world, path)).json()["key"]
    assert await stores_with(client, key) == 200
    changed = await client.patch(
        path, json={"scopes": ["tiers:read", "tiers:read"]},
        headers=world.headers("admin", If_Match='"v1"'),
    )  # fmt: skip
    assert (changed.json()["scopes"], changed.headers["etag"]) == (["tiers:read"], '"v2"')
    assert await stores_with(client, key) == 403
    trail = await client.get(
        "/v1/audit", params={"object_type": "api_client"}, headers=world.headers("auditor")
    )
    assert [(entry["action"], entry["fields"]) for entry in trail.json()["items"]] == [
        ("changed", ["scopes"]),
        ("created", ["name", "scopes"]),
    ]


async def test_a_third_live_key_is_refused_until_one_is_revoked(
    client: httpx.AsyncClient, world: World
) -> None:
    path = (await create(client, world)).headers["location"]
    made = [(await make_key(client, world, path)).json() for _ in range(2)]
    third = await make_key(client, world, path)
    assert (third.status_code, third.json()["type"]) == (409, "/problems/key-limit")
    gone = f"{path}/keys/{made[0]['id']}"
    assert (await client.delete(gone, headers=world.headers("admin"))).status_code == 204
    assert (await client.delete(gone, headers=world.headers("admin"))).status_code == 404
    assert await stores_with(client, made[0]["key"]) == 401
    assert await stores_with(client, made[1]["key"]) == 200
    assert (await make_key(client, world, path)).status_code == 201


async def test_an_expired_key_is_refused_and_leaves_its_place(
    client: httpx.AsyncClient, world: World
) -> None:
    hands = FixedClock(clock.now())
    with clock.using(hands, everywhere=True):
        path = (await create(client, world)).headers["location"]
        ends = hands.now() + timedelta(hours=6)
        short = (await make_key(client, world, path, expires_at=ends.isoformat())).json()
        await make_key(client, world, path)
        hands.advance(timedelta(hours=6) - timedelta(seconds=1))
        assert await stores_with(client, short["key"]) == 200
        assert (await make_key(client, world, path)).status_code == 409
        hands.advance(timedelta(seconds=1))
        assert await stores_with(client, short["key"]) == 401
        assert (await make_key(client, world, path)).status_code == 201
        keys = (await client.get(path, headers=world.headers("admin"))).json()["keys"]
    assert len(keys) == 2
    assert short["id"] not in {key["id"] for key in keys}


@pytest.mark.parametrize("ends", ["2020-01-01T00:00:00Z", "2030-01-01T00:00:00", "tomorrow"])
async def test_a_key_that_would_have_expired_or_ends_at_no_instant_is_refused(
    client: httpx.AsyncClient, world: World, ends: str
) -> None:
    path = (await create(client, world)).headers["location"]
    answer = await make_key(client, world, path, expires_at=ends)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/expires_at"]


async def test_of_many_requests_for_a_key_at_once_two_get_one(
    fresh_database: Database, settings: Settings
) -> None:
    world = await build_world(fresh_database)
    async with client_of(fresh_database, settings) as client:
        path = (await create(client, world)).headers["location"]
        answers = await asyncio.gather(*(make_key(client, world, path) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] * 2 + [409] * 6


async def test_machines_are_listed_by_name_and_by_whether_they_are_disabled(
    client: httpx.AsyncClient, world: World
) -> None:
    path = (await create(client, world, name="app")).headers["location"]
    answer = await client.post(f"{path}/disable", headers=world.headers("admin"))
    assert (answer.json()["is_disabled"], answer.headers["etag"]) == (True, '"v2"')
    again = await client.post(f"{path}/disable", headers=world.headers("admin"))
    assert again.json() == answer.json()

    async def names(**params: str) -> tuple[list[str], str | None]:
        page = await client.get("/v1/api-clients", params=params, headers=world.headers("admin"))
        return [item["name"] for item in page.json()["items"]], page.json()["next_cursor"]

    assert (await names()) == (["app", "web page"], None)
    assert (await names(is_disabled="true")) == (["app"], None)
    assert (await names(is_disabled="false")) == (["web page"], None)
    first, cursor = await names(limit="1")
    assert (first, await names(limit="1", cursor=cursor or "")) == (["app"], (["web page"], None))
