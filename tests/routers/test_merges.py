"""Merging over the API: planned, carried out, undone."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.models import (
    AuditEntry,
    CustomerMerge,
    CustomerMergeItem,
    DuplicatePair,
    OutboxEvent,
)
from tests.support.cards import create_card, read_card
from tests.support.events import refund, sale, void
from tests.support.merging import carry_out, dump, merge, plan, totals, undo
from tests.support.shop import Shop
from tests.support.world import World


@pytest.fixture
def shop(client: httpx.AsyncClient, world: World, database: Database, settings: Settings) -> Shop:
    """The small chain in the database that is rolled back."""
    return Shop(client, world, database, settings)


async def two_cards(shop: Shop) -> tuple[str, str]:
    """Return a card that bought for 400 and one that bought for 700, with what else they say."""
    survivor = await create_card(
        shop.client,
        shop.world,
        name="王小明",
        address="上海市徐汇区",
        occupation="teacher",
        registered_on="2026-03-01",
        identities=[
            {"kind": "member_number", "value": "HK1", "is_primary": True},
            {"kind": "phone", "value": "13800138000", "is_primary": True},
        ],
    )
    loser = await create_card(
        shop.client,
        shop.world,
        name="王晓明",
        employer="华东师范大学",
        occupation="teacher",
        registered_on="2025-06-01",
        identities=[
            {"kind": "member_number", "value": "HK2", "is_primary": True},
            {"kind": "email", "value": "wang@example.com", "is_primary": True},
        ],
    )
    await shop.send(sale("400.00", member="HK1"))
    await shop.send(sale("700.00", member="HK2"))
    return survivor["id"], loser["id"]


async def test_a_plan_tells_what_would_be_and_changes_nothing(shop: Shop) -> None:
    survivor, loser = await two_cards(shop)
    before = await dump(shop.database, survivor, loser)

    planned = await plan(shop.client, shop.world, survivor, [loser])

    assert await dump(shop.database, survivor, loser) == before
    assert planned["can_be_done"] is True
    assert planned["obstacles"] == []
    assert planned["conflicts"] == ["name"]
    decided = {
        one["field"]: (one["value"], one["customer_id"], one["rule"]["code"])
        for one in planned["fields"]
    }
    assert decided == {
        "name": ("王小明", survivor, "survivor"),
        "occupation": ("teacher", survivor, "agreed"),
        "employer": ("华东师范大学", loser, "only_value"),
        "address": ("上海市徐汇区", survivor, "survivor"),
        "origin": ("store", survivor, "agreed"),
        "registered_on": ("2025-06-01", loser, "earliest"),
    }
    assert [
        (one["kind"], one["customer_id"], one["was_primary"], one["is_primary"])
        for one in planned["identities"]
    ] == [
        ("member_number", survivor, True, True),
        ("phone", survivor, True, True),
        ("member_number", loser, True, False),
        ("email", loser, True, True),
    ]
    assert {one["table"]: one["rows"] for one in planned["moves"] if one["rows"]} == {
        "customer_identity": 2,
        "purchase": 1,
        "purchase_line": 1,
    }
    tier = planned["tier"]
    assert [one["level"] for one in tier["cards"]] == ["ordinary", "ordinary"]
    assert (tier["level"], tier["changes"]) == ("main", True)
    assert planned["statistics"]["net"] == "1100.00"
    assert planned["statistics"]["purchases"] == 2


async def test_a_merge_moves_everything_and_undoing_it_gives_both_cards_back(shop: Shop) -> None:
    survivor, loser = await two_cards(shop)
    before, sums = await dump(shop.database, survivor, loser), await totals(shop.database)

    planned = await plan(shop.client, shop.world, survivor, [loser])
    answer = await carry_out(shop.client, shop.world, planned, reason="same phone")

    assert answer.status_code == 201, answer.text
    done = answer.json()
    assert answer.headers["location"] == f"/v1/merges/{done['id']}"
    card = done["customer"]
    assert (card["id"], card["employer"], card["registered_on"], card["version"]) == (
        survivor, "华东师范大学", "2025-06-01", 2,
    )  # fmt: skip
    assert card["merged_ids"] == [loser]
    assert card["tier"]["code"] == "main"
    assert [(one["kind"], one["is_primary"]) for one in card["identities"]] == [
        ("member_number", True), ("phone", True), ("member_number", False), ("email", True),
    ]  # fmt: skip
    assert len(await shop.purchases(UUID(survivor))) == 2
    assert await shop.wrong_statistics() == 0
    assert await totals(shop.database) == sums
    tier = (await shop.tier(UUID(survivor))).model_dump()
    assert (tier["level"], tier["cause"], tier["purchase_id"]) == ("main", "merged", None)
    read = await shop.client.get(f"/v1/customers/{loser}", headers=shop.world.headers())
    assert read.json() == await read_card(shop.client, shop.world, survivor)
    assert await dump(shop.database, loser) == {
        **{name: [] for name in before},
        "customer": (await dump(shop.database, loser))["customer"],
        "tier_assignment": (await dump(shop.database, loser))["tier_assignment"],
    }

    ended = await undo(shop.client, shop.world, done)

    assert (ended["status"], ended["customer"]["id"]) == ("undone", survivor)
    assert await dump(shop.database, survivor, loser) == before
    assert await shop.wrong_statistics() == 0
    assert (await read_card(shop.client, shop.world, loser))["id"] == loser


async def test_tills_and_look_ups_reach_the_surviving_card(shop: Shop) -> None:
    survivor, loser = await two_cards(shop)
    bought = sale("50.00", member="HK2")
    await shop.send(bought)
    await merge(shop.client, shop.world, survivor, [loser])

    found = await shop.client.post(
        "/v1/customers/lookup",
        json={"kind": "email", "value": "wang@example.com"},
        headers=shop.world.headers(),
    )
    by_number = await shop.send(sale("10.00", member="HK2"))
    by_id = await shop.send(sale("10.00", customer={"id": loser}))
    returned = await shop.send(refund(bought))
    awaited = sale("30.00", member="HK2")
    assert (await shop.send(void(awaited)))["status"] == "parked"
    assert (await shop.send(awaited))["customer"]["id"] == survivor

    assert found.json()["id"] == survivor
    assert {result["customer"]["id"] for result in (by_number, by_id, returned)} == {survivor}
    assert len(await shop.purchases(UUID(survivor))) == 7
    assert await shop.wrong_statistics() == 0


async def test_nothing_is_merged_by_a_plan_that_something_has_outdated(shop: Shop) -> None:
    survivor, loser = await two_cards(shop)
    planned = await plan(shop.client, shop.world, survivor, [loser])
    await shop.send(sale("1.00", member="HK2"))
    before = await dump(shop.database, survivor, loser)

    answer = await carry_out(shop.client, shop.world, planned)

    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/merge-plan-stale")
    assert await dump(shop.database, survivor, loser) == before
    assert await shop.counts(CustomerMerge, CustomerMergeItem) == {
        "customer_merge": 0, "customer_merge_item": 0,
    }  # fmt: skip
    again = await plan(shop.client, shop.world, survivor, [loser])
    assert (await carry_out(shop.client, shop.world, again)).status_code == 201


async def test_a_choice_stands_and_belongs_to_the_plan(shop: Shop) -> None:
    survivor, loser = await two_cards(shop)
    planned = await plan(shop.client, shop.world, survivor, [loser], choices={"name": loser})
    assert [one["value"] for one in planned["fields"] if one["field"] == "name"] == ["王晓明"]

    without = await carry_out(shop.client, shop.world, planned)
    assert without.json()["type"] == "/problems/merge-plan-stale"
    answer = await carry_out(shop.client, shop.world, planned, choices={"name": loser})
    assert answer.json()["customer"]["name"] == "王晓明"


async def test_both_cards_histories_the_trail_and_the_outbox_tell_of_it(shop: Shop) -> None:
    survivor, loser = await two_cards(shop)
    done = await merge(shop.client, shop.world, survivor, [loser])
    await undo(shop.client, shop.world, done)

    async def changes(customer_id: str) -> list[dict[str, Any]]:
        answer = await shop.client.get(
            f"/v1/customers/{customer_id}/changes", headers=shop.world.headers()
        )
        return [one["changes"] for one in answer.json()["items"]]

    back, there, _ = await changes(survivor)
    assert there["merged_ids"] == [[], [loser]]
    assert there["employer"] == [None, "华东师范大学"]
    assert [len(side) for side in there["identities"]] == [2, 4]
    assert {name: pair[::-1] for name, pair in back.items()} == there
    back, there, _ = await changes(loser)
    assert there["status"] == ["active", "merged"]
    assert there["merged_into_id"] == [None, survivor]
    assert [len(side) for side in there["identities"]] == [2, 0]
    assert {name: pair[::-1] for name, pair in back.items()} == there
    async with shop.database.transaction() as session:
        told = await session.execute(
            select(col(OutboxEvent.type), col(OutboxEvent.customer_id), col(OutboxEvent.payload))
            .where(col(OutboxEvent.type).in_(["customer.merged", "customer.unmerged"]))
            .order_by(col(OutboxEvent.id))
        )
        assert [
            (str(kind), str(card), payload["merge_id"], payload.get("merged_ids"))
            for kind, card, payload in told
        ] == [
            ("customer.merged", survivor, done["id"], [loser]),
            ("customer.unmerged", survivor, done["id"], None),
        ]
        trail = await session.execute(
            select(col(AuditEntry.action), col(AuditEntry.object_id)).where(
                col(AuditEntry.action).in_(["merged", "unmerged"])
            )
        )
        assert sorted((str(action), str(card)) for action, card in trail) == sorted(
            (action, card) for action in ("merged", "unmerged") for card in (survivor, loser)
        )


async def test_open_pairs_of_merged_cards_are_settled_and_open_again_when_it_is_undone(
    shop: Shop,
) -> None:
    survivor, loser = await two_cards(shop)
    first, second = sorted([UUID(survivor), UUID(loser)])
    async with shop.database.transaction() as session:
        await session.execute(
            upsert(DuplicatePair)
            .values(
                first_id=first, second_id=second, state="open", score=900, reasons=[],
                found_at=clock.now(),
            )
            .on_conflict_do_nothing()
        )  # fmt: skip

    async def state() -> str:
        async with shop.database.transaction() as session:
            found = await session.scalar(
                select(col(DuplicatePair.state)).where(
                    col(DuplicatePair.first_id) == first, col(DuplicatePair.second_id) == second
                )
            )
            return str(found)

    planned = await plan(shop.client, shop.world, survivor, [loser])
    assert [(one["state"], one["state_after"]) for one in planned["duplicate_pairs"]] == [
        ("open", "same")
    ]
    done = await merge(shop.client, shop.world, survivor, [loser])
    assert await state() == "same"
    await undo(shop.client, shop.world, done)
    assert await state() == "open"
