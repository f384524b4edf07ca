"""A database that is gone, read-only, locked or slow: 503 with a reason, nothing half-done."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import asyncpg
import httpx
import pytest
from fastapi import APIRouter, Depends
from sqlalchemy import text
from sqlalchemy.engine import make_url

from app.core.config import Settings
from app.core.database import Database
from app.core.runtime import bound_socket
from app.main import create_app
from app.rules.access import Actor
from app.vocabulary import Permission
from app.web.dependencies import Allow, Idempotent, SessionDep
from app.web.route import HuikeRoute
from tests.support import databases
from tests.support.cards import row_counts
from tests.support.world import World, build_world
from tests.web.probes import app_with, assert_problem, calling, probe_router

CARD = {"kind": "individual", "name": "王小明"}
ADD = text("INSERT INTO sign_in_throttle (key, window_starts_at, attempts) VALUES (:k, now(), 1)")


async def as_owner(database: Database, *statements: str) -> None:
    """Run statements as the role that owns the tables of a test's own database."""
    url = make_url(databases.url_for(str(make_url(database.url).database), databases.OWNER))
    connection = await asyncpg.connect(
        url.set(drivername="postgresql").render_as_string(hide_password=False)
    )
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def keys(database: Database) -> list[str]:
    async with database.transaction() as session:
        return list(await session.scalars(text("SELECT key FROM sign_in_throttle ORDER BY key")))


async def until(database: Database, condition: str) -> None:
    """Wait until a condition holds on the server; the test's own time limit ends the wait."""
    while True:
        async with database.transaction() as session:
            if await session.scalar(text(condition)):
                return
        await asyncio.sleep(0.01)


@pytest.fixture
async def shop(
    fresh_database: Database, settings: Settings
) -> AsyncIterator[tuple[httpx.AsyncClient, World]]:
    """The service over a database of the test's own, where commits are real."""
    world = await build_world(fresh_database)
    async with calling(create_app(settings, fresh_database)) as client:
        yield client, world


# --- The commit itself fails --------------------------------------------------------------------


async def test_a_commit_that_fails_is_a_refusal_and_never_a_201(
    shop: tuple[httpx.AsyncClient, World], fresh_database: Database
) -> None:
    client, world = shop
    await as_owner(
        fresh_database,
        "ALTER TABLE customer ADD CONSTRAINT uq_customer_name UNIQUE (name) "
        "DEFERRABLE INITIALLY DEFERRED",
    )
    created = await client.post("/v1/customers", headers=world.headers(), json=CARD)
    assert created.status_code == 201, created.text
    before = await row_counts(fresh_database)

    headers = world.headers()
    answer = await client.post("/v1/customers", headers=headers, json=CARD)

    document = assert_problem(answer, 409, "conflict")
    assert document["constraint"] == "uq_customer_name"
    assert "location" not in answer.headers
    assert await row_counts(fresh_database) == before
    other = await client.post("/v1/customers", headers=headers, json={**CARD, "name": "李雷"})
    assert other.status_code == 201, "the failed request has left its Idempotency-Key free"


# --- It can't be reached ------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["closed port", "no socket"])
async def test_a_database_that_is_not_there_is_a_503_on_every_kind_of_route(
    settings: Settings, tmp_path: Any, where: str
) -> None:
    with bound_socket("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    url = {
        "closed port": f"postgresql+asyncpg://nobody@127.0.0.1:{port}/none",
        "no socket": f"postgresql+asyncpg://nobody@/none?host={tmp_path}",
    }[where]
    database = Database(url, settings)
    async with calling(create_app(settings, database)) as client:
        signed_in = {"Authorization": "Bearer x", "Idempotency-Key": "k"}
        for answer in (
            await client.get("/health/ready"),
            await client.get("/v1/me", headers=signed_in),
            await client.post("/v1/customers", headers=signed_in, json=CARD),
            await client.post("/v1/auth/token", data={"username": "li", "password": "x"}),
        ):
            assert_problem(answer, 503, "database-unavailable")
        assert (await client.get("/health/live")).status_code == 200
        assert (await client.get("/v1/nothing")).status_code == 404
    await database.close()


async def test_connections_that_were_cut_are_replaced_without_anybody_noticing(
    shop: tuple[httpx.AsyncClient, World], fresh_database: Database
) -> None:
    client, world = shop
    assert (await client.get("/v1/me", headers=world.headers())).status_code == 200
    await as_owner_of_all_terminate(fresh_database)
    for _ in range(3):
        assert (await client.get("/v1/me", headers=world.headers())).status_code == 200


async def as_owner_of_all_terminate(database: Database) -> None:
    """End every connection of the service to a database, as a restart of the server would."""
    name = str(make_url(database.url).database)
    url = make_url(databases.url_for("postgres")).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1", name
        )
    finally:
        await connection.close()


async def test_a_connection_cut_in_the_middle_of_a_change_leaves_nothing_of_it(
    fresh_database: Database, settings: Settings
) -> None:
    router = probe_router()

    @router.post("/cut")
    async def write_and_be_cut(session: SessionDep) -> None:
        await session.execute(ADD, {"k": "cut"})
        await as_owner_of_all_terminate(fresh_database)
        await session.execute(text("SELECT 1"))

    async with calling(app_with(fresh_database, settings, router)) as client:
        answer = await client.post("/v1/probe/cut")
        assert_problem(answer, 503, "database-unavailable")
        assert await keys(fresh_database) == []
        assert (await client.get("/health/ready")).status_code == 200


# --- Read-only ----------------------------------------------------------------------------------


async def test_a_read_only_database_is_read_and_not_written(
    shop: tuple[httpx.AsyncClient, World], fresh_database: Database
) -> None:
    client, world = shop
    card = await client.post("/v1/customers", headers=world.headers(), json=CARD)
    name = str(make_url(fresh_database.url).database)
    await as_owner(fresh_database, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    await fresh_database.close()

    refused = await client.post("/v1/customers", headers=world.headers(), json=CARD)
    assert_problem(refused, 503, "database-read-only")
    read = await client.get(card.headers["location"], headers=world.headers())
    assert (read.status_code, read.json()) == (200, card.json())

    await as_owner(
        fresh_database,
        "SET default_transaction_read_only = off",
        f"ALTER DATABASE {name} RESET default_transaction_read_only",
    )
    await fresh_database.close()
    again = await client.post("/v1/customers", headers=world.headers(), json=CARD)
    assert again.status_code == 201


# --- Busy ---------------------------------------------------------------------------------------


async def test_an_exhausted_pool_is_told_within_its_timeout_and_recovers(
    fresh_database: Database, settings: Settings
) -> None:
    world = await build_world(fresh_database)
    narrow = settings.model_copy(
        update={"pool_size": 1, "pool_overflow": 0, "pool_timeout_seconds": 0.1}
    )
    database = Database(fresh_database.url, narrow)
    async with calling(create_app(narrow, database)) as client:
        async with database.transaction() as holding:
            await holding.execute(text("SELECT 1"))
            # The deadline of a request would say something else, and much later.
            for path in ("/health/ready", "/v1/me"):
                answer = await client.get(path, headers=world.headers())
                assert_problem(answer, 503, "pool-exhausted")
        assert (await client.get("/v1/me", headers=world.headers())).status_code == 200
    await database.close()


async def test_a_statement_that_takes_too_long_is_ended_and_its_change_undone(
    fresh_database: Database, settings: Settings
) -> None:
    router = probe_router()

    @router.post("/sleep")
    async def write_and_sleep(session: SessionDep) -> None:
        await session.execute(ADD, {"k": "slow"})
        await session.execute(text("SELECT pg_sleep(600)"))

    database = Database(fresh_database.url, settings, statement_timeout_seconds=0.2)
    async with calling(app_with(database, settings, router)) as client:
        assert_problem(await client.post("/v1/probe/sleep"), 503, "database-too-slow")
    await database.close()
    assert await keys(fresh_database) == []


async def test_a_lock_that_is_not_to_be_had_in_time_is_told_as_too_slow(
    fresh_database: Database, settings: Settings
) -> None:
    world = await build_world(fresh_database)
    database = Database(fresh_database.url, settings, statement_timeout_seconds=0.3)
    async with calling(create_app(settings, database)) as client:
        created = await client.post("/v1/customers", headers=world.headers(), json=CARD)
        headers = world.headers(If_Match=created.headers["etag"])
        address = created.headers["location"]
        async with fresh_database.transaction() as other:
            await other.execute(text("SELECT 1 FROM customer FOR UPDATE"))
            answer = await client.patch(address, headers=headers, json={"note": "one"})
            assert_problem(answer, 503, "database-too-slow")
        answer = await client.patch(address, headers=headers, json={"note": "one"})
        assert (answer.status_code, answer.headers["etag"]) == (200, '"v2"')
    await database.close()


# --- Colliding ----------------------------------------------------------------------------------


class Meeting:
    """Two requests that lock the same two rows, each in the other's order."""

    def __init__(self) -> None:
        self.waiting = 0
        self.both = asyncio.Event()
        self.runs = 0

    def router(self) -> APIRouter:
        router = probe_router()

        @router.post("/{first}/{second}")
        async def lock_both(first: str, second: str, session: SessionDep) -> str:
            self.runs += 1
            await self._touch(session, first)
            self.waiting += 1
            if self.waiting == 2:
                self.both.set()
            # The first time both hold their first row before either asks for its second.
            await self.both.wait()
            await self._touch(session, second)
            return first + second

        return router

    async def _touch(self, session: Any, key: str) -> None:
        await session.execute(
            text("UPDATE sign_in_throttle SET attempts = attempts + 1 WHERE key = :k"), {"k": key}
        )


async def test_of_two_requests_in_a_deadlock_both_succeed_and_count_once(
    fresh_database: Database, settings: Settings
) -> None:
    async with fresh_database.transaction() as session:
        await session.execute(ADD, {"k": "a"})
        await session.execute(ADD, {"k": "b"})
    meeting = Meeting()
    async with calling(app_with(fresh_database, settings, meeting.router())) as client:
        answers = await asyncio.gather(client.post("/v1/probe/a/b"), client.post("/v1/probe/b/a"))
    assert [(answer.status_code, answer.json()) for answer in answers] == [(200, "ab"), (200, "ba")]
    assert meeting.runs == 3, "the victim was run again"
    async with fresh_database.transaction() as session:
        rows = await session.execute(
            text("SELECT key, attempts FROM sign_in_throttle ORDER BY key")
        )
        assert [tuple(row) for row in rows] == [("a", 3), ("b", 3)]


async def test_a_serialization_failure_is_run_again_with_what_was_written_meanwhile(
    fresh_database: Database, settings: Settings
) -> None:
    router, runs = probe_router(), []

    @router.post("/count")
    async def add_one(session: SessionDep) -> int:
        await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        seen = await session.scalar(text("SELECT attempts FROM sign_in_throttle WHERE key = 'a'"))
        runs.append(seen)
        if len(runs) == 1:
            async with fresh_database.transaction() as other:
                await other.execute(text("UPDATE sign_in_throttle SET attempts = 10"))
        await session.execute(
            text("UPDATE sign_in_throttle SET attempts = :n WHERE key = 'a'"), {"n": seen + 1}
        )
        return int(seen) + 1

    async with fresh_database.transaction() as session:
        await session.execute(ADD, {"k": "a"})
    async with calling(app_with(fresh_database, settings, router)) as client:
        answer = await client.post("/v1/probe/count")
    assert (answer.status_code, answer.json()) == (200, 11)
    assert runs == [1, 10]


async def test_a_repeated_run_keeps_one_answer_for_its_key(
    fresh_database: Database, settings: Settings
) -> None:
    world, runs = await build_world(fresh_database), []
    router = APIRouter(route_class=HuikeRoute)

    @router.post("/v1/probe/once", status_code=201, dependencies=[Idempotent])
    async def collide_once(
        actor: Annotated[Actor, Depends(Allow(Permission.ME_READ))], session: SessionDep
    ) -> int:
        runs.append(1)
        if len(runs) == 1:
            await session.execute(text("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$"))
        return len(runs)

    headers = world.headers()
    async with calling(app_with(fresh_database, settings, router)) as client:
        first = await client.post("/v1/probe/once", headers=headers)
        again = await client.post("/v1/probe/once", headers=headers)
    assert (first.status_code, first.json()) == (201, 2)
    assert (again.status_code, again.json()) == (201, 2)
    assert len(runs) == 2


@pytest.mark.parametrize(
    ("state", "status", "code"),
    [
        ("53100", 503, "database-full"),
        ("53200", 503, "database-overloaded"),
        ("57P03", 503, "database-unavailable"),
        ("XX001", 503, "database-error"),
        ("22003", 422, "validation"),
        ("23514", 422, "validation"),
    ],
)
async def test_what_the_server_says_reaches_the_client_as_its_problem_and_undoes_the_rest(
    fresh_database: Database, settings: Settings, state: str, status: int, code: str
) -> None:
    router = probe_router()

    @router.post("/raise")
    async def fail(session: SessionDep) -> None:
        await session.execute(ADD, {"k": "undone"})
        await session.execute(text(f"DO $$ BEGIN RAISE 'canary' USING ERRCODE = '{state}'; END $$"))

    async with calling(app_with(fresh_database, settings, router)) as client:
        answer = await client.post("/v1/probe/raise")
    assert_problem(answer, status, code)
    assert "canary" not in answer.text
    assert await keys(fresh_database) == []
