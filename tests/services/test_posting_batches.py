"""A shop that was offline for days: one large batch, within the limits of one request."""

import random
from collections import Counter
from typing import Any

import pytest

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.models import Purchase, PurchaseLine, UnattachedPurchase
from tests.conftest import client_of
from tests.support.events import refund, sale, void
from tests.support.shop import Shop
from tests.support.world import build_world

EVENTS = 5_000
CARDS = 60


def five_thousand() -> tuple[list[dict[str, Any]], Counter[str]]:
    """Return a shuffled batch and how many events of each status it leads to."""
    events: list[dict[str, Any]] = []
    expected: Counter[str] = Counter()
    for number in range(EVENTS // 5):
        known, unknown = f"HK{number % CARDS:06}", f"XX{number:06}"
        sold, waiting, anonymous = (
            sale("90.00", member=member) for member in (known, unknown, None)
        )
        last = void(waiting) if number % 2 else refund(waiting, "10.00", quantity="0.1")
        wrong = sale("1.00", store="S02") if number % 10 == 0 else refund(sold, "30.00")
        events += [sold, waiting, anonymous, last, wrong]
        expected["awaiting_customer"] += 1 if number % 2 else 2
        expected["held"] += number % 10 == 0
    expected["applied"] = EVENTS - expected.total()
    random.Random(1).shuffle(events)
    return events, expected


@pytest.mark.timeout(240)
async def test_five_thousand_mixed_events_are_taken_in_one_request(
    fresh_database: Database, settings: Settings
) -> None:
    world = await build_world(fresh_database)
    async with client_of(fresh_database, settings) as client:
        shop = Shop(client, world, fresh_database, settings)
        cards = [await shop.card(f"HK{number:06}") for number in range(CARDS)]
        events, expected = five_thousand()

        started = clock.monotonic_seconds()
        results = await shop.batch(events)
        seconds = clock.monotonic_seconds() - started
        print(f"\n{EVENTS} events in one batch: {seconds:.1f} s")  # noqa: T201 - shown with -s

        assert Counter(result["status"] for result in results) == expected
        assert [result["event_id"] for result in results] == [e["event_id"] for e in events]
        thousand = EVENTS // 5
        assert await shop.counts(Purchase, PurchaseLine, UnattachedPurchase) == {
            "purchase": thousand + thousand * 9 // 10,
            "purchase_line": thousand + thousand * 9 // 10,
            "unattached_purchase": 2 * thousand + thousand // 2,
        }
        assert sum([await shop.net(card) for card in cards]) == 90 * thousand - 30 * (
            thousand * 9 // 10
        )
        assert await shop.wrong_statistics() == 0
        # The same batch again changes nothing and is answered as it was.
        assert await shop.batch(events) == results
