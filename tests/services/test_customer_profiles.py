"""Profiles over time: nights, merges, erasures; what comes by another way changes nothing."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from app.core import clock
from app.core.database import raw_connection
from app.services import customer_profiles
from tests.support.events import sale
from tests.support.merging import merge, undo
from tests.support.profiles import (
    by_the_rules,
    calibration,
    make_profiles,
    stored,
    use_calibration,
)
from tests.support.shop import Shop

NOW = datetime(2026, 11, 28, 6, 30, tzinfo=UTC)
TODAY = date(2026, 11, 28)


@pytest.fixture
def now() -> clock.FixedClock:
    """A clock that tests move."""
    return clock.FixedClock(NOW)


@pytest.fixture
async def shop(shop: Shop) -> Shop:
    """The small chain at a fixed instant, its policy for individuals calibrated."""
    await use_calibration(shop.database, calibration(TODAY))
    return shop


async def as_of(shop: Shop) -> date | None:
    """Return the day that profiles are of."""
    async with shop.database.transaction() as session:
        return await customer_profiles.profiles_as_of(session)


def ago(days: int) -> str:
    """Return an instant so many days ago."""
    return (NOW - timedelta(days=days)).isoformat()


async def test_a_night_in_portions_is_the_night_in_one(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        await shop.card(f"HK{number}")
        await shop.send(sale(f"{number * 200 + 10}.00", member=f"HK{number}", at=ago(number)))
    assert await make_profiles(shop.database, TODAY) == {"checked": 5, "written": 5, "removed": 0}
    at_once = await stored(shop.database)
    assert at_once == await by_the_rules(shop.database, TODAY)

    monkeypatch.setattr(customer_profiles, "CHUNK", 2)
    assert await make_profiles(shop.database, TODAY) == {"checked": 5, "written": 0, "removed": 0}
    assert await stored(shop.database) == at_once


async def test_profiles_are_of_the_step_that_ended_last(shop: Shop, now: clock.FixedClock) -> None:
    assert await as_of(shop) is None
    await make_profiles(shop.database, TODAY)
    now.advance(timedelta(hours=1))
    await make_profiles(shop.database, TODAY - timedelta(days=1))
    assert await as_of(shop) == TODAY - timedelta(days=1)
    async with shop.database.transaction() as session:
        await (await raw_connection(session)).execute(
            "INSERT INTO night_step (as_of, step, started_at) VALUES ($1, 'profiles', now())",
            TODAY + timedelta(days=1),
        )
    assert await as_of(shop) == TODAY - timedelta(days=1)


async def test_days_that_pass_make_a_customer_silent(shop: Shop) -> None:
    customer_id = await shop.card()
    await shop.send(sale("700.00"))
    segments = []
    for days in (0, 30, 31, 61, 121, 241):
        await make_profiles(shop.database, TODAY + timedelta(days))
        segments.append((await stored(shop.database))[customer_id]["segment"])
    assert segments == [
        "new", "new", "promising", "needs_attention", "almost_lost", "dormant",
    ]  # fmt: skip


async def test_the_order_of_receipts_and_cards_is_of_no_consequence(shop: Shop) -> None:
    chance = random.Random(8)
    events = [
        sale(f"{chance.randrange(1, 900)}.00", member=f"HK{n % 4}", at=ago(chance.randrange(500)))
        for n in range(24)
    ]
    for number in range(4):
        await shop.card(f"HK{number}")
        await shop.card(f"TW{number}")
    twins = [
        {**event, "event_id": f"{event['event_id']}-t", "receipt_number": f"T{place}",
         "customer": {"kind": "member_number", "value": f"TW{place % 4}"}}
        for place, event in enumerate(events)
    ]  # fmt: skip
    chance.shuffle(twins)
    await shop.batch(events)
    await shop.batch(twins)
    await make_profiles(shop.database, TODAY)
    found = list((await stored(shop.database)).values())
    assert len(found) == 8
    assert sorted(map(str, found[::2])) == sorted(map(str, found[1::2]))


async def test_a_merge_makes_the_profile_of_both_as_of_the_night(
    shop: Shop, now: clock.FixedClock
) -> None:
    survivor, loser = await shop.card("HK1"), await shop.card("HK2")
    await shop.send(sale("200.00", member="HK1", at=ago(40)))
    await shop.send(sale("900.00", member="HK2", at=ago(130)))
    await make_profiles(shop.database, TODAY)
    before = await stored(shop.database)
    assert (before[survivor]["segment"], before[loser]["segment"]) == ("promising", "almost_lost")
    now.advance(timedelta(days=25))
    await keep_signed_in(shop)

    merged = await merge(shop.client, shop.world, survivor, [loser])

    both = await stored(shop.database)
    assert both == await by_the_rules(shop.database, TODAY)
    assert set(both) == {survivor}
    assert (both[survivor]["monetary_score"], both[survivor]["recency_score"]) == (5, 4)

    await undo(shop.client, shop.world, merged)
    assert await stored(shop.database) == before


async def keep_signed_in(shop: Shop) -> None:
    """Let tokens last although the clock was moved."""
    async with shop.database.transaction() as session:
        await (await raw_connection(session)).execute(
            "UPDATE access_token SET last_used_at = $1, expires_at = $2",
            clock.now(), clock.now() + timedelta(days=1),
        )  # fmt: skip


async def test_a_merge_before_the_first_night_makes_no_profile(shop: Shop) -> None:
    survivor, loser = await shop.card("HK1"), await shop.card("HK2")
    await merge(shop.client, shop.world, survivor, [loser])
    assert await stored(shop.database) == {}


async def test_the_night_removes_the_profile_of_who_was_erased(shop: Shop) -> None:
    gone, stays = await shop.card("HK1"), await shop.card("HK2")
    await make_profiles(shop.database, TODAY)
    erased = await shop.client.post(
        f"/v1/customers/{gone}/erasures", headers=shop.world.headers("admin")
    )
    assert erased.json()["status"] == "done", erased.text
    listed = await shop.client.get("/v1/customers?segment=prospects", headers=shop.world.headers())
    assert [card["id"] for card in listed.json()["items"]] == [str(stays)]
    report: dict[str, Any] = (
        await shop.client.get("/v1/reports/rfm-segments", headers=shop.world.headers())
    ).json()
    assert report["customers"] == 1

    assert await make_profiles(shop.database, TODAY) == {"checked": 2, "written": 0, "removed": 1}
    assert set(await stored(shop.database)) == {stays}


async def test_an_archived_card_keeps_its_profile(shop: Shop) -> None:
    customer_id: UUID = await shop.card()
    await make_profiles(shop.database, TODAY)
    archived = await shop.client.post(
        f"/v1/customers/{customer_id}/archive", headers=shop.world.headers(If_Match='"v1"')
    )
    assert archived.status_code == 200, archived.text
    assert (await make_profiles(shop.database, TODAY))["removed"] == 0
    assert set(await stored(shop.database)) == {customer_id}
