"""Refusals: one form for all of them, the framework's own included, in two languages."""

import io
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from asgi_lifespan import LifespanManager
from fastapi import HTTPException

from app.core import errors
from app.core.config import Settings
from app.core.database import Database
from app.core.errors import UnavailableError
from app.main import create_app
from app.vocabulary import Permission
from app.web.dependencies import Allow, api_routes
from app.web.problems import EVENT_PROBLEMS, PROBLEMS, prefers_chinese
from tests.support.world import World
from tests.web.probes import app_with, assert_problem, calling, pointers, probe_router

HAN = re.compile(r"[\u4e00-\u9fff]")


async def test_an_unknown_address_is_not_found(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/nothing?phone=13800138000")
    document = assert_problem(answer, 404, "not-found")
    assert document["instance"] == "/v1/nothing"
    assert "13800138000" not in answer.text


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/customers", "GET, HEAD, POST"),
        ("/v1/auth/token", "DELETE, POST"),
        ("/v1/customers/0192f0c1-2b1f-7a53-9d0b-4c6f0c3c7a10", "GET, HEAD, PATCH"),
        ("/health/live", "GET, HEAD"),
        ("/docs", "GET, HEAD"),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "TRACE", "BREW"])
async def test_a_wrong_method_is_told_all_the_right_ones(
    client: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    answer = await client.request(method, path)
    assert_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == allowed


async def test_options_tells_the_methods(client: httpx.AsyncClient) -> None:
    answer = await client.options("/v1/customers")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["allow"] == "GET, HEAD, POST"
    assert_problem(await client.options("/v1/nothing"), 404, "not-found")


@pytest.mark.parametrize(
    ("path", "pointer", "code"),
    [
        ("/v1/customers?limit=201", "/query/limit", "less-than-equal"),
        ("/v1/customers?limit=0", "/query/limit", "greater-than-equal"),
        ("/v1/customers?limit=" + "9" * 30, "/query/limit", "less-than-equal"),
        ("/v1/customers?limit=ten", "/query/limit", "int-parsing"),
        ("/v1/customers?sort=phone", "/query/sort", "literal-error"),
        ("/v1/customers?home_store_id=S01", "/query/home_store_id", "uuid-parsing"),
        ("/v1/pos/-till/events/e-1", "/path/source", "string-pattern-mismatch"),
        ("/v1/customers?status=%00", "/query", "text"),
        ("/v1/customers?status=%ed%a0%80", "/query", "text"),
        ("/v1/pos/till-1/events/%00", "/path", "text"),
        ("/v1/customers?cursor=" + "x" * 2001, "/query/cursor", "string-too-long"),
    ],
)
async def test_wrong_parts_of_the_address_are_pointed_at(
    client: httpx.AsyncClient, world: World, path: str, pointer: str, code: str
) -> None:
    answer = await client.get(path, headers=world.headers())
    assert pointers(assert_problem(answer, 422, "validation")) == [(pointer, code)]


async def test_a_wrong_header_is_pointed_at(database: Database, settings: Settings) -> None:
    from typing import Annotated

    from fastapi import Header

    router = probe_router()

    @router.get("/header")
    async def read(number: Annotated[int, Header(alias="X-Number")]) -> int:
        return number

    async with calling(app_with(database, settings, router)) as client:
        answer = await client.get("/v1/probe/header", headers={"X-Number": "one"})
    assert [
        (place.lower(), code) for place, code in pointers(assert_problem(answer, 422, "validation"))
    ] == [("/header/x-number", "int-parsing")]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "not-found"),
        ("PUT", "/v1/customers", 405, "method-not-allowed"),
        ("GET", "/v1/me", 401, "unauthenticated"),
        ("POST", "/v1/auth/token", 422, "validation"),
    ],
)
async def test_refusals_are_told_in_chinese_to_who_prefers_it(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await client.request(
        method, path, headers={"Accept-Language": "zh-CN,zh;q=0.9,en;q=.8"}
    )
    document = assert_problem(answer, status, code, chinese=True)
    assert HAN.search(document["detail"])
    for error in document.get("errors", ()):
        assert HAN.search(error["detail"]), error
    assert "accept-language" in answer.headers["vary"].lower()


@pytest.mark.parametrize(
    ("header", "chinese"),
    [
        (None, False), ("", False), ("zh", True), ("zh-Hans-CN", True), ("en-GB", False),
        ("en, zh", False), ("zh, en;q=0.5", True), ("en;q=0.3, zh;q=0.7", True),
        ("zh;q=0, en", False), ("zh;q=x", False), ("*", False), ("fr, zh;q=0.1", True),
    ],
)  # fmt: skip
def test_the_language_is_the_better_wanted_of_the_two(header: str | None, chinese: bool) -> None:
    assert prefers_chinese(header) is chinese


async def test_every_code_has_a_page_in_both_languages(client: httpx.AsyncClient) -> None:
    for code, kind in {**PROBLEMS, **EVENT_PROBLEMS}.items():
        english = await client.get(f"/problems/{code}")
        chinese = await client.get(f"/problems/{code}", headers={"Accept-Language": "zh"})
        assert english.status_code == chinese.status_code == 200
        assert english.headers["content-language"] == "en"
        assert kind.title in english.text.replace("&#x27;", "'").replace("&quot;", '"')
        assert kind.title_zh in chinese.text
        assert HAN.search(kind.title_zh)
        assert HAN.search(kind.explanation_zh)


async def test_there_is_no_page_of_another_code(client: httpx.AsyncClient) -> None:
    assert_problem(await client.get("/problems/" + quote("<b>")), 404, "not-found")


def test_every_error_of_the_tree_has_a_code_of_the_table() -> None:
    pending: list[type[errors.HuikeError]] = [errors.HuikeError]
    found = []
    while pending:
        kind = pending.pop()
        pending += kind.__subclasses__()
        if kind.__module__ == errors.__name__:
            found.append(kind)
            assert kind.code in PROBLEMS, kind
    assert len(found) == 14


@pytest.mark.parametrize("status", [400, 406, 418, 502])
async def test_a_refusal_of_the_framework_is_a_problem_and_its_words_are_not_passed_on(
    database: Database, settings: Settings, status: int
) -> None:
    router = probe_router()

    @router.get("/framework")
    async def refuse() -> None:
        raise HTTPException(status, "SELECT secret")

    code = {400: "bad-request", 406: "not-acceptable", 418: "bad-request", 502: "internal-error"}
    async with calling(app_with(database, settings, router)) as client:
        answer = await client.get("/v1/probe/framework")
    assert_problem(answer, PROBLEMS[code[status]].status, code[status])
    assert "secret" not in answer.text


async def test_an_answer_that_is_not_as_its_schema_says_is_our_fault(
    database: Database, settings: Settings, logged: io.StringIO
) -> None:
    router = probe_router()

    @router.get("/wrong", response_model=int)
    async def answer_wrongly() -> Any:
        return "canary-13800138000"

    async with calling(app_with(database, settings, router)) as client:
        answer = await client.get("/v1/probe/wrong")
    assert_problem(answer, 500, "internal-error")
    assert '"found": [["/response", "int_parsing"]]' in logged.getvalue()
    assert "answer_not_as_its_schema" in logged.getvalue()
    assert "13800138000" not in logged.getvalue() + answer.text


async def test_who_may_not_is_told_which_permission_is_missing(
    client: httpx.AsyncClient, world: World
) -> None:
    answer = await client.get("/v1/audit", headers=world.headers("clerk"))
    assert assert_problem(answer, 403, "forbidden")["permission"] == "audit:read"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic bGk6eA=="},
        {"Authorization": "Bearer \xff"},
        {"X-API-Key": "nonsense"},
        {"X-API-Key": "hk_" + "0" * 5000},
    ],
    ids=["none", "token", "another scheme", "no ASCII", "key", "long key"],
)
async def test_who_is_not_known_is_unauthenticated(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = await client.get("/v1/me", headers=encoded)
    assert_problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_too_many_attempts_to_sign_in_are_told_how_long_to_wait(
    database: Database, settings: Settings
) -> None:
    few = settings.model_copy(update={"sign_in_attempts": 1})
    async with calling(create_app(few, database)) as client:
        form = {"username": "li", "password": "falsch-falsch"}
        assert_problem(await client.post("/v1/auth/token", data=form), 401, "unauthenticated")
        answer = await client.post("/v1/auth/token", data=form)
    assert_problem(answer, 429, "rate-limited")
    assert 1 <= int(answer.headers["retry-after"]) <= few.sign_in_window_seconds + 1


async def test_absurd_days_break_no_operation(
    database: Database, settings: Settings, client: httpx.AsyncClient, world: World
) -> None:
    document = create_app(settings, database).openapi()
    asked = 0
    for path, operations in document["paths"].items():
        for parameter in operations.get("get", {}).get("parameters", ()):
            formats = str(parameter["schema"])
            if parameter["in"] != "query" or "'date" not in formats:
                continue
            for day in ("0001-01-01", "9999-12-31"):
                value = day + "T00:00:00Z" if "date-time" in formats else day
                address = re.sub(r"\{[^}]*\}", "0192f0c1-2b1f-7a53-9d0b-4c6f0c3c7a10", path)
                answer = await client.get(
                    address, params={parameter["name"]: value}, headers=world.headers("admin")
                )
                assert answer.status_code < 500, (path, parameter["name"], day, answer.text)
                asked += 1
    assert asked >= 4


async def test_every_503_says_when_to_try_again() -> None:
    for code, kind in PROBLEMS.items():
        if kind.status == 503:
            assert int(UnavailableError("x", code=code).headers["Retry-After"]) >= 1


@pytest.fixture
async def draining(database: Database, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings, database)
    app.state.is_draining = True
    async with calling(app) as client:
        yield client


async def test_a_stopping_service_is_not_ready_and_still_answers(
    draining: httpx.AsyncClient, world: World
) -> None:
    assert_problem(await draining.get("/health/ready"), 503, "shutting-down")
    assert (await draining.get("/health/live")).json() == {"status": "ok"}
    assert (await draining.get("/v1/me", headers=world.headers())).status_code == 200


async def test_a_running_service_is_alive_and_ready(client: httpx.AsyncClient) -> None:
    for path in ("/health/live", "/health/ready"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_the_end_of_the_application_closes_its_database(
    fresh_database: Database, settings: Settings
) -> None:
    async with LifespanManager(create_app(settings, fresh_database)):
        await fresh_database.ping()
        pool = fresh_database.engine.pool
    assert fresh_database.engine.pool is not pool


def test_every_route_says_who_may_call_it_and_the_start_refuses_one_that_does_not(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastapi import APIRouter

    from app.routers import ROUTERS
    from app.web.route import HuikeRoute

    assert len(api_routes(create_app(settings, database))) > 40
    open_door = APIRouter(route_class=HuikeRoute)

    @open_door.get("/v1/open-door")
    async def enter() -> None: ...

    monkeypatch.setattr("app.main.ROUTERS", (*ROUTERS, open_door))
    with pytest.raises(RuntimeError, match="/v1/open-door"):
        create_app(settings, database)


def test_a_permission_is_asked_for_by_its_own_guard() -> None:
    assert Allow(Permission.AUDIT_READ).permissions == ("audit:read",)
