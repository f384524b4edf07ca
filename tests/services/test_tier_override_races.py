"""Tills, people and the night at the same moment about one card: one current tier, no gap."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.models import TierAssignment
from app.services import tier_overrides
from tests.conftest import client_of
from tests.support.events import refund, sale
from tests.support.shop import Shop
from tests.support.world import build_world

AT_ONCE = 8
ROUNDS = 6


@pytest.fixture
def settings() -> Settings:
    """A connection for everybody: here they shall wait for each other's rows, not for the pool."""
    return Settings(
        _env_file=None, pool_size=2 * AT_ONCE, pool_overflow=AT_ONCE, pool_timeout_seconds=10
    )


@pytest.fixture
async def shop(fresh_database: Database, settings: Settings) -> AsyncIterator[Shop]:
    """The small chain in a database where transactions run side by side."""
    world = await build_world(fresh_database)
    async with client_of(fresh_database, settings) as client:
        yield Shop(client, world, fresh_database, settings)


async def tiers_of(shop: Shop, customer_id: UUID) -> list[TierAssignment]:
    """Return every tier of a card, oldest first; they join without a gap, and one is current."""
    async with shop.database.transaction() as session:
        rows = list(
            await session.scalars(
                select(TierAssignment)
                .where(col(TierAssignment.customer_id) == customer_id)
                .order_by(
                    col(TierAssignment.valid_to).nulls_last(),
                    col(TierAssignment.valid_from),
                    col(TierAssignment.id),
                )
            )
        )
    assert [row.valid_to is None for row in rows] == [False] * (len(rows) - 1) + [True]
    for earlier, later in pairwise(rows):
        assert earlier.valid_to == later.valid_from
    return rows


async def test_sales_refunds_and_levels_set_by_hand_at_once_leave_one_locked_tier(
    shop: Shop,
) -> None:
    today = clock.today(shop.settings.zone)

    async def set_level(customer_id: UUID, level: str) -> None:
        answer = await shop.client.post(
            f"/v1/customers/{customer_id}/tier-override",
            json={"level": level, "reason": "约定保级", "ends_on": today.isoformat()},
            headers=shop.world.headers(),
        )
        assert answer.status_code == 201, answer.text

    for number in range(ROUNDS):
        member = f"HK{number}"
        customer_id = await shop.card(member)
        sold = sale("400.00", member=member)
        await shop.send(sold)
        await asyncio.gather(
            set_level(customer_id, "small"),
            set_level(customer_id, "main"),
            shop.send(refund(sold)),
            *(shop.send(sale("300.00", member=member)) for _ in range(AT_ONCE)),
        )
        rows = await tiers_of(shop, customer_id)
        # Once somebody has set it, nothing but another hand moved the card.
        first = next(place for place, row in enumerate(rows) if row.cause == "override")
        assert {str(row.cause) for row in rows[first:]} == {"override"}
        assert len(rows[first:]) == 2


async def test_nights_and_hands_that_end_an_override_at_once_end_it_once(shop: Shop) -> None:
    today = clock.today(shop.settings.zone)

    async def night() -> int:
        async with shop.database.transaction() as session:
            counts = await tier_overrides.end_overrides(
                session, shop.settings, today + timedelta(days=1)
            )
        return counts["ended"]

    async def by_hand(customer_id: UUID) -> int:
        answer = await shop.client.post(
            f"/v1/customers/{customer_id}/tier-override/end",
            json={"reason": "约定取消"},
            headers=shop.world.headers(),
        )
        assert answer.status_code in {200, 409}, answer.text
        return int(answer.status_code == 200)

    for number in range(ROUNDS):
        customer_id = await shop.card(f"HK{number}")
        answer = await shop.client.post(
            f"/v1/customers/{customer_id}/tier-override",
            json={"level": "main", "reason": "约定保级", "ends_on": today.isoformat()},
            headers=shop.world.headers(),
        )
        assert answer.status_code == 201, answer.text
        ended = await asyncio.gather(
            night(), by_hand(customer_id), night(), by_hand(customer_id), night()
        )
        assert sum(ended) == 1
        rows = await tiers_of(shop, customer_id)
        assert [str(row.cause) for row in rows] == ["initial", "override", "override_ended"]
