"""Concentration: the database adds up what the rule adds up, for whoever asks."""

import random
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from app.core import clock
from app.core.config import Settings
from app.core.database import Database, raw_connection
from app.queries import tier_reports
from app.queries import tiers as tier_queries
from app.rules.concentration import concentration_of, tally
from tests.support.events import refund, sale
from tests.support.shop import Shop
from tests.support.world import World

NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)
TODAY = date(2026, 11, 21)


@pytest.fixture
async def shop(
    database: Database, settings: Settings, client: httpx.AsyncClient, world: World
) -> AsyncIterator[Shop]:
    """The small chain at a fixed instant, in the database that is rolled back."""
    with clock.using(clock.FixedClock(NOW), everywhere=True):
        yield Shop(client, world, database, settings)


async def report(shop: Shop, who: str = "manager", **asked: Any) -> dict[str, Any]:
    answer = await shop.client.get(
        "/v1/reports/concentration", params=asked, headers=shop.world.headers(who)
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def at(day: date) -> str:
    return f"{day}T10:00:00+08:00"


async def test_who_holds_how_much_of_a_window(shop: Shop) -> None:
    for number in range(6):
        await shop.card(f"HK{number}")
    await shop.card("HK9", kind="organization", name="书友会")
    old = sale("90.00", member="HK3", at=at(date(2025, 11, 21)))
    await shop.batch(
        [
            sale("600.00", member="HK0"),
            sale("300.00", member="HK1", at=at(date(2025, 11, 22))),
            sale("100.00", member="HK2"),
            # A purchase of before the window that came back in it: 80 less than nothing.
            old,
            sale("10.00", member="HK3"),
            # One that is too old, and an organization's.
            sale("5000.00", member="HK4", at=at(date(2025, 11, 21))),
            sale("7000.00", member="HK9"),
        ]
    )
    await shop.send(refund(old))

    found = await report(shop)

    assert (found["as_of"], found["window_from"], found["window_days"]) == (
        "2026-11-21", "2025-11-22", 365,
    )  # fmt: skip
    assert (found["customers"], found["amount"]) == (4, "1000.00")
    assert (found["negative_customers"], found["negative_amount"]) == (1, "-80.00")
    assert found["top"] == [
        {"percent": 1, "customers": 1, "share": "60.0"},
        {"percent": 5, "customers": 1, "share": "60.0"},
        {"percent": 10, "customers": 1, "share": "60.0"},
        {"percent": 20, "customers": 1, "share": "60.0"},
        {"percent": 50, "customers": 2, "share": "90.0"},
    ]
    assert found["most"] == {
        "percent_of_amount": 80, "customers": 2, "percent_of_customers": "50.0",
    }  # fmt: skip
    curve = {point["percent"]: point["share"] for point in found["curve"]}
    assert len(curve) == 20
    assert [curve[percent] for percent in (25, 50, 75, 95, 100)] == [
        "0.0", "10.0", "40.0", "40.0", "100.0",
    ]  # fmt: skip
    # Pairs differ by 600, 300 and 100 from nothing, by 300, 500 and 200: 4000 of 8 times 1000.
    assert (found["gini"], found["hhi"]) == ("0.5000", "0.46000000")
    assert found["sentences"] == {
        "en": "The top 20 % of customers hold 60.0 % of net spend; 80 % of it is held by 50.0 % "
        "of customers.",
        "zh": "前 20% 的客户占净消费的 60.0%；净消费的 80% 由 50.0% 的客户贡献。",
    }


async def test_where_nobody_bought_it_says_so(shop: Shop) -> None:
    found = await report(shop, kind="organization")

    assert (found["customers"], found["amount"], found["gini"], found["hhi"]) == (
        0, "0.00", None, None,
    )  # fmt: skip
    assert {row["share"] for row in found["top"] + found["curve"]} == {None}
    assert found["most"]["customers"] is None
    assert found["sentences"] == {"en": "Nobody spent anything.", "zh": "没有净消费。"}


@pytest.mark.parametrize("seed", range(3))
async def test_the_database_adds_up_what_the_rule_adds_up(
    shop: Shop, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    own = shop.world.stores["S01"]
    members = [f"HK{number}" for number in range(16)]
    at_home = set(chance.sample(members, 7))
    for member in members:
        home = {"home_store_id": str(own)} if member in at_home else {}
        await shop.card(member, **home)
    # One returns what was bought before the window, and buys little in it.
    await shop.card("HK99")
    old = sale("300.00", member="HK99", at=at(TODAY - timedelta(days=365)))
    events = [old, refund(old), sale("10.00", member="HK99")]
    ledger = [
        ("HK99", TODAY - timedelta(days=365), Decimal(300), True),
        ("HK99", TODAY, Decimal(-300), False),
        ("HK99", TODAY, Decimal(10), True),
    ]
    for _ in range(60):
        member = chance.choice(members)
        day = TODAY - timedelta(days=chance.choice([0, 3, 60, 364, 365, 400]))
        # Few different amounts: many customers hold the same.
        bought = sale(chance.choice(["10.00", "25.50", "300.00"]), member=member, at=at(day))
        events.append(bought)
        ledger.append((member, day, Decimal(bought["total"]), True))
        if chance.random() < 0.3:
            events.append(refund(bought))
            ledger.append((member, TODAY, -Decimal(bought["total"]), False))
    await shop.batch(events)

    def values(first: date, counted: set[str]) -> list[Decimal]:
        net: dict[str, Decimal] = defaultdict(Decimal)
        bought = set()
        for member, day, amount, is_sale in ledger:
            if day >= first and member in counted:
                net[member] += amount
                if is_sale:
                    bought.add(member)
        return [net[member] for member in bought]

    year = values(TODAY - timedelta(days=364), {*members, "HK99"})
    assert any(value < 0 for value in year)
    async with shop.database.transaction() as session:
        connection = await raw_connection(session)
        for window_days, from_statistics in ((365, True), (365, False), (61, False)):
            for stores, counted in ((None, {*members, "HK99"}), ([own], at_home)):
                expected = tally(values(TODAY - timedelta(days=window_days - 1), counted))
                assert expected == await tier_reports.tally(
                    connection, "individual", stores, TODAY, window_days,
                    from_statistics=from_statistics,
                )  # fmt: skip
    asked = await report(shop)
    measures = concentration_of(tally(year))
    assert asked["gini"] == str(measures.gini)
    assert asked["hhi"] == str(measures.hhi)
    assert [row["share"] for row in asked["curve"]] == [str(one.share) for one in measures.curve]
    of_store = await report(shop, "store_manager")
    assert of_store["customers"] == len(values(TODAY - timedelta(days=364), at_home))

    async def no(*_: Any) -> bool:
        return False

    monkeypatch.setattr(tier_queries, "statistics_are_of", no)
    assert await report(shop) == asked


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ({"as_of": "2026-11-22"}, "/query/as_of"),
        ({"window_days": "29"}, "/query/window_days"),
        ({"window_days": "1096"}, "/query/window_days"),
        ({"kind": "shop"}, "/query/kind"),
    ],
)
async def test_windows_that_are_none_are_refused(
    shop: Shop, asked: dict[str, str], pointer: str
) -> None:
    answer = await shop.client.get(
        "/v1/reports/concentration", params=asked, headers=shop.world.headers()
    )

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
