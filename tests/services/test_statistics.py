"""Derived numbers: kept right with every receipt, the same when rebuilt, true to the day."""

import asyncio
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from app.core import clock
from app.core.config import Settings
from app.core.database import Database, raw_connection
from app.jobs.upkeep import rebuild_statistics
from app.models import CustomerStats
from app.services import statistics
from tests.conftest import client_of
from tests.support.events import refund, sale, void
from tests.support.shop import Shop
from tests.support.world import build_world

NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)
TODAY = date(2026, 11, 21)
MEMBERS = tuple(f"HK{number}" for number in range(6))


async def rows_of(shop: Shop) -> dict[Any, dict[str, Any]]:
    """Return the whole table."""
    async with shop.database.transaction() as session:
        rows = (await session.scalars(select(CustomerStats))).all()
        return {row.customer_id: row.model_dump() for row in rows}


async def check(shop: Shop, as_of: date = TODAY) -> dict[str, int]:
    """Compare the table with a full aggregation."""
    async with shop.database.transaction() as session:
        return dict(await statistics.check(session, as_of))


async def rebuild(shop: Shop, as_of: date = TODAY) -> int:
    """Rebuild the table; return how many rows were wrong."""
    return (await rebuild_statistics(shop.database, as_of))["corrected"]


async def refresh_due(shop: Shop, as_of: date) -> dict[str, int]:
    """Run a portion of the night's step."""
    async with shop.database.transaction() as session:
        return dict(await statistics.refresh_due(session, as_of))


async def execute(shop: Shop, statement: str, *values: Any) -> None:
    """Do to the database what no service does."""
    async with shop.database.transaction() as session:
        await (await raw_connection(session)).execute(statement, *values)


def random_day(chance: random.Random) -> str:
    """Return an instant of the last 14 months, often a boundary of the window."""
    days = chance.choice([0, 0, 1, 363, 364, 365, 366, chance.randrange(420)])
    at = NOW - timedelta(days=days, minutes=chance.randrange(600))
    return at.isoformat()


async def live_a_while(shop: Shop, chance: random.Random, now: clock.FixedClock) -> None:
    """Send a random history: cards, sales, refunds, voids, late ones, some days in between."""
    unborn = list(MEMBERS[3:])
    for member in MEMBERS[:3]:
        await shop.card(member)
    receipts: list[dict[str, Any]] = []
    for _ in range(12):
        batch: list[dict[str, Any]] = []
        for _ in range(chance.randrange(1, 8)):
            kind = chance.random()
            known = [*receipts, *batch]
            sales = [event for event in known if event["type"] == "sale"]
            if kind < 0.6 or not sales:
                amount = f"{chance.randrange(1, 40_000) / 100:.2f}"
                members: list[str | None] = [*MEMBERS, None]
                batch.append(sale(amount, member=chance.choice(members), at=random_day(chance)))
            elif kind < 0.8:
                part = f"{Decimal(chance.choice(sales)['total']) / 3:.2f}"
                batch.append(refund(chance.choice(sales), part, quantity="0.3"))
            elif kind < 0.9:
                batch.append(refund(chance.choice(sales)))
            else:
                batch.append(void(chance.choice([e for e in known if e["type"] != "void"])))
        chance.shuffle(batch)
        await shop.batch(batch)
        receipts += batch
        if unborn and chance.random() < 0.3:
            await shop.card(unborn.pop())
        if chance.random() < 0.3:
            now.advance(timedelta(days=chance.randrange(1, 40)))
            # Nobody has signed in since.
            await execute(
                shop,
                "UPDATE access_token SET last_used_at = $1, expires_at = $2",
                now.now(),
                now.now() + timedelta(days=1),
            )


@pytest.mark.parametrize("seed", range(6))
async def test_after_any_history_a_rebuild_finds_nothing_to_correct(
    shop: Shop, now: clock.FixedClock, seed: int
) -> None:
    await live_a_while(shop, random.Random(seed), now)
    today = clock.today(shop.settings.zone)
    while (await refresh_due(shop, today))["remaining"]:
        pass
    kept = await rows_of(shop)
    assert await check(shop, today) == {"customers": len(kept), "due": 0, "different": 0}
    assert await rebuild(shop, today) == 0
    assert await rows_of(shop) == kept
    await execute(shop, "DELETE FROM customer_stats")
    assert await rebuild(shop, today) == len(kept) >= 3
    assert await rows_of(shop) == kept


async def test_every_figure_of_a_card_is_as_counted_by_hand(shop: Shop) -> None:
    customer_id = await shop.card()
    old = sale("500.00", at="2025-11-21T10:00:00+08:00")
    first = sale("100.00", at="2025-11-22T10:00:00+08:00")
    same_day = [sale("30.00", at=f"2026-03-01T{hour}:00:00+08:00") for hour in ("09", "18")]
    gone = sale("77.00", at="2026-11-20T10:00:00+08:00")
    await shop.batch([old, first, *same_day, gone, refund(first, "10.00"), refund(old), void(gone)])
    stats = (await rows_of(shop))[customer_id]
    assert stats == {
        "customer_id": customer_id,
        "first_purchase_on": date(2025, 11, 21),
        "last_purchase_on": date(2026, 3, 1),
        # Three days with purchases: two after the first. A day counts once.
        "repeat_purchase_days": 2,
        "purchases": 4,
        "refunds": 2,
        "gross": Decimal("660.00"),
        "refunded": Decimal("510.00"),
        "net": Decimal("150.00"),
        "costed": Decimal("0.00"),
        "margin": Decimal("0.00"),
        "purchases_365": 3,
        "purchase_days_365": 2,
        "gross_365": Decimal("160.00"),
        "refunded_365": Decimal("510.00"),
        "net_365": Decimal("-350.00"),
        "costed_365": Decimal("0.00"),
        "margin_365": Decimal("0.00"),
        "window_changes_on": date(2026, 11, 22),
        "largest_365": Decimal("100.00"),
        "net_180": Decimal("-510.00"),
        "net_prior_180": Decimal("60.00"),
    }


async def test_the_night_takes_out_what_left_the_window_and_a_second_run_changes_nothing(
    shop: Shop, now: clock.FixedClock
) -> None:
    customer_id = await shop.card()
    await shop.batch(
        [
            sale("40.00", at="2025-11-22T10:00:00+08:00"),
            sale("7.00", at="2025-11-24T10:00:00+08:00"),
        ]
    )
    assert await refresh_due(shop, TODAY) == {"refreshed": 0, "remaining": 0}
    for night, refreshed, net, changes_on in (
        (date(2026, 11, 22), 1, "7.00", date(2026, 11, 24)),
        (date(2026, 11, 23), 0, "7.00", date(2026, 11, 24)),
        (date(2026, 11, 24), 1, "0.00", None),
    ):
        now.move_to(datetime(night.year, night.month, night.day, tzinfo=UTC))
        assert (await check(shop, night))["due"] == refreshed
        assert await refresh_due(shop, night) == {"refreshed": refreshed, "remaining": 0}
        stats = (await rows_of(shop))[customer_id]
        assert (str(stats["net_365"]), stats["window_changes_on"]) == (net, changes_on)
        assert await refresh_due(shop, night) == {"refreshed": 0, "remaining": 0}
        assert (await rows_of(shop))[customer_id] == stats
        assert await check(shop, night) == {"customers": 1, "due": 0, "different": 0}
    assert str(stats["net"]) == "47.00"


async def test_a_night_after_an_outage_does_what_the_nights_before_left(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "CHUNK", 2)
    for number in range(5):
        await shop.card(f"HK{number}")
        at = f"2025-12-0{number + 1}T10:00:00+08:00"
        await shop.send(sale("40.00", member=f"HK{number}", at=at))
    assert [await refresh_due(shop, date(2026, 12, 10)) for _ in range(4)] == [
        {"refreshed": 2, "remaining": 1},
        {"refreshed": 2, "remaining": 1},
        {"refreshed": 1, "remaining": 0},
        {"refreshed": 0, "remaining": 0},
    ]


CORRUPTIONS = [
    "UPDATE customer_stats SET net_365 = net_365 + 0.01 WHERE customer_id = $1",
    "UPDATE customer_stats SET purchases = purchases - 1 WHERE customer_id = $1",
    "UPDATE customer_stats SET last_purchase_on = NULL WHERE customer_id = $1",
    "UPDATE customer_stats SET window_changes_on = NULL WHERE customer_id = $1",
    "UPDATE customer_stats SET window_changes_on = window_changes_on + 1 WHERE customer_id = $1",
    "DELETE FROM customer_stats WHERE customer_id = $1",
]


@pytest.mark.parametrize("corruption", CORRUPTIONS)
async def test_a_row_that_is_wrong_is_found_and_a_rebuild_mends_it(
    shop: Shop, corruption: str
) -> None:
    customer_id = await shop.card("HK1")
    await shop.card("HK2")
    await shop.batch([sale("40.00", member="HK1"), sale("50.00", member="HK2")])
    right = await rows_of(shop)
    assert await check(shop) == {"customers": 2, "due": 0, "different": 0}
    await execute(shop, corruption, customer_id)
    assert await check(shop) == {"customers": 2, "due": 0, "different": 1}
    assert await rebuild(shop) == 1
    assert await check(shop) == {"customers": 2, "due": 0, "different": 0}
    assert await rows_of(shop) == right


async def test_a_row_without_any_receipt_is_found_and_removed(shop: Shop) -> None:
    customer_id = await shop.card()
    await shop.send(sale("40.00"))
    await execute(shop, "DELETE FROM purchase_line WHERE customer_id = $1", customer_id)
    await execute(shop, "DELETE FROM purchase WHERE customer_id = $1", customer_id)
    assert (await check(shop))["different"] == 1
    assert await rebuild(shop) == 1
    assert await rows_of(shop) == {}


async def test_the_night_and_a_till_on_one_card_at_once_end_right(
    fresh_database: Database, settings: Settings, now: clock.FixedClock
) -> None:
    with clock.using(now, everywhere=True):
        world = await build_world(fresh_database)
        async with client_of(fresh_database, settings) as client:
            shop = Shop(client, world, fresh_database, settings)
            customer_id = await shop.card()
            expected = Decimal(0)
            for day in range(20):
                # What counted until yesterday leaves the window tonight, while the till sells.
                leaving = now.now() - timedelta(days=364)
                await shop.send(sale("100.00", at=leaving.isoformat()))
                now.advance(timedelta(days=1))
                night = clock.today(settings.zone)
                await asyncio.gather(
                    *([shop.send(sale("1.00")), refresh_due(shop, night)][:: 1 if day % 2 else -1]),
                    refresh_due(shop, night),
                )
                expected += 1
                assert await shop.net(customer_id) == expected
                assert await check(shop, night) == {"customers": 1, "due": 0, "different": 0}


async def test_a_rebuild_while_tills_sell_ends_right(
    fresh_database: Database, settings: Settings
) -> None:
    world = await build_world(fresh_database)
    async with client_of(fresh_database, settings) as client:
        shop = Shop(client, world, fresh_database, settings)
        customer_id = await shop.card()
        today = clock.today(settings.zone)
        for _ in range(5):
            await asyncio.gather(
                shop.send(sale("1.00")),
                rebuild_statistics(shop.database, today, at_once=2),
                shop.send(sale("2.00")),
            )
        assert str(await shop.net(customer_id)) == "15.00"
        assert await check(shop, today) == {"customers": 1, "due": 0, "different": 0}


async def test_a_rebuild_locks_a_portion_of_what_is_wrong_and_no_till_waits_for_its_end(
    fresh_database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "CHUNK", 1)
    world = await build_world(fresh_database)
    async with client_of(fresh_database, settings) as client:
        shop = Shop(client, world, fresh_database, settings)
        right, first, second = [await shop.card(f"HK{number}") for number in range(3)]
        await shop.batch([sale("1.00", member=f"HK{number}") for number in range(3)])
        wrong = "UPDATE customer_stats SET net_365 = 5 WHERE customer_id <> $1"
        await execute(shop, wrong, right)
        today = clock.today(settings.zone)
        async with fresh_database.transaction() as session:
            # The first portion is done and not committed yet.
            portion = await statistics.rebuild(session, today)
            assert portion == statistics.Rebuilt(corrected=1, last_card=first)
            for member in ("HK0", "HK2"):
                result = await asyncio.wait_for(shop.send(sale("2.00", member=member)), 2)
                assert result["status"] == "applied"
            waiting = asyncio.create_task(shop.send(sale("2.00", member="HK1")))
            assert (await asyncio.wait({waiting}, timeout=0.3))[0] == set()
        assert (await waiting)["status"] == "applied"
        assert [str(await shop.net(card)) for card in (right, first, second)] == ["3.00"] * 3


@pytest.mark.parametrize("at_once", [1, 2, 5])
async def test_portions_side_by_side_reach_every_card_once(
    fresh_database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(statistics, "CHUNK", 1)
    monkeypatch.setattr(statistics, "COMPARED", 2)
    world = await build_world(fresh_database)
    async with client_of(fresh_database, settings) as client:
        shop = Shop(client, world, fresh_database, settings)
        for number in range(7):
            await shop.card(f"HK{number}")
        await shop.batch([sale("1.00", member=f"HK{number}") for number in range(7)])
        right, today = await rows_of(shop), clock.today(settings.zone)
        await execute(shop, "UPDATE customer_stats SET net_365 = 5")
        for corrected in (7, 0):
            counts = await rebuild_statistics(fresh_database, today, at_once=at_once)
            assert counts == {"corrected": corrected}
            assert await rows_of(shop) == right


async def test_a_rebuild_of_right_rows_locks_nobody(
    fresh_database: Database, settings: Settings
) -> None:
    world = await build_world(fresh_database)
    async with client_of(fresh_database, settings) as client:
        shop = Shop(client, world, fresh_database, settings)
        customer_id = await shop.card()
        await shop.send(sale("1.00"))
        async with fresh_database.transaction() as session:
            portion = await statistics.rebuild(session, clock.today(settings.zone))
            assert portion == statistics.Rebuilt(corrected=0, last_card=None)
            assert (await asyncio.wait_for(shop.send(sale("2.00")), 2))["status"] == "applied"
        assert str(await shop.net(customer_id)) == "3.00"


async def test_a_card_of_voided_receipts_alone_that_lost_its_row_gets_it_back(shop: Shop) -> None:
    gone = sale("40.00")
    await shop.card()
    await shop.batch([gone, void(gone)])
    right = await rows_of(shop)
    await execute(shop, "DELETE FROM customer_stats")
    assert await rebuild(shop) == 1
    assert await rows_of(shop) == right
    assert await rebuild(shop) == 0


@pytest.mark.parametrize("compared", [1, 2, 20_000])
@pytest.mark.parametrize("chunk", [1, 2])
async def test_a_rebuild_in_portions_reaches_every_card_and_every_stray_row(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, chunk: int, compared: int
) -> None:
    monkeypatch.setattr(statistics, "CHUNK", chunk)
    monkeypatch.setattr(statistics, "COMPARED", compared)
    cards = [await shop.card(f"HK{number}") for number in range(5)]
    await shop.batch([sale("40.00", member=f"HK{number}") for number in (0, 1, 3, 4)])
    right = await rows_of(shop)
    assert set(right) == {cards[0], cards[1], cards[3], cards[4]}
    await execute(shop, "UPDATE customer_stats SET net_365 = 1 WHERE customer_id = $1", cards[1])
    await execute(shop, "DELETE FROM customer_stats WHERE customer_id = $1", cards[3])
    await execute(
        shop,
        """INSERT INTO customer_stats SELECT (json_populate_record(s, json_build_object(
               'customer_id', $1::uuid))).* FROM customer_stats AS s WHERE customer_id = $2""",
        cards[2],
        cards[4],
    )
    assert await rebuild(shop) == 3
    assert await rows_of(shop) == right
    assert await rebuild(shop) == 0
