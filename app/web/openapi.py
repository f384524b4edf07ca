"""The OpenAPI document: tags in reading order, and what FastAPI's own generator leaves untrue."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.schemas.pos_events import EventBatch
from app.web.documentation import Problem

# Bodies that routes read by hand, since a signature covers their raw bytes.
SIGNED_BODIES = (EventBatch,)

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
    {"name": "purchases", "description": "What a customer bought."},
    {"name": "tiers", "description": "Which tier a card is in, why, and what would change it."},
    {"name": "reports", "description": "Figures over the chain."},
    {"name": "till events", "description": "Signed sales, refunds and voids; what became of them."},
    {"name": "stores", "description": "Shops and their opening hours."},
    {"name": "staff", "description": "People, roles, absences, hand-over."},
    {"name": "sources", "description": "Tills and web shops with their secrets."},
    {"name": "catalogue", "description": "What the chain sells."},
    {"name": "API clients", "description": "Machines and their keys."},
    {"name": "audit", "description": "Who did what."},
    {"name": "vocabulary", "description": "Every code with its English and Chinese label."},
    {"name": "operations", "description": "Health and metrics."},
]


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
                separate_input_output_schemas=False,
            )
            app.openapi_schema = _truthful(made)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _truthful(document: dict[str, Any]) -> dict[str, Any]:
    """Say what is really sent: problem documents, signed bodies, the signature as a scheme."""
    components = document.setdefault("components", {})
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
    if "Problem" not in schemas:
        made = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(made.pop("$defs", {}))
        schemas["Problem"] = made
    for path in document["paths"].values():
        for operation in path.values():
            _only_problems(operation)
    return document


def _only_problems(operation: dict[str, Any]) -> None:
    for status, response in operation.get("responses", {}).items():
        if not status.startswith(("4", "5")):
            continue
        content = response.get("content", {})
        # ``model`` made FastAPI add application/json beside what is really sent.
        if "application/problem+json" in content:
            content.pop("application/json", None)
        elif status == "422":
            response["description"] = "Some values are not acceptable"
            response["content"] = {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            }
