"""Receipts that waited: all of them join their card, with their refunds, voids and days."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.models import PurchaseLine, UnattachedPurchase
from tests.support.events import refund, sale, void
from tests.support.shop import Shop
from tests.support.world import World

NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)


@pytest.fixture
async def shop(
    database: Database, settings: Settings, client: httpx.AsyncClient, world: World
) -> AsyncIterator[Shop]:
    """The small chain at a fixed instant, in the database that is rolled back."""
    with clock.using(clock.FixedClock(NOW), everywhere=True):
        yield Shop(client, world, database, settings)


async def test_waiting_receipts_join_their_card_with_refunds_voids_and_late_ones(
    shop: Shop,
) -> None:
    sales = [
        sale("900.00", member="HK7", at="2026-05-01T10:00:00+08:00"),
        sale("150.00", member="HK7", at="2026-06-01T10:00:00+08:00"),
        sale("999.00", member="HK7", at="2026-07-01T10:00:00+08:00"),
        sale("5000.00", member="HK7", at="2025-11-21T10:00:00+08:00"),
        sale("70.00", member="HK8"),
        sale("80.00", member=None),
    ]
    returned, undone = refund(sales[0], "30.00"), refund(sales[1], "20.00")
    results = await shop.batch([*sales, returned, undone, void(sales[2]), void(undone)])
    assert [result["status"] for result in results] == [
        *["awaiting_customer"] * 5, "applied", *["awaiting_customer"] * 2, *["applied"] * 2,
    ]  # fmt: skip

    customer_id = await shop.card("HK7")

    purchases = await shop.purchases(customer_id)
    assert [(p.kind, p.status, str(p.amount)) for p in purchases] == [
        ("sale", "posted", "5000.00"),
        ("sale", "posted", "900.00"),
        ("sale", "posted", "150.00"),
        ("sale", "voided", "999.00"),
        ("refund", "posted", "30.00"),
        ("refund", "voided", "20.00"),
    ]
    stats = await shop.stats(customer_id)
    assert (stats.purchases, stats.refunds, str(stats.net)) == (3, 1, "6020.00")
    assert (stats.purchases_365, str(stats.net_365)) == (2, "1020.00")
    # The second sale lifted it to main; taking back a part of the first does not undo that.
    tier = await shop.tier(customer_id)
    assert (tier.level, tier.cause) == ("main", "upgrade")
    assert tier.purchase_id == purchases[2].id
    assert await shop.counts(UnattachedPurchase, PurchaseLine) == {
        "unattached_purchase": 2, "purchase_line": 6,
    }  # fmt: skip
    assert await shop.statuses() == {"applied": 9, "awaiting_customer": 1}
    assert await shop.wrong_statistics() == 0


async def test_what_was_attached_can_be_refunded_and_voided_like_any_other_receipt(
    shop: Shop,
) -> None:
    first, second = sale("300.00", member="HK7"), sale("10.00", member="HK7")
    part = refund(first, "100.00", quantity="0.5")
    await shop.batch([first, second, part])
    customer_id = await shop.card("HK7")
    rest = await shop.send(refund(first, total="200.00"))
    assert (rest["status"], rest["tier"]["net_spend"]) == ("applied", "10.00")
    assert (await shop.send(void(second)))["tier"]["net_spend"] == "0.00"
    assert (await shop.send(void(part)))["tier"]["net_spend"] == "100.00"
    stats = await shop.stats(customer_id)
    assert (stats.purchases, stats.refunds, str(stats.net)) == (1, 1, "100.00")


async def test_an_identity_given_to_an_old_card_brings_what_waited_for_it(shop: Shop) -> None:
    await shop.send(sale("700.00", member="HK9"))
    customer_id = await shop.card("HK1")
    await shop.send(sale("400.00", member="HK1"))
    answer = await shop.client.post(
        f"/v1/customers/{customer_id}/identities",
        headers=shop.world.headers("manager", If_Match='"v1"'),
        json={"kind": "member_number", "value": "HK9"},
    )
    assert answer.status_code == 201, answer.text
    assert (str(await shop.net(customer_id)), await shop.level(customer_id)) == ("1100.00", "main")


async def test_a_sale_taken_back_before_its_card_came_leaves_the_card_where_it_began(
    shop: Shop,
) -> None:
    sold = sale("1000.00", member="HK7")
    await shop.batch([sold, refund(sold)])
    customer_id = await shop.card("HK7")
    tier = await shop.tier(customer_id)
    assert (tier.level, tier.cause, tier.purchase_id) == ("small", "reversal", None)
    stats = await shop.stats(customer_id)
    assert (stats.purchases, stats.refunds, str(stats.net)) == (1, 1, "0.00")


async def test_many_waiting_receipts_join_at_once(shop: Shop) -> None:
    sales = [sale("1.00", member="HK7") for _ in range(300)]
    await shop.batch([*sales, *(refund(sold) for sold in sales[:100])])
    customer_id = await shop.card("HK7")
    stats = await shop.stats(customer_id)
    assert (stats.purchases, stats.refunds, str(stats.net)) == (300, 100, "200.00")
    assert await shop.statuses() == {"applied": 400}
