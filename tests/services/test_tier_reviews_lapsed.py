"""Reviews with nothing to decide any more lapse: by a return, by the night, by another way."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.core import clock
from app.core.database import raw_connection
from app.queries import customer_stats
from app.services import tier_nights
from tests.support.calibrations import calibrate
from tests.support.events import refund, sale, void
from tests.support.reviews import (
    decide,
    fates,
    history,
    keep_signed_in,
    lapse,
    reviews,
    told,
)
from tests.support.shop import Shop

TODAY = date(2026, 11, 21)


@pytest.fixture
async def shop(shop: Shop) -> Shop:
    """The small chain at a fixed instant, its policy calibrated: the top fifth begins at 300."""
    await calibrate(shop.database, top_gross=Decimal("300.00"))
    return shop


@pytest.mark.parametrize("take_back", [refund, void], ids=["refund", "void"])
async def test_taking_the_purchase_back_ends_the_review(shop: Shop, take_back: Any) -> None:
    customer_id = await shop.card()
    sold = sale("1200.00")
    await shop.send(sold)
    await shop.send(take_back(sold))

    assert await fates(shop, customer_id) == [("small", "main", "lapsed")]
    assert await history(shop, customer_id) == [("small", "initial")]


async def test_taking_a_part_back_asks_about_what_is_still_earned(shop: Shop) -> None:
    customer_id = await shop.card()
    sold = sale("1200.00")
    await shop.send(sold)
    await shop.send(refund(sold, "500.00", quantity="0.5"))

    assert await fates(shop, customer_id) == [
        ("small", "main", "lapsed"), ("small", "ordinary", "open"),
    ]  # fmt: skip
    assert len(await told(shop, "tier.review_opened")) == 2


async def test_the_night_ends_reviews_that_time_has_outdated(
    shop: Shop, now: clock.FixedClock
) -> None:
    old = await shop.card()
    await shop.send(sale("400.00"))
    now.advance(timedelta(days=365))
    await keep_signed_in(shop)
    new = await shop.card("HK000002")
    await shop.send(sale("400.00", member="HK000002"))
    async with shop.database.transaction() as session:
        connection = await raw_connection(session)
        await customer_stats.rebuild(connection, clock.today(shop.settings.zone), [old])

    assert await lapse(shop) == {"looked_at": 2, "lapsed": 1, "remaining": 0}

    assert await fates(shop, old) == [("small", "ordinary", "lapsed")]
    assert await fates(shop, new) == [("small", "ordinary", "open")]
    assert await lapse(shop) == {"looked_at": 1, "lapsed": 0, "remaining": 0}


async def test_the_night_holds_whom_it_would_lift_and_asks_once(shop: Shop) -> None:
    customer_id = await shop.card()
    await shop.send(sale("290.00"))
    await calibrate(shop.database, top_gross=Decimal("200.00"))
    async with shop.database.transaction() as session:
        await (await raw_connection(session)).execute(
            """UPDATE tier_policy
               SET body = jsonb_set(body, '{levels,1,at_least}', '"250.00"')
               WHERE scope = 'individual'"""
        )

    for _ in range(2):
        async with shop.database.transaction() as session:
            counts = await tier_nights.reconcile(session, shop.settings, TODAY)
        assert (counts["moved"], counts["remaining"]) == (0, 0)
        assert await fates(shop, customer_id) == [("small", "ordinary", "open")]
    [review] = await reviews(shop, customer_id)
    assert review.purchase_id is None
    assert len(await told(shop, "tier.review_opened")) == 1

    assert (await decide(shop, review, "accept")).status_code == 200
    assert await history(shop, customer_id) == [("small", "initial"), ("ordinary", "reviewed")]
    # Sound by now, a refused card would be lifted too; this one is where it should be.
    async with shop.database.transaction() as session:
        counts = await tier_nights.reconcile(session, shop.settings, TODAY)
    assert counts["moved"] == 0


async def test_the_night_lifts_whose_account_is_not_hollow_any_more(shop: Shop) -> None:
    waiting = await shop.card()
    refused = await shop.card("HK000002")
    for member in ("HK000001", "HK000002"):
        await shop.send(sale("400.00", member=member))
    [review] = await reviews(shop, refused)
    await decide(shop, review, "refuse", reason="一次性团购")
    await calibrate(shop.database, top_gross=Decimal("500.00"))

    assert await lapse(shop) == {"looked_at": 1, "lapsed": 1, "remaining": 0}
    async with shop.database.transaction() as session:
        counts = await tier_nights.reconcile(session, shop.settings, TODAY)

    assert counts["moved"] == 2
    for customer_id in (waiting, refused):
        assert await history(shop, customer_id) == [
            ("small", "initial"), ("ordinary", "reconciled"),
        ]  # fmt: skip
    assert await fates(shop, refused) == [("small", "ordinary", "refused")]


async def test_what_is_set_by_hand_ends_the_review_and_holds_no_review_up(shop: Shop) -> None:
    customer_id = await shop.card()
    await shop.send(sale("400.00"))
    [review] = await reviews(shop, customer_id)
    answer = await shop.client.post(
        f"/v1/customers/{customer_id}/tier-override",
        headers=shop.world.headers(),
        json={"level": "main", "reason": "战略客户", "ends_on": "2026-12-31"},
    )
    assert answer.is_success, answer.text

    assert await fates(shop, customer_id) == [("small", "ordinary", "lapsed")]
    assert (await decide(shop, review, "accept")).status_code == 409
    result = await shop.send(sale("900.00"))
    assert result["tier"]["held_upgrade"] is None
    assert len(await reviews(shop, customer_id)) == 1


async def test_the_night_ends_reviews_of_cards_that_are_not_hollow_any_more(shop: Shop) -> None:
    customer_id = await shop.card()
    await shop.send(sale("400.00"))
    await calibrate(shop.database, top_gross=Decimal("500.00"))

    assert await lapse(shop) == {"looked_at": 1, "lapsed": 1, "remaining": 0}
    assert await fates(shop, customer_id) == [("small", "ordinary", "lapsed")]
