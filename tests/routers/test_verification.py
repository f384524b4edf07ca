"""Cards are verified by somebody on a day, and are due again when that is long ago."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import select, update
from sqlmodel import col

from app.core import clock
from app.core.clock import FixedClock
from app.core.database import Database
from app.models import AuditEntry, Customer
from app.vocabulary import Action
from tests.support.cards import create_card, read_card, row_counts, seen
from tests.support.world import World

# An hour before midnight in Greenwich it is the next day already where the chain is.
EVENING = datetime(2026, 11, 20, 23, tzinfo=UTC)
TODAY = date(2026, 11, 21)
DUE = "/v1/customers/due-for-verification"


async def verify(
    client: httpx.AsyncClient, world: World, card: dict[str, Any], who: str = "clerk"
) -> httpx.Response:
    """Verify the card as it was last seen."""
    return await client.post(
        f"/v1/customers/{card['id']}/verifications", headers=seen(world, card, who)
    )


async def verified_before(database: Database, card: dict[str, Any], days: int | None) -> None:
    """Let a card have been verified so many days ago, or never."""
    async with database.transaction() as session:
        await session.execute(
            update(Customer)
            .where(col(Customer.id) == card["id"])
            .values(verified_on=None if days is None else TODAY - timedelta(days=days))
        )


async def walked(client: httpx.AsyncClient, world: World, **parameters: Any) -> list[str]:
    """Return the names of all cards that are due, page by page."""
    names: list[str] = []
    cursor: str | None = None
    while True:
        answer = await client.get(
            DUE,
            headers=world.headers("marketing"),
            params={**parameters, **({"cursor": cursor} if cursor else {})},
        )
        assert answer.status_code == 200, answer.text
        names += [item["name"] for item in answer.json()["items"]]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return names


async def test_verifying_notes_day_and_person_with_history_and_trail(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world)
    assert (card["verified_on"], card["verified_by_id"]) == (None, None)
    with clock.using(FixedClock(EVENING)):
        answer = await verify(client, world, card)
    verified, clerk = answer.json(), str(world.staff["clerk"])
    assert (answer.status_code, answer.headers["etag"]) == (200, '"v2"')
    assert verified == {
        **card, "verified_on": "2026-11-21", "verified_by_id": clerk, "version": 2,
        "updated_at": verified["updated_at"], "birthday": None,
    }  # fmt: skip
    history = await client.get(f"/v1/customers/{card['id']}/changes", headers=world.headers())
    assert history.json()["items"][0]["changes"] == {
        "verified_on": [None, "2026-11-21"], "verified_by_id": [None, clerk],
    }  # fmt: skip
    async with database.transaction() as session:
        trail = await session.scalars(
            select(AuditEntry).where(col(AuditEntry.action) == Action.VERIFIED)
        )
        entries = [(entry.actor_id, entry.object_id, entry.fields) for entry in trail]
    assert [(str(actor), str(card_id), fields) for actor, card_id, fields in entries] == [
        (clerk, card["id"], ["verified_by_id", "verified_on"])
    ]


async def test_a_second_time_on_the_same_day_makes_no_version(
    client: httpx.AsyncClient, world: World
) -> None:
    card = await create_card(client, world)
    with clock.using(FixedClock(EVENING)):
        first = (await verify(client, world, card)).json()
        again = (await verify(client, world, first)).json()
        other = (await verify(client, world, again, who="service")).json()
    assert again == first
    assert (other["version"], other["verified_by_id"]) == (3, str(world.staff["service"]))


async def test_a_change_does_not_verify(client: httpx.AsyncClient, world: World) -> None:
    card = await create_card(client, world)
    added = await client.post(
        f"/v1/customers/{card['id']}/identities",
        headers=seen(world, card),
        json={"kind": "phone", "value": "13800138000"},
    )
    changed = await client.patch(
        f"/v1/customers/{card['id']}", headers=seen(world, added.json()), json={"address": "x"}
    )
    assert (changed.json()["verified_on"], changed.json()["version"]) == (None, 3)


async def test_a_card_is_verified_as_it_was_seen_and_while_it_is_in_use(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = await create_card(client, world)
    changed = await client.patch(
        f"/v1/customers/{card['id']}", headers=seen(world, card), json={"note": "x"}
    )
    counts = await row_counts(database)
    stale = await verify(client, world, card)
    assert (stale.status_code, stale.json()["changed_fields"]) == (412, ["note"])
    archived = await client.post(
        f"/v1/customers/{card['id']}/archive", headers=seen(world, changed.json())
    )
    refused = await verify(client, world, archived.json())
    assert refused.json()["type"] == "/problems/invalid-transition"
    assert (await row_counts(database))["customer_change"] == counts["customer_change"] + 1
    assert (await read_card(client, world, card["id"]))["verified_on"] is None


async def test_never_verified_cards_are_due_first_then_those_of_long_ago(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    for name, days in (
        ("yesterday", 1), ("never 1", None), ("364 days", 364), ("365 days", 365),
        ("never 2", None), ("2 years", 730), ("366 days", 366), ("archived", None),
    ):  # fmt: skip
        card = await create_card(client, world, name=name)
        await verified_before(database, card, days)
        if name == "archived":
            await client.post(f"/v1/customers/{card['id']}/archive", headers=seen(world, card))
    due = ["never 1", "never 2", "2 years", "366 days", "365 days"]
    with clock.using(FixedClock(EVENING)):
        for limit in (1, 2, 3, 5, 50):
            assert await walked(client, world, limit=limit) == due


async def test_the_list_is_narrowed_to_a_store_and_to_a_member_of_staff(
    client: httpx.AsyncClient, world: World
) -> None:
    first, second = (str(world.stores[code]) for code in ("S01", "S02"))
    clerk = str(world.staff["clerk"])
    await create_card(client, world, name="a", home_store_id=first)
    await create_card(client, world, name="b", home_store_id=first, owner_staff_id=clerk)
    await create_card(client, world, name="c", home_store_id=second, owner_staff_id=clerk)
    assert await walked(client, world, home_store_id=first) == ["a", "b"]
    assert await walked(client, world, owner_staff_id=clerk) == ["b", "c"]
    assert await walked(client, world, owner_staff_id=clerk, home_store_id=first) == ["b"]
