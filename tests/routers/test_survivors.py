"""The id of a merged card goes on answering: reads, tills, look-ups; changes are refused."""

from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import update
from sqlmodel import col

from app.core.config import Settings
from app.core.database import Database
from app.core.ids import new_id
from app.models import Customer
from app.vocabulary import CustomerStatus
from tests.support.cards import create_card, read_card, row_counts, seen
from tests.support.events import sale
from tests.support.shop import Shop
from tests.support.world import World


async def _lead(database: Database, merged_id: str, survivor_id: str) -> None:
    """Make a card one that was merged into another, and nothing else."""
    async with database.transaction() as session:
        await session.execute(
            update(Customer)
            .where(col(Customer.id) == UUID(merged_id))
            .values(status=CustomerStatus.MERGED, merged_into_id=UUID(survivor_id))
        )


async def _chain(client: httpx.AsyncClient, world: World, database: Database) -> list[str]:
    """Return cards a, b, c of which a was merged into b, and then b into c."""
    ids = [(await create_card(client, world, name=name))["id"] for name in ("甲", "乙", "丙")]
    await _lead(database, ids[0], ids[1])
    await _lead(database, ids[1], ids[2])
    return ids


async def test_a_merged_id_is_answered_with_the_card_at_the_end_of_the_chain(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    first, second, third = await _chain(client, world, database)

    answers = {
        one: await client.get(f"/v1/customers/{one}", headers=world.headers())
        for one in (first, second, third)
    }

    assert {answer.status_code for answer in answers.values()} == {200}
    assert {answer.json()["id"] for answer in answers.values()} == {third}
    assert answers[first].json()["merged_ids"] == sorted([first, second])
    assert answers[first].headers["etag"] == '"v1"'
    at = f"/v1/customers/{third}"
    assert answers[first].headers["content-location"] == at
    assert answers[second].headers["content-location"] == at
    assert "content-location" not in answers[third].headers


async def test_what_belongs_to_a_merged_card_is_answered_from_the_surviving_one(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    first, _, third = await _chain(client, world, database)
    shop = Shop(client, world, database, settings)
    bought = await shop.send(sale("58.00", customer={"id": third}))
    for part in (
        "purchases?limit=1",
        f"purchases/{bought['purchase_id']}",
        "statistics",
        "tier",
        "tier-history",
    ):
        old = await client.get(f"/v1/customers/{first}/{part}", headers=world.headers())
        new = await client.get(f"/v1/customers/{third}/{part}", headers=world.headers())
        assert (old.status_code, old.json()) == (200, new.json()), part
        assert old.headers["content-location"] == f"/v1/customers/{third}/{part}"


async def test_nobody_is_led_anywhere_who_is_not_signed_in(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    first, *_ = await _chain(client, world, database)
    answer = await client.get(f"/v1/customers/{first}")
    assert answer.status_code == 401
    assert "content-location" not in answer.headers


async def test_an_id_of_no_card_is_not_found(client: httpx.AsyncClient, world: World) -> None:
    answer = await client.get(f"/v1/customers/{new_id()}", headers=world.headers())
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


async def test_each_card_keeps_its_own_history(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    first, *_ = await _chain(client, world, database)
    answer = await client.get(f"/v1/customers/{first}/changes", headers=world.headers())
    assert [one["changes"]["name"] for one in answer.json()["items"]] == [[None, "甲"]]


async def test_changes_of_a_merged_card_are_refused_and_name_the_surviving_one(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    first, _, third = await _chain(client, world, database)
    before = await row_counts(database), await read_card(client, world, third)
    calls: list[tuple[str, str, Any]] = [
        ("PATCH", "", {"note": "x"}),
        ("POST", "/archive", None),
        ("POST", "/restore", None),
        ("POST", "/identities", {"kind": "wechat", "value": "wx"}),
        ("DELETE", f"/identities/{new_id()}", None),
    ]
    for method, part, body in calls:
        answer = await client.request(
            method,
            f"/v1/customers/{first}{part}",
            json=body,
            headers=seen(world, {"version": 1}),
        )
        assert answer.status_code == 409, (method, part)
        problem = answer.json()
        assert problem["type"] == "/problems/card-merged"
        assert problem["surviving_customer_id"] == third
    assert (await row_counts(database), await read_card(client, world, third)) == before


async def test_lists_show_no_merged_cards(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    first, second, third = await _chain(client, world, database)
    archived = await create_card(client, world, name="丁")
    path = f"/v1/customers/{archived['id']}/archive"
    assert (await client.post(path, headers=seen(world, archived))).status_code == 200
    listed = {}
    for status in ("active", "archived", "any"):
        answer = await client.get(f"/v1/customers?status={status}", headers=world.headers())
        listed[status] = {one["id"]: one["merged_ids"] for one in answer.json()["items"]}
    active: dict[str, list[str]] = {third: sorted([first, second])}
    gone: dict[str, list[str]] = {archived["id"]: []}
    assert listed == {"active": active, "archived": gone, "any": active | gone}


async def test_a_sale_that_names_a_merged_card_is_the_surviving_ones(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    first, second, third = await _chain(client, world, database)
    shop = Shop(client, world, database, settings)

    results = [
        await shop.send(sale("1040.00", customer={"id": first})),
        *(await shop.batch([sale("8.00", customer={"id": one}) for one in (first, second, third)])),
    ]

    assert [result["status"] for result in results] == ["applied"] * 4
    assert {result["customer"]["id"] for result in results} == {third}
    assert results[0]["tier"]["after"] == "main"
    assert len(await shop.purchases(UUID(third))) == 4
    assert await shop.purchases(UUID(first)) == []
    assert await shop.wrong_statistics() == 0
