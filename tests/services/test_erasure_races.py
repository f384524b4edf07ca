"""An erasure among tills that sell: each sale is the person's before it, or waits after it."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from app.core.config import Settings
from app.core.database import Database
from app.models import Customer, PosEvent, Purchase, UnattachedPurchase
from app.vocabulary import CustomerStatus
from tests.conftest import client_of
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
