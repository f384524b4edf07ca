"""Tills and web shops over the API, with their signing secrets."""

import asyncio
from io import StringIO
from typing import Any
from uuid import UUID

import httpx
import pytest
import structlog
from sqlalchemy import func, insert, select, text
from sqlmodel import col

from app.core import clock, security
from app.core.config import Settings
from app.core.database import Database
from app.models import PosEvent, Receipt, SourceSecret
from app.vocabulary import EventKind, EventStatus, SourceMode
from tests.conftest import client_of
from tests.support.world import World, build_world


def body(world: World, **more: Any) -> dict[str, Any]:
    """Return a till of S01 in test mode."""
    return {
        "code": "S01-T9", "name": "9 号收银机", "kind": "till", "mode": "test",
        "store_id": str(world.stores["S01"]), "receipt_rule": "daily", **more,
    }  # fmt: skip


async def create(
    client: httpx.AsyncClient, world: World, status: int = 201, **more: Any
) -> httpx.Response:
    """Register a till as an administrator."""
    answer = await client.post(
        "/v1/sources", json=body(world, **more), headers=world.headers("admin")
    )
    assert answer.status_code == status, answer.text
    return answer


async def change(
    client: httpx.AsyncClient, world: World, source_id: object, seen: int = 1, **fields: Any
) -> httpx.Response:
    """Change a till as an administrator."""
    return await client.patch(
        f"/v1/sources/{source_id}",
        json=fields,
        headers=world.headers("admin", If_Match=f'"v{seen}"'),
    )


async def store_event(database: Database, source_id: UUID, status: EventStatus) -> None:
    """Put an event of a status into the inbox."""
    async with database.transaction() as session:
        await session.execute(
            insert(PosEvent).values(
                source_id=source_id, event_id=f"e-{status}", kind=EventKind.SALE, status=status,
                mode=SourceMode.TEST, body={}, body_hash="0", received_at=clock.now(),
            )
        )  # fmt: skip


async def statuses(database: Database, source_id: UUID) -> list[str]:
    """Return what stands in the inbox."""
    async with database.transaction() as session:
        return sorted(
            await session.scalars(
                select(col(PosEvent.status)).where(col(PosEvent.source_id) == source_id)
            )
        )


async def test_a_till_is_registered_with_a_secret_that_is_shown_once(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    headers = world.headers("admin")
    answer = await client.post("/v1/sources", json=body(world), headers=headers)
    assert answer.status_code == 201
    source = answer.json()
    assert answer.headers["location"] == f"/v1/sources/{source['id']}"
    assert (answer.headers["etag"], answer.headers["cache-control"]) == ('"v1"', "no-store")
    secret = source.pop("secret")
    assert len(security.webhook_key(secret)) == 32
    assert (source["currency"], source["is_active"], len(source["secrets"])) == ("CNY", True, 1)

    repeated = await client.post("/v1/sources", json=body(world), headers=headers)
    assert repeated.headers["idempotency-replayed"] == "true"
    assert repeated.json() == {**source, "secret": None}
    assert repeated.headers["location"] == answer.headers["location"]

    read = await client.get(answer.headers["location"], headers=world.headers("manager"))
    assert read.json() == source
    about_secret = f"{answer.headers['location']}/secrets/{source['secrets'][0]['id']}"
    for path in ("/v1/sources", "/v1/audit", about_secret):
        listed = await client.get(path, headers=world.headers("admin"))
        assert listed.status_code == 200
        assert secret not in listed.text
        assert secret.removeprefix("whsec_") not in listed.text
    async with database.transaction() as session:
        for table in ("audit_entry", "idempotency_key", "outbox_event", "source"):
            rows = (await session.execute(text(f"SELECT t::text FROM {table} AS t"))).scalars()
            assert secret not in "\n".join(rows), table
        stored = await session.scalars(
            select(col(SourceSecret.secret)).where(
                col(SourceSecret.source_id) == UUID(source["id"])
            )
        )
        assert list(stored) == [secret]


async def test_the_new_secret_is_not_in_the_access_log(
    client: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = StringIO()
    everything = structlog.wrap_logger(
        structlog.PrintLogger(written),
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(0),
    )
    monkeypatch.setattr("app.web.middleware.log", everything)
    secret = (await create(client, world)).json()["secret"]
    assert '"event": "request_answered"' in written.getvalue()
    assert secret.removeprefix("whsec_") not in written.getvalue()


async def test_a_tills_code_is_unique_and_its_shop_is_known(
    client: httpx.AsyncClient, world: World
) -> None:
    assert (await create(client, world, 409, code="till-1")).json()["type"] == "/problems/conflict"
    answer = await create(client, world, 422, store_id=str(world.staff["clerk"]))
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/store_id"]


async def test_a_till_changes_over_from_one_secret_to_the_next(
    client: httpx.AsyncClient, world: World
) -> None:
    source = (await create(client, world)).json()
    path = f"/v1/sources/{source['id']}/secrets"
    second = await client.post(path, headers=world.headers("admin"))
    assert second.status_code == 201
    assert second.headers["location"] == f"{path}/{second.json()['id']}"
    assert second.json()["secret"] != source["secret"]
    third = await client.post(path, headers=world.headers("admin"))
    assert (third.status_code, third.json()["type"]) == (409, "/problems/key-limit")
    first = f"{path}/{source['secrets'][0]['id']}"
    assert (await client.delete(first, headers=world.headers("admin"))).status_code == 204
    assert (await client.delete(first, headers=world.headers("admin"))).status_code == 404
    assert (await client.get(first, headers=world.headers("admin"))).status_code == 404
    assert (await client.post(path, headers=world.headers("admin"))).status_code == 201
    read = await client.get(f"/v1/sources/{source['id']}", headers=world.headers("admin"))
    live = [secret["id"] for secret in read.json()["secrets"]]
    assert (len(live), live[0]) == (2, second.json()["id"])


async def test_a_secret_is_revoked_at_its_own_till_only(
    client: httpx.AsyncClient, world: World
) -> None:
    source = (await create(client, world)).json()
    answer = await client.delete(
        f"/v1/sources/{world.sources['till-1']}/secrets/{source['secrets'][0]['id']}",
        headers=world.headers("admin"),
    )
    assert answer.status_code == 404


async def test_of_many_requests_for_a_second_secret_one_gets_it(
    fresh_database: Database, settings: Settings
) -> None:
    world = await build_world(fresh_database)
    path = f"/v1/sources/{world.sources['till-1']}/secrets"
    async with client_of(fresh_database, settings) as client:
        answers = await asyncio.gather(
            *(client.post(path, headers=world.headers("admin")) for _ in range(6))
        )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409, 409]
    assert {answer.json()["type"] for answer in answers if answer.status_code == 409} == {
        "/problems/key-limit"
    }


async def test_who_is_bound_to_a_shop_sees_its_tills_and_no_others(
    client: httpx.AsyncClient, world: World
) -> None:
    async def codes(who: str, **params: str) -> list[str]:
        answer = await client.get("/v1/sources", params=params, headers=world.headers(who))
        return [source["code"] for source in answer.json()["items"]]

    assert await codes("store_manager") == ["till-1"]
    assert await codes("store_manager", store_id=str(world.stores["S02"])) == []
    assert await codes("auditor") == ["till-1", "till-2"]
    assert await codes("manager", store_id=str(world.stores["S02"])) == ["till-2"]
    own, other = (f"/v1/sources/{world.sources[code]}" for code in ("till-1", "till-2"))
    headers = world.headers("store_manager")
    assert (await client.get(own, headers=headers)).status_code == 200
    hidden = await client.get(other, headers=headers)
    assert (hidden.status_code, hidden.json()["type"]) == (404, "/problems/not-found")
    secrets = (await client.get(other, headers=world.headers("admin"))).json()["secrets"]
    answer = await client.get(f"{other}/secrets/{secrets[0]['id']}", headers=headers)
    assert answer.status_code == 404


async def test_tills_are_paged_by_code(client: httpx.AsyncClient, world: World) -> None:
    first = (await client.get("/v1/sources?limit=1", headers=world.headers())).json()
    assert [source["code"] for source in first["items"]] == ["till-1"]
    second = await client.get(
        "/v1/sources", params={"limit": "1", "cursor": first["next_cursor"]},
        headers=world.headers(),
    )  # fmt: skip
    assert [source["code"] for source in second.json()["items"]] == ["till-2"]
    assert second.json()["next_cursor"] is None


@pytest.mark.parametrize("field", ["store_id", "receipt_rule"])
async def test_shop_and_receipt_rule_stand_once_a_receipt_was_taken(
    client: httpx.AsyncClient, world: World, database: Database, field: str
) -> None:
    source_id = world.sources["till-1"]
    async with database.transaction() as session:
        session.add(Receipt(source_id=source_id, receipt_key="R1", created_at=clock.now()))
    values = {"store_id": str(world.stores["S02"]), "receipt_rule": "yearly"}
    answer = await change(client, world, source_id, 1, name="新", **{field: values[field]})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/invalid-transition")
    assert answer.json()["fields"] == [field]
    read = await client.get(f"/v1/sources/{source_id}", headers=world.headers())
    assert (read.json()["name"], read.json()["version"]) == ("till-1", 1)
    same = {"store_id": str(world.stores["S01"]), "receipt_rule": "ever"}
    answer = await change(client, world, source_id, 1, name="新", **{field: same[field]})
    assert (answer.status_code, answer.json()["name"]) == (200, "新")


@pytest.mark.parametrize("status", [EventStatus.TEST, EventStatus.HELD])
async def test_what_is_wrong_can_be_mended_while_nothing_was_applied(
    client: httpx.AsyncClient, world: World, database: Database, status: EventStatus
) -> None:
    source_id = UUID((await create(client, world)).json()["id"])
    await store_event(database, source_id, status)
    answer = await change(
        client, world, source_id, store_id=str(world.stores["S02"]), receipt_rule="yearly"
    )
    assert answer.status_code == 200
    assert answer.json()["store_id"] == str(world.stores["S02"])
    assert (answer.json()["receipt_rule"], answer.headers["etag"]) == ("yearly", '"v2"')


async def test_a_source_has_the_chains_currency_and_no_other(
    database: Database, settings: Settings, world: World
) -> None:
    in_hong_kong = settings.model_copy(update={"currency": "HKD"})
    async with client_of(database, in_hong_kong) as client:
        refused = await create(client, world, 422, currency="USD")
        source = (await create(client, world)).json()
        changed = await change(client, world, source["id"], currency="USD")
    assert source["currency"] == "HKD"
    for answer in (refused, changed):
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/validation")
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/currency"]


async def test_a_till_is_not_moved_to_a_shop_that_is_not_there(
    client: httpx.AsyncClient, world: World
) -> None:
    answer = await change(
        client, world, world.sources["till-1"], store_id=str(world.staff["clerk"])
    )
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/store_id"]


async def test_going_live_deletes_this_tills_tests_and_nothing_else(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    source_id, other = UUID((await create(client, world)).json()["id"]), world.sources["till-1"]
    for status in (EventStatus.TEST, EventStatus.HELD):
        await store_event(database, source_id, status)
        await store_event(database, other, status)
    assert (await change(client, world, source_id, name="新")).status_code == 200
    assert await statuses(database, source_id) == ["held", "test"]
    answer = await change(client, world, source_id, seen=2, mode="live")
    assert (answer.status_code, answer.json()["mode"]) == (200, "live")
    assert await statuses(database, source_id) == ["held"]
    assert await statuses(database, other) == ["held", "test"]


async def test_a_stale_change_is_told_what_it_missed_and_deletes_no_tests(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    source_id = UUID((await create(client, world)).json()["id"])
    await store_event(database, source_id, EventStatus.TEST)
    assert (await change(client, world, source_id, is_active=False)).status_code == 200
    answer = await change(client, world, source_id, mode="live")
    assert (answer.status_code, answer.json()["changed_fields"]) == (412, ["is_active"])
    assert await statuses(database, source_id) == ["test"]


async def test_secrets_are_in_the_trail_by_name_only(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    source = (await create(client, world)).json()
    secret_id = source["secrets"][0]["id"]
    await client.delete(
        f"/v1/sources/{source['id']}/secrets/{secret_id}", headers=world.headers("admin")
    )
    trail = await client.get(
        "/v1/audit", params={"object_id": secret_id}, headers=world.headers("auditor")
    )
    assert [(e["action"], e["object_type"], e["fields"]) for e in trail.json()["items"]] == [
        ("revoked", "source_secret", []),
        ("created", "source_secret", ["source_id"]),
    ]
    async with database.transaction() as session:
        live = await session.scalar(
            select(func.count()).where(
                col(SourceSecret.source_id) == UUID(source["id"]),
                col(SourceSecret.revoked_at).is_(None),
            )
        )
    assert live == 0
