"""Callers who are not known: kept until their card appears, or attached by hand."""

from typing import Any

import httpx
from sqlalchemy import select
from sqlmodel import col

from app.core.database import Database
from app.core.ids import new_id
from app.models import Identity, Interaction, UnattachedInteraction
from app.rules.access import ROLE_PERMISSIONS
from app.vocabulary import Permission, Role
from tests.support.cards import create_card, pointers_of
from tests.support.contacts import call, contact, contact_counts, service_stats
from tests.support.world import World

PHONE = {"kind": "phone", "value": "138 0013 8000"}


async def of_card(client: httpx.AsyncClient, world: World, card: str) -> list[dict[str, Any]]:
    """Return the contacts of a card."""
    answer = await client.get(f"/v1/customers/{card}/interactions", headers=world.headers())
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def waiting(
    client: httpx.AsyncClient, world: World, **parameters: Any
) -> list[dict[str, Any]]:
    """Return the contacts that have no card."""
    answer = await client.get(
        "/v1/interactions/unattached", headers=world.headers(), params=parameters
    )
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_a_caller_whose_identity_a_card_has_is_known_at_once(
    client: httpx.AsyncClient, world: World
) -> None:
    card = await create_card(client, world, name="李明朗", identities=[PHONE])
    answer = await client.post(
        "/v1/interactions",
        headers=world.headers("clerk"),
        json=contact(identity={"kind": "phone", "value": "+86 138-0013-8000"}),
    )
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert told["customer"] == {"id": card["id"], "kind": "individual", "name": "李明朗"}
    assert (told["customer_id"], told["awaits"]) == (card["id"], None)
    (one,) = await of_card(client, world, card["id"])
    shared = one.keys() & told.keys()
    assert {name: one[name] for name in shared} == {name: told[name] for name in shared}
    assert answer.headers["Location"] == f"/v1/customers/{card['id']}/interactions/{one['id']}"
    assert answer.headers["ETag"] == '"v1"'


async def test_who_may_not_read_cards_is_not_told_whose_it_is(
    client: httpx.AsyncClient, world: World
) -> None:
    card = await create_card(client, world, identities=[PHONE])
    made = await client.post(
        "/v1/api-clients", headers=world.headers("admin"),
        json={"name": "switchboard", "scopes": ["interactions:write"]},
    )  # fmt: skip
    key = await client.post(
        f"/v1/api-clients/{made.json()['id']}/keys", headers=world.headers("admin"), json={}
    )
    answer = await client.post(
        "/v1/interactions", json=contact(identity=PHONE),
        headers={"X-API-Key": key.json()["key"], "Idempotency-Key": "k"},
    )  # fmt: skip
    assert answer.status_code == 201, answer.text
    assert (answer.json()["customer"], answer.json()["customer_id"]) == (None, card["id"])
    assert (answer.json()["staff_id"], answer.json()["recorded_by_kind"]) == (None, "api_client")
    assert all(
        Permission.CUSTOMERS_READ in ROLE_PERMISSIONS[role]
        for role in Role
        if Permission.INTERACTIONS_WRITE in ROLE_PERMISSIONS[role]
    )


async def test_a_caller_nobody_knows_is_kept_and_joins_the_card_that_gets_the_identity(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    first = await call(client, world, "clerk", identity=PHONE, duration_seconds=60, text="急")
    second = await call(client, world, "clerk", identity=PHONE, subject="再问")
    other = await call(client, world, "clerk", identity={"kind": "wechat", "value": "stranger1"})
    assert first["awaits"] == {"kind": "phone", "system": None, "value": "+86138****8000"}
    assert (first["customer"], first["customer_id"]) == (None, None)
    kept = await client.get(f"/v1/interactions/{first['id']}", headers=world.headers())
    assert kept.json() == first

    card = await create_card(client, world, identities=[PHONE])

    assert await waiting(client, world) == [other]
    joined = {one["id"]: one for one in await of_card(client, world, card["id"])}
    assert joined.keys() == {first["id"], second["id"]}
    one = joined[first["id"]]
    shared = (one.keys() & first.keys()) - {"customer_id"}
    assert {name: one[name] for name in shared} == {name: first[name] for name in shared}
    assert (one["customer_id"], one["version"]) == (card["id"], 1)
    led = await client.get(f"/v1/interactions/{first['id']}", headers=world.headers())
    assert (led.status_code, led.json()["customer_id"]) == (200, card["id"])
    stats = await service_stats(database, card["id"])
    assert stats is not None
    assert stats.contacts == stats.inbound_365 == 2
    trail = await client.get(
        "/v1/audit", headers=world.headers(),
        params={"object_type": "interaction", "object_id": first["id"]},
    )  # fmt: skip
    assert [(e["action"], e["fields"]) for e in trail.json()["items"]] == [
        ("attached", ["customer_id"]), ("created", []),
    ]  # fmt: skip
    erased = await client.post(f"/v1/customers/{card['id']}/erasures", headers=world.headers())
    assert erased.json()["status"] == "done"
    gone = await client.get(f"/v1/interactions/{first['id']}", headers=world.headers())
    assert gone.status_code == 410


async def test_an_identity_given_to_an_old_card_brings_what_waited_for_it(
    client: httpx.AsyncClient, world: World
) -> None:
    kept = await call(client, world, identity={"kind": "external", "system": "erp", "value": "7"})
    assert kept["awaits"] == {"kind": "external", "system": "erp", "value": "7"}
    card = await create_card(client, world)
    await client.post(
        f"/v1/customers/{card['id']}/identities",
        headers=world.headers(If_Match='"v1"'),
        json={"kind": "external", "system": "erp", "value": "7"},
    )
    assert [one["id"] for one in await of_card(client, world, card["id"])] == [kept["id"]]


async def test_somebody_says_whose_contact_it_was_and_saying_so_twice_is_fine(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card, other = await create_card(client, world), await create_card(client, world)
    nobody = await call(client, world, "clerk")
    assert (nobody["awaits"], nobody["customer_id"]) == (None, None)

    async def attach(customer_id: str) -> httpx.Response:
        return await client.post(
            f"/v1/interactions/{nobody['id']}/attach",
            headers=world.headers("clerk"), json={"customer_id": customer_id},
        )  # fmt: skip

    before = await contact_counts(database)
    nowhere = await attach(str(new_id()))
    assert nowhere.status_code == 404
    assert await contact_counts(database) == before
    answer = await attach(card["id"])
    assert (answer.status_code, answer.json()["customer_id"]) == (200, card["id"])
    rows = await contact_counts(database)
    assert rows["interaction"] == before["interaction"] + 1
    assert rows["unattached_interaction"] == before["unattached_interaction"] - 1
    address = f"/v1/interactions/{nobody['id']}"
    led = await client.get(address, headers=world.headers("clerk"))
    assert led.headers["content-location"] == (
        f"/v1/customers/{card['id']}/interactions/{nobody['id']}"
    )
    assert led.json() == nobody | {"customer_id": card["id"]}
    assert (
        await client.get(f"/v1/interactions/{new_id()}", headers=world.headers("clerk"))
    ).status_code == 404
    again, elsewhere = await attach(card["id"]), await attach(other["id"])
    assert (again.status_code, again.json()) == (200, answer.json())
    assert elsewhere.status_code == 404
    assert await contact_counts(database) == rows


async def test_the_number_of_a_caller_whose_contact_was_attached_is_not_kept_for_nothing(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world)
    calls = [await call(client, world, identity=PHONE) for _ in range(2)]
    for one, left in zip(calls, (["+8613800138000"], []), strict=True):
        answer = await client.post(
            f"/v1/interactions/{one['id']}/attach",
            headers=world.headers(), json={"customer_id": card["id"]},
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        async with database.transaction() as session:
            assert list(await session.scalars(select(col(Identity.value)))) == left


async def test_contacts_without_a_card_are_walked_newest_first(
    client: httpx.AsyncClient, world: World
) -> None:
    made = [
        await call(
            client,
            world,
            ("clerk", "clerk2")[n % 2],
            occurred_at=f"2026-0{1 + n // 2}-01T00:00:00Z",
        )
        for n in range(5)
    ]
    expected = sorted(made, key=lambda one: (one["occurred_at"], one["id"]), reverse=True)
    first = await client.get(
        "/v1/interactions/unattached", headers=world.headers(), params={"limit": 3}
    )
    rest = await waiting(client, world, limit=3, cursor=first.json()["next_cursor"])
    assert first.json()["items"] + rest == expected
    s02 = str(world.stores["S02"])
    assert await waiting(client, world, store_id=s02) == [
        one for one in expected if one["store_id"] == s02
    ]


async def test_an_identity_that_cannot_be_is_refused_and_nothing_is_kept(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    rows = await contact_counts(database)
    answer = await client.post(
        "/v1/interactions", headers=world.headers(),
        json=contact(identity={"kind": "phone", "value": "12"}),
    )  # fmt: skip
    assert (answer.status_code, pointers_of(answer)) == (
        422, [("/identity/value", "invalid-phone")],
    )  # fmt: skip
    assert await contact_counts(database) == rows


# --- In bulk ----------------------------------------------------------------------------------


async def batch(
    client: httpx.AsyncClient, world: World, entries: list[Any], who: str = "service"
) -> list[dict[str, Any]]:
    """Send a batch; return its results."""
    answer = await client.post(
        "/v1/interactions/batch", headers=world.headers(who), json={"entries": entries}
    )
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


async def test_each_entry_of_a_batch_is_recorded_or_refused_for_itself(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world, identities=[PHONE])
    good = contact()
    entries: list[Any] = [
        {**good, "entry_id": "e0", "customer_id": card["id"]},
        {**good, "entry_id": "e1", "identity": PHONE},
        {**good, "entry_id": "e2", "identity": {"kind": "wechat", "value": "stranger1"}},
        {**good, "entry_id": "e3"},
        {**good, "entry_id": "e4", "customer_id": str(new_id())},
        {**good, "entry_id": "e5", "occurred_at": "2999-01-01T00:00:00Z"},
        {**good, "entry_id": "e6", "channel": "telex"},
        {**good, "entry_id": "e7", "customer_id": card["id"], "identity": PHONE},
        {**good, "entry_id": "e8", "identity": {"kind": "phone", "value": "1"}},
        {**good, "entry_id": "e9", "store_id": str(world.stores["S02"])},
        {**good, "entry_id": "e0", "customer_id": card["id"]},
        {**good, "entry_id": "e0", "subject": "别的"},
        "nothing",
    ]
    results = await batch(client, world, entries)
    assert [
        (
            r["entry_id"], r["status"], r["customer_id"],
            r["problem"] and r["problem"]["type"].removeprefix("/problems/"),
            r["problem"] and [(e["pointer"], e["code"]) for e in r["problem"]["errors"]],
        )
        for r in results
    ] == [
        ("e0", "stored", card["id"], None, None),
        ("e1", "stored", card["id"], None, None),
        ("e2", "stored", None, None, None),
        ("e3", "stored", None, None, None),
        ("e4", "refused", None, "not-found", []),
        ("e5", "refused", None, "validation", [("/occurred_at", "in-the-future")]),
        ("e6", "refused", None, "validation", [("/channel", "enum")]),
        ("e7", "refused", None, "validation", [("/identity", "either-or")]),
        ("e8", "refused", None, "validation", [("/identity/value", "invalid-phone")]),
        ("e9", "refused", None, "forbidden", []),
        ("e0", "stored", card["id"], None, None),
        ("e0", "refused", None, "conflict", []),
        ("", "refused", None, "validation", [("", "model-type")]),
    ]  # fmt: skip
    assert results[10] == results[0]
    assert all(r["problem"]["detail"]["zh"] for r in results if r["problem"])
    rows = await contact_counts(database)
    assert (rows["interaction"], rows["unattached_interaction"]) == (2, 2)
    assert rows["interaction_entry"] == 4
    stats = await service_stats(database, card["id"])
    assert stats is not None
    assert stats.contacts == 2


async def test_a_batch_sent_again_has_one_effect_and_gets_its_first_results(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world)
    entries = [
        {**contact(), "entry_id": "a", "customer_id": card["id"]},
        {**contact(), "entry_id": "b", "identity": PHONE},
    ]
    first = await batch(client, world, entries)
    # Whoever it was has a card by now: the first answer stands all the same.
    await create_card(client, world, identities=[PHONE])
    rows = await contact_counts(database)
    assert await batch(client, world, [*reversed(entries)]) == [*reversed(first)]
    assert await contact_counts(database) == rows
    changed = await batch(client, world, [{**entries[0], "subject": "别的"}])
    assert (changed[0]["status"], changed[0]["problem"]["type"]) == (
        "refused", "/problems/conflict",
    )  # fmt: skip
    assert await contact_counts(database) == rows
    # The ids are those of who sends them.
    await batch(client, world, [entries[0]], "clerk")
    assert (await contact_counts(database))["interaction"] == rows["interaction"] + 1


async def test_a_batch_that_is_none_or_too_long_is_refused_whole(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    rows = await contact_counts(database)
    for entries in ([], [{**contact(), "entry_id": f"e{n}"} for n in range(201)]):
        answer = await client.post(
            "/v1/interactions/batch", headers=world.headers(), json={"entries": entries}
        )
        assert answer.status_code == 422
        assert [pointer for pointer, _ in pointers_of(answer)] == ["/entries"]
    assert await contact_counts(database) == rows
    assert {Interaction.__tablename__, UnattachedInteraction.__tablename__} <= rows.keys()


async def test_a_batch_of_long_texts_may_be_as_large_as_one_of_a_till(
    client: httpx.AsyncClient, world: World
) -> None:
    entries = [{"entry_id": f"e{n}", "note": "长" * 4_000} for n in range(150)]
    answer = await client.post(
        "/v1/interactions/batch", headers=world.headers(), json={"entries": entries}
    )
    assert len(answer.request.content) > 1_000_000
    assert answer.status_code == 200, answer.text
    assert {result["status"] for result in answer.json()["results"]} == {"refused"}
