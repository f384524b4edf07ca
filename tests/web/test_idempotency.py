"""``Idempotency-Key``: one effect and one answer, whatever happens to the first request."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends
from sqlalchemy import func, select, text

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.core.errors import ConflictError
from app.models import Customer, IdempotencyKey
from app.rules.access import Actor
from app.schemas.common import Input
from app.vocabulary import Permission
from app.web.dependencies import Allow, Idempotent, SessionDep
from app.web.route import HuikeRoute
from tests.support.cards import row_counts
from tests.support.world import World, build_world
from tests.web.probes import app_with, assert_problem, calling

CARD = {"kind": "individual", "name": "王小明"}


async def create(
    client: httpx.AsyncClient, world: World, key: str | bytes, who: str = "manager", **body: Any
) -> httpx.Response:
    headers: dict[str, Any] = {**world.headers(who), "Idempotency-Key": key}
    return await client.post("/v1/customers", headers=headers, json={**CARD, **body})


async def cards(database: Database) -> int:
    async with database.transaction() as session:
        return await session.scalar(select(func.count()).select_from(Customer)) or 0


async def test_the_same_request_again_gets_the_first_answer_and_has_no_second_effect(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    first = await create(client, world, "k-1")
    counts = await row_counts(database)
    again = await create(client, world, "k-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    for name in ("location", "etag", "content-type"):
        assert again.headers[name] == first.headers[name]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert await row_counts(database) == counts


@pytest.mark.parametrize(
    "key",
    [None, b"", b"x" * 129, b"two words", "é".encode("latin-1"), b"a\tb"],
    ids=["missing", "empty", "129 characters", "a space", "no ASCII", "a tab"],
)
async def test_a_key_that_is_none_is_asked_for(
    client: httpx.AsyncClient, world: World, database: Database, key: bytes | None
) -> None:
    headers: dict[str, Any] = world.headers()
    if key is None:
        del headers["Idempotency-Key"]
    else:
        headers["Idempotency-Key"] = key
    before = await row_counts(database)
    answer = await client.post("/v1/customers", headers=headers, json=CARD)
    assert_problem(answer, 400, "idempotency-key-required")
    assert await row_counts(database) == before


async def test_a_key_of_128_characters_is_a_key(client: httpx.AsyncClient, world: World) -> None:
    assert (await create(client, world, "!" + "~" * 127)).status_code == 201


async def test_a_key_used_for_another_request_is_refused(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    first = await create(client, world, "k-2")
    counts = await row_counts(database)
    assert_problem(await create(client, world, "k-2", name="李雷"), 422, "idempotency-key-reused")
    headers = {**world.headers(), "Idempotency-Key": "k-2"}
    elsewhere = await client.post(
        f"/v1/customers/{first.json()['id']}/identities",
        headers=headers,
        json={"kind": "wechat", "value": "nianshu"},
    )
    assert_problem(elsewhere, 422, "idempotency-key-reused")
    assert await row_counts(database) == counts


async def test_keys_are_each_callers_own(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    first = await create(client, world, "k-3")
    other = await create(client, world, "k-3", who="admin")
    assert other.status_code == 201
    assert other.json()["id"] != first.json()["id"]
    assert await cards(database) == 2


async def test_who_may_not_is_refused_before_the_key_is_looked_at(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    headers = world.headers("auditor")
    del headers["Idempotency-Key"]
    answer = await client.post("/v1/customers", headers=headers, json=CARD)
    assert_problem(answer, 403, "forbidden")

    await create(client, world, "k-4", who="manager")
    async with database.transaction() as session:
        await session.execute(text("UPDATE staff SET role = 'auditor' WHERE username = 'manager'"))
    assert_problem(await create(client, world, "k-4", who="manager"), 403, "forbidden")


async def test_a_refused_request_leaves_its_key_free(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    assert_problem(await create(client, world, "k-5", name=""), 422, "validation")
    assert (await create(client, world, "k-5")).status_code == 201
    assert await cards(database) == 1


async def test_an_expired_key_is_free_again(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    first = await create(client, world, "k-6")
    later = clock.now() + timedelta(hours=settings.idempotency_keep_hours, seconds=1)
    async with database.transaction() as session:
        await session.execute(
            text("UPDATE access_token SET last_used_at = :later, expires_at = :end"),
            {"later": later, "end": later + timedelta(days=1)},
        )
    with clock.using(clock.FixedClock(later), everywhere=True):
        second = await create(client, world, "k-6")
    assert second.status_code == 201
    assert second.json()["id"] != first.json()["id"]


# --- Side by side, in a database where commits are real -----------------------------------------


class Note(Input):
    """A body of a test."""

    text: str


class Gate:
    """A creating route that waits in its transaction until it is let go."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.let_go = asyncio.Event()
        self.fails = False
        self.runs = 0

    def router(self) -> APIRouter:
        router = APIRouter(route_class=HuikeRoute)

        @router.post("/v1/probe/notes", status_code=201, dependencies=[Idempotent])
        async def write_note(
            body: Note,
            actor: Annotated[Actor, Depends(Allow(Permission.ME_READ))],
            session: SessionDep,
        ) -> str:
            self.runs += 1
            self.entered.set()
            await self.let_go.wait()
            if self.fails:
                raise ConflictError("It does not fit.")
            return f"{body.text} {self.runs}"

        return router


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def side_by_side(
    fresh_database: Database, settings: Settings, gate: Gate
) -> AsyncIterator[tuple[httpx.AsyncClient, dict[str, str]]]:
    world = await build_world(fresh_database)
    async with calling(app_with(fresh_database, settings, gate.router())) as client:
        yield client, world.headers()


async def test_while_the_first_runs_the_second_waits_its_turn_and_then_gets_its_answer(
    side_by_side: tuple[httpx.AsyncClient, dict[str, str]], gate: Gate
) -> None:
    client, headers = side_by_side
    first = asyncio.create_task(
        client.post("/v1/probe/notes", headers=headers, json={"text": "one"})
    )
    await gate.entered.wait()
    second = await client.post("/v1/probe/notes", headers=headers, json={"text": "one"})
    assert_problem(second, 409, "idempotency-in-progress")

    gate.let_go.set()
    assert (await first).json() == "one 1"
    third = await client.post("/v1/probe/notes", headers=headers, json={"text": "one"})
    assert (third.status_code, third.json()) == (201, "one 1")
    assert third.headers["idempotency-replayed"] == "true"
    assert gate.runs == 1


async def test_a_first_request_that_failed_leaves_the_key_to_the_next(
    side_by_side: tuple[httpx.AsyncClient, dict[str, str]], gate: Gate, fresh_database: Database
) -> None:
    client, headers = side_by_side
    gate.fails = True
    gate.let_go.set()
    assert_problem(
        await client.post("/v1/probe/notes", headers=headers, json={"text": "x"}), 409, "conflict"
    )
    async with fresh_database.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(IdempotencyKey)) == 0

    gate.fails = False
    again = await client.post("/v1/probe/notes", headers=headers, json={"text": "another"})
    assert (again.status_code, again.json()) == (201, "another 2")


async def test_of_many_at_once_one_is_done(
    side_by_side: tuple[httpx.AsyncClient, dict[str, str]], gate: Gate
) -> None:
    client, headers = side_by_side
    gate.let_go.set()
    answers = await asyncio.gather(
        *(client.post("/v1/probe/notes", headers=headers, json={"text": "one"}) for _ in range(10))
    )
    assert gate.runs == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert {answer.json() for answer in answers if answer.status_code == 201} == {"one 1"}
