"""Contacts with customers: recorded, listed, corrected within their window, with their history."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.core import clock
from app.core.database import Database
from app.core.ids import new_id
from tests.support.cards import create_card, pointers_of
from tests.support.contacts import contact, contact_counts, keep_signed_in, record, service_stats
from tests.support.events import sale
from tests.support.world import World, send_event

NOW = datetime(2026, 11, 28, 6, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
async def now(database: Database) -> AsyncIterator[clock.FixedClock]:
    """A clock that tests move."""
    fixed = clock.FixedClock(NOW)
    with clock.using(fixed, everywhere=True):
        yield fixed


@pytest.fixture
async def card(client: httpx.AsyncClient, world: World) -> str:
    """The id of a card of the other shop."""
    made = await create_card(client, world, home_store_id=str(world.stores["S02"]))
    return str(made["id"])


async def correct(
    client: httpx.AsyncClient, world: World, one: dict[str, Any], who: str, **fields: Any
) -> httpx.Response:
    """Send a correction of a contact by somebody who has seen its version."""
    return await client.patch(
        f"/v1/customers/{one['customer_id']}/interactions/{one['id']}",
        headers=world.headers(who, If_Match=f'"v{one["version"]}"'),
        json=fields,
    )


async def test_a_call_is_recorded_by_any_shops_clerk_with_what_goes_without_saying(
    client: httpx.AsyncClient, world: World, card: str
) -> None:
    answer = await client.post(
        f"/v1/customers/{card}/interactions",
        headers=world.headers("clerk"),
        json=contact(
            text="下周到货", duration_seconds=90, outcome="follow_up", next_step="通知到货",
            next_step_on="2026-12-02",
        ),
    )  # fmt: skip
    assert answer.status_code == 201, answer.text
    recorded = answer.json()
    assert recorded == {
        "id": recorded["id"], "customer_id": card, "channel": "phone", "direction": "inbound",
        "subject": "询问到货", "text": "下周到货", "occurred_at": "2026-11-28T06:30:00Z",
        "business_day": "2026-11-28", "duration_seconds": 90, "outcome": "follow_up",
        "next_step": "通知到货", "next_step_on": "2026-12-02", "next_step_done_at": None,
        "store_id": str(world.stores["S01"]), "staff_id": str(world.staff["clerk"]),
        "contact_id": None, "purchase_id": None, "cost": recorded["cost"], "version": 1,
        "recorded_at": "2026-11-28T06:30:00Z", "recorded_by_kind": "staff",
        "recorded_by_id": str(world.staff["clerk"]), "updated_at": "2026-11-28T06:30:00Z",
    }  # fmt: skip
    assert answer.headers["ETag"] == '"v1"'
    read = await client.get(answer.headers["Location"], headers=world.headers("auditor"))
    assert (read.json(), read.headers["ETag"]) == (recorded, '"v1"')


async def test_the_same_request_twice_records_one_contact(
    client: httpx.AsyncClient, world: World, card: str, database: Database
) -> None:
    headers = world.headers("clerk")
    path, body = f"/v1/customers/{card}/interactions", contact()
    first = await client.post(path, headers=headers, json=body)
    rows = await contact_counts(database)
    second = await client.post(path, headers=headers, json=body)
    assert (second.status_code, second.json()) == (201, first.json())
    assert await contact_counts(database) == rows


async def test_a_contact_names_a_receipt_and_a_contact_person_of_its_own_customer_only(
    client: httpx.AsyncClient, world: World
) -> None:
    mine = await create_card(
        client, world, identities=[{"kind": "member_number", "value": "HK000001"}]
    )
    other = await create_card(client, world)
    bought = await send_event(client, world, sale("58.00", member="HK000001"))
    purchase_id = bought.json()["purchase_id"]
    one = await record(client, world, mine["id"], purchase_id=purchase_id)
    assert one["purchase_id"] == purchase_id
    answer = await client.post(
        f"/v1/customers/{other['id']}/interactions",
        headers=world.headers(),
        json=contact(
            purchase_id=purchase_id, contact_id=str(new_id()), staff_id=str(new_id()),
            store_id=str(new_id()),
        ),
    )  # fmt: skip
    assert (answer.status_code, pointers_of(answer)) == (
        422,
        [(f"/{name}", "unknown") for name in ("contact_id", "purchase_id", "staff_id", "store_id")],
    )


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        pytest.param(
            {"occurred_at": "2026-11-28T06:30:01Z"}, ("/occurred_at", "in-the-future"), id="future"
        ),
        pytest.param(
            {"occurred_at": "1989-12-31T15:59:59Z"}, ("/occurred_at", "too-early"), id="1989"
        ),
        pytest.param(
            {"next_step_on": "2026-12-01"}, ("/next_step", "missing"), id="day without a step"
        ),
        pytest.param(
            {"next_step": "x", "next_step_on": "2026-11-27"},
            ("/next_step_on", "before-the-contact"), id="step before the contact",
        ),
        pytest.param({"complaint_id": str(new_id())}, ("/complaint_id", "extra-forbidden"),
                     id="links that have no source yet"),
        pytest.param({"cost": "0.00"}, ("/cost", "extra-forbidden"), id="its cost"),
        pytest.param({"subject": " "}, ("/subject", "string-too-short"), id="no subject"),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused_and_nothing_is_written(
    client: httpx.AsyncClient, world: World, card: str, database: Database,
    fields: dict[str, Any], found: tuple[str, str],
) -> None:  # fmt: skip
    rows = await contact_counts(database)
    answer = await client.post(
        f"/v1/customers/{card}/interactions", headers=world.headers("clerk"), json=contact(**fields)
    )
    assert (answer.status_code, pointers_of(answer)) == (422, [found])
    assert await contact_counts(database) == rows


@pytest.mark.parametrize(
    "fields",
    [{"occurred_at": "1989-12-31T16:00:00Z"}, {"occurred_at": "2026-11-28T06:30:00Z"},
     {"next_step": "x", "next_step_on": "2026-11-28"}, {"next_step": "x"}],
    ids=["first day of 1990", "this very moment", "on the day itself", "some day"],
)  # fmt: skip
async def test_what_just_can_be_is_recorded(
    client: httpx.AsyncClient, world: World, card: str, fields: dict[str, Any]
) -> None:
    recorded = await record(client, world, card, **fields)
    assert recorded | fields == recorded


async def test_a_clerk_records_for_no_other_shop_and_nobody_with_no_card(
    client: httpx.AsyncClient, world: World, card: str, database: Database
) -> None:
    rows = await contact_counts(database)
    body = contact(store_id=str(world.stores["S02"]))
    elsewhere = await client.post(
        f"/v1/customers/{card}/interactions", headers=world.headers("clerk"), json=body
    )
    nowhere = await client.post(
        f"/v1/customers/{new_id()}/interactions", headers=world.headers(), json=contact()
    )
    assert (elsewhere.status_code, nowhere.status_code) == (403, 404)
    assert await contact_counts(database) == rows


async def test_an_archived_cards_customer_is_spoken_with_all_the_same(
    client: httpx.AsyncClient, world: World, card: str
) -> None:
    await client.post(f"/v1/customers/{card}/archive", headers=world.headers(If_Match='"v1"'))
    assert (await record(client, world, card))["customer_id"] == card


async def test_lists_are_filtered_and_walked_newest_first_without_loss(
    client: httpx.AsyncClient, world: World, card: str
) -> None:
    made = [
        await record(
            client, world, card, occurred_at=(NOW - timedelta(days=n // 3)).isoformat(),
            channel=("phone", "wechat")[n % 2], direction=("inbound", "outbound")[n % 3 == 0],
            outcome=("resolved", None)[n % 2],
        )
        for n in range(9)
    ]  # fmt: skip
    expected = sorted(made, key=lambda one: (one["occurred_at"], one["id"]), reverse=True)
    path = f"/v1/customers/{card}/interactions"

    async def walked(**parameters: Any) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            answer = await client.get(
                path, headers=world.headers(), params={"limit": 2, **parameters, **cursor}
            )
            assert answer.status_code == 200, answer.text
            items += answer.json()["items"]
            if answer.json()["next_cursor"] is None:
                return items
            cursor = {"cursor": answer.json()["next_cursor"]}

    assert await walked() == expected
    for field in ("channel", "direction", "outcome"):
        value = made[0][field]
        assert await walked(**{field: value}) == [o for o in expected if o[field] == value]
    assert await walked(occurred_from="2026-11-27", occurred_to="2026-11-27") == expected[3:6]
    other = await client.get(f"/v1/customers/{new_id()}/interactions", headers=world.headers())
    assert other.status_code == 404


async def test_a_correction_makes_a_version_with_what_was_and_what_became(
    client: httpx.AsyncClient, world: World, card: str
) -> None:
    one = await record(client, world, card, "clerk", duration_seconds=60, outcome="follow_up")
    answer = await correct(
        client, world, one, "clerk", duration_seconds=120, outcome="resolved", subject="询问到货"
    )
    assert answer.status_code == 200, answer.text
    cost = answer.json()["cost"]
    assert answer.json() == one | {
        "duration_seconds": 120, "outcome": "resolved", "version": 2, "cost": cost,
    }  # fmt: skip
    assert answer.headers["ETag"] == '"v2"'
    same = await correct(client, world, answer.json(), "clerk", outcome="resolved")
    assert same.json() == answer.json()
    cleared = await correct(client, world, answer.json(), "clerk", outcome=None)
    assert (cleared.json()["outcome"], cleared.json()["version"]) == (None, 3)
    history = await client.get(
        f"/v1/customers/{card}/interactions/{one['id']}/changes", headers=world.headers("auditor"),
        params={"limit": 1},
    )  # fmt: skip
    rest = await client.get(
        f"/v1/customers/{card}/interactions/{one['id']}/changes", headers=world.headers("auditor"),
        params={"limit": 1, "cursor": history.json()["next_cursor"]},
    )  # fmt: skip
    actor = {"actor_kind": "staff", "actor_id": str(world.staff["clerk"])}
    at = {"changed_at": "2026-11-28T06:30:00Z"}
    assert history.json()["items"] + rest.json()["items"] == [
        {"version": 3, "changes": {"outcome": ["resolved", None]}, **actor, **at},
        {
            "version": 2,
            "changes": {
                "duration_seconds": [60, 120], "outcome": ["follow_up", "resolved"],
                "cost": [one["cost"], cost],
            },
            **actor, **at,
        },
    ]  # fmt: skip
    assert rest.json()["next_cursor"] is None


async def test_its_author_corrects_for_a_day_and_leaders_of_its_shop_for_ever(
    client: httpx.AsyncClient, world: World, card: str, database: Database, now: clock.FixedClock
) -> None:
    one = await record(client, world, card, "clerk")
    now.advance(timedelta(hours=24))
    await keep_signed_in(database)
    last = (await correct(client, world, one, "clerk", subject="一")).json()
    now.advance(timedelta(microseconds=1))
    rows = await contact_counts(database)
    late = await correct(client, world, last, "clerk", subject="二")
    others = await correct(client, world, last, "service", subject="二")
    assert (late.status_code, others.status_code) == (403, 403)
    assert await contact_counts(database) == rows
    leader = await correct(client, world, last, "store_manager", subject="三")
    assert (leader.status_code, leader.json()["version"]) == (200, 3)
    elsewhere = await record(client, world, card, "clerk2")
    refused = await correct(client, world, elsewhere, "store_manager", subject="四")
    chief = await correct(client, world, elsewhere, "manager", subject="五")
    assert (refused.status_code, chief.status_code) == (403, 200)


async def test_who_has_not_seen_the_version_changes_nothing(
    client: httpx.AsyncClient, world: World, card: str, database: Database
) -> None:
    one = await record(client, world, card)
    await correct(client, world, one, "manager", subject="一", outcome="other")
    rows = await contact_counts(database)
    stale = await correct(client, world, one, "manager", subject="二")
    future = await correct(
        client, world, one | {"version": 2}, "manager", occurred_at="2026-11-29T00:00:00Z"
    )
    unknown = await correct(client, world, one | {"id": str(new_id())}, "manager", subject="二")
    assert (stale.status_code, stale.json()["changed_fields"]) == (412, ["outcome", "subject"])
    assert (future.status_code, pointers_of(future)) == (422, [("/occurred_at", "in-the-future")])
    assert unknown.status_code == 404
    assert await contact_counts(database) == rows


async def test_a_price_change_touches_no_recorded_contact_but_its_correction_is_priced_anew(
    client: httpx.AsyncClient, world: World, card: str, database: Database
) -> None:
    async def price(version: int, per_contact: str, per_minute: str) -> None:
        answer = await client.patch(
            "/v1/channels/phone",
            headers=world.headers(If_Match=f'"v{version}"'),
            json={"per_contact": per_contact, "per_minute": per_minute},
        )
        assert answer.status_code == 200, answer.text

    await price(1, "0.50", "1.00")
    one = await record(client, world, card, duration_seconds=90)
    assert one["cost"] == "2.00"
    await price(2, "1.00", "2.00")
    told = (await correct(client, world, one, "manager", subject="改")).json()
    assert told["cost"] == "2.00"
    longer = (await correct(client, world, told, "manager", duration_seconds=120)).json()
    assert longer["cost"] == "5.00"
    stats = await service_stats(database, card)
    assert stats is not None
    assert (stats.contacts, str(stats.service_cost)) == (1, "5.00")


async def test_open_next_steps_are_listed_by_day_until_they_are_done(
    client: httpx.AsyncClient, world: World, card: str
) -> None:
    days = ["2026-12-03", "2026-11-29", "2026-12-01", "2026-11-29"]
    steps = [
        await record(client, world, card, "clerk", next_step=f"事{n}", next_step_on=day)
        for n, day in enumerate(days)
    ]
    await record(client, world, card, "clerk", next_step="哪天都行")
    other = await record(client, world, card, "clerk2", next_step="二店", next_step_on="2026-11-30")

    async def listed(**parameters: Any) -> list[str]:
        items: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            answer = await client.get(
                "/v1/interactions/next-steps", headers=world.headers("clerk"),
                params={"limit": 2, **parameters, **cursor},
            )  # fmt: skip
            assert answer.status_code == 200, answer.text
            items += [item["next_step"] for item in answer.json()["items"]]
            if answer.json()["next_cursor"] is None:
                return items
            cursor = {"cursor": answer.json()["next_cursor"]}

    assert await listed() == ["事1", "事3", "二店", "事2", "事0"]
    assert await listed(staff_id=str(world.staff["clerk"])) == ["事1", "事3", "事2", "事0"]
    assert await listed(store_id=str(world.stores["S02"])) == ["二店"]
    assert await listed(until="2026-11-30") == ["事1", "事3", "二店"]

    async def finish(one: dict[str, Any], who: str, version: int) -> httpx.Response:
        return await client.post(
            f"/v1/customers/{card}/interactions/{one['id']}/next-step-done",
            headers=world.headers(who, If_Match=f'"v{version}"'),
        )

    # A step is handed on: whoever does it says so.
    done = await finish(other, "clerk", 1)
    assert (done.status_code, done.json()["next_step_done_at"]) == (200, "2026-11-28T06:30:00Z")
    assert (await finish(steps[1], "clerk", 1)).status_code == 200
    assert await listed() == ["事3", "事2", "事0"]
    again = await finish(other, "clerk", 2)
    assert (again.status_code, again.json()["type"]) == (409, "/problems/invalid-transition")
    moved = await correct(client, world, steps[0], "clerk", next_step_on="2026-12-04")
    changes = await client.get(
        f"/v1/customers/{card}/interactions/{moved.json()['id']}/changes", headers=world.headers()
    )
    assert changes.json()["items"][0]["changes"] == {"next_step_on": ["2026-12-03", "2026-12-04"]}
    # Another step is open again.
    new = await correct(client, world, done.json(), "manager", next_step_on="2026-12-24")
    assert new.json()["next_step_done_at"] is None
    assert await listed() == ["事3", "事2", "事0", "二店"]
