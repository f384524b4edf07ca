"""Tills and people at the same moment about a held upgrade: real commits, each effect once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlmodel import col

from app.core.config import Settings
from app.core.database import Database
from app.models import OutboxEvent, TierAssignment
from tests.conftest import client_of
from tests.support.calibrations import calibrate
from tests.support.events import refund, sale
from tests.support.reviews import decide, reviews
from tests.support.shop import Shop
from tests.support.world import build_world

AT_ONCE = 12
ROUNDS = 15


@pytest.fixture
def settings() -> Settings:
    """A connection for everybody: here they shall wait for each other's rows, not for the pool."""
    return Settings(
        _env_file=None, pool_size=AT_ONCE, pool_overflow=AT_ONCE, pool_timeout_seconds=10
    )


@pytest.fixture
async def shop(fresh_database: Database, settings: Settings) -> AsyncIterator[Shop]:
    """The small chain in a database where transactions run side by side."""
    world = await build_world(fresh_database)
    await calibrate(fresh_database, top_gross=Decimal("300.00"))
    async with client_of(fresh_database, settings) as client:
        yield Shop(client, world, fresh_database, settings)


async def causes(shop: Shop, customer_id: UUID) -> list[str]:
    """Return why a card got each of its tiers, oldest first."""
    async with shop.database.transaction() as session:
        rows = await session.scalars(
            select(col(TierAssignment.cause))
            .where(col(TierAssignment.customer_id) == customer_id)
            .order_by(col(TierAssignment.valid_to).nulls_last(), col(TierAssignment.id))
        )
        return [str(cause) for cause in rows]


async def test_many_sales_at_once_open_one_review(shop: Shop) -> None:
    customer_id = await shop.card()

    results = await asyncio.gather(*(shop.send(sale("400.00")) for _ in range(AT_ONCE)))

    assert {one["status"] for one in results} == {"applied"}
    # After the third, one order is less than half; bought on one day it all was.
    found = await reviews(shop, customer_id)
    assert [(str(one.next_level), str(one.status)) for one in found] == [("main", "open")]
    assert found[0].evidence["gross"] == f"{400 * AT_ONCE}.00"
    async with shop.database.transaction() as session:
        told = (
            await session.scalars(
                select(OutboxEvent).where(col(OutboxEvent.type) == "tier.review_opened")
            )
        ).all()
    assert [one.subject_id for one in told] == [found[0].id]
    assert await causes(shop, customer_id) == ["initial"]


async def test_accepting_while_the_purchase_goes_back_never_leaves_an_unearned_level(
    shop: Shop,
) -> None:
    seen: Counter[str] = Counter()
    for number in range(ROUNDS):
        member = f"HK{number:06}"
        customer_id = await shop.card(member)
        sold = sale("400.00", member=member)
        await shop.send(sold)
        [review] = await reviews(shop, customer_id)
        both: list[Any] = [decide(shop, review, "accept"), shop.send(refund(sold))]
        if number % 2:
            answer, _ = await asyncio.gather(*both)
        else:
            _, answer = await asyncio.gather(*reversed(both))

        [review] = await reviews(shop, customer_id)
        outcome = (answer.status_code, str(review.status), tuple(await causes(shop, customer_id)))
        assert outcome in {
            (200, "accepted", ("initial", "reviewed", "reversal")),
            (409, "lapsed", ("initial",)),
        }
        assert await shop.level(customer_id) == "small"
        seen[str(review.status)] += 1
    assert sum(seen.values()) == ROUNDS


async def test_of_two_who_decide_at_once_one_does(shop: Shop) -> None:
    for number in range(ROUNDS):
        member = f"HK{number:06}"
        customer_id = await shop.card(member)
        await shop.send(sale("400.00", member=member))
        [review] = await reviews(shop, customer_id)

        answers = await asyncio.gather(
            decide(shop, review, "accept"), decide(shop, review, "refuse", reason="一次性团购")
        )

        assert sorted(answer.status_code for answer in answers) == [200, 409]
        [review] = await reviews(shop, customer_id)
        is_accepted = answers[0].status_code == 200
        assert str(review.status) == ("accepted" if is_accepted else "refused")
        assert await shop.level(customer_id) == ("ordinary" if is_accepted else "small")
