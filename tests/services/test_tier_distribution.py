"""The distribution of a day: by the policy that was in force, whatever has come since."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.models import TierPolicy
from app.vocabulary import CustomerKind, PolicyMethod
from tests.support.events import sale
from tests.support.shop import Shop
from tests.support.tier_histories import FOUR_LEVELS, three_levels, write_policy
from tests.support.world import World

NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)


@pytest.fixture
async def shop(
    database: Database, settings: Settings, client: httpx.AsyncClient, world: World
) -> AsyncIterator[Shop]:
    """The small chain at a fixed instant, in the database that is rolled back."""
    with clock.using(clock.FixedClock(NOW), everywhere=True):
        yield Shop(client, world, database, settings)


async def distribution(shop: Shop, **asked: str) -> dict[str, Any]:
    answer = await shop.client.get(
        "/v1/reports/tier-distribution", params=asked, headers=shop.world.headers()
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_the_policy_in_force_at_the_end_of_the_day_says_window_and_order(
    shop: Shop,
) -> None:
    # Given a policy of 90 days until the end of June, one of four levels until noon of 1 August in
    # Shanghai, and since then the one of 365 days.
    end_of_june = datetime(2026, 6, 30, 16, tzinfo=UTC)
    noon = datetime(2026, 8, 1, 4, tzinfo=UTC)
    await write_policy(
        shop.database, three_levels(90), 90, PolicyMethod.THRESHOLD,
        activated_at=datetime(2026, 1, 1, tzinfo=UTC), retired_at=end_of_june,
    )  # fmt: skip
    await write_policy(
        shop.database, FOUR_LEVELS | {"window_days": 180}, 91, PolicyMethod.COMPOSITE,
        activated_at=end_of_june, retired_at=noon,
    )  # fmt: skip
    async with shop.database.transaction() as session:
        await session.execute(
            update(TierPolicy)
            .where(
                col(TierPolicy.scope) == CustomerKind.INDIVIDUAL,
                col(TierPolicy.status) == "active",
            )
            .values(activated_at=noon)
        )

    async def of(day: str) -> tuple[str, list[str]]:
        found = await distribution(shop, as_of=day)
        return found["window_from"], [row["level"]["code"] for row in found["levels"]]

    three = ["main", "ordinary", "small"]
    four = ["key", "important", "general", "maintenance"]
    # Before any policy the first one says it.
    assert await of("2025-12-31") == ("2025-10-03", three)
    assert await of("2026-06-30") == ("2026-04-02", three)
    assert await of("2026-07-01") == ("2026-01-03", four)
    assert await of("2026-07-31") == ("2026-02-02", four)
    assert await of("2026-08-01") == ("2025-08-02", three)
    assert await of("2026-11-21") == ("2025-11-22", three)


async def test_todays_table_counts_the_window_of_the_policy_and_not_of_the_statistics(
    shop: Shop,
) -> None:
    await shop.card("HK0")
    await shop.batch(
        [
            sale("50.00", member="HK0", at="2026-08-24T10:00:00+08:00"),
            sale("700.00", member="HK0", at="2026-08-23T10:00:00+08:00"),
        ]
    )
    assert (await distribution(shop))["amount"] == "750.00"
    async with shop.database.transaction() as session:
        await session.execute(
            update(TierPolicy)
            .where(col(TierPolicy.scope) == CustomerKind.INDIVIDUAL)
            .values(body=three_levels(90))
        )

    found = await distribution(shop)

    assert (found["window_from"], found["amount"]) == ("2026-08-24", "50.00")
