"""What receipts, refunds and voids do to cards, whatever their numbers, days and order."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert

from app.core import clock
from app.core.database import raw_connection
from app.core.ids import new_id
from app.models import (
    CustomerStats,
    OutboxEvent,
    Product,
    Purchase,
    PurchaseLine,
    Receipt,
    TierAssignment,
    UnattachedPurchase,
)
from app.services import pos_intake
from app.vocabulary import ReceiptRule, SourceMode
from tests.support.events import refund, sale, void
from tests.support.postings import received
from tests.support.shop import Shop
from tests.support.world import send_event

# Half past two in the afternoon in Shanghai.
NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)
EFFECTS = (Purchase, PurchaseLine, UnattachedPurchase, Receipt, CustomerStats, OutboxEvent)


def problem_of(result: dict[str, Any]) -> str | None:
    """Return the code of an event's problem."""
    return str(result["problem"]["type"])[len("/problems/") :] if result["problem"] else None


def line(number: int, amount: str, **more: Any) -> dict[str, Any]:
    """Return one piece of something as a line of a sale."""
    return {
        "line_number": number, "quantity": "1", "unit_price": amount, "amount": amount, **more,
    }  # fmt: skip


# --- Receipt numbers and days -----------------------------------------------------------------


async def test_a_till_that_starts_anew_each_day_may_use_a_number_again_the_next_day(
    shop: Shop,
) -> None:
    await shop.use_receipt_rule(ReceiptRule.DAILY)
    customer_id = await shop.card()
    yesterday = sale("100.00", at="2026-11-20T10:00:00+08:00", receipt_number="0001")
    today = sale("30.00", at="2026-11-21T10:00:00+08:00", receipt_number="0001")
    again = sale("7.00", at="2026-11-21T12:00:00+08:00", receipt_number="0001")
    results = [await shop.send(event) for event in (yesterday, today, again)]
    assert [result["status"] for result in results] == ["applied", "applied", "held"]
    assert problem_of(results[2]) == "receipt-number-used"

    # Without a day it is today's receipt that is meant; with one, that day's.
    of_today = refund(today, "5.00")
    of_yesterday = refund(yesterday, "60.00")
    of_yesterday["original"]["business_day"] = "2026-11-20"
    assert (await shop.send(of_today))["tier"]["net_spend"] == "125.00"
    assert (await shop.send(of_yesterday))["tier"]["net_spend"] == "65.00"
    assert [str(p.amount) for p in await shop.purchases(customer_id)] == [
        "100.00", "30.00", "5.00", "60.00",
    ]  # fmt: skip


async def test_a_till_that_starts_anew_each_year_may_use_a_number_again_the_next_year(
    shop: Shop,
) -> None:
    await shop.use_receipt_rule(ReceiptRule.YEARLY)
    await shop.card()
    statuses = [
        (await shop.send(sale("1.00", at=f"{day}T10:00:00+08:00", receipt_number="1")))["status"]
        for day in ("2025-12-31", "2026-01-01", "2026-03-01")
    ]
    assert statuses == ["applied", "applied", "held"]


async def test_two_tills_may_use_the_same_number(shop: Shop) -> None:
    await shop.card()
    assert (await shop.send(sale("1.00", receipt_number="1")))["status"] == "applied"
    other = sale("2.00", receipt_number="1", store="S02")
    assert (await shop.send(other, "till-2"))["tier"]["net_spend"] == "3.00"


async def test_what_one_till_sold_another_may_take_back_by_its_rule(shop: Shop) -> None:
    await shop.use_receipt_rule(ReceiptRule.DAILY, "till-1")
    customer_id = await shop.card()
    sold = sale("100.00", at="2026-11-20T10:00:00+08:00")
    await shop.send(sold)
    original = {"receipt_number": sold["receipt_number"], "source": "till-1"}
    strange = refund(sold, "1.00", store="S02")
    strange["original"] = {**original, "source": "till-9"}
    assert problem_of(await shop.send(strange, "till-2")) == "source-unknown"
    returned = refund(sold, "40.00", store="S02")
    returned["original"] = {**original, "business_day": "2026-11-20"}
    assert (await shop.send(returned, "till-2"))["status"] == "applied"
    assert str(await shop.net(customer_id)) == "60.00"


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2026-11-20T23:59:59+08:00", "2026-11-20"),
        ("2026-11-21T00:00:00+08:00", "2026-11-21"),
        ("2026-11-20T15:59:59Z", "2026-11-20"),
        ("2026-11-20T16:00:00Z", "2026-11-21"),
        ("2026-11-20T11:00:00-05:00", "2026-11-21"),
    ],
)
async def test_a_business_day_is_a_day_of_the_chains_time_zone(
    shop: Shop, at: str, day: str
) -> None:
    customer_id = await shop.card()
    await shop.send(sale("1.00", at=at))
    assert [p.business_day.isoformat() for p in await shop.purchases(customer_id)] == [day]


@pytest.mark.parametrize(
    ("at", "net", "level"),
    [
        pytest.param("2025-11-22T00:00:00+08:00", "1000.00", "main", id="first day of the window"),
        pytest.param("2025-11-21T23:59:59+08:00", "0.00", "small", id="the day before it"),
    ],
)
async def test_a_late_receipt_counts_when_its_day_lies_in_the_window(
    shop: Shop, at: str, net: str, level: str
) -> None:
    customer_id = await shop.card()
    result = await shop.send(sale("1000.00", at=at))
    assert (result["tier"]["net_spend"], result["tier"]["after"]) == (net, level)
    stats = await shop.stats(customer_id)
    assert (str(stats.net_365), str(stats.net)) == (net, "1000.00")
    assert await shop.level(customer_id) == level


async def test_a_refund_of_what_lies_outside_the_window_counts_on_its_own_day(shop: Shop) -> None:
    customer_id = await shop.card()
    old = sale("500.00", at="2025-01-05T10:00:00+08:00")
    await shop.send(old)
    await shop.send(sale("400.00"))
    assert (await shop.send(refund(old, "150.00")))["tier"]["net_spend"] == "250.00"
    # Other refunds than of what earned the tier leave it where it is.
    assert await shop.level(customer_id) == "ordinary"


@pytest.mark.parametrize(("minutes", "status"), [(10, "applied"), (11, "held")])
async def test_a_till_may_be_ten_minutes_ahead(shop: Shop, minutes: int, status: str) -> None:
    await shop.card()
    result = await shop.send(sale("1.00", at=(NOW + timedelta(minutes=minutes)).isoformat()))
    assert result["status"] == status


# --- Refunds ----------------------------------------------------------------------------------


async def test_a_sale_of_nobody_can_be_refunded_by_line_and_as_a_whole(shop: Shop) -> None:
    sold = sale(
        member=None, lines=[line(1, "30.00"), line(2, "28.00")], total="58.00"
    )  # fmt: skip
    await shop.send(sold)
    first = await shop.send(refund(sold, "30.00"))
    assert (first["status"], first["customer"], first["tier"]) == ("applied", None, None)
    assert problem_of(await shop.send(refund(sold, "0.01"))) == "refund-exceeds-sale"
    assert problem_of(await shop.send(refund(sold))) == "refund-exceeds-sale"
    assert problem_of(await shop.send(refund(sold, total="27.99"))) == "sums-mismatch"
    assert (await shop.send(refund(sold, total="28.00")))["status"] == "applied"
    assert await shop.counts(Purchase, UnattachedPurchase) == {
        "purchase": 0, "unattached_purchase": 3,
    }  # fmt: skip


async def test_only_sales_can_be_refunded(shop: Shop) -> None:
    await shop.card()
    sold = sale("58.00")
    returned = refund(sold, "8.00")
    await shop.batch([sold, returned])
    assert problem_of(await shop.send(refund(returned, "1.00"))) == "not-a-sale"
    unknown_line = refund(sold, "1.00")
    unknown_line["lines"][0]["refunds_line"] = 9
    assert problem_of(await shop.send(unknown_line)) == "line-unknown"


async def test_a_refund_whose_number_was_used_takes_nothing_from_the_next_one(shop: Shop) -> None:
    customer_id = await shop.card()
    sold = sale("58.00")
    await shop.send(sold)
    bad = refund(sold, receipt_number=sold["receipt_number"])
    results = await shop.batch([bad, refund(sold)])
    assert [problem_of(result) for result in results] == ["receipt-number-used", None]
    assert str(await shop.net(customer_id)) == "0.00"


async def test_parked_refunds_are_applied_in_the_order_they_came_until_nothing_is_left(
    shop: Shop, now: clock.FixedClock
) -> None:
    customer_id = await shop.card()
    sold = sale("100.00")
    events = [refund(sold, "60.00", quantity="0.5"), refund(sold, "60.00", quantity="0.5")]
    for event in events:
        assert (await shop.send(event))["status"] == "parked"
        now.advance(timedelta(seconds=1))
    await shop.send(sold)
    stored = [await shop.read_event(event) for event in events]
    assert [one["status"] for one in stored] == ["applied", "held"]
    assert stored[1]["problem"]["type"] == "/problems/refund-exceeds-sale"
    assert str(await shop.net(customer_id)) == "40.00"


# --- Voids ------------------------------------------------------------------------------------


async def test_voiding_a_refund_gives_the_amount_back_and_the_tier_to_its_sale(shop: Shop) -> None:
    customer_id = await shop.card()
    sold = sale("1000.00")
    returned = refund(sold, "200.00")
    await shop.batch([sold, returned])
    assert await shop.level(customer_id) == "ordinary"

    result = await shop.send(void(returned))

    assert (result["tier"]["before"], result["tier"]["after"]) == ("ordinary", "main")
    stats = await shop.stats(customer_id)
    assert (str(stats.net), stats.refunds, str(stats.refunded)) == ("1000.00", 0, "0.00")
    tier = await shop.tier(customer_id)
    assert tier.purchase_id == (await shop.purchases(customer_id))[0].id
    # What is refundable is all of it again, and with it goes the tier.
    assert (await shop.send(refund(sold)))["tier"]["after"] == "small"


async def test_a_void_before_its_sale_waits_and_is_applied_with_it(shop: Shop) -> None:
    customer_id = await shop.card()
    sold = sale("1200.00")
    early = void(sold)
    assert (await shop.send(early))["status"] == "parked"
    await shop.send(sold)
    assert await shop.statuses() == {"applied": 2}
    assert (str(await shop.net(customer_id)), await shop.level(customer_id)) == ("0.00", "small")
    # Who sends it again is told what was said the first time.
    assert (await shop.send(early))["status"] == "parked"


async def test_a_refunded_sale_cannot_be_voided_and_a_voided_one_not_refunded(shop: Shop) -> None:
    customer_id = await shop.card()
    refunded, voided = sale("58.00"), sale("60.00")
    returned = refund(refunded, "1.00")
    await shop.batch([refunded, voided, returned, void(voided)])
    assert problem_of(await shop.send(void(refunded))) == "has-refunds"
    assert problem_of(await shop.send(refund(voided))) == "already-voided"
    assert problem_of(await shop.send(void(voided))) == "already-voided"
    assert str(await shop.net(customer_id)) == "57.00"
    # With the refund undone nothing speaks against it any more, in one batch as one by one.
    results = await shop.batch([void(returned), void(refunded)])
    assert [result["status"] for result in results] == ["applied", "applied"]
    assert str(await shop.net(customer_id)) == "0.00"


async def test_a_void_refund_and_sale_in_one_batch_in_the_wrong_order_come_out_right(
    shop: Shop,
) -> None:
    customer_id = await shop.card()
    sold = sale("500.00")
    returned = refund(sold, "100.00")
    results = await shop.batch([void(returned), returned, sold])
    assert [result["status"] for result in results] == ["applied"] * 3
    assert str(await shop.net(customer_id)) == "500.00"


async def test_a_void_that_waits_for_a_refund_that_waits_for_its_sale_comes_through(
    shop: Shop,
) -> None:
    customer_id = await shop.card()
    sold = sale("500.00")
    returned = refund(sold, "100.00")
    assert (await shop.send(void(returned)))["status"] == "parked"
    assert (await shop.send(returned))["status"] == "parked"
    await shop.send(sold)
    assert await shop.statuses() == {"applied": 3}
    assert str(await shop.net(customer_id)) == "500.00"


# --- Cards ------------------------------------------------------------------------------------


async def test_a_sale_reaches_a_card_by_its_id_archived_or_not(shop: Shop) -> None:
    customer_id = await shop.card()
    by_id: dict[str, Any] = {"customer": {"id": str(customer_id)}}
    assert (await shop.send(sale("1.00", **by_id)))["customer"]["id"] == str(customer_id)
    headers = shop.world.headers("manager", If_Match='"v1"')
    archived = await shop.client.post(f"/v1/customers/{customer_id}/archive", headers=headers)
    assert archived.status_code == 200, archived.text
    assert (await shop.send(sale("2.00", **by_id)))["status"] == "applied"
    assert (await shop.send(sale("4.00")))["status"] == "applied"
    assert str(await shop.net(customer_id)) == "7.00"


async def test_a_card_that_is_not_there_holds_the_sale_and_leaves_no_trace(shop: Shop) -> None:
    result = await shop.send(sale("1.00", customer={"id": str(new_id())}))
    assert problem_of(result) == "card-unknown"
    assert set((await shop.counts(*EFFECTS)).values()) == {0}


async def test_an_organization_is_measured_by_its_own_policy(shop: Shop) -> None:
    customer_id = await shop.card(kind="organization", name="晨光中学")
    async with shop.database.transaction() as session:
        connection = await raw_connection(session)
        await connection.execute(
            """UPDATE tier_policy SET body = jsonb_set(body, '{levels,0,at_least}', '"50000.00"')
               WHERE scope = 'organization'"""
        )
    result = await shop.send(sale("1000.00"))
    assert (result["tier"]["after"], result["tier"]["next"]) == (
        "ordinary", {"level": "main", "missing": "49000.00", "spend": "49000.00"},
    )  # fmt: skip
    tier = await shop.tier(customer_id)
    assert tier.policy_id == UUID("01937e00-0000-7000-8000-000000000002")


# --- Costs ------------------------------------------------------------------------------------


async def put_into_catalogue(shop: Shop, sku: str, unit_cost: str | None) -> None:
    """Write a title into the catalogue."""
    at = clock.now()
    async with shop.database.transaction() as session:
        await session.execute(
            insert(Product).values(
                id=new_id(), sku=sku, title="海边的灯塔", category="fiction",
                list_price=Decimal("58.00"), is_active=True, version=1, created_at=at,
                unit_cost=None if unit_cost is None else Decimal(unit_cost), updated_at=at,
            )
        )  # fmt: skip


async def test_costs_come_from_the_line_else_the_catalogue_and_unknown_stays_unknown(
    shop: Shop,
) -> None:
    customer_id = await shop.card()
    await put_into_catalogue(shop, "KNOWN", "20.00")
    await put_into_catalogue(shop, "COSTLESS", None)
    sold = sale(
        lines=[
            line(1, "58.00", sku="KNOWN"),
            line(2, "50.00", sku="KNOWN", unit_cost="15.00"),
            line(3, "10.00", sku="COSTLESS"),
            line(4, "9.00", sku="NEVER-HEARD-OF"),
            line(5, "1.00"),
        ],
        total="128.00",
    )
    await shop.send(sold)
    stats = await shop.stats(customer_id)
    assert [str(part) for part in (stats.net, stats.costed, stats.margin)] == [
        "128.00", "108.00", "73.00",
    ]  # fmt: skip
    # A part taken back costs what it cost when it was sold, whatever the catalogue says by then.
    async with shop.database.transaction() as session:
        await (await raw_connection(session)).execute("UPDATE product SET unit_cost = 1")
    await shop.send(refund(sold, "58.00"))
    stats = await shop.stats(customer_id)
    assert [str(part) for part in (stats.net, stats.costed, stats.margin)] == [
        "70.00", "50.00", "35.00",
    ]  # fmt: skip


# --- Batches ----------------------------------------------------------------------------------


async def test_a_batch_may_repeat_itself(shop: Shop) -> None:
    customer_id = await shop.card()
    sold = sale("58.00")
    returned = refund(sold, "8.00")
    other = sale("1.00", event_id=sold["event_id"])
    results = await shop.batch([returned, sold, sold, other, returned])
    assert [result["status"] for result in results] == [
        "applied", "applied", "applied", "conflict", "applied",
    ]  # fmt: skip
    assert results[2] == results[1]
    assert results[4] == results[0]
    assert str(await shop.net(customer_id)) == "50.00"
    assert await shop.count(Receipt) == 2


async def test_a_batch_answers_each_sale_with_the_tier_it_led_to(shop: Shop) -> None:
    customer_id = await shop.card()
    # Late first: what happened earlier counts earlier, however it was sent.
    later = sale("700.00", at="2026-11-21T12:00:00+08:00")
    earlier = sale("400.00", at="2026-11-20T12:00:00+08:00")
    results = await shop.batch([later, earlier])
    assert [(r["tier"]["before"], r["tier"]["after"]) for r in results] == [
        ("ordinary", "main"), ("small", "ordinary"),
    ]  # fmt: skip
    assert [r["tier"]["net_spend"] for r in results] == ["1100.00", "400.00"]
    assert str((await shop.tier(customer_id)).purchase_id) == results[0]["purchase_id"]


async def statements_of(shop: Shop, events: list[dict[str, Any]]) -> list[str]:
    """Return the statements that taking these events in runs on the database."""
    seen: list[str] = []

    def note(record: Any) -> None:
        seen.append(record.query)

    async with shop.database.transaction() as session:
        connection = await raw_connection(session)
        connection.add_query_logger(note)
        try:
            await pos_intake.take_events(
                session, shop.settings, [received(shop.world, event) for event in events]
            )
        finally:
            connection.remove_query_logger(note)
    return seen


def mixed(count: int) -> list[dict[str, Any]]:
    """Return sales of cards, strangers and nobody, refunds and voids: ``5 * count`` of each."""
    events: list[dict[str, Any]] = []
    for number in range(count):
        sold = [
            sale("58.00", member=f"HK{number:06}"),
            sale("58.00", member=f"XX{number:06}"),
            sale("58.00", member=None),
            sale("58.00", member=f"HK{number:06}"),
            sale("58.00", member=f"XX{number:06}"),
        ]
        events += [*sold, *(refund(one, "8.00") for one in sold[:3]), *map(void, sold[3:])]
    return events


async def test_a_batch_takes_as_many_statements_as_a_handful_of_events(shop: Shop) -> None:
    for number in range(50):
        await shop.card(f"HK{number:06}")
    few, many = await statements_of(shop, mixed(1)), await statements_of(shop, mixed(50))
    assert len(many) == len(few)
    one = await statements_of(shop, [sale("58.00", member="HK000001")])
    assert len(one) <= 22, one


# --- Test mode, replay ------------------------------------------------------------------------


async def test_test_mode_leaves_nothing_even_where_it_touches_what_is_real(shop: Shop) -> None:
    customer_id = await shop.card()
    sold, waiting = sale("400.00"), sale("100.00", member="HK000002")
    await shop.batch([sold, waiting])
    parked = refund({"receipt_number": "LATER", "total": "1.00"}, "1.00")
    await shop.send(parked)
    before = await shop.counts(*EFFECTS, TierAssignment)
    await shop.use_mode(SourceMode.TEST)

    events = [
        refund(sold),
        void(waiting),
        sale("700.00"),
        sale("5.00", member="HK000003"),
        # The parked refund waits for this number, and goes on waiting.
        sale("5.00", receipt_number="LATER"),
        refund({"receipt_number": "NEVER", "total": "1.00"}, "1.00"),
    ]
    results = await shop.batch(events)

    assert [result["status"] for result in results] == ["test"] * 6
    assert results[2]["tier"]["net_spend"] == "1100.00"
    assert await shop.counts(*EFFECTS, TierAssignment) == before
    assert str(await shop.net(customer_id)) == "400.00"
    assert await shop.level(customer_id) == "ordinary"
    assert await shop.statuses() == {
        "applied": 1, "awaiting_customer": 1, "parked": 1, "test": 6,
    }  # fmt: skip

    # Back in earnest, the numbers and the customers are as free as they were.
    await shop.use_mode(SourceMode.LIVE)
    assert (await shop.send(sale("5.00", receipt_number="LATER")))["status"] == "applied"
    assert str(await shop.net(customer_id)) == "404.00"


async def test_a_parked_event_can_be_replayed_and_goes_on_waiting(shop: Shop) -> None:
    await shop.card()
    sold = sale("58.00")
    early = refund(sold, "8.00")
    await shop.send(early)
    assert (await shop.replay(early))["status"] == "parked"
    await shop.send(sold)
    assert (await shop.read_event(early))["status"] == "applied"


async def test_a_held_refund_is_applied_when_replayed_after_what_stood_against_it_is_gone(
    shop: Shop,
) -> None:
    customer_id = await shop.card()
    sold = sale("58.00")
    wrong, right = refund(sold, "58.00"), refund(sold, "58.00")
    await shop.batch([sold, wrong])
    assert problem_of(await shop.send(right)) == "refund-exceeds-sale"
    await shop.send(void(wrong))
    stored = await shop.replay(right)
    assert (stored["status"], stored["problem"]) == ("applied", None)
    assert str(await shop.net(customer_id)) == "0.00"
    # The till is told what it was told before.
    answer = await send_event(shop.client, shop.world, right)
    assert (answer.status_code, answer.json()["status"]) == (202, "held")


async def test_a_held_sale_that_is_replayed_releases_what_waited_for_it(shop: Shop) -> None:
    customer_id = await shop.card()
    sold = sale("58.00", currency="USD")
    await shop.send(refund(sold, "8.00", currency="CNY"))
    assert problem_of(await shop.send(sold)) == "wrong-currency"
    await shop.change_source(currency="USD")
    assert (await shop.replay(sold))["status"] == "applied"
    assert await shop.statuses() == {"applied": 2}
    assert str(await shop.net(customer_id)) == "50.00"
