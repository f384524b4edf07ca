"""Who may call what: every route against a table, declared here and really called.

A new route needs a row in ``WHO_MAY``; that is where somebody thinks about who may call it.
"""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import RouteContext
from sqlalchemy import text

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.core.ids import new_id
from app.main import create_app
from app.rules.access import ROLE_PERMISSIONS
from app.vocabulary import Role
from app.web import dependencies
from app.web.dependencies import Allow, Public, access_of, api_routes
from tests.support.events import sale
from tests.support.world import World, send_event

ADMIN = frozenset({Role.ADMIN})
HEADQUARTERS = frozenset({Role.ADMIN, Role.MANAGER})
COUNTER = frozenset({Role.ADMIN, Role.MANAGER, Role.STORE_MANAGER, Role.CLERK, Role.SERVICE})
LEADERS = frozenset({Role.ADMIN, Role.MANAGER, Role.STORE_MANAGER})
ALL = frozenset(Role)
AUDITOR = frozenset({Role.AUDITOR})
MARKETING = frozenset({Role.MARKETING})
ANYBODY = None
"""Routes that ask for no sign-in."""
SIGNED = ANYBODY
"""Tills don't sign in: they sign what they send."""

WHO_MAY: Mapping[str, frozenset[Role] | None] = {
    "POST /v1/auth/token": ANYBODY,
    "DELETE /v1/auth/token": ALL,
    "GET /v1/me": ALL,
    "POST /v1/customers": COUNTER,
    "GET /v1/customers": COUNTER | MARKETING | AUDITOR,
    "POST /v1/customers/lookup": COUNTER | MARKETING | AUDITOR,
    "POST /v1/customers/search": COUNTER | MARKETING | AUDITOR,
    "GET /v1/customers/{customer_id}": COUNTER | MARKETING | AUDITOR,
    "PATCH /v1/customers/{customer_id}": COUNTER,
    "GET /v1/customers/{customer_id}/changes": COUNTER | MARKETING | AUDITOR,
    "POST /v1/customers/{customer_id}/archive": COUNTER,
    "POST /v1/customers/{customer_id}/restore": COUNTER,
    "POST /v1/customers/{customer_id}/identities": COUNTER,
    "DELETE /v1/customers/{customer_id}/identities/{identity_id}": COUNTER,
    "POST /v1/customers/{customer_id}/consents": COUNTER,
    "POST /v1/customers/{customer_id}/consents/withdraw-all": COUNTER,
    "GET /v1/customers/{customer_id}/consents": COUNTER | MARKETING | AUDITOR,
    "GET /v1/customers/{customer_id}/consents/check": COUNTER | MARKETING | AUDITOR,
    "GET /v1/customers/{customer_id}/consents/history": COUNTER | MARKETING | AUDITOR,
    "GET /v1/customers/{customer_id}/duplicates": COUNTER | MARKETING | AUDITOR,
    "GET /v1/duplicates": LEADERS,
    "GET /v1/duplicates/{first_id}/{second_id}": LEADERS,
    "POST /v1/duplicates/{first_id}/{second_id}/decision": LEADERS,
    "POST /v1/duplicates/scan": LEADERS,
    "POST /v1/customers/{customer_id}/disclosures": LEADERS | frozenset({Role.SERVICE}),
    "GET /v1/customers/{customer_id}/disclosures": HEADQUARTERS,
    "POST /v1/customers/{customer_id}/copies": HEADQUARTERS,
    "POST /v1/customers/{customer_id}/erasures": HEADQUARTERS,
    "GET /v1/customers/{customer_id}/erasures": HEADQUARTERS,
    "GET /v1/customers/{customer_id}/erasures/{erasure_id}": HEADQUARTERS,
    "POST /v1/customers/{customer_id}/erasures/{erasure_id}/cancel": HEADQUARTERS,
    "GET /v1/erasures": HEADQUARTERS,
    "POST /v1/customers/{customer_id}/verifications": COUNTER,
    "GET /v1/customers/due-for-verification": COUNTER | MARKETING | AUDITOR,
    "POST /v1/customers/{customer_id}/contacts": COUNTER,
    "GET /v1/customers/{customer_id}/contacts": COUNTER | MARKETING | AUDITOR,
    "GET /v1/customers/{customer_id}/contacts/{contact_id}": COUNTER | MARKETING | AUDITOR,
    "PATCH /v1/customers/{customer_id}/contacts/{contact_id}": COUNTER,
    "DELETE /v1/customers/{customer_id}/contacts/{contact_id}": COUNTER,
    "POST /v1/custom-fields": HEADQUARTERS,
    "GET /v1/custom-fields": COUNTER | MARKETING | AUDITOR,
    "GET /v1/custom-fields/schema": COUNTER | MARKETING | AUDITOR,
    "GET /v1/custom-fields/{field_id}": COUNTER | MARKETING | AUDITOR,
    "PATCH /v1/custom-fields/{field_id}": HEADQUARTERS,
    "POST /v1/custom-fields/{field_id}/archive": HEADQUARTERS,
    "POST /v1/custom-fields/{field_id}/restore": HEADQUARTERS,
    "GET /v1/customers/{customer_id}/purchases": COUNTER | AUDITOR,
    "GET /v1/customers/{customer_id}/purchases/{purchase_id}": COUNTER | AUDITOR,
    "GET /v1/customers/{customer_id}/statistics": COUNTER | AUDITOR,
    "POST /v1/customers/{customer_id}/interactions": COUNTER,
    "GET /v1/customers/{customer_id}/interactions": COUNTER | MARKETING | AUDITOR,
    "GET /v1/customers/{customer_id}/interactions/{interaction_id}": COUNTER | MARKETING | AUDITOR,
    "PATCH /v1/customers/{customer_id}/interactions/{interaction_id}": COUNTER,
    "POST /v1/customers/{customer_id}/interactions/{interaction_id}/next-step-done": COUNTER,
    "GET /v1/customers/{customer_id}/interactions/{interaction_id}/changes": COUNTER
    | MARKETING
    | AUDITOR,
    "GET /v1/customers/{customer_id}/timeline": COUNTER | MARKETING | AUDITOR,
    "GET /v1/customers/{customer_id}/overview": COUNTER | AUDITOR,
    "POST /v1/interactions": COUNTER,
    "POST /v1/interactions/batch": COUNTER,
    "GET /v1/interactions/next-steps": COUNTER | MARKETING | AUDITOR,
    "GET /v1/interactions/unattached": COUNTER | MARKETING | AUDITOR,
    "GET /v1/interactions/{interaction_id}": COUNTER | MARKETING | AUDITOR,
    "POST /v1/interactions/{interaction_id}/attach": COUNTER,
    "GET /v1/customers/{customer_id}/profile": COUNTER | AUDITOR,
    "GET /v1/upgrade-potential": LEADERS | MARKETING | AUDITOR,
    "GET /v1/pruning-candidates": LEADERS | MARKETING | AUDITOR,
    "GET /v1/reports/rfm-segments": LEADERS | MARKETING | AUDITOR,
    "GET /v1/reports/customer-groups": LEADERS | MARKETING | AUDITOR,
    "GET /v1/customers/{customer_id}/tier": ALL,
    "GET /v1/customers/{customer_id}/tier-history": ALL,
    "POST /v1/merges/plan": LEADERS,
    "POST /v1/merges": LEADERS,
    "GET /v1/merges": COUNTER | MARKETING | AUDITOR,
    "GET /v1/merges/{merge_id}": COUNTER | MARKETING | AUDITOR,
    "POST /v1/merges/{merge_id}/undo": LEADERS,
    "GET /v1/customers/{customer_id}/merges": COUNTER | MARKETING | AUDITOR,
    "POST /v1/customers/{customer_id}/tier-override": LEADERS,
    "POST /v1/customers/{customer_id}/tier-override/end": LEADERS,
    "GET /v1/tier-notices": COUNTER | MARKETING | AUDITOR,
    "GET /v1/tier-reviews": COUNTER | MARKETING | AUDITOR,
    "GET /v1/tier-reviews/{customer_id}/{review_id}": COUNTER | MARKETING | AUDITOR,
    "POST /v1/tier-reviews/{customer_id}/{review_id}/accept": LEADERS,
    "POST /v1/tier-reviews/{customer_id}/{review_id}/refuse": LEADERS,
    "GET /v1/hollow-accounts": COUNTER | MARKETING | AUDITOR,
    "GET /v1/tier-policies": ALL,
    "GET /v1/tier-policies/presets": ALL,
    "POST /v1/tier-policies": HEADQUARTERS,
    "GET /v1/tier-policies/{policy_id}": ALL,
    "PATCH /v1/tier-policies/{policy_id}": HEADQUARTERS,
    "DELETE /v1/tier-policies/{policy_id}": HEADQUARTERS,
    "POST /v1/tier-policies/{policy_id}/simulate": HEADQUARTERS,
    "GET /v1/tier-policies/{policy_id}/simulations": HEADQUARTERS,
    "POST /v1/tier-policies/{policy_id}/publish": HEADQUARTERS,
    "POST /v1/tier-policies/{policy_id}/retract": HEADQUARTERS,
    "GET /v1/reports/tier-distribution": LEADERS | MARKETING | AUDITOR,
    "GET /v1/reports/tier-flows": LEADERS | MARKETING | AUDITOR,
    "GET /v1/reports/concentration": LEADERS | MARKETING | AUDITOR,
    "GET /v1/reports/jobs": LEADERS | MARKETING | AUDITOR,
    "GET /v1/reports/jobs/{report_id}": LEADERS | MARKETING | AUDITOR,
    "POST /v1/pos/{source}/events": SIGNED,
    "POST /v1/pos/{source}/events/batch": SIGNED,
    "GET /v1/pos/events": LEADERS | AUDITOR | frozenset({Role.SERVICE}),
    "GET /v1/pos/{source}/events/{event_id}": LEADERS | AUDITOR | frozenset({Role.SERVICE}),
    "POST /v1/pos/{source}/events/{event_id}/replay": LEADERS,
    "POST /v1/stores": ADMIN,
    "GET /v1/stores": ALL,
    "GET /v1/stores/{store_id}": ALL,
    "PATCH /v1/stores/{store_id}": ADMIN,
    "POST /v1/staff": ADMIN,
    "GET /v1/staff": COUNTER | AUDITOR,
    "GET /v1/staff/{staff_id}": COUNTER | AUDITOR,
    "PATCH /v1/staff/{staff_id}": ADMIN,
    "POST /v1/staff/{staff_id}/disable": ADMIN,
    "POST /v1/staff/{staff_id}/enable": ADMIN,
    "POST /v1/staff/{staff_id}/password-reset": ADMIN,
    "POST /v1/staff/{staff_id}/hand-over": ADMIN,
    "POST /v1/staff/{staff_id}/absences": ADMIN,
    "GET /v1/staff/{staff_id}/absences": COUNTER | AUDITOR,
    "GET /v1/staff/{staff_id}/absences/{absence_id}": COUNTER | AUDITOR,
    "DELETE /v1/staff/{staff_id}/absences/{absence_id}": ADMIN,
    "POST /v1/sources": ADMIN,
    "GET /v1/sources": LEADERS | AUDITOR,
    "GET /v1/sources/{source_id}": LEADERS | AUDITOR,
    "PATCH /v1/sources/{source_id}": ADMIN,
    "POST /v1/sources/{source_id}/secrets": ADMIN,
    "GET /v1/sources/{source_id}/secrets/{secret_id}": LEADERS | AUDITOR,
    "DELETE /v1/sources/{source_id}/secrets/{secret_id}": ADMIN,
    "POST /v1/products": HEADQUARTERS,
    "GET /v1/products": ALL,
    "GET /v1/products/{product_id}": ALL,
    "PATCH /v1/products/{product_id}": HEADQUARTERS,
    "GET /v1/channels": COUNTER | MARKETING | AUDITOR,
    "GET /v1/channels/{channel}": COUNTER | MARKETING | AUDITOR,
    "PATCH /v1/channels/{channel}": HEADQUARTERS,
    "POST /v1/api-clients": ADMIN,
    "GET /v1/api-clients": ADMIN,
    "GET /v1/api-clients/{client_id}": ADMIN,
    "PATCH /v1/api-clients/{client_id}": ADMIN,
    "POST /v1/api-clients/{client_id}/disable": ADMIN,
    "POST /v1/api-clients/{client_id}/enable": ADMIN,
    "POST /v1/api-clients/{client_id}/keys": ADMIN,
    "GET /v1/api-clients/{client_id}/keys/{key_id}": ADMIN,
    "DELETE /v1/api-clients/{client_id}/keys/{key_id}": ADMIN,
    "POST /v1/exports/customers": LEADERS | MARKETING,
    "POST /v1/exports/purchases": LEADERS,
    "POST /v1/exports/interactions": LEADERS | MARKETING,
    "POST /v1/exports/duplicates": LEADERS,
    "POST /v1/exports/pos-events": LEADERS,
    "POST /v1/exports/audit": HEADQUARTERS,
    "GET /v1/exports": HEADQUARTERS | AUDITOR,
    "POST /v1/imports": HEADQUARTERS,
    "GET /v1/imports": HEADQUARTERS,
    "PUT /v1/imports/{import_id}/file": HEADQUARTERS,
    "GET /v1/imports/{import_id}": HEADQUARTERS,
    "PATCH /v1/imports/{import_id}": HEADQUARTERS,
    "POST /v1/imports/{import_id}/run": HEADQUARTERS,
    "POST /v1/imports/{import_id}/cancel": HEADQUARTERS,
    "POST /v1/imports/{import_id}/undo": HEADQUARTERS,
    "GET /v1/imports/{import_id}/errors": HEADQUARTERS,
    "GET /v1/imports/{import_id}/errors.csv": HEADQUARTERS,
    "GET /v1/imports/{import_id}/kept": HEADQUARTERS,
    "GET /v1/imports/{import_id}/report": HEADQUARTERS,
    "GET /v1/audit": HEADQUARTERS | AUDITOR,
    "GET /v1/vocabulary": ANYBODY,
    "GET /health/live": ANYBODY,
    "GET /health/ready": ANYBODY,
    "GET /metrics": ANYBODY,
    "GET /problems/{code}": ANYBODY,
    "GET /": ANYBODY,
    "GET /docs": ANYBODY,
    "GET /docs/oauth2-redirect": ANYBODY,
    "GET /redoc": ANYBODY,
    "GET /redoc/redoc.standalone.js": ANYBODY,
}

SIGNS_OUT = "DELETE /v1/auth/token"


@pytest.fixture
def routes(database: Database, settings: Settings) -> dict[str, RouteContext]:
    """Every route of the application by method and path."""
    return {
        f"{method} {re.sub(r':[a-z]+}', '}', route.path or '')}": route
        for route in api_routes(create_app(settings, database))
        for method in sorted(route.methods or ())
    }


def test_every_route_has_a_row_and_every_row_a_route(routes: dict[str, RouteContext]) -> None:
    without_row = sorted(set(routes) - set(WHO_MAY))
    without_route = sorted(set(WHO_MAY) - set(routes))
    assert not without_row, f"say in WHO_MAY (tests/routers/test_rights.py) who may: {without_row}"
    assert not without_route, f"rows in WHO_MAY without a route, remove them: {without_route}"


def test_permissions_of_roles_let_in_whom_the_table_names(routes: dict[str, RouteContext]) -> None:
    different = {}
    for name, route in routes.items():
        access = access_of(route)
        who: frozenset[Role] | None
        if isinstance(access, Public):
            who = ANYBODY
        else:
            assert isinstance(access, Allow)
            needed = set(access.permissions)
            who = frozenset(role for role in Role if needed <= ROLE_PERMISSIONS[role])
        if name in WHO_MAY and who != WHO_MAY[name]:
            different[name] = who
    assert different == {}


def _guarded() -> list[str]:
    """Return the routes that ask for sign-in; the one that ends it comes last."""
    guarded = [name for name, who in WHO_MAY.items() if who is not ANYBODY]
    return sorted(guarded, key=lambda name: (name == SIGNS_OUT, name))


async def _call(client: httpx.AsyncClient, name: str, headers: dict[str, str]) -> httpx.Response:
    """Call a route with ids of nothing and an empty body."""
    method, path = name.split(" ")
    address = re.sub(r"\{[^}]+\}", lambda _: str(new_id()), path)
    return await client.request(
        method,
        address,
        headers={"Content-Type": "application/json", **headers},
        content=b"{}" if method in {"POST", "PUT", "PATCH"} else None,
    )


@pytest.mark.parametrize("role", list(Role))
async def test_each_route_refuses_whom_the_table_does_not_name(
    client: httpx.AsyncClient, world: World, role: Role
) -> None:
    wrong = {}
    for name in _guarded():
        who = WHO_MAY[name]
        assert who is not None
        answer = await _call(client, name, world.headers(str(role), If_Match='"v1"'))
        is_refused = answer.status_code == 403
        if is_refused == (role in who) or answer.status_code == 401 or answer.status_code >= 500:
            wrong[name] = answer.status_code
    assert wrong == {}


async def test_each_route_refuses_who_is_not_signed_in(
    client: httpx.AsyncClient, world: World
) -> None:
    answers = {
        name: (await _call(client, name, {"Idempotency-Key": "k", "If-Match": '"v1"'}))
        for name in _guarded()
    }
    assert {answer.status_code for answer in answers.values()} == {401}
    assert {answer.json()["type"] for answer in answers.values()} == {"/problems/unauthenticated"}


async def test_an_api_key_opens_what_its_scopes_name_and_nothing_else(
    client: httpx.AsyncClient, world: World, routes: dict[str, RouteContext]
) -> None:
    wrong = {}
    for number, name in enumerate(_guarded()):
        access = access_of(routes[name])
        assert isinstance(access, Allow)
        headers = {
            "X-API-Key": world.api_key, "Idempotency-Key": f"k{number}", "If-Match": '"v1"'
        }  # fmt: skip
        answer = await _call(client, name, headers)
        in_scope = set(access.permissions) <= {"customers:read", "customers:write"}
        if (answer.status_code == 403) == in_scope or answer.status_code in {401, 500}:
            wrong[name] = answer.status_code
    assert wrong == {}


OWN, OTHER, NOBODYS = "own store's", "another store's", "no store's"
# What a store manager of S01 is answered, by whose the object is. Routes of objects that no store
# has, and of what every store reads, are not here.
AT_STORES: Mapping[str, Mapping[str, int]] = {
    "GET /v1/customers/{customer_id}": {OWN: 200, OTHER: 200, NOBODYS: 200},
    "GET /v1/customers/{customer_id}/changes": {OWN: 200, OTHER: 200, NOBODYS: 200},
    "GET /v1/customers/{customer_id}/purchases": {OWN: 200, OTHER: 200, NOBODYS: 200},
    "GET /v1/customers/{customer_id}/merges": {OWN: 200, OTHER: 200, NOBODYS: 200},
    "GET /v1/customers/{customer_id}/profile": {OWN: 200, OTHER: 200, NOBODYS: 200},
    "GET /v1/customers/{customer_id}/tier": {OWN: 200, OTHER: 200, NOBODYS: 200},
    "PATCH /v1/customers/{customer_id}": {OWN: 200, OTHER: 403, NOBODYS: 200},
    "POST /v1/customers/{customer_id}/archive": {OWN: 200, OTHER: 403, NOBODYS: 200},
    "POST /v1/customers/{customer_id}/restore": {OWN: 409, OTHER: 403, NOBODYS: 409},
    "POST /v1/customers/{customer_id}/identities": {OWN: 201, OTHER: 403, NOBODYS: 201},
    "DELETE /v1/customers/{customer_id}/identities/{identity_id}": {
        OWN: 200, OTHER: 403, NOBODYS: 200,
    },
    "POST /v1/customers/{customer_id}/verifications": {OWN: 200, OTHER: 403, NOBODYS: 200},
    # A person's card has no contact persons: who may change it is told so.
    "POST /v1/customers/{customer_id}/contacts": {OWN: 409, OTHER: 403, NOBODYS: 409},
    "PATCH /v1/customers/{customer_id}/contacts/{contact_id}": {
        OWN: 409, OTHER: 403, NOBODYS: 409,
    },
    "DELETE /v1/customers/{customer_id}/contacts/{contact_id}": {
        OWN: 409, OTHER: 403, NOBODYS: 409,
    },
    "POST /v1/customers/{customer_id}/consents": {OWN: 201, OTHER: 403, NOBODYS: 201},
    "POST /v1/customers/{customer_id}/consents/withdraw-all": {
        OWN: 201, OTHER: 403, NOBODYS: 201,
    },
    "POST /v1/customers/{customer_id}/disclosures": {OWN: 200, OTHER: 403, NOBODYS: 200},
    "POST /v1/customers/{customer_id}/interactions": {OWN: 201, OTHER: 201, NOBODYS: 201},
    "PATCH /v1/customers/{customer_id}/interactions/{interaction_id}": {
        OWN: 200, OTHER: 403, NOBODYS: 200,
    },
    "POST /v1/customers/{customer_id}/interactions/{interaction_id}/next-step-done": {
        OWN: 200, OTHER: 200, NOBODYS: 200,
    },
    "POST /v1/customers/{customer_id}/tier-override": {OWN: 201, OTHER: 403, NOBODYS: 201},
    # Nobody has set it.
    "POST /v1/customers/{customer_id}/tier-override/end": {OWN: 409, OTHER: 403, NOBODYS: 409},
    "GET /v1/tier-reviews/{customer_id}/{review_id}": {OWN: 200, OTHER: 404, NOBODYS: 200},
    # Nothing was bought that would earn it.
    "POST /v1/tier-reviews/{customer_id}/{review_id}/accept": {
        OWN: 409, OTHER: 404, NOBODYS: 409,
    },
    "POST /v1/tier-reviews/{customer_id}/{review_id}/refuse": {
        OWN: 200, OTHER: 404, NOBODYS: 200,
    },
    "GET /v1/staff/{staff_id}": {OWN: 200, OTHER: 200, NOBODYS: 200},
    "GET /v1/staff/{staff_id}/absences": {OWN: 200, OTHER: 404, NOBODYS: 404},
    "GET /v1/staff/{staff_id}/absences/{absence_id}": {OWN: 200, OTHER: 404, NOBODYS: 404},
    "GET /v1/sources/{source_id}": {OWN: 200, OTHER: 404},
    "GET /v1/sources/{source_id}/secrets/{secret_id}": {OWN: 200, OTHER: 404},
    "GET /v1/pos/{source}/events/{event_id}": {OWN: 200, OTHER: 404},
    "POST /v1/pos/{source}/events/{event_id}/replay": {OWN: 200, OTHER: 404},
}  # fmt: skip
BODIES: Mapping[str, Mapping[str, Any]] = {
    "POST /v1/customers/{customer_id}/disclosures": {
        "fields": ["identities"],
        "reason": "call back",
    },
    "PATCH /v1/customers/{customer_id}": {"note": "x"},
    "POST /v1/customers/{customer_id}/identities": {"kind": "wechat", "value": "another"},
    "POST /v1/customers/{customer_id}/contacts": {"name": "陈老师"},
    "PATCH /v1/customers/{customer_id}/contacts/{contact_id}": {"decides": True},
    "POST /v1/customers/{customer_id}/interactions": {
        "channel": "phone",
        "direction": "inbound",
        "subject": "x",
    },
    "PATCH /v1/customers/{customer_id}/interactions/{interaction_id}": {"subject": "x"},
    "POST /v1/customers/{customer_id}/consents": {
        "statements": [
            {"purpose": "marketing", "channel": "sms", "state": "granted", "proof": "form"}
        ]
    },
    "POST /v1/customers/{customer_id}/consents/withdraw-all": {"proof": "form"},
    "POST /v1/customers/{customer_id}/tier-override": {
        "level": "main",
        "reason": "as agreed",
        "ends_on": (clock.now() + timedelta(days=30)).date().isoformat(),
    },
    "POST /v1/customers/{customer_id}/tier-override/end": {"reason": "no longer"},
    "POST /v1/tier-reviews/{customer_id}/{review_id}/accept": {},
    "POST /v1/tier-reviews/{customer_id}/{review_id}/refuse": {"reason": "one order for a school"},
}


async def _held_upgrade(database: Database, customer_id: str) -> str:
    """Write a review that a card's upgrade waits for; return its id."""
    review_id = new_id()
    async with database.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO tier_review (customer_id, id, policy_id, level, next_level, evidence,"
                " is_severe, status, opened_at) SELECT :card, :review, p.id, 'small', 'main',"
                " :evidence, false, 'open', :now FROM tier_policy AS p"
                " WHERE p.scope = 'individual' AND p.status = 'active'"
            ),
            {
                "card": UUID(customer_id), "review": review_id, "now": clock.now(),
                "evidence": json.dumps(
                    {"as_of": "2026-11-21", "gross": "0.00", "top_gross": "0.00", "signs": [],
                     "is_severe": False, "conditions": [], "sentences": {"en": "", "zh": ""}}
                ),
            },
        )  # fmt: skip
    return str(review_id)


async def _objects(
    client: httpx.AsyncClient, world: World, database: Database, whose: str
) -> dict[str, str]:
    """Make one object of each kind that is ``whose``; return their ids by the path's parameters."""
    store = {OWN: "S01", OTHER: "S02"}.get(whose)
    card = await client.post(
        "/v1/customers",
        json={
            "kind": "individual",
            "name": "王小明",
            "home_store_id": str(world.stores[store]) if store else None,
            "identities": [{"kind": "wechat", "value": "first"}],
        },
        headers=world.headers("admin"),
    )
    contact = await client.post(
        f"/v1/customers/{card.json()['id']}/interactions",
        json={
            "channel": "phone", "direction": "inbound", "subject": "first", "next_step": "second",
            "store_id": str(world.stores[store]) if store else None,
        },
        headers=world.headers("admin"),
    )  # fmt: skip
    person = {OWN: "clerk", OTHER: "clerk2"}.get(whose, "auditor")
    absence = await client.post(
        f"/v1/staff/{world.staff[person]}/absences",
        json={"starts_on": "2026-12-01", "ends_on": "2026-12-05", "reason": "leave"},
        headers=world.headers("admin"),
    )
    assert (card.status_code, absence.status_code, contact.status_code) == (201, 201, 201)
    ids = {
        "customer_id": card.json()["id"],
        "identity_id": card.json()["identities"][0]["id"],
        "contact_id": str(new_id()),
        "interaction_id": contact.json()["id"],
        "staff_id": str(world.staff[person]),
        "absence_id": absence.json()["id"],
        "review_id": await _held_upgrade(database, card.json()["id"]),
    }
    if store is None:
        return ids
    till = {"S01": "till-1", "S02": "till-2"}[store]
    event = sale("58.00", store="S99")
    assert (await send_event(client, world, event, till)).json()["status"] == "held"
    path = f"/v1/sources/{world.sources[till]}"
    read = await client.get(path, headers=world.headers("admin"))
    return ids | {
        "source_id": str(world.sources[till]),
        "secret_id": read.json()["secrets"][0]["id"],
        "source": till,
        "event_id": event["event_id"],
    }


@pytest.mark.parametrize(
    ("name", "whose", "expected"),
    [(name, whose, status) for name, row in AT_STORES.items() for whose, status in row.items()],
)
async def test_who_is_bound_to_a_store_is_answered_by_whose_the_object_is(
    client: httpx.AsyncClient, world: World, database: Database, name: str, whose: str,
    expected: int,
) -> None:  # fmt: skip
    ids = await _objects(client, world, database, whose)
    method, path = name.split(" ")
    answer = await client.request(
        method,
        path.format_map(ids),
        json=BODIES.get(name),
        headers=world.headers("store_manager", If_Match='"v1"'),
    )
    assert answer.status_code == expected, answer.text
    if expected == 403:
        after = await client.get(
            f"/v1/customers/{ids['customer_id']}", headers=world.headers("admin")
        )
        assert after.json()["version"] == 1


def test_every_object_that_a_store_has_stands_in_the_table_of_stores() -> None:
    at_store = (
        "customers/{customer_id}",
        "absences",
        "sources/{source_id}",
        "pos/{source}/events/",
        "tier-reviews/{customer_id}",
    )
    wanted = {
        name
        for name, who in WHO_MAY.items()
        if who is not ANYBODY
        and Role.STORE_MANAGER in who
        and any(part in name for part in at_store)
    }
    everybody_reads = {
        "GET /v1/customers/{customer_id}/contacts",
        "GET /v1/customers/{customer_id}/contacts/{contact_id}",
        "GET /v1/customers/{customer_id}/duplicates",
        "GET /v1/customers/{customer_id}/consents",
        "GET /v1/customers/{customer_id}/consents/check",
        "GET /v1/customers/{customer_id}/consents/history",
        "GET /v1/customers/{customer_id}/interactions",
        "GET /v1/customers/{customer_id}/interactions/{interaction_id}",
        "GET /v1/customers/{customer_id}/interactions/{interaction_id}/changes",
        "GET /v1/customers/{customer_id}/purchases/{purchase_id}",
        "GET /v1/customers/{customer_id}/statistics",
        "GET /v1/customers/{customer_id}/tier-history",
        "GET /v1/customers/{customer_id}/timeline",
        "GET /v1/customers/{customer_id}/overview",
    }
    assert wanted - everybody_reads == set(AT_STORES) - {"GET /v1/staff/{staff_id}"}


def test_the_service_refuses_to_start_with_a_route_that_does_not_say_who_may_call_it(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = APIRouter()

    @router.get("/v1/forgotten")
    async def forgotten() -> None:
        """Say nothing about access."""

    monkeypatch.setattr("app.main.ROUTERS", (router,))
    with pytest.raises(RuntimeError, match=r"\['GET'\] /v1/forgotten"):
        create_app(settings, database)


def test_the_check_at_the_start_sees_routes_of_nested_routers() -> None:
    inner, outer, app = APIRouter(), APIRouter(prefix="/outer"), FastAPI()

    @inner.get("/forgotten")
    async def forgotten() -> None:
        """Say nothing about access."""

    outer.include_router(inner)
    app.include_router(outer)
    assert "['GET'] /outer/forgotten" in dependencies.unguarded_routes(app)
