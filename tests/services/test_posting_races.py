"""Tills and clerks at the same moment: real commits, real locks, each effect once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.core.config import Settings
from app.core.database import Database
from app.models import (
    Customer,
    Identity,
    OutboxEvent,
    PosEvent,
    Purchase,
    PurchaseLine,
    Receipt,
    TierAssignment,
    UnattachedPurchase,
)
from app.services import pos_intake
from tests.conftest import client_of
from tests.support.events import refund, sale, void
from tests.support.postings import received
from tests.support.shop import Shop
from tests.support.world import build_world, send_event

AT_ONCE = 20
ROUNDS = 30


@pytest.fixture
def settings() -> Settings:
    """A connection for everybody: here they shall wait for each other's rows, not for the pool."""
    return Settings(
        _env_file=None, pool_size=AT_ONCE, pool_overflow=AT_ONCE, pool_timeout_seconds=10
    )


@pytest.fixture
async def shop(fresh_database: Database, settings: Settings) -> AsyncIterator[Shop]:
    """The small chain in a database where transactions run side by side."""
    world = await build_world(fresh_database)
    async with client_of(fresh_database, settings) as client:
        yield Shop(client, world, fresh_database, settings)


async def test_the_same_event_from_twenty_clients_at_once_has_one_effect(shop: Shop) -> None:
    customer_id = await shop.card()
    event = sale("1200.00")

    answers = await asyncio.gather(
        *(send_event(shop.client, shop.world, event) for _ in range(AT_ONCE))
    )

    assert Counter(answer.status_code for answer in answers) == {200: AT_ONCE}
    assert len({answer.text for answer in answers}) == 1
    assert await shop.counts(PosEvent, Receipt, Purchase, PurchaseLine) == {
        "pos_event": 1, "receipt": 1, "purchase": 1, "purchase_line": 1,
    }  # fmt: skip
    # The card's creation and its first tier; the sale and the tier it moved.
    assert await shop.counts(TierAssignment, OutboxEvent) == {
        "tier_assignment": 2, "outbox_event": 3,
    }  # fmt: skip
    assert str(await shop.net(customer_id)) == "1200.00"


@pytest.mark.parametrize("is_sale_first", [True, False], ids=["sale first", "card first"])
async def test_a_sale_and_its_cards_creation_at_the_same_moment_always_meet(
    shop: Shop, is_sale_first: bool
) -> None:
    seen: Counter[str] = Counter()
    for number in range(ROUNDS):
        member = f"HK{number:06}"
        pair: list[Any] = [shop.send(sale("1000.00", member=member)), shop.card(member)]
        results = await asyncio.gather(*(pair if is_sale_first else reversed(pair)))
        result, customer_id = results if is_sale_first else reversed(results)
        seen[result["status"]] += 1
        assert str(await shop.net(customer_id)) == "1000.00"
        assert await shop.level(customer_id) == "main"
        assert (await shop.tier(customer_id)).purchase_id == (
            (await shop.purchases(customer_id))[0].id
        )
    assert set(seen) <= {"applied", "awaiting_customer"}
    assert await shop.count(UnattachedPurchase) == 0
    assert await shop.statuses() == {"applied": ROUNDS}
    assert await shop.count(Customer) == await shop.count(Identity) == ROUNDS
    assert await shop.wrong_statistics() == 0


@pytest.mark.parametrize("is_sale_first", [True, False], ids=["sale first", "refund first"])
async def test_a_refund_and_its_sale_at_the_same_moment_always_meet(
    shop: Shop, is_sale_first: bool
) -> None:
    customer_id = await shop.card()
    for _ in range(ROUNDS):
        sold = sale("10.00")
        pair = [shop.send(sold), shop.send(refund(sold, "3.00"))]
        await asyncio.gather(*(pair if is_sale_first else reversed(pair)))
    assert await shop.statuses() == {"applied": 2 * ROUNDS}
    stats = await shop.stats(customer_id)
    assert (stats.purchases, stats.refunds) == (ROUNDS, ROUNDS)
    assert (str(stats.gross), str(stats.refunded)) == ("300.00", "90.00")


async def test_a_refund_of_a_waiting_sale_while_its_card_is_created_is_never_left_behind(
    shop: Shop,
) -> None:
    for number in range(ROUNDS):
        member = f"HK{number:06}"
        sold = sale("1000.00", member=member)
        await shop.send(sold)
        pair: list[Any] = [shop.send(refund(sold, "400.00")), shop.card(member)]
        results = await asyncio.gather(*(pair if number % 2 else reversed(pair)))
        customer_id = results[1] if number % 2 else results[0]
        assert str(await shop.net(customer_id)) == "600.00"
    assert await shop.count(UnattachedPurchase) == 0
    assert await shop.statuses() == {"applied": 2 * ROUNDS}
    assert await shop.wrong_statistics() == 0


async def test_a_card_waits_for_the_refund_that_is_being_posted_and_takes_it_along(
    shop: Shop,
) -> None:
    sold = sale("1000.00", member="HK000001")
    await shop.send(sold)
    async with shop.database.transaction() as session:
        taken = await pos_intake.take_event(
            session, shop.settings, received(shop.world, refund(sold, "400.00"))
        )
        assert taken.result.status == "awaiting_customer"
        # The clerk saves the card while the refund's transaction is still open.
        creation = asyncio.create_task(shop.card("HK000001"))
        done, _ = await asyncio.wait([creation], timeout=0.5)
        assert not done
    customer_id = await creation
    assert await shop.count(UnattachedPurchase) == 0
    assert str(await shop.net(customer_id)) == "600.00"


async def test_of_two_refunds_of_the_last_item_at_once_one_is_applied_and_one_held(
    shop: Shop,
) -> None:
    customer_id = await shop.card()
    for _ in range(10):
        sold = sale("58.00")
        await shop.send(sold)
        results = await asyncio.gather(
            shop.send(refund(sold, "58.00")), shop.send(refund(sold, "58.00"))
        )
        assert sorted(result["status"] for result in results) == ["applied", "held"]
        held = next(result for result in results if result["status"] == "held")
        assert held["problem"]["type"] == "/problems/refund-exceeds-sale"
    assert str(await shop.net(customer_id)) == "0.00"


async def test_of_a_refund_and_a_void_of_one_sale_at_once_one_is_applied(shop: Shop) -> None:
    customer_id = await shop.card()
    for _ in range(10):
        sold = sale("58.00")
        await shop.send(sold)
        results = await asyncio.gather(shop.send(refund(sold)), shop.send(void(sold)))
        assert sorted(result["status"] for result in results) == ["applied", "held"]
    assert str(await shop.net(customer_id)) == "0.00"


async def test_two_tills_selling_to_one_customer_at_once_add_up(shop: Shop) -> None:
    customer_id = await shop.card()
    answers = await asyncio.gather(
        *(
            shop.send(sale("7.31", store=store), till)
            for _ in range(AT_ONCE)
            for till, store in (("till-1", "S01"), ("till-2", "S02"))
        )
    )
    nets = sorted(float(answer["tier"]["net_spend"]) for answer in answers)
    # Every answer saw the receipts before it and its own: none was lost, none counted twice.
    assert nets == [round(7.31 * n, 2) for n in range(1, 2 * AT_ONCE + 1)]
    assert str(await shop.net(customer_id)) == "292.40"


async def test_batches_that_refer_to_each_other_end_as_one_after_the_other(shop: Shop) -> None:
    customer_id = await shop.card()
    ours, theirs = [sale("10.00") for _ in range(20)], [sale("10.00") for _ in range(20)]

    async def one(mine: list[Any], others: list[Any]) -> None:
        # Each till brings refunds of what the other one sold: they wait for each other's numbers.
        await shop.batch([*mine, *(refund(sold, "4.00") for sold in others)])

    for _ in range(2):
        await asyncio.gather(one(ours, theirs), one(theirs, ours))
        ours, theirs = [sale("10.00") for _ in range(20)], [sale("10.00") for _ in range(20)]

    assert await shop.statuses() == {"applied": 160}
    assert str(await shop.net(customer_id)) == "480.00"
