"""Tiers over time: nothing is lost between machines, the night finds what nobody lifted."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import col

from app.core import clock
from app.core.database import raw_connection
from app.models import TierAssignment
from app.queries import tiers as tier_queries
from app.services import statistics, tier_nights
from tests.support.events import refund, sale, void
from tests.support.shop import Shop

NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)
TODAY = date(2026, 11, 21)


async def history(shop: Shop) -> list[tuple[str, str]]:
    """Return level and cause of every tier there was, oldest first; they join without a gap."""
    async with shop.database.transaction() as session:
        rows = (
            await session.scalars(
                select(TierAssignment).order_by(
                    col(TierAssignment.valid_to).nulls_last(),
                    col(TierAssignment.valid_from),
                    col(TierAssignment.id),
                )
            )
        ).all()
    for earlier, later in pairwise(rows):
        assert earlier.valid_to == later.valid_from
    assert rows[-1].valid_to is None
    return [(str(row.level), str(row.cause)) for row in rows]


async def reconcile(shop: Shop, as_of: date = TODAY) -> dict[str, int]:
    """Run a portion of the night's step."""
    async with shop.database.transaction() as session:
        return dict(await tier_nights.reconcile(session, shop.settings, as_of))


async def set_threshold(shop: Shop, index: int, amount: str) -> None:
    """Change a level of the individuals' policy in force, highest first."""
    async with shop.database.transaction() as session:
        connection = await raw_connection(session)
        await connection.execute(
            """UPDATE tier_policy
               SET body = jsonb_set(body, ARRAY['levels', $1, 'at_least'], to_jsonb($2::text))
               WHERE scope = 'individual'""",
            str(index),
            amount,
        )


async def keep_signed_in(shop: Shop) -> None:
    """Let tokens last although the clock was moved."""
    async with shop.database.transaction() as session:
        connection = await raw_connection(session)
        await connection.execute(
            "UPDATE access_token SET last_used_at = $1, expires_at = $2",
            clock.now(),
            clock.now() + timedelta(days=1),
        )


async def test_returns_one_after_the_other_lead_back_to_where_the_card_began(shop: Shop) -> None:
    await shop.card()
    first, second = sale("400.00"), sale("700.00")
    for event in (first, second, refund(second), refund(first)):
        await shop.send(event)
    assert await history(shop) == [
        ("small", "initial"),
        ("ordinary", "upgrade"),
        ("main", "upgrade"),
        ("ordinary", "reversal"),
        ("small", "reversal"),
    ]


async def test_returning_in_two_parts_leads_as_far_back_as_returning_at_once(shop: Shop) -> None:
    await shop.card()
    sold = sale("1100.00")
    for event in (
        sold,
        refund(sold, "300.00", quantity="0.3"),
        refund(sold, "800.00", quantity="0.7"),
    ):
        await shop.send(event)
    assert await history(shop) == [
        ("small", "initial"),
        ("main", "upgrade"),
        ("ordinary", "reversal"),
        ("small", "reversal"),
    ]


async def test_a_clock_behind_another_machines_ends_a_tier_when_it_began(
    shop: Shop, now: clock.FixedClock
) -> None:
    customer_id = await shop.card()
    await shop.send(sale("300.00"))
    now.advance(timedelta(seconds=-3))
    result = await shop.send(sale("700.00"))
    assert result["tier"]["after"] == "main"
    assert await history(shop) == [
        ("small", "initial"), ("ordinary", "upgrade"), ("main", "upgrade"),
    ]  # fmt: skip
    assert (await shop.tier(customer_id)).valid_from == NOW


async def test_the_night_lifts_who_earns_more_and_lets_nobody_fall(shop: Shop) -> None:
    customer_id = await shop.card()
    await shop.send(sale("800.00"))
    assert await reconcile(shop) == {"moved": 0, "held": 0, "remaining": 0}

    await set_threshold(shop, 0, "800.00")
    assert await reconcile(shop) == {"moved": 1, "held": 0, "remaining": 0}
    assert await reconcile(shop) == {"moved": 0, "held": 0, "remaining": 0}
    await set_threshold(shop, 0, "2000.00")
    assert await reconcile(shop) == {"moved": 0, "held": 0, "remaining": 0}

    tier = await shop.tier(customer_id)
    assert (tier.level, tier.cause) == ("main", "reconciled")
    assert tier.explanation["rule"]["at_least"] == "800.00"
    assert await history(shop) == [
        ("small", "initial"), ("ordinary", "upgrade"), ("main", "reconciled"),
    ]  # fmt: skip


async def test_the_night_goes_by_fresh_figures(shop: Shop, now: clock.FixedClock) -> None:
    await shop.card()
    await shop.send(sale("800.00", at="2025-11-22T10:00:00+08:00"))
    await set_threshold(shop, 0, "800.00")
    now.advance(timedelta(days=1))
    # Its figures still say 800, but as of this night the purchase lies outside the window.
    assert await reconcile(shop, TODAY + timedelta(days=1)) == {
        "moved": 0,
        "held": 0,
        "remaining": 0,
    }
    assert await history(shop) == [("small", "initial"), ("ordinary", "upgrade")]


async def test_a_large_portion_is_done_in_several(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tier_nights, "CHUNK", 2)
    for number in range(5):
        await shop.card(f"HK{number}")
        await shop.send(sale("800.00", member=f"HK{number}"))
    await set_threshold(shop, 0, "800.00")
    assert [await reconcile(shop) for _ in range(3)] == [
        {"moved": 2, "held": 0, "remaining": 1},
        {"moved": 2, "held": 0, "remaining": 1},
        {"moved": 1, "held": 0, "remaining": 0},
    ]


async def test_a_night_for_a_past_day_counts_nothing_that_came_later(
    shop: Shop, now: clock.FixedClock
) -> None:
    now.move_to(datetime(2025, 11, 12, 6, tzinfo=UTC))
    customer_id = await shop.card()
    await shop.send(sale("800.00"))
    now.move_to(NOW)
    await keep_signed_in(shop)
    # 374 days later: the first purchase has left the window by now.
    await shop.send(sale("600.00"))
    before = await shop.stats(customer_id)
    assert str(before.net_365) == "600.00"
    assert await reconcile(shop, date(2025, 11, 20)) == {"moved": 0, "held": 0, "remaining": 0}

    await set_threshold(shop, 0, "900.00")
    # Together they would be 1,400, which was never true on any day.
    assert await reconcile(shop, date(2025, 11, 20)) == {"moved": 0, "held": 0, "remaining": 0}
    await set_threshold(shop, 0, "600.00")
    assert await reconcile(shop, date(2025, 11, 11)) == {"moved": 0, "held": 0, "remaining": 0}
    assert await reconcile(shop, date(2025, 11, 20)) == {"moved": 1, "held": 0, "remaining": 0}

    tier = await shop.tier(customer_id)
    assert (tier.level, tier.cause) == ("main", "reconciled")
    assert tier.explanation["inputs"]["net_spend"] == "800.00"
    assert (
        "net spend from 2024-11-21 to 2025-11-20 is 800.00" in tier.explanation["sentences"]["en"]
    )
    # The hold begins when the tier does.
    assert tier.explanation["keep"]["not_before"] == "2027-06-01"
    assert (await shop.stats(customer_id)).model_dump() == before.model_dump()
    assert await shop.wrong_statistics() == 0


async def test_a_night_for_a_past_day_looks_at_cards_whose_figures_are_enough_today(
    shop: Shop,
) -> None:
    await shop.card()
    await shop.send(sale("500.00"))
    await shop.send(sale("400.00", at="2026-11-19T10:00:00+08:00"))
    await set_threshold(shop, 0, "900.00")
    # 400 by then; the card is not found again and again.
    assert await reconcile(shop, date(2026, 11, 20)) == {"moved": 0, "held": 0, "remaining": 0}
    assert await reconcile(shop, TODAY) == {"moved": 1, "held": 0, "remaining": 0}


async def test_a_history_is_paged_without_loss(shop: Shop) -> None:
    customer_id, other = await shop.card(), await shop.card("HK2")
    sold = sale("300.00")
    # Those of one batch begin at the same instant.
    await shop.batch([sold, refund(sold)])
    for _ in range(2):
        sold = sale("300.00")
        await shop.send(sold)
        await shop.send(refund(sold))
    path = f"/v1/customers/{customer_id}/tier-history"

    async def page(**params: str) -> httpx.Response:
        return await shop.client.get(path, params=params, headers=shop.world.headers())

    whole = (await page()).json()
    assert whole["next_cursor"] is None
    assert {item["level"] for item in whole["items"]} == {"small", "ordinary"}
    assert len(whole["items"]) >= 5
    seen, params = [], {"limit": "2"}
    while True:
        answer = (await page(**params)).json()
        assert len(answer["items"]) <= 2
        seen += answer["items"]
        if answer["next_cursor"] is None:
            break
        params = {"limit": "2", "cursor": answer["next_cursor"]}
    assert seen == whole["items"]
    path = f"/v1/customers/{other}/tier-history"
    assert (await page(cursor=params["cursor"])).json()["type"] == "/problems/invalid-cursor"


async def test_todays_distribution_is_the_same_from_the_statistics_as_from_the_receipts(
    shop: Shop, now: clock.FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    way: list[str] = []
    for name in ("distribution", "distribution_now"):
        asked = getattr(tier_queries, name)

        async def noted(*given: Any, asked: Any = asked, name: str = name) -> Any:
            way.append(name)
            return await asked(*given)

        monkeypatch.setattr(tier_queries, name, noted)

    async def tables() -> list[dict[str, Any]]:
        found = []
        for who in ("admin", "store_manager"):
            answer = await shop.client.get(
                "/v1/reports/tier-distribution", headers=shop.world.headers(who)
            )
            assert answer.status_code == 200, answer.text
            found.append(answer.json())
        return found

    async def both(expected: str) -> list[dict[str, Any]]:
        way.clear()
        found = await tables()
        assert way == [expected] * 2
        with monkeypatch.context() as patch:
            patch.setattr(tier_queries, "statistics_are_of", no)
            way.clear()
            assert await tables() == found
            assert way == ["distribution"] * 2
        return found

    async def no(*_: Any) -> bool:
        return False

    at_home = str(shop.world.stores["S01"])
    for number, home in enumerate([at_home, None, at_home, at_home, None]):
        await shop.card(f"HK{number}", **({"home_store_id": home} if home else {}))
    await shop.card("HK8", kind="organization", name="书友会")
    gone = sale("250.00", member="HK3")
    returned = sale("90.00", member="HK4", at="2025-11-21T10:00:00+08:00")
    await shop.batch(
        [
            sale("1200.00", member="HK0"),
            sale("310.10", member="HK1", at="2025-11-23T10:00:00+08:00"),
            sale("99.99", member="HK2", at="2025-11-22T10:00:00+08:00"),
            sale("700.00", member="HK2", at="2025-11-21T10:00:00+08:00"),
            sale("5000.00", member="HK8"),
            gone,
            void(gone),
            # Somebody who returned and did not buy is not counted.
            returned,
            refund(returned),
        ]
    )
    whole, of_store = await both("distribution_now")
    assert (whole["customers"], whole["amount"]) == (3, "1610.09")
    assert (of_store["customers"], of_store["amount"]) == (2, "1299.99")

    # Past midnight one purchase has left the window: until the night, the receipts are asked.
    now.move_to(datetime(2026, 11, 21, 17, tzinfo=UTC))
    whole, _ = await both("distribution")
    assert (whole["customers"], whole["amount"]) == (2, "1510.10")
    async with shop.database.transaction() as session:
        counts = await statistics.refresh_due(session, date(2026, 11, 22))
    assert counts == {"refreshed": 1, "remaining": 0}
    whole, _ = await both("distribution_now")
    assert (whole["customers"], whole["amount"]) == (2, "1510.10")

    # A till is ahead of midnight: what it sold does not count today.
    now.move_to(datetime(2026, 11, 22, 15, 55, tzinfo=UTC))
    await keep_signed_in(shop)
    await shop.send(sale("1.00", member="HK0", at="2026-11-23T00:01:00+08:00"))
    whole, _ = await both("distribution")
    assert (whole["customers"], whole["amount"]) == (2, "1510.10")
