"""Duplicates that are made at once, or while a card is being erased."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlmodel import col

from app.core.config import Settings
from app.core.database import Database
from app.models import Customer, DuplicateCard, DuplicateKey, DuplicatePair
from app.services.duplicate_scan import take_up_stale
from tests.conftest import client_of
from tests.support.cards import create_card
from tests.support.world import build_world

BORN = {"calendar": "solar", "year": 1990, "month": 8, "day": 5}


async def _somebody_waits(database: Database) -> bool:
    async with database.transaction() as session:
        return bool(
            await session.scalar(
                text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                     " AND datname = current_database()")
            )
        )  # fmt: skip


@asynccontextmanager
async def _beside_an_erasure(
    database: Database, card: UUID, work: Coroutine[Any, Any, Any]
) -> AsyncIterator[asyncio.Task[Any]]:
    """Begin work while a card is being erased, and erase it once the work waits or is done."""
    async with database.transaction() as session:
        await session.execute(
            select(col(Customer.id)).where(col(Customer.id) == card).with_for_update()
        )
        task = asyncio.create_task(work)
        async with asyncio.timeout(4):
            while not task.done() and not await _somebody_waits(database):
                await asyncio.sleep(0.02)
        for model in (DuplicateKey, DuplicatePair):
            await session.execute(delete(model))
        await session.execute(
            update(Customer)
            .where(col(Customer.id) == card)
            .values(status="erased", erased_at=func.now(), name="已删除", version=9)
        )
    yield task


async def test_nobody_decides_about_a_card_that_is_being_erased(
    fresh_database: Database, settings: Settings
) -> None:
    world = await build_world(fresh_database)
    async with client_of(fresh_database, settings) as client:
        one = await create_card(client, world, birthday=BORN)
        other = await create_card(client, world, birthday=BORN, allow_duplicate=True)
        deciding = client.post(
            f"/v1/duplicates/{one['id']}/{other['id']}/decision",
            headers=world.headers("manager"),
            json={"state": "different", "note": "王小明 is the father."},
        )
        async with _beside_an_erasure(fresh_database, UUID(one["id"]), deciding) as task:
            answer = await task
    assert answer.status_code == 404
    async with fresh_database.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(DuplicatePair)) == 0


async def test_a_scan_keeps_no_keys_of_a_card_that_is_being_erased(
    fresh_database: Database, settings: Settings
) -> None:
    world = await build_world(fresh_database)
    async with client_of(fresh_database, settings) as client:
        card = UUID((await create_card(client, world, birthday=BORN))["id"])

    async def scan() -> None:
        async with fresh_database.transaction() as session:
            await take_up_stale(session, None)

    # As a card of before an upgrade, which no scan has taken up.
    async with fresh_database.transaction() as session:
        for model in (DuplicateKey, DuplicateCard):
            await session.execute(delete(model))
    async with _beside_an_erasure(fresh_database, card, scan()) as task:
        await task
    async with fresh_database.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(DuplicateKey)) == 0


async def test_of_cards_of_one_customer_that_are_made_at_once_one_is_made(
    fresh_database: Database, settings: Settings
) -> None:
    world = await build_world(fresh_database)
    async with client_of(fresh_database, settings) as client:
        answers = await asyncio.gather(
            *(
                client.post(
                    "/v1/customers",
                    headers=world.headers(),
                    json={"kind": "individual", "name": name, "birthday": BORN},
                )
                for name in ("王小明", "王晓明") * 4
            )
        )
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 7]
    (made,) = (answer.json()["id"] for answer in answers if answer.status_code == 201)
    assert [
        [one["customer_id"] for one in answer.json()["candidates"]]
        for answer in answers
        if answer.status_code == 409
    ] == [[made]] * 7
