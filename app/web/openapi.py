"""The OpenAPI document: tags in reading order, and what FastAPI's own generator leaves untrue."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import RouteContext

from app.schemas.pos_events import EventBatch
from app.web.dependencies import Allow, access_of, api_routes, idempotent
from app.web.documentation import Problem, problems
from app.web.examples import example_of
from app.web.problems import MEDIA_TYPE
from app.web.survivors import surviving_customer

# Bodies that routes read by hand, since a signature covers their raw bytes.
SIGNED_BODIES = (EventBatch,)
# An API key cannot be signed out, only revoked.
FOR_STAFF_ONLY = frozenset({"delete_token"})
# What is known of an erasure, and of what was shown before it, is not the person's data.
OF_ERASED_TOO = frozenset({"list_disclosures", "list_erasures_of_customer", "get_erasure"})
# What came without a card and has one now: the answer says where it is.
LED_TO_CARDS = frozenset({"get_unattached_interaction"})
# Checked by ourselves, so that a missing one is answered by a problem of its own.
REQUIRED_HEADERS: dict[str, dict[str, Any]] = {
    "Idempotency-Key": {
        "type": "string",
        "pattern": "^[!-~]{1,128}$",
        "examples": ["8d5f2f6e-2b1f-4a53-9d0b-4c6f0c3c7a10"],
    },
    "If-Match": {"type": "string", "pattern": '^"v[1-9][0-9]{0,8}"$', "examples": ['"v1"']},
}

DESCRIPTION = """\
The customer-relationship service of a retail chain: cards, purchases from tills and web shops,
tiers that explain themselves.

**Sign in** at `/v1/auth/token` (the Authorize button does it), or send an API key as `X-API-Key`.
Tills sign their events instead (Standard Webhooks).

**Refusals** are problem documents (RFC 9457) with a stable `type`, in English or Chinese by
`Accept-Language`. **Changes** need the `ETag` you have seen as `If-Match`; **creating** requests
need an `Idempotency-Key` and may then be repeated safely. **Lists** are paged by `cursor`.

Money is a decimal string in the chain's currency; instants carry their offset; days are days of
the chain's time zone.
"""

TAGS: list[dict[str, Any]] = [
    {"name": "sign-in", "description": "Tokens for staff, and who is signed in."},
    {"name": "customers", "description": "Cards: create, find, change, archive."},
    {"name": "merges", "description": "Cards of one customer become one, and are taken apart."},
    {"name": "custom fields", "description": "What the chain adds to its cards."},
    {"name": "duplicates", "description": "Cards that may be one customer's, until somebody says."},
    {"name": "consent", "description": "What customers agree to, with history and proof."},
    {"name": "privacy", "description": "Shown in full, copied out, erased: always on the record."},
    {"name": "purchases", "description": "What a customer bought."},
    {"name": "interactions", "description": "Contacts with customers, and with callers."},
    {
        "name": "timeline",
        "description": "Everything about a customer: as it happened, and at a glance.",
    },
    {"name": "tiers", "description": "Which tier a card is in, why, and what would change it."},
    {"name": "tier policies", "description": "The rules of tiers: written, tried out, published."},
    {"name": "reports", "description": "Figures over the chain."},
    {"name": "till events", "description": "Signed sales, refunds and voids; what became of them."},
    {"name": "stores", "description": "Shops and their opening hours."},
    {"name": "staff", "description": "People, roles, absences, hand-over."},
    {"name": "sources", "description": "Tills and web shops with their secrets."},
    {"name": "catalogue", "description": "What the chain sells."},
    {"name": "channels", "description": "What a contact by each channel costs."},
    {"name": "API clients", "description": "Machines and their keys."},
    {"name": "imports", "description": "Files of cards, purchases, contacts: brought in, undone."},
    {"name": "audit", "description": "Who did what."},
    {"name": "exports", "description": "Lists as files, and who took which away."},
    {"name": "vocabulary", "description": "Every code with its English and Chinese label."},
    {"name": "operations", "description": "Health and metrics."},
]


OF_CARD_VERSION = {
    f"{verb}_customer_contact{plural}"
    for verb, plural in (
        ("create", ""), ("list", "s"), ("get", ""), ("update", ""), ("delete", ""),
    )
}  # fmt: skip
"""What is part of a card: the ``ETag`` is the card's."""


HEADERS: dict[str, dict[str, Any]] = {
    "RequestId": {
        "description": "The id under which the request is logged.",
        "required": True,
        "schema": {"type": "string", "examples": ["0193a1c2d3e47f008000000000000009"]},
    },
    "ETag": {
        "description": "The version of the object; send it as `If-Match` to change it.",
        "required": True,
        "schema": {"type": "string", "pattern": '^"v[1-9][0-9]*"$', "examples": ['"v1"']},
    },
    "ContentLocation": {
        "description": "Sent where the id is that of a merged card: the same address with the id "
        "of the surviving card, whose data the answer holds; or where a contact has joined a "
        "card: its address there.",
        "schema": {
            "type": "string",
            "examples": ["/v1/customers/0193a1c2-d3e4-7f00-8000-00000000c001"],
        },
    },
    "Location": {
        "description": "The path of what was created; of the card, where an identity was added.",
        "required": True,
        "schema": {
            "type": "string",
            "examples": ["/v1/stores/0193a1c2-d3e4-7f00-8000-000000000001"],
        },
    },
    "FollowedAt": {
        "description": "The path at which the making of the report can be followed.",
        "required": True,
        "schema": {
            "type": "string",
            "examples": ["/v1/reports/jobs/0193a1c2-d3e4-7f00-8000-00000000001d"],
        },
    },
    "PreferenceApplied": {
        "description": "`respond-async` where the client preferred that.",
        "schema": {"type": "string", "enum": ["respond-async"]},
    },
    "IdempotencyReplayed": {
        "description": "`true` where the key was seen before and the first answer is given again.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "RetryAfter": {
        "description": "Seconds until the next try is welcome.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1, "examples": [1]},
    },
    "WWWAuthenticate": {
        "description": "How to sign in; not sent for signatures of tills.",
        "schema": {"type": "string", "examples": ["Bearer"]},
    },
}
"""What answers carry beside their bodies, referred to by the operations."""

_HEADERS_BY_STATUS = {
    "201": {"Location": "Location"},
    "401": {"WWW-Authenticate": "WWWAuthenticate"},
    "429": {"Retry-After": "RetryAfter"},
    "503": {"Retry-After": "RetryAfter"},
}


def install_openapi(app: FastAPI) -> None:
    """Let the application answer its document, made once."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title,
                version=app.version,
                openapi_version=app.openapi_version,
                summary=app.summary,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
                servers=app.servers,
                license_info=app.license_info,
                # Answers are not read as bodies are: money is always sent as a string.
                separate_input_output_schemas=True,
            )
            app.openapi_schema = _truthful(made, api_routes(app))
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _truthful(document: dict[str, Any], routes: list[RouteContext]) -> dict[str, Any]:
    """Say what is really asked for and sent; see the functions below, one matter each."""
    components = document.setdefault("components", {})
    components["headers"] = HEADERS
    components.setdefault("securitySchemes", {})["webhook_signature"] = {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-signature",
        "description": "Standard Webhooks: an HMAC over id, timestamp and raw body with the "
        "source's secret.",
    }
    schemas = components.setdefault("schemas", {})
    for model in SIGNED_BODIES:
        made = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(made.pop("$defs", {}))
        schemas[model.__name__] = made
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    made = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(made.pop("$defs", {}))
    schemas["Problem"] = made
    # FastAPI takes an empty field of a form for one that was left out.
    grant_type = schemas["Body_create_token"]["properties"]["grant_type"]["anyOf"][0]
    grant_type["pattern"] = "^(password)?$"
    for route in routes:
        if route.include_in_schema:
            for method in route.methods or ():
                operation = document["paths"][route.path_format][method.lower()]
                _say_who_may_call(operation, route)
                _tidy_parameters(operation)
                _describe_answers(operation, schemas)
                _say_that_it_may_be_erased(operation, route)
                _only_problems(operation)
                _add_headers(operation, route, schemas)
                _add_examples(operation, schemas)
                _share_problems(operation, components.setdefault("responses", {}))
    return document


def _say_who_may_call(operation: dict[str, Any], route: RouteContext) -> None:
    """Name the permission; say of public operations that they ask for nothing."""
    guard = access_of(route)
    if isinstance(guard, Allow):
        needed = " and ".join(f"`{permission}`" for permission in guard.permissions)
        word = "permission" if len(guard.permissions) == 1 else "permissions"
        operation["description"] += f"\n\nNeeds the {word} {needed}."
        if operation["operationId"] in FOR_STAFF_ONLY:
            operation["security"] = [{"staff": []}]
    else:
        operation.setdefault("security", [])


def _tidy_parameters(operation: dict[str, Any]) -> None:
    """Say which headers are needed, and of the others that they are left out rather than null."""
    for parameter in operation.get("parameters", ()):
        schema = parameter["schema"]
        if parameter["name"] in REQUIRED_HEADERS:
            parameter["required"] = True
            schema = REQUIRED_HEADERS[parameter["name"]]
        elif "anyOf" in schema:
            branches = [branch for branch in schema["anyOf"] if branch.get("type") != "null"]
            if len(branches) == 1:
                rest = {name: value for name, value in schema.items() if name != "anyOf"}
                schema = {**branches[0], **rest}
        # Both stand beside the schema, or are but its name in other words.
        parameter["schema"] = {
            name: value for name, value in schema.items() if name not in {"description", "title"}
        }


def _describe_answers(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Say in a sentence what is sent, where FastAPI says that it was a success."""
    for response in operation["responses"].values():
        if response["description"] == "Successful Response":
            schema = response.get("content", {}).get("application/json", {}).get("schema", {})
            model = schemas.get(schema.get("$ref", "").rpartition("/")[2], {})
            words = model.get("description", "Done; there is nothing to add.")
            if "next_cursor" in model.get("properties", {}):
                words = "A page of the list."
            response["description"] = words.partition("\n\n")[0].replace("\n", " ")


def _say_that_it_may_be_erased(operation: dict[str, Any], route: RouteContext) -> None:
    """Add the answer of every operation on a card whose person's data may have been erased."""
    if (
        "{customer_id}" in (route.path_format or "")
        and operation["operationId"] not in OF_ERASED_TOO
    ):
        described = problems("card-erased")[410]
        operation["responses"]["410"] = {
            name: part for name, part in described.items() if name != "model"
        }


def _only_problems(operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        if not status.startswith(("4", "5")):
            continue
        content = response.get("content", {})
        # ``model`` made FastAPI add the media type of good answers beside what is really sent.
        if MEDIA_TYPE in content:
            response["content"] = {MEDIA_TYPE: content[MEDIA_TYPE]}


def _add_headers(operation: dict[str, Any], route: RouteContext, schemas: dict[str, Any]) -> None:
    calls = [part.call for part in route.dependant.dependencies]
    for status, response in operation["responses"].items():
        wanted = {"X-Request-Id": "RequestId", **_HEADERS_BY_STATUS.get(status, {})}
        if status.startswith("2"):
            if _has_version(response, schemas) or operation["operationId"] in OF_CARD_VERSION:
                wanted["ETag"] = "ETag"
            if surviving_customer in calls or operation["operationId"] in LED_TO_CARDS:
                wanted["Content-Location"] = "ContentLocation"
            if _refers_to(response, "ReportJob") and status == "202":
                wanted |= {
                    "Location": "FollowedAt",
                    "Preference-Applied": "PreferenceApplied",
                    "Retry-After": "RetryAfter",
                }
            if idempotent in calls:
                wanted["Idempotency-Replayed"] = "IdempotencyReplayed"
        response["headers"] = {
            name: {"$ref": f"#/components/headers/{header}"}
            for name, header in sorted(wanted.items())
        }


def _refers_to(response: dict[str, Any], model: str) -> bool:
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    return bool(schema.get("$ref") == f"#/components/schemas/{model}")


def _has_version(response: dict[str, Any], schemas: dict[str, Any]) -> bool:
    """Tell whether the body is one object that can be changed under ``If-Match``."""
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    model = schemas.get(schema.get("$ref", "").rpartition("/")[2], {})
    return {"version", "updated_at"} <= set(model.get("properties", ()))


def _add_examples(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    bodies = [operation.get("requestBody", {})]
    bodies += [
        response for status, response in operation["responses"].items() if status.startswith("2")
    ]
    for body in bodies:
        for media in body.get("content", {}).values():
            if not {"example", "examples"} & media.keys():
                media["example"] = example_of(media["schema"], schemas)


def _share_problems(operation: dict[str, Any], shared: dict[str, Any]) -> None:
    """Name each refusal by its problem codes and say it once: most operations share most."""
    for status, response in operation["responses"].items():
        if status.startswith(("4", "5")):
            name = ".".join(response["content"][MEDIA_TYPE]["examples"])
            if shared.setdefault(name, response) != response:
                raise ValueError(f"{name} is described in two ways")
            operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
