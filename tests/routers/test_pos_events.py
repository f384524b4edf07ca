"""A sale at the till, its tier, and everything that can be odd about either."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, text
from sqlmodel import col

from app.core.config import Settings
from app.core.database import Database
from app.core.ids import new_id
from app.models import (
    CustomerStats,
    OutboxEvent,
    PosEvent,
    Purchase,
    Receipt,
    TierAssignment,
    UnattachedPurchase,
)
from tests.conftest import client_of
from tests.support.events import refund, sale, void
from tests.support.world import World, build_world, send_batch, send_event


async def make_card(
    client: httpx.AsyncClient, world: World, member: str = "HK000001", **fields: Any
) -> str:
    """Create a card with a member number and return its id."""
    answer = await client.post(
        "/v1/customers",
        headers=world.headers("manager"),
        json={
            "kind": "individual",
            "name": "顾念书",
            "gender": "female",
            "identities": [{"kind": "member_number", "value": member}],
            **fields,
        },
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def tier_of(client: httpx.AsyncClient, world: World, customer_id: str) -> dict[str, Any]:
    """Read a card's tier."""
    answer = await client.get(f"/v1/customers/{customer_id}/tier", headers=world.headers())
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_sale_lifts_its_customer_and_the_answer_says_so_and_why(
    client: httpx.AsyncClient, world: World
) -> None:
    customer_id = await make_card(client, world)
    first = await send_event(client, world, sale("968.00"))
    assert first.status_code == 200, first.text
    assert first.json()["tier"]["after"] == "ordinary"
    assert first.json()["tier"]["next"] == {"level": "main", "missing": "32.00", "spend": "32.00"}

    answer = await send_event(client, world, sale("58.00"))

    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "applied"
    assert body["customer"] == {"id": customer_id, "kind": "individual", "name": "顾念书"}
    assert (body["tier"]["before"], body["tier"]["after"]) == ("ordinary", "main")
    assert body["tier"]["changed"] is True
    assert body["tier"]["net_spend"] == "1026.00"
    assert body["tier"]["next"] is None
    assert body["greeting"]["zh"] == "顾念书女士，您好！恭喜您升级为主要客户！"
    assert "净消费 1026.00，达到主要客户的门槛 1000.00" in body["tier"]["explanation"]["zh"]

    tier = await tier_of(client, world, customer_id)
    assert tier["level"]["code"] == "main"
    assert tier["cause"]["code"] == "upgrade"
    assert tier["purchase_id"] == body["purchase_id"]
    assert tier["explanation"]["inputs"]["net_spend"] == "1026.00"
    assert tier["explanation"]["rule"]["at_least"] == "1000.00"
    assert tier["explanation"]["policy"]["version"] == 1
    assert tier["keep"]["at_least"] == "900.00"
    assert tier["keep"]["still_counting"] == "1026.00"
    assert tier["keep"]["missing"] == "0.00"


async def test_the_same_event_again_gets_the_first_answer(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    await make_card(client, world)
    event = sale("400.00")
    first = await send_event(client, world, event)
    await send_event(client, world, sale("700.00"))
    again = await send_event(client, world, event)
    assert again.status_code == first.status_code == 200
    assert again.json() == first.json()
    async with database.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(Purchase)) == 2


async def test_an_answer_stored_before_other_methods_came_is_given_again(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    await make_card(client, world)
    event = sale("400.00")
    first = await send_event(client, world, event)
    async with database.transaction() as session:
        # As it was stored then: {"before", "after", "changed", "net_spend", "next", "explanation"}.
        await session.execute(
            text(
                "UPDATE pos_event SET answer = answer #- '{tier,score}' #- '{tier,unit}'"
                " #- '{tier,is_locked}' #- '{tier,next,spend}'"
            )
        )
    again = await send_event(client, world, event)
    assert again.status_code == 200
    assert again.json() == first.json()
    assert first.json()["tier"]["next"]["spend"] == "600.00"


async def test_the_same_id_with_another_body_is_a_conflict_and_changes_nothing(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    customer_id = await make_card(client, world)
    event = sale("400.00")
    await send_event(client, world, event)
    other = sale("500.00", event_id=event["event_id"])
    answer = await send_event(client, world, other)
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/event-conflict"
    async with database.transaction() as session:
        stats = await session.get(CustomerStats, customer_id)
        assert stats is not None
        assert str(stats.net_365) == "400.00"


async def test_one_sale_sent_a_hundred_times_at_once_has_one_effect(
    fresh_database: Database, settings: Settings
) -> None:
    world = await build_world(fresh_database)
    async with client_of(fresh_database, settings) as client:
        customer_id = await make_card(client, world)
        event = sale("1200.00")
        answers: list[httpx.Response] = []
        for _ in range(10):
            answers += await asyncio.gather(*(send_event(client, world, event) for _ in range(10)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1
        async with fresh_database.transaction() as session:
            assert await session.scalar(select(func.count()).select_from(Purchase)) == 1
            assert await session.scalar(select(func.count()).select_from(Receipt)) == 1
            assigned = select(func.count()).select_from(TierAssignment)
            assert await session.scalar(assigned) == 2
            stats = await session.get(CustomerStats, customer_id)
            assert stats is not None
            assert (stats.purchases, str(stats.net)) == (1, "1200.00")


async def test_a_sale_of_an_unknown_customer_waits_and_joins_the_card_when_it_appears(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    event = sale("1100.00", member="HK000077")
    answer = await send_event(client, world, event)
    assert answer.status_code == 202
    assert answer.json()["status"] == "awaiting_customer"
    assert answer.json()["customer"] is None

    customer_id = await make_card(client, world, "HK000077")

    tier = await tier_of(client, world, customer_id)
    assert tier["level"]["code"] == "main"
    assert tier["purchase_id"] == answer.json()["purchase_id"]
    bought = await client.get(f"/v1/customers/{customer_id}/purchases", headers=world.headers())
    assert [item["amount"] for item in bought.json()["items"]] == ["1100.00"]
    async with database.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(UnattachedPurchase)) == 0
        stored = await session.get(PosEvent, (world.sources["till-1"], event["event_id"]))
        assert stored is not None
        assert str(stored.status) == "applied"


async def test_a_sale_of_nobody_counts_for_the_store_only(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    answer = await send_event(client, world, sale("58.00", member=None))
    assert answer.status_code == 200
    assert answer.json()["customer"] is None
    assert answer.json()["tier"] is None
    async with database.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(Purchase)) == 0
        kept = (await session.scalars(select(UnattachedPurchase))).one()
        assert (str(kept.amount), kept.awaits_kind) == ("58.00", None)


async def test_a_refund_before_its_sale_waits_and_is_applied_with_it(
    client: httpx.AsyncClient, world: World
) -> None:
    customer_id = await make_card(client, world)
    event = sale("1100.00")
    early = await send_event(client, world, refund(event, "200.00"))
    assert early.status_code == 202
    assert early.json()["status"] == "parked"
    assert early.json()["problem"]["type"] == "/problems/original-awaited"

    late = await send_event(client, world, event)

    assert late.status_code == 200
    statistics = await client.get(
        f"/v1/customers/{customer_id}/statistics", headers=world.headers()
    )
    assert statistics.json()["net_365"] == "900.00"
    assert statistics.json()["refunded_365"] == "200.00"
    # The refund took back the purchase that had earned the tier, in the same breath.
    assert (await tier_of(client, world, customer_id))["level"]["code"] == "ordinary"


async def test_refunding_the_purchase_that_earned_the_tier_takes_the_tier_back(
    client: httpx.AsyncClient, world: World
) -> None:
    customer_id = await make_card(client, world)
    await send_event(client, world, sale("400.00"))
    earning = sale("700.00")
    assert (await send_event(client, world, earning)).json()["tier"]["after"] == "main"

    answer = await send_event(client, world, refund(earning))

    assert (answer.json()["tier"]["before"], answer.json()["tier"]["after"]) == ("main", "ordinary")
    tier = await tier_of(client, world, customer_id)
    assert (tier["level"]["code"], tier["cause"]["code"]) == ("ordinary", "reversal")
    history = await client.get(f"/v1/customers/{customer_id}/tier-history", headers=world.headers())
    assert [item["level"] for item in history.json()["items"]] == [
        "ordinary", "main", "ordinary", "small",
    ]  # fmt: skip


async def test_refunding_another_purchase_leaves_the_tier_until_an_evaluation(
    client: httpx.AsyncClient, world: World
) -> None:
    customer_id = await make_card(client, world)
    first = sale("400.00")
    await send_event(client, world, first)
    await send_event(client, world, sale("700.00"))
    answer = await send_event(client, world, refund(first))
    assert answer.json()["tier"]["changed"] is False
    tier = await tier_of(client, world, customer_id)
    assert tier["level"]["code"] == "main"
    assert tier["keep"]["missing"] == "200.00"


async def test_a_voided_sale_counts_as_if_it_had_never_been(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    customer_id = await make_card(client, world)
    event = sale("1200.00")
    await send_event(client, world, event)
    answer = await send_event(client, world, void(event))
    assert answer.status_code == 200
    assert (await tier_of(client, world, customer_id))["level"]["code"] == "small"
    async with database.transaction() as session:
        stats = await session.get(CustomerStats, customer_id)
        assert stats is not None
        assert (stats.purchases, str(stats.net), stats.window_changes_on) == (0, "0.00", None)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"store": "S02"}, "wrong-store"),
        ({"currency": "USD"}, "wrong-currency"),
        ({"total": "59.00"}, "sums-mismatch"),
        ({"occurred_at": "2198-01-01T00:00:00+08:00"}, "occurred-in-future"),
        ({"customer": {"kind": "phone", "value": "12"}}, "customer-unreadable"),
        ({"customer": {"id": str(new_id())}}, "card-unknown"),
    ],
)
async def test_what_cannot_be_applied_is_held_and_listed(
    client: httpx.AsyncClient,
    world: World,
    database: Database,
    changes: dict[str, Any],
    problem: str,
) -> None:
    await make_card(client, world)
    event = sale("58.00", **changes)
    answer = await send_event(client, world, event)
    assert answer.status_code == 202, answer.text
    assert answer.json()["status"] == "held"
    assert answer.json()["problem"]["type"] == f"/problems/{problem}"
    held = await client.get(
        "/v1/pos/events", params={"status": "held"}, headers=world.headers("store_manager")
    )
    assert [item["event_id"] for item in held.json()["items"]] == [event["event_id"]]
    assert held.json()["items"][0]["problem"]["type"] == f"/problems/{problem}"
    async with database.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(Purchase)) == 0
        assert await session.scalar(select(func.count()).select_from(Receipt)) == 0


async def test_a_held_event_is_applied_when_it_is_replayed_after_mending(
    client: httpx.AsyncClient, world: World
) -> None:
    event = sale("58.00", customer={"id": None, "kind": "member_number", "value": "HK000001"},
                 store="S02")  # fmt: skip
    customer_id = await make_card(client, world)
    held = (await send_event(client, world, event)).json()
    assert (held["status"], held["problem"]["type"]) == ("held", "/problems/wrong-store")
    source = world.sources["till-1"]
    seen = await client.get(f"/v1/sources/{source}", headers=world.headers("admin"))
    mended = await client.patch(
        f"/v1/sources/{source}",
        headers={**world.headers("admin"), "If-Match": seen.headers["etag"]},
        json={"store_id": str(world.stores["S02"])},
    )
    assert mended.status_code == 200, mended.text

    answer = await client.post(
        f"/v1/pos/till-1/events/{event['event_id']}/replay", headers=world.headers()
    )

    assert answer.status_code == 200, answer.text
    assert (answer.json()["status"], answer.json()["problem"]) == ("applied", None)
    assert answer.json()["customer_id"] == customer_id
    again = await client.post(
        f"/v1/pos/till-1/events/{event['event_id']}/replay", headers=world.headers()
    )
    assert again.status_code == 409
    assert again.json()["type"] == "/problems/invalid-transition"


async def test_a_receipt_number_used_by_another_event_is_held(
    client: httpx.AsyncClient, world: World
) -> None:
    await make_card(client, world)
    event = sale("58.00")
    await send_event(client, world, event)
    answer = await send_event(client, world, sale("58.00", receipt_number=event["receipt_number"]))
    assert answer.json()["problem"]["type"] == "/problems/receipt-number-used"


async def test_refunds_never_take_back_more_than_was_bought(
    client: httpx.AsyncClient, world: World
) -> None:
    await make_card(client, world)
    event = sale("58.00")
    await send_event(client, world, event)
    assert (await send_event(client, world, refund(event, "58.01"))).json()["problem"]["type"] == (
        "/problems/refund-exceeds-sale"
    )
    assert (await send_event(client, world, refund(event, "58.00"))).status_code == 200
    again = await send_event(client, world, refund(event))
    assert again.json()["problem"]["type"] == "/problems/refund-exceeds-sale"


async def test_a_batch_gives_each_event_its_own_result(
    client: httpx.AsyncClient, world: World
) -> None:
    customer_id = await make_card(client, world)
    first, second = sale("900.00"), sale("150.00")
    broken = {**sale("10.00"), "colour": "red"}
    answer = await send_batch(
        client,
        world,
        [first, broken, second, refund(second), first, sale("1.00", store="S02"), "no event"],
    )
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert [result["status"] for result in results] == [
        "applied", "rejected", "applied", "applied", "applied", "held", "rejected",
    ]  # fmt: skip
    assert results[1]["problem"]["errors"][0]["pointer"] == "/colour"
    assert results[2]["tier"]["after"] == "main"
    assert results[3]["tier"]["after"] == "ordinary"
    assert results[4] == results[0]
    assert (await tier_of(client, world, customer_id))["level"]["code"] == "ordinary"


async def test_a_source_in_test_mode_answers_as_in_earnest_and_has_no_effect(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    customer_id = await make_card(client, world)
    source = world.sources["till-1"]
    seen = await client.get(f"/v1/sources/{source}", headers=world.headers("admin"))
    await client.patch(
        f"/v1/sources/{source}",
        headers={**world.headers("admin"), "If-Match": seen.headers["etag"]},
        json={"mode": "test"},
    )
    answer = await send_event(client, world, sale("1200.00"))
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "test"
    assert answer.json()["tier"]["after"] == "main"
    assert (await tier_of(client, world, customer_id))["level"]["code"] == "small"
    async with database.transaction() as session:
        for table in (Purchase, Receipt, CustomerStats):
            assert await session.scalar(select(func.count()).select_from(table)) == 0


async def test_what_would_be_held_is_told_in_test_mode_and_goes_with_the_tests(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    source = world.sources["till-1"]
    headers = {**world.headers("admin"), "If-Match": '"v1"'}
    await client.patch(f"/v1/sources/{source}", headers=headers, json={"mode": "test"})
    event = sale("58.00", total="59.00")
    answer = await send_event(client, world, event)
    assert (answer.status_code, answer.json()["status"]) == (202, "test")
    assert answer.json()["problem"]["type"] == "/problems/sums-mismatch"
    early = await send_event(client, world, refund(sale("10.00")))
    assert (early.status_code, early.json()["status"]) == (202, "test")
    assert early.json()["problem"]["type"] == "/problems/original-awaited"

    headers = {**world.headers("admin"), "If-Match": '"v2"'}
    live = await client.patch(f"/v1/sources/{source}", headers=headers, json={"mode": "live"})

    assert live.status_code == 200
    async with database.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(PosEvent)) == 0
    assert (await send_event(client, world, {**event, "total": "58.00"})).status_code == 202


async def test_what_happens_is_put_into_the_outbox_without_anything_personal(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    customer_id = await make_card(client, world)
    await send_event(client, world, sale("1200.00"))
    async with database.transaction() as session:
        events = (await session.scalars(select(OutboxEvent).order_by(col(OutboxEvent.id)))).all()
    assert [str(event.type) for event in events] == [
        "customer.created", "purchase.recorded", "tier.changed",
    ]  # fmt: skip
    assert {str(event.customer_id) for event in events} == {customer_id}
    assert "顾念书" not in str([event.payload for event in events])
