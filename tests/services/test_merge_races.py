"""Tills sell while cards are merged and parted: nothing is lost, nothing stays behind."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from app.core.config import Settings
from app.core.database import Database
from tests.conftest import client_of
from tests.support.cards import create_card
from tests.support.contacts import contact
from tests.support.events import refund, sale
from tests.support.merging import carry_out, plan, undo
from tests.support.shop import Shop
from tests.support.world import build_world, send_event

AT_ONCE = 6


@pytest.fixture
def settings() -> Settings:
    """A connection for everybody: here they shall wait for each other's rows, not for the pool."""
    return Settings(
        _env_file=None, pool_size=AT_ONCE * 2, pool_overflow=AT_ONCE, pool_timeout_seconds=10
    )


@pytest.fixture
async def shop(fresh_database: Database, settings: Settings) -> AsyncIterator[Shop]:
    """The small chain in a database where transactions run side by side."""
    world = await build_world(fresh_database)
    async with client_of(fresh_database, settings) as client:
        yield Shop(client, world, fresh_database, settings)


async def try_to_merge(shop: Shop, survivor: str, loser: str) -> dict[str, Any]:
    """Plan and merge until nothing comes in between."""
    while True:
        planned = await plan(shop.client, shop.world, survivor, [loser])
        answer = await carry_out(shop.client, shop.world, planned)
        if answer.status_code == 201:
            done: dict[str, Any] = answer.json()
            return done
        assert answer.json()["type"] in {"/problems/merge-plan-stale", "/problems/contended"}


async def test_sales_and_refunds_during_merges_are_the_surviving_cards(shop: Shop) -> None:
    survivor = (await create_card(shop.client, shop.world, name="甲"))["id"]
    loser = str(await shop.card("HK2"))
    bought = [sale("10.00", member="HK2") for _ in range(AT_ONCE)]
    for event in bought:
        await shop.send(event)
    merged: list[dict[str, Any]] = []

    async def sell(number: int) -> list[httpx.Response]:
        who = {"member": "HK2"} if number % 2 else {"customer": {"id": loser}}
        events = [sale("1.00", **who), refund(bought[number]), sale("1.00", **who)]
        return [await send_event(shop.client, shop.world, event) for event in events]

    async def merge_and_part() -> None:
        for _ in range(2):
            merged.append(await try_to_merge(shop, survivor, loser))
            await undo(shop.client, shop.world, merged[-1])
        merged.append(await try_to_merge(shop, survivor, loser))

    answers = await asyncio.gather(merge_and_part(), *(sell(n) for n in range(AT_ONCE)))

    sent = [one for of_till in answers[1:] for one in (of_till or [])]
    assert Counter(one.json()["status"] for one in sent) == {"applied": AT_ONCE * 3}
    assert {one.json()["customer"]["id"] for one in sent} <= {survivor, loser}
    assert len(merged) == 3
    assert await shop.purchases(UUID(loser)) == []
    assert len(await shop.purchases(UUID(survivor))) == AT_ONCE * 4
    assert await shop.net(UUID(survivor)) == Decimal(AT_ONCE * 2)
    assert await shop.wrong_statistics() == 0
    async with shop.database.transaction() as session:
        owners = await session.execute(text("SELECT DISTINCT customer_id FROM receipt"))
        assert list(owners.scalars()) == [UUID(survivor)]
        owners = await session.execute(text("SELECT DISTINCT customer_id FROM pos_event"))
        assert list(owners.scalars()) == [UUID(survivor)]


async def test_what_is_recorded_during_a_merge_goes_over_or_is_refused(shop: Shop) -> None:
    survivor = (await create_card(shop.client, shop.world, name="甲"))["id"]
    loser = (await create_card(shop.client, shop.world, name="乙"))["id"]

    async def speak() -> httpx.Response:
        return await shop.client.post(
            f"/v1/customers/{loser}/interactions",
            headers=shop.world.headers(),
            json=contact(),
        )

    answers = await asyncio.gather(
        try_to_merge(shop, survivor, loser), *(speak() for _ in range(AT_ONCE))
    )

    statuses = Counter(one.status_code for one in answers[1:] if isinstance(one, httpx.Response))
    assert statuses[201] + statuses[409] == AT_ONCE
    async with shop.database.transaction() as session:
        found = await session.execute(
            text("SELECT customer_id, count(*) FROM interaction GROUP BY customer_id")
        )
        kept = {str(owner): count for owner, count in found}
    assert kept.get(loser) is None
    assert kept.get(survivor, 0) == statuses[201]


async def test_of_two_merges_of_one_card_one_is_carried_out(shop: Shop) -> None:
    cards = [(await create_card(shop.client, shop.world, name=name))["id"] for name in "甲乙丙"]
    plans = [
        await plan(shop.client, shop.world, cards[0], [cards[1]]),
        await plan(shop.client, shop.world, cards[2], [cards[1]]),
        await plan(shop.client, shop.world, cards[1], [cards[0]]),
    ]

    answers = await asyncio.gather(*(carry_out(shop.client, shop.world, one) for one in plans))

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 2}
    assert {one.json()["type"] for one in answers if one.status_code == 409} == {
        "/problems/merge-plan-stale"
    }
