"""Cards changed, archived and restored: one version after the other, each with its history."""

from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import col

from app.core.database import Database
from app.core.ids import new_id
from app.models import AuditEntry, OutboxEvent
from app.vocabulary import Action, DomainEvent
from tests.support.cards import create_card, pointers_of, read_card, row_counts, seen
from tests.support.world import World

Answer = httpx.Response


async def change(
    client: httpx.AsyncClient, headers: dict[str, str], card: dict[str, Any], **fields: Any
) -> Answer:
    """Send a change of a card."""
    return await client.patch(f"/v1/customers/{card['id']}", headers=headers, json=fields)


async def test_what_is_sent_changes_null_empties_and_the_rest_stays(
    client: httpx.AsyncClient, world: World
) -> None:
    card = await create_card(
        client, world, note="old", employer="第三中学",
        birthday={"calendar": "solar", "month": 2, "day": 29},
    )  # fmt: skip
    answer = await change(
        client, seen(world, card), card, name="王 晓明", note=None,
        birthday={"calendar": "lunar", "year": 1990, "month": 5, "day": 1, "is_leap_month": True},
    )  # fmt: skip
    changed = answer.json()
    assert (answer.status_code, answer.headers["etag"]) == (200, '"v2"')
    assert changed == {
        **card,
        "name": "王 晓明",
        "note": None,
        "birthday": {
            "calendar": "lunar", "year": 1990, "month": 5, "day": 1, "is_leap_month": True,
            "next_on": changed["birthday"]["next_on"], "is_today": False,
        },
        "version": 2,
        "updated_at": changed["updated_at"],
    }  # fmt: skip
    assert changed["updated_at"] > card["updated_at"]
    assert await read_card(client, world, card["id"]) == changed
    emptied = await change(client, seen(world, changed), card, birthday=None)
    assert (emptied.json()["birthday"], emptied.json()["version"]) == (None, 3)


async def test_history_tells_who_changed_what_from_what_to_what_newest_first(
    client: httpx.AsyncClient, world: World
) -> None:
    card = await create_card(client, world, "clerk", registered_on="2026-01-31")
    store = str(world.stores["S01"])
    second = await change(
        client, seen(world, card, "clerk"), card, home_store_id=store, gender="female",
        birthday={"calendar": "solar", "month": 2, "day": 29}, registered_on="2026-01-30",
    )  # fmt: skip
    await change(client, seen(world, second.json()), card, gender=None)
    history = await client.get(
        f"/v1/customers/{card['id']}/changes", headers=world.headers("auditor")
    )
    assert history.status_code == 200
    assert history.json()["next_cursor"] is None
    assert [
        (item["version"], item["actor_kind"], item["actor_id"], item["changes"])
        for item in history.json()["items"]
    ] == [
        (3, "staff", str(world.staff["manager"]), {"gender": ["female", None]}),
        (
            2,
            "staff",
            str(world.staff["clerk"]),
            {
                "home_store_id": [None, store],
                "gender": [None, "female"],
                "registered_on": ["2026-01-31", "2026-01-30"],
                "birthday": [
                    None,
                    {
                        "calendar": "solar", "year": None, "month": 2, "day": 29,
                        "is_leap_month": False,
                    },
                ],
            },
        ),
        (
            1,
            "staff",
            str(world.staff["clerk"]),
            {
                "kind": [None, "individual"],
                "name": [None, "王小明"],
                "origin": [None, "store"],
                "registered_on": [None, "2026-01-31"],
            },
        ),
    ]  # fmt: skip


async def test_history_is_paged_and_its_cursor_is_good_for_its_card_only(
    client: httpx.AsyncClient, world: World
) -> None:
    card, other = await create_card(client, world), await create_card(client, world)
    current = card
    for number in range(4):
        current = (await change(client, seen(world, current), card, note=f"n{number}")).json()
    address, versions, cursor = f"/v1/customers/{card['id']}/changes", [], None
    cursors: list[str] = []
    while True:
        page = await client.get(
            address,
            headers=world.headers(),
            params={"limit": 2, **({"cursor": cursor} if cursor else {})},
        )
        versions.append([item["version"] for item in page.json()["items"]])
        cursor = page.json()["next_cursor"]
        if cursor is None:
            break
        cursors.append(cursor)
    assert versions == [[5, 4], [3, 2], [1]]
    foreign = await client.get(
        f"/v1/customers/{other['id']}/changes",
        headers=world.headers(),
        params={"cursor": cursors[0]},
    )
    assert (foreign.status_code, foreign.json()["type"]) == (422, "/problems/invalid-cursor")
    nobody = await client.get(f"/v1/customers/{new_id()}/changes", headers=world.headers())
    assert nobody.status_code == 404


async def test_a_change_is_audited_and_announced_by_field_names(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world)
    await change(client, seen(world, card), card, note="secret", name="李明朗")
    async with database.transaction() as session:
        entry = (
            await session.scalars(select(AuditEntry).order_by(col(AuditEntry.id).desc()).limit(1))
        ).one()
        event = (
            await session.scalars(select(OutboxEvent).order_by(col(OutboxEvent.id).desc()).limit(1))
        ).one()
    assert (entry.action, entry.fields) == (Action.CHANGED, ["name", "note"])
    assert event.type == DomainEvent.CUSTOMER_UPDATED
    assert event.payload == {"version": 2, "fields": ["name", "note"]}


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="nothing sent"),
        pytest.param(
            {"name": " 王小明 ", "note": None, "origin": "store"}, id="what stands already"
        ),
        pytest.param(
            {"birthday": {"calendar": "solar", "month": 2, "day": 29, "is_leap_month": False}},
            id="the same birthday",
        ),
    ],
)
async def test_a_change_to_what_stands_makes_no_version(
    client: httpx.AsyncClient, world: World, database: Database, fields: dict[str, Any]
) -> None:
    card = await create_card(client, world, birthday={"calendar": "solar", "month": 2, "day": 29})
    counts = await row_counts(database)
    answer = await change(client, seen(world, card), card, **fields)
    assert (answer.status_code, answer.headers["etag"]) == (200, '"v1"')
    assert answer.json() == card
    assert await row_counts(database) == counts


async def test_a_stale_version_is_refused_with_the_fields_that_changed_since(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world)
    second = (await change(client, seen(world, card), card, note="a", name="李明朗")).json()
    third = (await change(client, seen(world, second), card, note="b", region="上海")).json()
    counts = await row_counts(database)
    answers = [
        await change(client, seen(world, version), card, note="mine") for version in (card, second)
    ]
    never = await change(client, world.headers(If_Match='"v9"'), card, note="mine")
    foreign = await change(client, world.headers(If_Match='"abc"'), card, note="mine")
    same = await change(client, seen(world, card), card, note="b")
    assert [(answer.status_code, answer.json()["changed_fields"]) for answer in answers] == [
        (412, ["name", "note", "region"]),
        (412, ["note", "region"]),
    ]
    assert (never.status_code, never.json()["changed_fields"]) == (412, [])
    assert (foreign.status_code, foreign.json()["changed_fields"]) == (412, [])
    assert same.status_code == 412
    assert await row_counts(database) == counts
    assert await read_card(client, world, card["id"]) == third


@pytest.mark.parametrize("action", ["", "/archive", "/restore"])
async def test_a_change_needs_the_version_that_was_seen(
    client: httpx.AsyncClient, world: World, database: Database, action: str
) -> None:
    card = await create_card(client, world)
    counts = await row_counts(database)
    address = f"/v1/customers/{card['id']}{action}"
    if action:
        answer = await client.post(address, headers=world.headers(Accept_Language="zh"))
    else:
        answer = await client.patch(
            address, headers=world.headers(Accept_Language="zh"), json={"note": "x"}
        )
    assert (answer.status_code, answer.json()["type"]) == (428, "/problems/precondition-required")
    assert answer.json()["title"] == "缺少 If-Match"
    assert await row_counts(database) == counts


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        pytest.param({"kind": "organization"}, [("/kind", "extra-forbidden")], id="kind stays"),
        pytest.param({"id": str(new_id())}, [("/id", "extra-forbidden")], id="id is protected"),
        pytest.param({"version": 9}, [("/version", "extra-forbidden")], id="so is version"),
        pytest.param({"status": "archived"}, [("/status", "extra-forbidden")], id="so is status"),
        pytest.param({"identities": []}, [("/identities", "extra-forbidden")], id="so are these"),
        pytest.param({"name": None}, [("/name", "string-type")], id="a name cannot be emptied"),
        pytest.param({"origin": None}, [("/origin", "enum")], id="nor an origin"),
        pytest.param({"registered_on": None}, [("/registered_on", "day")], id="nor the day"),
        pytest.param(
            {"size_band": "small"}, [("/size_band", "not-for-this-kind")], id="not for people"
        ),
        pytest.param(
            {"home_store_id": str(new_id())}, [("/home_store_id", "unknown")], id="no such store"
        ),
        pytest.param(
            {"owner_staff_id": str(new_id())}, [("/owner_staff_id", "unknown")], id="no such person"
        ),
        pytest.param(
            {"birthday": {"calendar": "solar", "year": 9000, "month": 1, "day": 1}},
            [("/birthday", "in-the-future")],
            id="born in the future",
        ),
        pytest.param({"note": "a\0b"}, [("/note", "text")], id="a NUL"),
    ],
)
async def test_a_change_to_what_cannot_be_is_refused_and_changes_nothing(
    client: httpx.AsyncClient,
    world: World,
    database: Database,
    fields: dict[str, Any],
    found: list[tuple[str, str]],
) -> None:
    card = await create_card(client, world)
    counts = await row_counts(database)
    answer = await change(client, seen(world, card), card, **fields)
    assert answer.status_code == 422
    assert pointers_of(answer) == found
    assert await row_counts(database) == counts
    assert await read_card(client, world, card["id"]) == card


async def test_archiving_puts_a_card_out_of_use_and_restoring_puts_it_back(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world, identities=[{"kind": "wechat", "value": "wx"}])
    address = f"/v1/customers/{card['id']}"

    archived = await client.post(f"{address}/archive", headers=seen(world, card))
    assert (archived.status_code, archived.headers["etag"]) == (200, '"v2"')
    at = archived.json()["archived_at"]
    assert archived.json() == {
        **card, "status": "archived", "archived_at": at, "updated_at": at, "version": 2,
    }  # fmt: skip
    assert await read_card(client, world, card["id"]) == archived.json()
    found = await client.post(
        "/v1/customers/lookup", headers=world.headers(), json={"kind": "wechat", "value": "wx"}
    )
    assert found.json() == archived.json()

    restored = await client.post(f"{address}/restore", headers=seen(world, archived.json()))
    assert (restored.status_code, restored.headers["etag"]) == (200, '"v3"')
    assert restored.json() == {
        **card, "updated_at": restored.json()["updated_at"], "version": 3,
    }  # fmt: skip
    async with database.transaction() as session:
        events = await session.scalars(select(OutboxEvent).order_by(col(OutboxEvent.id)))
        assert [event.type for event in events] == [
            DomainEvent.CUSTOMER_CREATED,
            DomainEvent.CUSTOMER_ARCHIVED,
            DomainEvent.CUSTOMER_RESTORED,
        ]
        entries = await session.scalars(select(AuditEntry).order_by(col(AuditEntry.id)))
        assert [(entry.action, entry.fields) for entry in entries][1:] == [
            (Action.ARCHIVED, ["status"]),
            (Action.RESTORED, ["status"]),
        ]


async def test_an_archived_card_cannot_be_changed_or_archived_again(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world, identities=[{"kind": "wechat", "value": "wx"}])
    address = f"/v1/customers/{card['id']}"
    archived = (await client.post(f"{address}/archive", headers=seen(world, card))).json()
    counts = await row_counts(database)
    refusals = [
        await change(client, seen(world, archived), card, note="x"),
        await client.post(f"{address}/archive", headers=seen(world, archived)),
        await client.post(
            f"{address}/identities",
            headers=seen(world, archived),
            json={"kind": "wechat", "value": "wx-2"},
        ),
        await client.delete(
            f"{address}/identities/{card['identities'][0]['id']}", headers=seen(world, archived)
        ),
    ]
    assert [(refusal.status_code, refusal.json()["type"]) for refusal in refusals] == [
        (409, "/problems/invalid-transition")
    ] * 4
    assert await row_counts(database) == counts
    assert await read_card(client, world, card["id"]) == archived


async def test_a_card_in_use_cannot_be_restored(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world)
    counts = await row_counts(database)
    answer = await client.post(
        f"/v1/customers/{card['id']}/restore",
        headers={**seen(world, card), "Accept-Language": "zh"},
    )
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/invalid-transition")
    assert answer.json()["detail"] == "该客户卡的状态已是“有效”。"
    assert await row_counts(database) == counts


@pytest.mark.parametrize("who", ["clerk", "store_manager", "service"])
async def test_roles_bound_to_stores_change_cards_of_their_stores_and_of_none(
    client: httpx.AsyncClient, world: World, database: Database, who: str
) -> None:
    theirs, others = str(world.stores["S01"]), str(world.stores["S02"])
    own = await create_card(client, world, home_store_id=theirs)
    none = await create_card(client, world)
    foreign = await create_card(client, world, home_store_id=others)

    changed = [await change(client, seen(world, card, who), card, note=who) for card in (own, none)]
    assert [answer.status_code for answer in changed] == [200, 200]

    counts = await row_counts(database)
    refused = [
        await change(client, seen(world, foreign, who), foreign, note=who),
        await change(client, seen(world, foreign, who), foreign, home_store_id=theirs),
        await change(client, seen(world, changed[0].json(), who), own, home_store_id=others),
        await change(client, seen(world, changed[1].json(), who), none, home_store_id=others),
        await client.post(
            f"/v1/customers/{foreign['id']}/archive", headers=seen(world, foreign, who)
        ),
    ]
    assert [(answer.status_code, answer.json()["type"]) for answer in refused] == [
        (403, "/problems/forbidden")
    ] * 5
    assert await row_counts(database) == counts
    assert await read_card(client, world, foreign["id"]) == foreign

    moved = await change(client, seen(world, changed[1].json(), who), none, home_store_id=theirs)
    assert (moved.status_code, moved.json()["home_store_id"]) == (200, theirs)


async def test_a_card_that_is_not_there_cannot_be_changed(
    client: httpx.AsyncClient, world: World
) -> None:
    card = {"id": new_id(), "version": 1}
    headers = seen(world, card)
    answers = [
        await change(client, headers, card, note="x"),
        await client.post(f"/v1/customers/{card['id']}/archive", headers=headers),
        await client.post(f"/v1/customers/{card['id']}/restore", headers=headers),
    ]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
