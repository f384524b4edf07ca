"""Tier policies are written as drafts: from a preset, a copy, or nothing; what is wrong is said."""

from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import col

from app.core.database import Database
from app.core.ids import new_id
from app.models import AuditEntry
from app.rules import tier_drafts
from app.rules import tier_policies as rules
from app.schemas import tier_policies as schemas
from app.services import tier_policies
from tests.support.cards import pointers_of
from tests.support.tier_policies import (
    KEEP,
    LEVELS,
    PATH,
    THRESHOLDS,
    as_seen,
    draft,
    read,
    versions,
)
from tests.support.world import World

SHIPPED = "01937e00-0000-7000-8000-000000000001"
NOTHING_OWED = {
    "visit_every_days": None, "points_factor": "1", "discount_percent": "0",
    "response_factor": "1", "has_dedicated_staff": False, "yearly_cost": "0",
}  # fmt: skip


def test_the_document_says_the_bounds_of_the_rules() -> None:
    for name in ("LONGEST_HOLD_DAYS", "LONGEST_NOTICE_DAYS"):
        assert getattr(schemas, name) == getattr(tier_drafts, name)
    for name in ("SHORTEST_WINDOW_DAYS", "LONGEST_WINDOW_DAYS"):
        assert getattr(schemas, name) == getattr(rules, name)


async def told(database: Database, policy_id: str) -> list[tuple[str, list[str]]]:
    """Return what the audit trail says was done to a version."""
    async with database.transaction() as session:
        rows = await session.scalars(
            select(AuditEntry)
            .where(col(AuditEntry.object_type) == "tier_policy")
            .order_by(col(AuditEntry.id))
        )
        return [(str(row.action), row.fields) for row in rows if str(row.object_id) == policy_id]


async def test_a_draft_is_written_and_read(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    answer = await client.post(PATH, headers=world.headers(), json=THRESHOLDS)
    policy = answer.json()
    assert answer.status_code == 201
    assert (answer.headers["etag"], answer.headers["location"]) == (
        '"v1"',
        f"{PATH}/{policy['id']}",
    )
    assert policy == {
        "id": policy["id"],
        "scope": "individual",
        "version": 2,
        "name": "Lower lines",
        "note": None,
        "status": "draft",
        "method": "threshold",
        "metric": "net_spend",
        "share_of": None,
        "unit": "money",
        "window_days": 365,
        "levels": [
            {"level": "main", "at_least": "500.00", "top_percent": None,
             "benefits": {**NOTHING_OWED, "discount_percent": "10"}},
            {"level": "ordinary", "at_least": "100.00", "top_percent": None,
             "benefits": NOTHING_OWED},
            {"level": "small", "at_least": "0.00", "top_percent": None, "benefits": NOTHING_OWED},
        ],
        "indicators": [],
        "keep": KEEP,
        "hints": [],
        "fingerprint": policy["fingerprint"],
        "revision": 1,
        "created_at": policy["created_at"],
        "created_by_id": str(world.staff["manager"]),
        "approved_at": None,
        "approved_by_id": None,
        "effective_on": None,
        "activated_at": None,
        "retired_at": None,
        "calibration": None,
    }  # fmt: skip
    assert await read(client, world, policy) == policy
    assert await told(database, policy["id"]) == [
        ("created", ["keep", "levels", "method", "metric", "name", "window_days"])
    ]


async def test_the_list_has_what_was_shipped_and_the_drafts(
    client: httpx.AsyncClient, world: World
) -> None:
    policy = await draft(client, world)
    found = await versions(client, world)
    assert [(one["scope"], one["version"], one["status"]) for one in found] == [
        ("individual", 2, "draft"), ("individual", 1, "active"), ("organization", 1, "active"),
    ]  # fmt: skip
    assert found[0] == {name: value for name, value in policy.items() if name != "calibration"}
    assert [level["at_least"] for level in found[1]["levels"]] == ["1000.00", "300.00", "0.00"]


@pytest.mark.parametrize("scope", ["individual", "organization"])
async def test_every_preset_can_be_drafted_as_it_is_shown(
    client: httpx.AsyncClient, world: World, scope: str
) -> None:
    answer = await client.get(f"{PATH}/presets", headers=world.headers("clerk"))
    presets = [one for one in answer.json()["items"] if one["scope"] == scope]
    assert [one["preset"]["code"] for one in presets] == [
        "bookshop", "composite", "top_fifth_of_customers", "top_80_of_value",
    ]  # fmt: skip
    for one in presets:
        policy = await draft(
            client, world, scope=scope, name="From a preset", preset=one["preset"]["code"]
        )
        shown = {name: value for name, value in one.items() if name != "preset"}
        assert {name: policy[name] for name in shown} == shown
    composite = (await versions(client, world))[2 if scope == "individual" else 3]
    assert (composite["method"], composite["unit"]) == ("composite", "points")
    assert [(hint["pointer"], hint["code"]) for hint in composite["hints"]] == [
        ("/indicators/4/indicator", "absent")
    ]


async def test_what_is_named_beside_a_preset_stands_instead(
    client: httpx.AsyncClient, world: World
) -> None:
    policy = await draft(
        client, world, scope="individual", name="Shorter", preset="bookshop", window_days=180
    )
    assert policy["window_days"] == 180
    assert [level["at_least"] for level in policy["levels"]] == ["1000.00", "300.00", "0.00"]


async def test_a_copy_begins_as_another_version(client: httpx.AsyncClient, world: World) -> None:
    policy = await draft(client, world, scope="organization", name="As theirs", copy_of=SHIPPED)
    assert (policy["scope"], policy["version"]) == ("organization", 2)
    assert [level["at_least"] for level in policy["levels"]] == ["1000.00", "300.00", "0.00"]
    assert policy["keep"] == KEEP


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"metric": "recency"}, [("/metric", "metric")]),
        ({"metric": None, "keep": None}, [("/keep", "missing"), ("/metric", "missing")]),
        ({"method": None}, [("/method", "missing")]),
        ({"share_of": "value"}, [("/share_of", "not-of-method")]),
        (
            {"levels": [LEVELS[1], LEVELS[0], LEVELS[2]]},
            [("/levels/1/level", "order"), ("/levels/1/at_least", "order")],
        ),
        ({"levels": LEVELS[:2]}, [("/levels/1/at_least", "everybody")]),
        ({"preset": "bookshop", "copy_of": SHIPPED}, [("/copy_of", "either-or")]),
        ({"copy_of": str(new_id())}, [("/copy_of", "unknown")]),
        ({"window_days": 29}, [("/window_days", "greater-than-equal")]),
        ({"levels": [{**LEVELS[0], "at_least": 500}, LEVELS[2]]},
         [("/levels/0/at_least", "string-type")]),
        ({"status": "active"}, [("/status", "extra-forbidden")]),
    ],
)  # fmt: skip
async def test_a_wrong_draft_is_refused_where_it_is_wrong(
    client: httpx.AsyncClient, world: World, change: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    refused = await client.post(PATH, headers=world.headers(), json={**THRESHOLDS, **change})
    assert refused.status_code == 422
    assert pointers_of(refused) == expected
    assert len(await versions(client, world)) == 2


async def test_findings_are_told_in_chinese(client: httpx.AsyncClient, world: World) -> None:
    headers = {**world.headers(), "Accept-Language": "zh"}
    body = {
        "scope": "individual", "name": "二八", "preset": "top_fifth_of_customers",
        "levels": [{"level": "main", "top_percent": "20"}, {"level": "small", "top_percent": "15"}],
    }  # fmt: skip
    refused = await client.post(PATH, headers=headers, json=body)
    assert [error["detail"] for error in refused.json()["errors"]] == [
        "须大于上一层级的 20：占比自上而下累计。", "最低层级须为 100，使每位客户都有层级。",
    ]  # fmt: skip


async def test_a_draft_is_changed_by_who_has_seen_it(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    policy = await draft(client, world)
    where = f"{PATH}/{policy['id']}"
    unseen = await client.patch(where, headers=world.headers(), json={"name": "Mine"})
    assert unseen.status_code == 428
    answer = await client.patch(
        where, headers=as_seen(world, policy),
        json={"name": "Mine", "window_days": 180, "note": "Half a year."},
    )  # fmt: skip
    changed = answer.json()
    assert (answer.status_code, answer.headers["etag"]) == (200, '"v2"')
    assert changed == {
        **policy, "name": "Mine", "note": "Half a year.", "window_days": 180, "revision": 2,
        "fingerprint": changed["fingerprint"],
    }  # fmt: skip
    assert changed["fingerprint"] != policy["fingerprint"]
    stale = await client.patch(where, headers=as_seen(world, policy), json={"name": "Yours"})
    assert (stale.status_code, stale.json()["changed_fields"]) == (
        412, ["name", "note", "window_days"],
    )  # fmt: skip
    assert await read(client, world, policy) == changed
    assert (await told(database, policy["id"]))[1:] == [
        ("changed", ["name", "note", "window_days"])
    ]


async def test_what_changes_nothing_is_no_revision(client: httpx.AsyncClient, world: World) -> None:
    policy = await draft(client, world)
    same = await client.patch(
        f"{PATH}/{policy['id']}", headers=as_seen(world, policy),
        json={"window_days": 365, "levels": LEVELS},
    )  # fmt: skip
    assert (same.status_code, same.json()) == (200, policy)


async def test_the_method_is_changed_with_what_belongs_to_it(
    client: httpx.AsyncClient, world: World
) -> None:
    policy = await draft(client, world)
    where, headers = f"{PATH}/{policy['id']}", as_seen(world, policy)
    half = await client.patch(where, headers=headers, json={"method": "composite"})
    assert half.status_code == 422
    assert pointers_of(half) == [
        ("/metric", "not-of-method"),
        ("/indicators", "missing"),
        ("/levels/0/at_least", "not-of-method"),
        ("/levels/1/at_least", "not-of-method"),
        ("/levels/2/at_least", "not-of-method"),
        ("/levels/0/top_percent", "missing"),
        ("/levels/1/top_percent", "missing"),
        ("/levels/2/top_percent", "missing"),
    ]
    assert await read(client, world, policy) == policy
    whole = await client.patch(
        where,
        headers=headers,
        json={
            "method": "composite", "metric": None,
            "indicators": [{"indicator": "margin", "weight": "1"}],
            "levels": [{"level": "key", "top_percent": "5", "at_least": None},
                       {"level": "maintenance", "top_percent": "100"}],
        },
    )  # fmt: skip
    assert whole.status_code == 200, whole.text
    assert (whole.json()["unit"], whole.json()["metric"]) == ("points", None)
    assert [level["at_least"] for level in whole.json()["levels"]] == [None, None]


async def test_a_draft_is_thrown_away_and_its_number_given_again(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    policy = await draft(client, world)
    gone = await client.delete(f"{PATH}/{policy['id']}", headers=as_seen(world, policy))
    assert (gone.status_code, gone.content) == (204, b"")
    assert len(await versions(client, world)) == 2
    again = await client.delete(f"{PATH}/{policy['id']}", headers=as_seen(world, policy))
    assert again.status_code == 404
    assert (await told(database, policy["id"]))[1:] == [("cancelled", [])]
    assert (await draft(client, world))["version"] == 2


async def test_what_is_in_force_is_not_changed(client: httpx.AsyncClient, world: World) -> None:
    shipped = await read(client, world, SHIPPED)
    where, headers = f"{PATH}/{SHIPPED}", as_seen(world, shipped)
    for answer in (
        await client.patch(where, headers=headers, json={"name": "Mine"}),
        await client.delete(where, headers=headers),
        await client.post(f"{where}/publish", headers=headers, json={}),
        await client.post(f"{where}/retract", headers=headers),
    ):
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/invalid-transition")
        assert (answer.json()["status"], answer.json()["policy_status"]) == (409, "active")
    assert await read(client, world, SHIPPED) == shipped


async def test_there_are_so_many_drafts_and_no_more(
    client: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tier_policies, "MAXIMUM_DRAFTS", 1)
    await draft(client, world)
    refused = await client.post(PATH, headers=world.headers(), json=THRESHOLDS)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/conflict")
    assert (await draft(client, world, **{**THRESHOLDS, "scope": "organization"}))["version"] == 2


async def test_a_draft_that_was_not_tried_out_is_not_published(
    client: httpx.AsyncClient, world: World
) -> None:
    policy = await draft(client, world)
    refused = await client.post(
        f"{PATH}/{policy['id']}/publish", headers=as_seen(world, policy), json={}
    )
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/simulation-required")
    assert await read(client, world, policy) == policy


async def test_a_draft_is_written_once_for_a_key(client: httpx.AsyncClient, world: World) -> None:
    headers = world.headers()
    first = await client.post(PATH, headers=headers, json=THRESHOLDS)
    second = await client.post(PATH, headers=headers, json=THRESHOLDS)
    assert second.json() == first.json()
    assert len(await versions(client, world)) == 3


@pytest.mark.parametrize("who", ["store_manager", "clerk", "service", "marketing", "auditor"])
async def test_others_read_policies_and_write_none(
    client: httpx.AsyncClient, world: World, who: str
) -> None:
    policy = await draft(client, world)
    where = f"{PATH}/{policy['id']}"
    for answer in (
        await client.post(PATH, headers=world.headers(who), json=THRESHOLDS),
        await client.patch(where, headers=as_seen(world, policy, who), json={"name": "Mine"}),
        await client.delete(where, headers=as_seen(world, policy, who)),
        await client.post(f"{where}/publish", headers=as_seen(world, policy, who), json={}),
        await client.post(f"{where}/retract", headers=as_seen(world, policy, who)),
    ):
        assert answer.status_code == 403
    assert len(await versions(client, world)) == 3
    assert await read(client, world, policy) == policy
