"""What Schemathesis cannot know: secrets of tills, and accounts it must not lock out.

Loaded by Schemathesis itself (see schemathesis.toml); the test says through the environment whom
it runs as.
"""

import json
import os
from typing import Any

import httpx
import schemathesis
from schemathesis import Case, HookContext
from schemathesis.core.parameters import ParameterLocation

from app.core.ids import new_id
from tests.support.world import signed

WORLD = json.loads(os.environ.get("HUIKE_FUZZ_WORLD", "{}"))
PERSON = WORLD.get("instead", {}).get("0193a1c2-d3e4-7f00-8000-00000000c001")
ANOTHER = WORLD.get("another_id")
PLANNED = WORLD.get("instead", {}).get(
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
)
KEY_OF_EXAMPLES = "8d5f2f6e-2b1f-4a53-9d0b-4c6f0c3c7a10"
FIRST_VERSION = '"v1"'
OWN_CLIENT = httpx.Client()
SIGNED_OPERATIONS = frozenset({"receive_event", "receive_event_batch"})


def signed_by_the_till(request: Any) -> Any:
    """Sign exactly the bytes that are about to be sent, under the event's own id."""
    body = request.body or b""
    raw: bytes = body.encode() if isinstance(body, str) else body
    headers = signed(WORLD["secret"], _event_id(raw) or new_id().hex, raw)
    headers.pop("content-type")
    request.headers.update(headers)
    return request


def _event_id(body: bytes) -> str | None:
    try:
        event_id = json.loads(body)["event_id"]
    except (ValueError, TypeError, KeyError, IndexError):
        return None
    usable = isinstance(event_id, str) and event_id.isascii() and event_id.isprintable()
    return event_id if usable and 0 < len(event_id) <= 128 else None


def _current_version(case: Case[Any]) -> str | None:
    """Return the ETag of the object that a case is about: what the first three parts name.

    An interaction has a version of its own beside its card's.
    """
    parts = case.formatted_path.split("/")
    path = "/".join(parts[: 6 if parts[4:5] == ["interactions"] else 4])
    headers = {"Authorization": f"Bearer {os.environ['HUIKE_FUZZ_TOKEN']}"}
    version: str | None = OWN_CLIENT.get(f"{WORLD['url']}{path}", headers=headers).headers.get(
        "etag"
    )
    return version


def _fresh_pair() -> dict[str, Any] | None:
    """Make two cards and plan their merge: a plan that was made before may be outdated by now."""
    headers = {"Authorization": f"Bearer {os.environ['HUIKE_FUZZ_TOKEN']}"}

    def made(path: str, body: dict[str, Any]) -> httpx.Response:
        keyed = {**headers, "Idempotency-Key": new_id().hex}
        return OWN_CLIENT.post(f"{WORLD['url']}{path}", headers=keyed, json=body)

    cards = [
        made("/v1/customers", {"kind": "individual", "name": name, "allow_duplicate": True})
        for name in "甲乙"
    ]
    if not all(answer.is_success for answer in cards):
        return None
    survivor, loser = (answer.json()["id"] for answer in cards)
    pair = {"surviving_id": survivor, "loser_ids": [loser], "choices": {"name": loser}}
    plan = made("/v1/merges/plan", pair)
    return {**pair, "fingerprint": plan.json()["fingerprint"]} if plan.is_success else None


@schemathesis.hook
def before_load_schema(context: HookContext, raw_schema: dict[str, Any]) -> None:
    """Let the examples name objects that are there, and a password that is right."""
    for name, part in raw_schema.items():
        raw_schema[name] = _with_real_values(part)


def _with_real_values(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _with_real_values(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_with_real_values(value) for value in part]
    return WORLD["instead"].get(part, part) if isinstance(part, str) else part


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Sign what tills send, give every creating request a key of its own, spare our account.

    Who sends the version of the document's example has seen the object, whatever its version.
    """
    operation_id = case.operation.definition.raw["operationId"]
    headers_are_wrong = case.meta is not None and case.meta.is_negative_at(ParameterLocation.HEADER)
    if operation_id in SIGNED_OPERATIONS and not headers_are_wrong:
        case.path_parameters = {**(case.path_parameters or {}), "source": WORLD["till"]}
        kwargs["auth"] = signed_by_the_till
    key = case.headers.get("Idempotency-Key") if case.headers else None
    # A kept answer is given again whatever the other headers are: each request has its own key.
    if key is not None and (not headers_are_wrong or key == KEY_OF_EXAMPLES):
        case.headers["Idempotency-Key"] = new_id().hex
    if (
        "/{customer_id}/contacts" in case.path
        and (case.path_parameters or {}).get("customer_id") == PERSON
    ):
        # Only organizations have contact persons.
        case.path_parameters = {**case.path_parameters, "customer_id": WORLD["organization_id"]}
    if case.headers and case.headers.get("If-Match") == FIRST_VERSION:
        case.headers["If-Match"] = _current_version(case) or FIRST_VERSION
    if (
        operation_id == "create_merge"
        and isinstance(case.body, dict)
        and case.body.get("fingerprint") == PLANNED
    ):
        case.body = _fresh_pair() or case.body
    parameters = case.path_parameters or {}
    if "second_id" in parameters and PERSON in parameters.values():
        # Both have one example; two cards are compared that are in use for certain.
        case.path_parameters = {**parameters, "first_id": PERSON, "second_id": ANOTHER}
        parameters = case.path_parameters
    # It may disable, demote and lock out anybody but itself, and stop any till but its own.
    for name, spared, instead in (
        ("staff_id", WORLD["staff_id"], WORLD["other_staff_id"]),
        ("source_id", WORLD["source_id"], WORLD["other_source_id"]),
    ):
        if str(parameters.get(name)) == spared and case.method != "GET":
            case.path_parameters = {**parameters, name: instead}
