"""What surrounds every request: ids, headers, logs, limits, origins, deadlines, retries."""

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import Request
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text
from starlette.requests import ClientDisconnect

from app.core.config import Settings
from app.core.database import Database
from app.core.errors import RetryTransactionError
from app.main import create_app
from app.schemas.common import Input
from app.web.dependencies import SessionDep
from tests.support.world import World
from tests.web.probes import app_with, assert_problem, calling, probe_router

ORIGIN = "https://crm.example.com"


class Echo(Input):
    """A body of a test."""

    text: str


# --- Ids, headers, logs, figures --------------------------------------------------------------


async def test_every_answer_carries_an_id_of_its_own_and_the_security_headers(
    client: httpx.AsyncClient, world: World
) -> None:
    ids = set()
    for method, path in (
        ("GET", "/v1/me"), ("GET", "/v1/nothing"), ("PUT", "/v1/me"), ("GET", "/health/live"),
        ("GET", "/docs"), ("GET", "/metrics"), ("GET", "/problems/conflict"), ("HEAD", "/v1/me"),
    ):  # fmt: skip
        answer = await client.request(method, path, headers={"X-Request-Id": "mine"})
        assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])
        ids.add(answer.headers["x-request-id"])
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert len(answer.headers.get_list("content-security-policy")) == 1
    assert len(ids) == 8
    signed_in = await client.get("/v1/me", headers=world.headers())
    assert signed_in.headers["cache-control"] == "no-store"


async def test_the_access_log_names_routes_and_never_addresses_or_persons(
    client: httpx.AsyncClient, world: World, logged: io.StringIO
) -> None:
    await client.get("/v1/customers?cursor=canary-1", headers=world.headers())
    await client.get("/v1/customers/0192f0c1-2b1f-7a53-9d0b-4c6f0c3c7a10", headers=world.headers())
    await client.get("/v1/canary-2?phone=canary-3", headers={"User-Agent": "canary-4"})
    await client.post("/v1/auth/token", data={"username": "canary-5", "password": "canary-6"})
    await client.request("BREW", "/v1/me")
    await client.get("/health/live")

    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    lines = [line for line in lines if line["event"] == "request_answered"]
    assert "canary" not in logged.getvalue()
    assert "0192f0c1" not in logged.getvalue()
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("GET", "/v1/customers", 422),
        ("GET", lines[1]["route"], 404),
        ("GET", "unmatched", 404),
        ("POST", "/v1/auth/token", 401),
        ("other", "/v1/me", 405),
    ]
    assert lines[1]["route"].startswith("/v1/customers/{customer_id")
    assert len({line["request_id"] for line in lines}) == 5
    assert all(line["duration_ms"] >= 0 for line in lines)


async def test_figures_can_be_parsed_and_name_templates_only(
    client: httpx.AsyncClient, world: World
) -> None:
    card_id = "0192f0c1-2b1f-7a53-9d0b-4c6f0c3c7a10"
    await client.get(f"/v1/customers/{card_id}", headers=world.headers())
    await client.get("/v1/canary-7")
    answer = await client.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    counted = {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"])
        for sample in families["huike_http_requests"].samples
    }
    assert ("GET", "unmatched", "404") in counted
    assert any(route.startswith("/v1/customers/{customer_id") for _, route, _ in counted)
    assert "huike_http_request_duration_seconds" in families
    assert families["huike_http_requests_in_progress"].samples[0].value == 1
    assert card_id not in answer.text
    assert "canary" not in answer.text


async def test_head_answers_as_get_does_without_the_body(
    client: httpx.AsyncClient, world: World
) -> None:
    get = await client.get("/v1/me", headers=world.headers())
    head = await client.head("/v1/me", headers=world.headers())
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]
    assert (await client.head("/v1/me")).status_code == 401
    assert (await client.head("/v1/auth/token")).status_code == 405
    assert (await client.head("/v1/nothing")).status_code == 404


# --- What nobody caught -----------------------------------------------------------------------


async def test_what_nobody_caught_is_our_fault_and_tells_nothing(
    database: Database, settings: Settings, logged: io.StringIO
) -> None:
    router = probe_router()

    @router.get("/bug")
    async def fail(name: str) -> None:
        raise KeyError(name)

    async with calling(app_with(database, settings, router)) as client:
        answer = await client.get("/v1/probe/bug?name=canary-8")
    document = assert_problem(answer, 500, "internal-error")
    assert document["instance"] == "/v1/probe/bug"
    assert "canary-8" not in answer.text + logged.getvalue()
    line = json.loads(logged.getvalue().splitlines()[0])
    assert (line["event"], line["level"]) == ("request_failed", "error")
    assert line["request_id"] == document["request_id"]
    assert line["exception"].rstrip().endswith("builtins.KeyError")
    assert "test_middleware.py" in line["exception"]


async def test_a_client_that_went_away_is_no_failure(
    database: Database, settings: Settings, logged: io.StringIO
) -> None:
    router = probe_router()

    @router.get("/gone")
    async def notice() -> None:
        raise ClientDisconnect

    async with calling(app_with(database, settings, router)) as client:
        with pytest.raises(AssertionError):
            await client.get("/v1/probe/gone")
    assert "request_failed" not in logged.getvalue()
    assert '"status": 499' in logged.getvalue()


# --- Limits -----------------------------------------------------------------------------------


def small(settings: Settings) -> Settings:
    return settings.model_copy(
        update={"body_limit_bytes": 1000, "event_limit_bytes": 100, "batch_limit_bytes": 5000}
    )


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/v1/customers/lookup", 1000),
        ("/v1/auth/token", 1000),
        ("/v1/pos/till-1/events", 100),
        ("/v1/pos/till-1/events/batch", 5000),
    ],
)
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "counted"])
async def test_a_body_over_its_limit_is_too_large_declared_or_not(
    database: Database, settings: Settings, world: World, path: str, limit: int, declared: bool
) -> None:
    async def in_pieces(size: int) -> AsyncIterator[bytes]:
        for start in range(0, size, 64):
            yield b" " * min(64, size - start)

    kind = "application/x-www-form-urlencoded" if path == "/v1/auth/token" else "application/json"
    headers = world.headers(Content_Type=kind)
    async with calling(create_app(small(settings), database)) as client:
        over = await client.post(
            path, headers=headers, content=b" " * (limit + 1) if declared else in_pieces(limit + 1)
        )
        within = await client.post(
            path, headers=headers, content=b" " * limit if declared else in_pieces(limit)
        )
    assert assert_problem(over, 413, "too-large")["limit_bytes"] == limit
    assert over.headers["connection"] == "close"
    assert within.status_code in {400, 401, 422}


async def test_a_content_length_that_lies_does_not_lift_the_limit(
    database: Database, settings: Settings, world: World
) -> None:
    async with calling(create_app(small(settings), database)) as client:
        answer = await client.post(
            "/v1/customers/lookup",
            headers=world.headers(Content_Type="application/json", Content_Length="2"),
            content=b" " * 1001,
        )
        absurd = await client.post(
            "/v1/customers/lookup",
            headers=world.headers(Content_Type="application/json", Content_Length="9" * 5000),
            content=b"{}",
        )
    assert_problem(answer, 413, "too-large")
    assert_problem(absurd, 413, "too-large")


def test_the_limits_are_those_of_the_documentation(settings: Settings) -> None:
    assert settings.body_limit_bytes == 1_000_000
    assert settings.event_limit_bytes == 64_000
    assert settings.batch_limit_bytes == 16_000_000
    assert settings.batch_limit_events == 5_000


# --- Origins ----------------------------------------------------------------------------------


@pytest.fixture
async def front_end(database: Database, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A service that allows one origin."""
    router = probe_router()

    @router.get("/bug")
    async def fail() -> None:
        raise KeyError

    allowing = settings.model_copy(update={"cors_origins": (ORIGIN,)})
    async with calling(app_with(database, allowing, router)) as client:
        yield client


async def preflight(
    client: httpx.AsyncClient, path: str = "/v1/customers", **changes: str
) -> httpx.Response:
    headers = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization, content-type, idempotency-key, if-match",
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    return await client.options(path, headers=headers)


async def test_a_preflight_of_a_configured_origin_is_allowed(front_end: httpx.AsyncClient) -> None:
    answer = await preflight(front_end)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in answer.headers
    assert len(answer.headers["x-request-id"]) == 32


@pytest.mark.parametrize(
    "changes",
    [
        {"Origin": "https://evil.example.com"},
        {"Origin": ORIGIN + ".evil.example.com"},
        {"Origin": "null"},
        {"Access_Control_Request_Method": "TRACE"},
        {"Access_Control_Request_Headers": "x-secret"},
    ],
    ids=["another", "a longer one", "null", "method", "header"],
)
async def test_any_other_preflight_is_refused_as_a_problem(
    front_end: httpx.AsyncClient, changes: dict[str, str]
) -> None:
    answer = await preflight(front_end, **changes)
    assert_problem(answer, 403, "origin-not-allowed")
    if "Origin" in changes:
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/me", 401), ("/v1/nothing", 404), ("/v1/probe/bug", 500)]
)
async def test_a_page_can_read_every_answer_the_refusals_too(
    front_end: httpx.AsyncClient, path: str, status: int
) -> None:
    answer = await front_end.get(path, headers={"Origin": ORIGIN})
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "X-Request-Id" in answer.headers["access-control-expose-headers"]
    assert "Origin" in answer.headers["vary"]
    stranger = await front_end.get(path, headers={"Origin": "https://evil.example.com"})
    assert "access-control-allow-origin" not in stranger.headers


async def test_without_configured_origins_no_page_may_call(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/me", headers={"Origin": ORIGIN})
    assert "access-control-allow-origin" not in answer.headers
    asked = await preflight(client)
    assert asked.status_code == 204
    assert not [name for name in asked.headers if name.startswith("access-control")]


# --- Deadlines and retries --------------------------------------------------------------------


async def keys(database: Database) -> list[str]:
    async with database.transaction() as session:
        return list(await session.scalars(text("SELECT key FROM sign_in_throttle ORDER BY key")))


INSERT = text(
    "INSERT INTO sign_in_throttle (key, window_starts_at, attempts) VALUES (:key, now(), 1)"
)


async def test_past_its_deadline_a_request_is_given_up_and_nothing_is_committed(
    fresh_database: Database, settings: Settings
) -> None:
    router = probe_router()

    @router.post("/slow")
    async def write_and_wait(session: SessionDep) -> None:
        await session.execute(INSERT, {"key": "slow"})
        await asyncio.Event().wait()

    hasty = settings.model_copy(update={"request_deadline_seconds": 0.2})
    async with calling(app_with(fresh_database, hasty, router)) as client:
        answer = await client.post("/v1/probe/slow")
        assert_problem(answer, 503, "deadline-exceeded")
        assert await keys(fresh_database) == []
        assert fresh_database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # QueuePool's
        assert (await client.get("/health/ready")).status_code == 200


async def test_a_batch_has_a_deadline_of_its_own(database: Database, settings: Settings) -> None:
    from fastapi import APIRouter

    from tests.web.probes import EVERYBODY

    router = APIRouter(dependencies=[EVERYBODY])

    @router.post("/v1/probe/events/batch")
    async def wait() -> str:
        await asyncio.sleep(0.2)
        return "done"

    hasty = settings.model_copy(
        update={"request_deadline_seconds": 0.05, "batch_deadline_seconds": 30.0}
    )
    async with calling(app_with(database, hasty, router)) as client:
        assert (await client.post("/v1/probe/events/batch")).json() == "done"


@pytest.mark.parametrize(("collisions", "status"), [(1, 200), (2, 200), (3, 503)])
async def test_a_collided_transaction_is_run_again_twice_with_the_same_body(
    fresh_database: Database, settings: Settings, collisions: int, status: int
) -> None:
    router, seen = probe_router(), []

    @router.post("/collide")
    async def collide(body: Echo, session: SessionDep) -> str:
        seen.append(body.text)
        await session.execute(INSERT, {"key": f"try-{len(seen)}"})
        if len(seen) <= collisions:
            raise RetryTransactionError
        return body.text

    async def in_pieces() -> AsyncIterator[bytes]:
        for letter in b'{"text": "once"}':
            yield bytes([letter])

    async with calling(app_with(fresh_database, settings, router)) as client:
        answer = await client.post(
            "/v1/probe/collide", content=in_pieces(), headers={"Content-Type": "application/json"}
        )
    if status == 200:
        assert (answer.status_code, answer.json()) == (200, "once")
        assert await keys(fresh_database) == [f"try-{collisions + 1}"]
    else:
        assert_problem(answer, 503, "contended")
        assert await keys(fresh_database) == []
    assert seen == ["once"] * min(collisions + 1, 3)


async def test_a_body_is_read_where_the_route_reads_it_by_hand(
    database: Database, settings: Settings
) -> None:
    router = probe_router()

    @router.post("/raw", openapi_extra={"requestBody": {"content": {}}})
    async def length(request: Request) -> int:
        return len(await request.body())

    async with calling(app_with(database, small(settings), router)) as client:
        assert (await client.post("/v1/probe/raw", content=b"x" * 1000)).json() == 1000
        over = await client.post("/v1/probe/raw", content=_pieces(b"x" * 1001))
    assert_problem(over, 413, "too-large")


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 100):
        yield body[start : start + 100]
