"""Applications with routes of a test's own, and what every refusal has to look like."""

from typing import Any
from urllib.parse import unquote

import httpx
from fastapi import APIRouter, Depends, FastAPI

from app.core.config import Settings
from app.core.database import Database
from app.main import create_app
from app.web.dependencies import Public
from app.web.problems import PROBLEMS
from app.web.route import HuikeRoute

EVERYBODY = Depends(Public("a route of a test"))


def probe_router() -> APIRouter:
    """Return a router for a test's own routes, under the class that every router uses."""
    return APIRouter(prefix="/v1/probe", route_class=HuikeRoute, dependencies=[EVERYBODY])


def app_with(database: Database, settings: Settings, *routers: APIRouter) -> FastAPI:
    """Return the service with routes added to it."""
    app = create_app(settings, database)
    for router in routers:
        app.include_router(router)
    return app


def calling(app: FastAPI) -> httpx.AsyncClient:
    """Return a client that calls an application in this process; what it raises fails the test."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
    return httpx.AsyncClient(transport=transport, base_url="http://testserver")


def assert_problem(
    answer: httpx.Response, status: int, code: str, *, chinese: bool = False
) -> dict[str, Any]:
    """Check everything that each refusal promises, and return its document."""
    assert (answer.status_code, answer.headers["content-type"]) == (
        status,
        "application/problem+json",
    ), answer.text
    document: dict[str, Any] = answer.json()
    kind = PROBLEMS[code]
    assert document["type"] == f"/problems/{code}"
    assert document["status"] == status == kind.status
    assert document["title"] == (kind.title_zh if chinese else kind.title)
    assert document["detail"]
    assert document["instance"] == unquote(answer.request.url.raw_path.decode().split("?")[0])
    assert document["request_id"] == answer.headers["x-request-id"]
    assert len(document["request_id"]) == 32
    assert answer.headers["content-language"] == ("zh" if chinese else "en")
    assert answer.headers["cache-control"] == "no-store"
    if status == 503:
        assert int(answer.headers["retry-after"]) >= 1
    return document


def pointers(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Return place and code of each thing that a validation problem lists."""
    return [(error["pointer"], error["code"]) for error in document["errors"]]
