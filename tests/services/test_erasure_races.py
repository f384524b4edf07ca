"""An erasure among tills that sell: each sale is the person's before it, or waits after it."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text, update
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.models import Customer, Disclosure, PosEvent, Purchase, UnattachedPurchase
from app.vocabulary import CustomerStatus
from tests.conftest import client_of
from tests.support.cards import create_card
from tests.support.events import sale
from tests.support.shop import Shop
from tests.support.world import build_world

SALES, TILLS = 20, 6


async def test_sales_around_an_erasure_are_posted_once_and_tell_nothing_of_the_erased(
    fresh_database: Database, settings: Settings
) -> None:
    at_once = settings.model_copy(update={"return_period_days": 0})
    world = await build_world(fresh_database)
    async with client_of(fresh_database, at_once) as client:
        shop = Shop(client, world, fresh_database, at_once)
        card = await shop.card("HK000001")

        async def erase() -> int:
            await asyncio.sleep(0.05)
            answer = await client.post(
                f"/v1/customers/{card}/erasures", headers=world.headers("manager")
            )
            return answer.status_code

        tills = asyncio.Semaphore(TILLS)

        async def sell(**changes: Any) -> str:
            async with tills:
                return str((await shop.send(sale("5.00", **changes)))["status"])

        erasing = asyncio.create_task(erase())
        sales = [(sell(), sell(customer={"id": str(card)})) for _ in range(SALES)]
        told = await asyncio.gather(*(one for pair in sales for one in pair))
        assert await erasing == 201

        numbered, named = Counter(told[::2]), Counter(told[1::2])
        assert set(numbered) <= {"applied", "awaiting_customer"}
        assert set(named) <= {"applied", "held"}
        async with fresh_database.transaction() as session:
            row = await session.get(Customer, card)
            assert row is not None
            assert row.status is CustomerStatus.ERASED
            events = (await session.scalars(select(PosEvent))).all()
            receipts = (await session.scalars(select(col(Purchase.customer_id)))).all()
            waiting = (await session.scalars(select(col(UnattachedPurchase.awaits_value)))).all()
        assert len(events) == 2 * SALES
        assert list(receipts) == [card] * (numbered["applied"] + named["applied"])
        assert list(waiting) == ["HK000001"] * numbered["awaiting_customer"]
        of_the_card = [event for event in events if event.customer_id == UUID(str(card))]
        assert len(of_the_card) == len(receipts)
        assert [event.body.get("customer") for event in of_the_card] == [None] * len(of_the_card)
        assert [event.answer["customer"] for event in of_the_card] == [None] * len(of_the_card)
        assert await shop.wrong_statistics() == 0


async def test_a_card_that_is_merged_while_its_erasure_waits_is_erased_with_it(
    fresh_database: Database, settings: Settings
) -> None:
    world = await build_world(fresh_database)
    async with client_of(fresh_database, settings) as client:
        survivor, loser = [
            UUID((await create_card(client, world, name=name))["id"]) for name in ("留", "并")
        ]
        async with fresh_database.transaction() as session:
            await session.execute(
                select(Customer).where(col(Customer.id).in_([survivor, loser])).with_for_update()
            )
            erasing = asyncio.create_task(
                client.post(f"/v1/customers/{survivor}/erasures", headers=world.headers("manager"))
            )
            await until_waiting(fresh_database)
            await session.execute(
                update(Customer)
                .where(col(Customer.id) == loser)
                .values(status=CustomerStatus.MERGED, merged_into_id=survivor)
            )
        answer = await erasing
        assert (answer.status_code, answer.json()["status"]) == (201, "done")
    async with fresh_database.transaction() as session:
        names = await session.scalars(select(col(Customer.name)))
        assert list(names) == ["已删除"] * 2


@pytest.mark.parametrize(
    ("noun", "body"), [("copies", {}), ("disclosures", {"fields": ["identities"]})]
)
async def test_nobody_is_shown_a_card_that_is_erased_at_that_moment(
    fresh_database: Database, settings: Settings, noun: str, body: dict[str, Any]
) -> None:
    world = await build_world(fresh_database)
    async with client_of(fresh_database, settings) as client:
        card = UUID((await create_card(client, world))["id"])
        async with fresh_database.transaction() as session:
            erasing = select(Customer).where(col(Customer.id) == card).with_for_update()
            await session.execute(erasing)
            asked = asyncio.create_task(
                client.post(
                    f"/v1/customers/{card}/{noun}", headers=world.headers("manager"),
                    json={"reason": "王小明来电", **body},
                )
            )  # fmt: skip
            await until_waiting(fresh_database)
            await session.execute(
                update(Customer).where(col(Customer.id) == card)
                .values(status=CustomerStatus.ERASED, erased_at=clock.now())
            )  # fmt: skip
        assert (await asked).status_code == 410
    async with fresh_database.transaction() as session:
        assert (await session.scalars(select(col(Disclosure.id)))).all() == []


async def until_waiting(database: Database) -> None:
    """Return when somebody waits for a lock of somebody else's transaction."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    while True:
        async with database.transaction() as session:
            if await session.scalar(waiting):
                return
        await asyncio.sleep(0.02)
