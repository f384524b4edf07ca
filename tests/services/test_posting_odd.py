"""Odd events and odd orders that once went wrong: nothing is lost, nothing half-done."""

from decimal import Decimal
from uuid import UUID

import httpx
from sqlalchemy import func, insert, select
from sqlmodel import col

from app.core import clock
from app.core.database import Database
from app.core.ids import new_id
from app.models import (
    AuditEntry,
    CustomerStats,
    OutboxEvent,
    PosEvent,
    Product,
    PurchaseLine,
    TierAssignment,
)
from tests.support.cards import create_card
from tests.support.events import refund, sale
from tests.support.world import World, send_batch, send_event

HUGE = "999999999999.99"


async def card(client: httpx.AsyncClient, world: World, member: str = "HK000001") -> UUID:
    """Create a card with a member number."""
    answer = await create_card(
        client, world, identities=[{"kind": "member_number", "value": member}]
    )
    return UUID(answer["id"])


async def test_the_largest_amounts_and_costs_are_booked_and_spoil_no_neighbour(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    customer_id = await card(client, world)
    odd = sale("10.00")
    odd["lines"][0] |= {"quantity": "1000000", "unit_price": "0.00", "amount": "0.00",
                        "unit_cost": HUGE}  # fmt: skip
    odd["total"] = "0.00"
    answer = await send_batch(client, world, [sale(HUGE), odd, sale(HUGE), sale("1.00")])
    assert answer.status_code == 200, answer.text
    assert [result["status"] for result in answer.json()["results"]] == ["applied"] * 4
    headers = world.headers()
    read = await client.get(f"/v1/customers/{customer_id}/statistics", headers=headers)
    assert read.json()["net_365"] == "2000000000000.98"
    async with database.transaction() as session:
        stats = await session.get(CustomerStats, customer_id)
        assert stats is not None
        assert stats.margin == -Decimal(HUGE) * 1_000_000
    tier = await client.get(f"/v1/customers/{customer_id}/tier", headers=headers)
    assert tier.json()["today"]["net_spend"] == "2000000000000.98"


async def test_a_refund_parked_for_what_turns_out_to_be_a_refund_is_held_in_either_order(
    client: httpx.AsyncClient, world: World
) -> None:
    await card(client, world)
    bought = sale("100.00")
    returned = refund(bought, "40.00")
    odd = refund(returned, "10.00")
    assert (await send_event(client, world, odd)).json()["status"] == "parked"
    assert (await send_event(client, world, bought)).status_code == 200
    assert (await send_event(client, world, returned)).json()["status"] == "applied"
    seen = await client.get(f"/v1/pos/till-1/events/{odd['event_id']}", headers=world.headers())
    assert (seen.json()["status"], seen.json()["purchase_id"]) == ("held", None)
    assert seen.json()["problem"]["type"] == "/problems/not-a-sale"


async def test_a_batch_that_swaps_what_earned_the_tier_is_kept_step_by_step(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    customer_id = await card(client, world)
    first = sale("1200.00")
    assert (await send_event(client, world, first)).json()["tier"]["after"] == "main"
    returned = refund(first)
    third = sale("1000.00")
    answer = await send_batch(client, world, [returned, third])
    assert [result["tier"]["after"] for result in answer.json()["results"]][-1] == "main"
    async with database.transaction() as session:
        current = (
            await session.scalars(
                select(TierAssignment).where(
                    col(TierAssignment.customer_id) == customer_id,
                    col(TierAssignment.valid_to).is_(None),
                )
            )
        ).one()
    assert str(current.purchase_id) == answer.json()["results"][1]["purchase_id"]
    last = await send_event(client, world, refund(third))
    assert last.json()["tier"]["after"] == "small"


async def test_a_held_event_stays_a_real_one_while_its_source_is_tried_in_test_mode(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    await card(client, world)
    event = sale("58.00", total="59.00")
    assert (await send_event(client, world, event)).json()["status"] == "held"
    address = f"/v1/sources/{world.sources['till-1']}"
    for version, mode in ((1, "test"), (2, "live")):
        headers = {**world.headers("admin"), "If-Match": f'"v{version}"'}
        await client.patch(address, headers=headers, json={"mode": mode})
        replayed = await client.post(
            f"/v1/pos/till-1/events/{event['event_id']}/replay", headers=world.headers()
        )
        assert (replayed.status_code, replayed.json()["status"]) == (200, "held")
    async with database.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(PosEvent)) == 1


async def test_a_line_with_an_isbn_alone_is_completed_from_the_catalogue(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    await card(client, world)
    now = clock.now()
    async with database.transaction() as session:
        await session.execute(
            insert(Product).values(
                id=new_id(), sku="B9", isbn="9797000000018", title="云上的书店", category="art",
                unit_cost=Decimal("30.00"), is_active=True, version=1, created_at=now,
                updated_at=now,
            )
        )  # fmt: skip
    event = sale("58.00")
    event["lines"][0] |= {"sku": None, "isbn": "9797000000018"}
    assert (await send_event(client, world, event)).status_code == 200
    async with database.transaction() as session:
        line = (await session.scalars(select(PurchaseLine))).one()
    assert (line.title, line.category, line.unit_cost) == ("云上的书店", "art", Decimal("30.00"))


async def test_every_change_by_a_till_is_in_the_trail_and_told_to_others(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    bought = (await send_event(client, world, sale("1200.00", member="HK000077"))).json()
    customer_id = await card(client, world, "HK000077")
    async with database.transaction() as session:
        entries = (await session.scalars(select(AuditEntry).order_by(col(AuditEntry.id)))).all()
        told = (await session.scalars(select(OutboxEvent).order_by(col(OutboxEvent.id)))).all()
    trail = [(str(e.actor_kind), str(e.action), e.object_type, e.fields) for e in entries]
    assert trail[0] == ("source", "created", "purchase", [])
    assert entries[0].actor_id == world.sources["till-1"]
    assert str(entries[0].object_id) == bought["purchase_id"]
    assert entries[0].request_id
    assert ("system", "changed", "customer", ["tier"]) in trail
    attached = [event for event in told if event.type == "purchase.attached"]
    assert [(str(e.subject_id), e.customer_id) for e in attached] == [
        (bought["purchase_id"], customer_id)
    ]


async def test_a_tier_carried_by_another_purchase_goes_with_that_purchase(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    customer_id = await card(client, world)
    first, second = sale("1200.00"), sale("1200.00")
    await send_event(client, world, first)
    await send_event(client, world, second)
    kept = (await send_event(client, world, refund(first))).json()["tier"]
    assert (kept["before"], kept["after"], kept["changed"]) == ("main", "main", False)
    read = await client.get(f"/v1/customers/{customer_id}/tier", headers=world.headers())
    assert (read.json()["cause"]["code"], read.json()["purchase_id"]) == ("carried", None)

    lost = (await send_event(client, world, refund(second))).json()["tier"]

    assert (lost["before"], lost["after"], lost["net_spend"]) == ("main", "small", "0.00")
    async with database.transaction() as session:
        told = (await session.scalars(select(OutboxEvent).order_by(col(OutboxEvent.id)))).all()
    assert [event.payload["after"] for event in told if event.type == "tier.changed"] == [
        "main", "small",
    ]  # fmt: skip


async def test_a_till_is_told_how_the_card_stands_with_the_refund_that_had_waited(
    client: httpx.AsyncClient, world: World
) -> None:
    await card(client, world)
    await send_event(client, world, sale("400.00"))
    bought = sale("1200.00")
    assert (await send_event(client, world, refund(bought))).json()["status"] == "parked"
    answer = (await send_event(client, world, bought)).json()
    assert answer["tier"]["after"] == answer["tier"]["before"] == "ordinary"
    assert (answer["tier"]["changed"], answer["tier"]["net_spend"]) == (False, "400.00")
    assert answer["greeting"]["en"] == "Welcome, 王小明!"
