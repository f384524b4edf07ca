"""What came between a merge and its end goes where the plan said."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.core.config import Settings
from app.core.database import Database
from tests.support.cards import create_card, read_card, seen
from tests.support.contacts import record
from tests.support.events import refund, sale, void
from tests.support.merging import merge, plan, undo
from tests.support.shop import Shop
from tests.support.world import World


@pytest.fixture
def shop(client: httpx.AsyncClient, world: World, database: Database, settings: Settings) -> Shop:
    """The small chain in the database that is rolled back."""
    return Shop(client, world, database, settings)


async def pair(shop: Shop, **of_loser: Any) -> tuple[str, str]:
    """Return two cards with a member number each: HK1 and HK2."""
    ids = []
    for number, fields in (("1", {}), ("2", of_loser)):
        identities = [{"kind": "member_number", "value": f"HK{number}"}]
        card = await create_card(
            shop.client, shop.world, name=f"客户{number}", identities=identities, **fields
        )
        ids.append(card["id"])
    return ids[0], ids[1]


async def amounts(shop: Shop, customer_id: str) -> list[tuple[str, str, str]]:
    """Return kind, status and amount of a card's receipts, in time order."""
    return [
        (str(one.kind), str(one.status), str(one.amount))
        for one in await shop.purchases(UUID(customer_id))
    ]


async def test_later_sales_go_with_the_number_or_id_they_came_by(shop: Shop) -> None:
    survivor, loser = await pair(shop)
    done = await merge(shop.client, shop.world, survivor, [loser])
    events = [
        sale("10.00", member="HK1"),
        sale("20.00", member="HK2"),
        sale("30.00", customer={"id": loser}),
        sale("40.00", customer={"id": survivor}),
    ]
    for event in events:
        assert (await shop.send(event))["customer"]["id"] == survivor
    await shop.send(refund(events[1], "5.00"))
    await shop.send(void(events[2]))

    await undo(shop.client, shop.world, done)

    assert await amounts(shop, survivor) == [
        ("sale", "posted", "10.00"),
        ("sale", "posted", "40.00"),
    ]
    assert await amounts(shop, loser) == [
        ("sale", "posted", "20.00"),
        ("sale", "voided", "30.00"),
        ("refund", "posted", "5.00"),
    ]
    assert await shop.wrong_statistics() == 0
    assert [(await shop.read_event(event))["customer_id"] for event in events] == [
        survivor, loser, loser, survivor,
    ]  # fmt: skip


async def test_a_refund_of_a_sale_that_goes_back_takes_its_tier_along(shop: Shop) -> None:
    survivor, loser = await pair(shop)
    big = sale("1000.00", member="HK2")
    await shop.send(big)
    assert await shop.level(UUID(loser)) == "main"
    done = await merge(shop.client, shop.world, survivor, [loser])
    merged = await shop.tier(UUID(survivor))
    assert (str(merged.level), str(merged.cause)) == ("main", "merged")

    answer = await shop.send(refund(big))

    assert answer["tier"]["after"] == "small"
    assert await shop.level(UUID(survivor)) == "small"
    await undo(shop.client, shop.world, done)
    assert (await shop.level(UUID(survivor)), await shop.level(UUID(loser))) == ("small", "small")
    assert await shop.wrong_statistics() == 0


async def test_a_tier_that_both_earn_together_ends_when_part_of_it_is_taken_back(
    shop: Shop,
) -> None:
    survivor, loser = await pair(shop)
    await shop.send(sale("600.00", member="HK1"))
    other = sale("600.00", member="HK2")
    await shop.send(other)
    await merge(shop.client, shop.world, survivor, [loser])
    assert await shop.level(UUID(survivor)) == "main"

    await shop.send(refund(other))

    assert await shop.level(UUID(survivor)) == "ordinary"


async def test_a_tier_that_receipts_moved_since_goes_on_from_there(shop: Shop) -> None:
    survivor, loser = await pair(shop)
    await shop.send(sale("600.00", member="HK2"))
    done = await merge(shop.client, shop.world, survivor, [loser])
    await shop.send(sale("500.00", member="HK1"))
    assert await shop.level(UUID(survivor)) == "main"

    await undo(shop.client, shop.world, done)

    tier = await shop.tier(UUID(survivor))
    assert (str(tier.level), str(tier.cause)) == ("ordinary", "merged")
    assert tier.explanation["inputs"]["net_spend"] == "500.00"
    assert await shop.level(UUID(loser)) == "ordinary"
    history = await shop.client.get(
        f"/v1/customers/{survivor}/tier-history", headers=shop.world.headers()
    )
    assert [(one["level"], one["cause"]) for one in history.json()["items"]] == [
        ("ordinary", "merged"), ("main", "upgrade"), ("ordinary", "merged"), ("small", "initial"),
    ]  # fmt: skip


async def test_fields_that_somebody_changed_since_stay_and_the_others_return(shop: Shop) -> None:
    survivor, loser = await pair(shop, employer="华东师范大学", occupation="teacher", tags=["vip"])
    done = await merge(shop.client, shop.world, survivor, [loser])
    card = done["customer"]
    assert (card["employer"], card["occupation"], card["tags"]) == (
        "华东师范大学", "teacher", ["vip"],
    )  # fmt: skip
    changed = await shop.client.patch(
        f"/v1/customers/{survivor}", headers=seen(shop.world, card), json={"occupation": "retired"}
    )
    assert changed.status_code == 200, changed.text

    card = (await undo(shop.client, shop.world, done))["customer"]

    assert (card["employer"], card["occupation"], card["tags"], card["version"]) == (
        None, "retired", [], 4,
    )  # fmt: skip
    back = await read_card(shop.client, shop.world, loser)
    assert (back["employer"], back["occupation"], back["tags"], back["version"]) == (
        "华东师范大学", "teacher", ["vip"], 3,
    )  # fmt: skip


async def test_contacts_move_and_later_ones_stay(shop: Shop) -> None:
    survivor, loser = await pair(shop)
    first = await record(shop.client, shop.world, loser, subject="before")
    done = await merge(shop.client, shop.world, survivor, [loser])
    second = await record(shop.client, shop.world, survivor, subject="since")
    await undo(shop.client, shop.world, done)
    for customer_id, one in ((loser, first), (survivor, second)):
        answer = await shop.client.get(
            f"/v1/customers/{customer_id}/interactions", headers=shop.world.headers()
        )
        assert [item["id"] for item in answer.json()["items"]] == [one["id"]]


async def say(shop: Shop, customer_id: str, purpose: str, state: str, channel: str = "any") -> None:
    """Write down what a customer says."""
    answer = await shop.client.post(
        f"/v1/customers/{customer_id}/consents",
        headers=shop.world.headers(),
        json={
            "statements": [
                {"purpose": purpose, "channel": channel, "state": state, "proof": "spoken"}
            ]
        },
    )
    assert answer.status_code == 201, answer.text


async def said(shop: Shop, customer_id: str) -> dict[str, str]:
    """Return what stands for a card, by purpose."""
    answer = await shop.client.get(
        f"/v1/customers/{customer_id}/consents", headers=shop.world.headers()
    )
    return {f"{one['purpose']} {one['channel']}": one["state"] for one in answer.json()["standing"]}


async def test_consent_is_joined_by_the_strictest_and_given_back(shop: Shop) -> None:
    survivor, loser = await pair(shop)
    await say(shop, survivor, "marketing", "granted")
    await say(shop, loser, "marketing", "withdrawn")
    await say(shop, loser, "survey", "granted")
    planned = await plan(shop.client, shop.world, survivor, [loser])
    assert [
        (one["purpose"], [card["state"] for card in one["cards"]], one["state"])
        for one in planned["consents"]
    ] == [
        ("marketing", ["granted", "withdrawn"], "withdrawn"),
        ("survey", [None, "granted"], "granted"),
    ]

    done = await merge(shop.client, shop.world, survivor, [loser])
    assert await said(shop, survivor) == {"marketing any": "withdrawn", "survey any": "granted"}

    await say(shop, survivor, "survey", "withdrawn")
    await say(shop, survivor, "greeting", "granted")
    await undo(shop.client, shop.world, done)
    assert await said(shop, survivor) == {
        "marketing any": "granted", "survey any": "withdrawn", "greeting any": "granted",
    }  # fmt: skip
    assert await said(shop, loser) == {"marketing any": "withdrawn", "survey any": "withdrawn"}


async def test_merges_are_listed_newest_first_and_of_a_card_with_those_below_it(
    shop: Shop,
) -> None:
    first, second = await pair(shop)
    third = (await create_card(shop.client, shop.world, name="丙"))["id"]
    lower = await merge(shop.client, shop.world, second, [first])
    upper = await merge(shop.client, shop.world, third, [second])

    async def listed(path: str) -> list[str]:
        answer = await shop.client.get(path, headers=shop.world.headers())
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["items"]]

    both = [upper["id"], lower["id"]]
    assert await listed("/v1/merges") == both
    for card in (first, second, third):
        assert await listed(f"/v1/customers/{card}/merges") == both
    page = await shop.client.get("/v1/merges?limit=1", headers=shop.world.headers())
    rest = await listed(f"/v1/merges?limit=1&cursor={page.json()['next_cursor']}")
    assert [page.json()["items"][0]["id"], *rest] == both
    await undo(shop.client, shop.world, upper)
    assert await listed("/v1/merges?status=undone") == [upper["id"]]
    assert await listed(f"/v1/customers/{first}/merges") == [lower["id"]]
    read = await shop.client.get(f"/v1/merges/{lower['id']}", headers=shop.world.headers("auditor"))
    assert read.json()["plan"]["surviving_id"] == second
    assert Decimal(read.json()["plan"]["statistics"]["net"]) == 0
