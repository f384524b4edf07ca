"""Tills wish a happy birthday on the right day, solar or lunar."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from tests.support.events import sale
from tests.support.shop import Shop
from tests.support.world import World

# Half past two in the afternoon in Shanghai on the tenth day of the tenth lunar month.
NOW = datetime(2026, 11, 18, 6, 30, tzinfo=UTC)


@pytest.fixture
async def shop(
    database: Database, settings: Settings, client: httpx.AsyncClient, world: World
) -> AsyncIterator[Shop]:
    """The small chain at a fixed instant, in the database that is rolled back."""
    with clock.using(clock.FixedClock(NOW), everywhere=True):
        yield Shop(client, world, database, settings)


@pytest.mark.parametrize(
    ("birthday", "is_today"),
    [
        pytest.param({"calendar": "solar", "month": 11, "day": 18}, True, id="solar"),
        pytest.param({"calendar": "solar", "month": 11, "day": 19}, False, id="solar, tomorrow"),
        pytest.param({"calendar": "lunar", "month": 10, "day": 10}, True, id="lunar"),
        pytest.param({"calendar": "lunar", "month": 10, "day": 9}, False, id="lunar, yesterday"),
        pytest.param(
            {"calendar": "lunar", "month": 10, "day": 10, "is_leap_month": True}, True,
            id="of a leap month that this year has not",
        ),
        pytest.param({"calendar": "lunar", "month": 11, "day": 18}, False, id="not read as solar"),
    ],
)  # fmt: skip
async def test_the_greeting_knows_birthdays(
    shop: Shop, birthday: dict[str, Any], is_today: bool
) -> None:
    await shop.card(birthday=birthday)
    answer = await shop.send(sale("58.00", member="HK000001"))
    assert answer["greeting"]["zh"].endswith("祝您生日快乐！") is is_today
    assert answer["greeting"]["en"].endswith("Happy birthday!") is is_today


async def test_a_card_without_a_birthday_is_greeted_without_one(shop: Shop) -> None:
    await shop.card()
    answer = await shop.send(sale("58.00", member="HK000001"))
    assert answer["greeting"]["zh"].endswith("您好！")
