"""The API document says everything that an explorer or a generator of clients needs, and truly."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import RouteContext

from app.core.config import Settings
from app.core.database import Database
from app.main import create_app
from app.web.dependencies import Allow, access_of, api_routes, idempotent
from app.web.openapi import TAGS
from app.web.problems import MEDIA_TYPE, PROBLEMS

ROOT = Path(__file__).resolve().parents[2]
SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
SIGNED = {"receive_event", "receive_event_batch"}
# What neither signs in nor reads a thing cannot be refused anything but an unforeseen failure.
WITHOUT_DATABASE = {"get_vocabulary", "check_live", "read_metrics"}


@pytest.fixture(scope="module")
def application() -> FastAPI:
    """The application over a database that nobody asks."""
    settings = Settings(_env_file=None)
    return create_app(settings, Database("postgresql+asyncpg://nobody@127.0.0.1:1/none", settings))


@pytest.fixture(scope="module")
def document(application: FastAPI) -> dict[str, Any]:
    """The document as it is served."""
    return application.openapi()


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every operation."""
    for path in document["paths"].values():
        yield from path.values()


def routes_by_operation(application: FastAPI) -> dict[str, RouteContext]:
    """Return the routes that the document shows, by operation id."""
    return {str(route.name): route for route in api_routes(application) if route.include_in_schema}


def problem_codes(document: dict[str, Any], operation: dict[str, Any]) -> set[str]:
    """Return the codes of all problems an operation says it can answer with."""
    found: set[str] = set()
    for status, response in operation["responses"].items():
        if status.startswith(("4", "5")):
            answer = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
            examples = answer["content"][MEDIA_TYPE]["examples"]
            assert {PROBLEMS[code].status for code in examples} == {int(status)}
            found |= examples.keys()
    return found


def has_header(operation: dict[str, Any], name: str) -> bool:
    """Tell whether an operation asks for a header."""
    return any(
        (parameter["in"], parameter["name"]) == ("header", name)
        for parameter in operation.get("parameters", ())
    )


def test_every_route_is_an_operation_with_a_name_fit_for_a_client(
    application: FastAPI, document: dict[str, Any]
) -> None:
    names = [operation["operationId"] for operation in operations(document)]
    assert sorted(names) == sorted(routes_by_operation(application))
    assert len(set(names)) == len(names)
    assert [name for name in names if not SNAKE_CASE.fullmatch(name)] == []


def test_no_two_schemas_share_a_name(document: dict[str, Any]) -> None:
    # The framework would tell them apart by the modules they come from, which clients trip over.
    assert [name for name in document["components"]["schemas"] if "__" in name] == []


def test_every_operation_and_every_parameter_is_described(document: dict[str, Any]) -> None:
    silent = [
        operation["operationId"]
        for operation in operations(document)
        if not operation.get("summary") or len(operation.get("description", "")) < 20
    ]
    unexplained = [
        (operation["operationId"], parameter["name"])
        for operation in operations(document)
        for parameter in operation.get("parameters", ())
        if not parameter.get("description")
    ]
    assert (silent, unexplained) == ([], [])


def test_operations_stand_under_tags_in_reading_order(document: dict[str, Any]) -> None:
    declared = [tag["name"] for tag in document["tags"]]
    used = list(
        dict.fromkeys(tag for operation in operations(document) for tag in operation["tags"])
    )
    assert declared == [tag["name"] for tag in TAGS]
    # Paths that begin alike stand together, so that the order of first use is the reading order.
    assert used == declared
    assert [o["operationId"] for o in operations(document) if len(o["tags"]) != 1] == []


def test_every_body_and_every_good_answer_has_an_example(document: dict[str, Any]) -> None:
    missing = []
    for operation in operations(document):
        parts = [("request", operation.get("requestBody", {}))]
        parts += [(s, r) for s, r in operation["responses"].items() if s.startswith("2")]
        for part, body in parts:
            for media in body.get("content", {}).values():
                if not {"example", "examples"} & media.keys():
                    missing += [(operation["operationId"], part)]
    assert missing == []
    without_answer = [
        operation["operationId"]
        for operation in operations(document)
        if not any(status.startswith("2") for status in operation["responses"])
    ]
    assert without_answer == []


def test_no_example_is_a_placeholder(document: dict[str, Any]) -> None:
    """A string that no field gave an example for would be shown as ``text``."""
    vague = [
        operation["operationId"]
        for operation in operations(document)
        for status, response in operation["responses"].items()
        if status.startswith("2")
        for media in response.get("content", {}).values()
        # A member may be called so.
        if "'text'" in repr(media.get("example")).replace("'text':", "")
    ]
    assert vague == []


def test_every_labelled_code_is_shown_by_one_of_its_own_vocabulary(
    document: dict[str, Any],
) -> None:
    schemas = document["components"]["schemas"]
    labelled = "#/components/schemas/LabelledCode"
    without = [
        f"{schema}.{name}"
        for schema, model in schemas.items()
        for name, part in model.get("properties", {}).items()
        if labelled in {part.get("$ref"), part.get("items", {}).get("$ref")}
        or {"$ref": labelled} in part.get("anyOf", [])
        if not part.get("examples")
    ]
    assert without == []
    answers = {
        operation["operationId"]: operation["responses"][status]["content"]["application/json"]
        for operation in operations(document)
        for status in ("200", "201")
        if "application/json" in operation["responses"].get(status, {}).get("content", {})
    }
    erasure = answers["create_erasure"]["example"]
    assert (erasure["status"], erasure["due_on"]) == ("deferred", "2026-12-22")
    assert erasure["deferrals"][0]["reason"]["code"] == "return_period"
    assert answers["check_consent"]["example"]["reason"]["code"] == "channel_granted"


def test_every_operation_says_who_may_call_it(
    application: FastAPI, document: dict[str, Any]
) -> None:
    routes = routes_by_operation(application)
    for operation in operations(document):
        name = operation["operationId"]
        guard = access_of(routes[name])
        if name in SIGNED:
            assert operation["security"] == [{"webhook_signature": []}]
        elif name == "delete_token":
            assert operation["security"] == [{"staff": []}]
        elif isinstance(guard, Allow):
            assert operation["security"] == [{"staff": []}, {"api_key": []}]
            needed = " and ".join(f"`{permission}`" for permission in guard.permissions)
            assert f" {needed}." in operation["description"]
        else:
            assert operation["security"] == [], name
    assert set(document["components"]["securitySchemes"]) == {
        "staff", "api_key", "webhook_signature",
    }  # fmt: skip


def test_every_operation_names_the_problems_that_its_parts_can_raise(
    application: FastAPI, document: dict[str, Any]
) -> None:
    routes = routes_by_operation(application)
    short = {}
    for operation in operations(document):
        name, route = operation["operationId"], routes[operation["operationId"]]
        wanted = {"internal-error"}
        if name not in WITHOUT_DATABASE:
            wanted.add("database-unavailable" if name == "check_ready" else "unavailable")
        if isinstance(access_of(route), Allow):
            wanted |= {"unauthenticated", "forbidden"}
        if name in SIGNED:
            wanted |= {"webhook-signature-invalid", "webhook-timestamp", "malformed-json"}
        if operation.get("parameters") or "requestBody" in operation:
            wanted.add("validation")
        if "requestBody" in operation:
            wanted |= {"too-large", "unsupported-media-type"}
            if "application/json" in operation["requestBody"]["content"]:
                wanted.add("malformed-json")
        if has_header(operation, "If-Match"):
            wanted |= {"precondition-required", "precondition-failed", "not-found"}
        if any(part.call is idempotent for part in route.dependant.dependencies):
            wanted |= {
                "idempotency-key-required", "idempotency-in-progress", "idempotency-key-reused",
            }  # fmt: skip
        if any(parameter["name"] == "cursor" for parameter in operation.get("parameters", ())):
            wanted.add("invalid-cursor")
        missing = wanted - problem_codes(document, operation)
        if missing:
            short[name] = sorted(missing)
    assert short == {}


def test_creating_operations_ask_for_a_key_and_changing_ones_for_the_version_seen(
    application: FastAPI, document: dict[str, Any]
) -> None:
    routes = routes_by_operation(application)
    for operation in operations(document):
        name, route = operation["operationId"], routes[operation["operationId"]]
        is_idempotent = any(part.call is idempotent for part in route.dependant.dependencies)
        assert has_header(operation, "Idempotency-Key") == is_idempotent, name
        assert ("201" in operation["responses"]) == is_idempotent, name
        if "PATCH" in (route.methods or ()):
            assert has_header(operation, "If-Match"), name
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "header":
                # Who prefers nothing leaves that one out.
                wanted = parameter["name"] != "Prefer"
                assert parameter["required"] is wanted, (name, parameter["name"])


def test_good_answers_say_which_headers_they_carry(document: dict[str, Any]) -> None:
    headers = {
        operation["operationId"]: set(response.get("headers", {}))
        for operation in operations(document)
        for status, response in operation["responses"].items()
        if status in {"200", "201"}
    }
    assert headers["create_customer"] == {
        "ETag", "Location", "Idempotency-Replayed", "X-Request-Id",
    }  # fmt: skip
    assert headers["create_api_key"] == {"Location", "Idempotency-Replayed", "X-Request-Id"}
    assert headers["get_customer"] == {"Content-Location", "ETag", "X-Request-Id"}
    assert headers["update_store"] == {"ETag", "X-Request-Id"}
    assert headers["list_customers"] == {"X-Request-Id"}
    shared = document["components"]["responses"]
    assert set(shared["rate-limited"]["headers"]) == {"Retry-After", "X-Request-Id"}
    assert set(shared["unavailable"]["headers"]) == {"Retry-After", "X-Request-Id"}


def test_the_committed_document_is_the_served_one(document: dict[str, Any]) -> None:
    import json

    committed = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))
    assert committed == document, "docs/openapi.json is out of date; run: make openapi"
