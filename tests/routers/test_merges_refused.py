"""What is not merged, and what is not undone: told why, and nothing changed."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import insert, update
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.core.ids import new_id
from app.models import Customer, CustomerMerge, Erasure
from app.vocabulary import ActorKind, CustomerStatus, ErasureStatus
from tests.support.cards import create_card, pointers_of, row_counts, seen
from tests.support.merging import carry_out, dump, merge, plan, undo
from tests.support.shop import Shop
from tests.support.world import World


@pytest.fixture
def shop(client: httpx.AsyncClient, world: World, database: Database, settings: Settings) -> Shop:
    """The small chain in the database that is rolled back."""
    return Shop(client, world, database, settings)


async def cards(shop: Shop, count: int, **fields: Any) -> list[str]:
    """Create so many cards; return their ids."""
    return [
        (await create_card(shop.client, shop.world, name=f"客户{number}", **fields))["id"]
        for number in range(count)
    ]


async def refused(shop: Shop, survivor: str, losers: list[str]) -> list[tuple[str, str]]:
    """Return the obstacles of a plan that cannot be carried out, and is not."""
    before = await dump(shop.database, survivor, *losers), await row_counts(shop.database)
    planned = await plan(shop.client, shop.world, survivor, losers)
    assert planned["can_be_done"] is False
    answer = await carry_out(shop.client, shop.world, planned)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/conflict")
    assert answer.json()["obstacles"] == planned["obstacles"]
    assert (await dump(shop.database, survivor, *losers), await row_counts(shop.database)) == before
    assert await shop.count(CustomerMerge) in {0, 1}
    return [(one["code"]["code"], one["subject_id"]) for one in planned["obstacles"]]


async def test_people_are_not_merged_with_organizations(shop: Shop) -> None:
    person, body = (await cards(shop, 1))[0], (await cards(shop, 1, kind="organization"))[0]
    assert await refused(shop, person, [body]) == [("different_kinds", body)]


async def test_a_card_that_was_merged_leads_elsewhere_already(shop: Shop) -> None:
    first, second, third = await cards(shop, 3)
    await merge(shop.client, shop.world, first, [second])
    assert await refused(shop, third, [second]) == [("merged_already", second)]
    assert await refused(shop, second, [third]) == [("merged_already", second)]


async def test_nobody_is_merged_who_was_erased_or_asked_for_it(shop: Shop) -> None:
    first, second, third = await cards(shop, 3)
    now = clock.now()
    async with shop.database.transaction() as session:
        await session.execute(
            update(Customer)
            .where(col(Customer.id) == UUID(second))
            .values(status=CustomerStatus.ERASED, erased_at=now)
        )
        await session.execute(
            insert(Erasure).values(
                customer_id=UUID(third), id=new_id(), status=ErasureStatus.DEFERRED,
                requested_at=now, actor_kind=ActorKind.STAFF, deferrals=[],
            )
        )  # fmt: skip
    assert await refused(shop, first, [second, third]) == [
        ("erased", second),
        ("erasure_open", third),
    ]


async def test_cards_that_somebody_decided_to_be_two_customers_are_decided_anew_first(
    shop: Shop,
) -> None:
    first, second, third, fourth = await cards(shop, 4)

    async def decide(state: str, other: str = third) -> None:
        answer = await shop.client.post(
            f"/v1/duplicates/{second}/{other}/decision",
            headers=shop.world.headers(),
            json={"state": state},
        )
        assert answer.status_code == 200, answer.text

    await decide("different")
    assert await refused(shop, first, [second, third]) == [("decided_different", third)]
    assert await refused(shop, third, [second]) == [("decided_different", second)]
    # What was decided about a card holds for the one that it is merged into.
    await merge(shop.client, shop.world, fourth, [third])
    assert await refused(shop, fourth, [second]) == [("decided_different", second)]
    await decide("same", fourth)
    await merge(shop.client, shop.world, first, [second, fourth])


async def test_archived_cards_are_merged_into_others_and_not_others_into_them(shop: Shop) -> None:
    first, second = await cards(shop, 2)
    path = f"/v1/customers/{second}/archive"
    answer = await shop.client.post(path, headers=seen(shop.world, {"version": 1}))
    assert answer.status_code == 200

    assert await refused(shop, second, [first]) == [("survivor_archived", second)]
    done = await merge(shop.client, shop.world, first, [second])
    await undo(shop.client, shop.world, done)
    read = await shop.client.get(f"/v1/customers/{second}", headers=shop.world.headers())
    assert read.json()["status"] == "archived"


async def test_a_card_can_have_only_so_many_identities(shop: Shop) -> None:
    ids = [
        (await cards(
            shop, 1, identities=[
                {"kind": "wechat", "value": f"wx{card}-{n}"} for n in range(26)
            ],
        ))[0]
        for card in range(2)
    ]  # fmt: skip
    assert await refused(shop, ids[0], ids[1:]) == [("too_many_identities", ids[0])]


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"loser_ids": []}, [("/loser_ids", "too-short")]),
        ({"loser_ids": "twice"}, [("/loser_ids", "duplicate")]),
        ({"loser_ids": "itself"}, [("/loser_ids/0", "itself")]),
        ({"choices": {"shoe_size": "loser"}}, [("/choices/shoe_size", "unknown")]),
        ({"choices": {"name": "stranger"}}, [("/choices/name", "unknown")]),
        ({"force": True}, [("/force", "extra-forbidden")]),
    ],
)
async def test_what_makes_no_sense_is_told_where(
    shop: Shop, body: dict[str, Any], pointers: list[tuple[str, str]]
) -> None:
    first, second, stranger = await cards(shop, 3)
    named = {"twice": [second, second], "itself": [first]}
    who = {"loser": second, "stranger": stranger}
    given = {"surviving_id": first, "loser_ids": [second], **body}
    if isinstance(given["loser_ids"], str):
        given["loser_ids"] = named[given["loser_ids"]]
    if "choices" in given:
        given["choices"] = {field: who[one] for field, one in given["choices"].items()}

    answer = await shop.client.post("/v1/merges/plan", json=given, headers=shop.world.headers())

    assert answer.status_code == 422, answer.text
    assert pointers_of(answer) == pointers


async def test_there_is_no_merge_of_what_is_no_card(shop: Shop) -> None:
    first = (await cards(shop, 1))[0]
    answer = await shop.client.post(
        "/v1/merges/plan",
        json={"surviving_id": first, "loser_ids": [str(new_id())]},
        headers=shop.world.headers(),
    )
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")
    for path in (f"/v1/merges/{new_id()}", f"/v1/customers/{new_id()}/merges"):
        read = await shop.client.get(path, headers=shop.world.headers())
        assert (read.status_code, read.json()["type"]) == (404, "/problems/not-found")
    ended = await shop.client.post(f"/v1/merges/{new_id()}/undo", headers=shop.world.headers())
    assert (ended.status_code, ended.json()["type"]) == (404, "/problems/not-found")


async def test_a_store_manager_merges_cards_of_the_own_store_only(shop: Shop) -> None:
    own, other = [
        (await cards(shop, 1, home_store_id=str(shop.world.stores[store])))[0]
        for store in ("S01", "S02")
    ]
    nobodys = (await cards(shop, 1))[0]
    body = {"surviving_id": own, "loser_ids": [other]}
    headers = shop.world.headers("store_manager")
    answer = await shop.client.post("/v1/merges/plan", json=body, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")

    planned = await plan(shop.client, shop.world, own, [nobodys], who="store_manager")
    assert planned["can_be_done"] is True
    done = await merge(shop.client, shop.world, own, [other])
    path = f"/v1/merges/{done['id']}/undo"
    answer = await shop.client.post(path, headers=shop.world.headers("store_manager"))
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")
    read = await shop.client.get(f"/v1/merges/{done['id']}", headers=shop.world.headers())
    assert (read.json()["status"], read.json()["can_be_undone"]) == ("done", True)


async def test_merges_are_undone_in_reverse_and_the_one_in_the_way_is_named(shop: Shop) -> None:
    first, second, third, fourth = await cards(shop, 4)
    before = await dump(shop.database, first, second, third, fourth)
    merges = [
        await merge(shop.client, shop.world, first, [second]),
        await merge(shop.client, shop.world, first, [third]),
        await merge(shop.client, shop.world, fourth, [first]),
    ]

    for done, in_the_way in zip(merges, (merges[2], merges[2], None), strict=True):
        read = await shop.client.get(f"/v1/merges/{done['id']}", headers=shop.world.headers())
        obstacles = [(one["code"]["code"], one["subject_id"]) for one in read.json()["obstacles"]]
        assert obstacles == ([("later_merge", in_the_way["id"])] if in_the_way else [])
    answer = await shop.client.post(
        f"/v1/merges/{merges[0]['id']}/undo", headers=shop.world.headers()
    )
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/conflict")
    await undo(shop.client, shop.world, merges[2])
    read = await shop.client.get(f"/v1/merges/{merges[0]['id']}", headers=shop.world.headers())
    assert [one["subject_id"] for one in read.json()["obstacles"]] == [merges[1]["id"]]
    await undo(shop.client, shop.world, merges[1])
    await undo(shop.client, shop.world, merges[0])

    assert await dump(shop.database, first, second, third, fourth) == before
    again = await shop.client.post(
        f"/v1/merges/{merges[0]['id']}/undo", headers=shop.world.headers()
    )
    assert again.status_code == 409
    assert [one["code"]["code"] for one in again.json()["obstacles"]] == ["undone_already"]


async def test_a_merge_of_an_erased_person_is_not_undone(shop: Shop) -> None:
    first, second = await cards(shop, 2)
    done = await merge(shop.client, shop.world, first, [second])
    async with shop.database.transaction() as session:
        await session.execute(
            update(Customer)
            .where(col(Customer.id) == UUID(first))
            .values(status=CustomerStatus.ERASED, erased_at=clock.now())
        )
    answer = await shop.client.post(f"/v1/merges/{done['id']}/undo", headers=shop.world.headers())
    assert answer.status_code == 409
    assert [one["code"]["code"] for one in answer.json()["obstacles"]] == ["erased"]
