"""Held upgrades after any mix of sales, refunds, voids, decisions and nights."""

import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import Database, raw_connection
from app.models import TierAssignment, TierReview
from app.queries import tier_figures
from app.services import nights, tier_nights, tier_reviews
from app.services.tier_policies_in_force import active_policies
from app.vocabulary import CustomerKind, ReviewStatus, TierCause
from tests.support.calibrations import calibrate
from tests.support.events import refund, sale, void
from tests.support.reviews import decide
from tests.support.shop import Shop
from tests.support.world import World

NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)
CARDS = 3
STEPS = 45
BY_ITSELF = frozenset({TierCause.UPGRADE, TierCause.RECONCILED})
"""Causes of a rise that nobody has looked at."""


@pytest.fixture
async def shop(
    database: Database, settings: Settings, client: httpx.AsyncClient, world: World
) -> AsyncIterator[Shop]:
    """The small chain at a fixed instant, its policy calibrated: the top fifth begins at 300."""
    with clock.using(clock.FixedClock(NOW), everywhere=True):
        await calibrate(database, top_gross=Decimal("300.00"), refund_rate_mean=Decimal("0.12"))
        yield Shop(client, world, database, settings)


async def night(shop: Shop) -> None:
    """Do what a night does to reviews and rises."""
    today = clock.today(shop.settings.zone)
    async with shop.database.transaction() as session:
        await nights.begin_step(session, today, tier_reviews.STEP, clock.now())
        await tier_reviews.lapse_outdated(session, shop.settings, today)
    async with shop.database.transaction() as session:
        await tier_nights.reconcile(session, shop.settings, today)


async def open_reviews(shop: Shop) -> list[TierReview]:
    """Return the reviews that wait."""
    async with shop.database.transaction() as session:
        found = await session.scalars(
            select(TierReview)
            .where(col(TierReview.status) == ReviewStatus.OPEN)
            .execution_options(populate_existing=True)
        )
        return list(found)


async def check(shop: Shop, customer_ids: list[UUID], before: dict[UUID, TierAssignment]) -> None:
    """Check what holds of every card at any time; ``before`` is what they held a step ago."""
    waiting = {one.customer_id: one for one in await open_reviews(shop)}
    today = clock.today(shop.settings.zone)
    async with shop.database.transaction() as session:
        policy = (await active_policies(session))[CustomerKind.INDIVIDUAL]
        figures = await tier_figures.of_cards(
            await raw_connection(session), policy.window_days, today, customer_ids, is_current=False
        )
    for customer_id in customer_ids:
        held, was = await shop.tier(customer_id), before.get(customer_id)
        rank, earned = policy.rank, policy.earned(policy.score(figures[customer_id])).level
        is_hollow = tier_reviews.looks_hollow(policy, figures[customer_id])
        review = waiting.get(customer_id)
        if review is not None:
            # It has something to decide, and starts where the card is.
            assert rank(held.level) < rank(review.next_level) <= rank(earned)
        elif rank(held.level) < rank(earned):
            # Nothing but a refusal, or a taken back purchase, keeps a card below what it earns.
            assert is_hollow
        if was is not None and rank(held.level) > rank(was.level) and held.cause in BY_ITSELF:
            assert not is_hollow
        before[customer_id] = held


@pytest.mark.parametrize("seed", range(4))
async def test_reviews_decide_what_is_earned_and_nobody_hollow_rises_by_itself(
    shop: Shop, seed: int
) -> None:
    chance = random.Random(seed)
    members = {f"HK{number:06}": await shop.card(f"HK{number:06}") for number in range(CARDS)}
    sold: list[dict[str, Any]] = []
    before: dict[UUID, TierAssignment] = {}
    did: Counter[str] = Counter()
    for _ in range(STEPS):
        what = chance.choices(("sell", "take back", "decide", "night"), weights=(55, 18, 22, 5))[0]
        if what == "sell":
            at = NOW - timedelta(days=chance.randrange(6))
            amount = f"{chance.choice((20, 60, 120, 250, 400, 700))}.00"
            event = sale(amount, member=chance.choice(list(members)), at=at.isoformat())
            await shop.send(event)
            sold.append(event)
        elif what == "take back" and sold:
            event = sold.pop(chance.randrange(len(sold)))
            part = str(Decimal(event["total"]) / 2)
            back = chance.choice((refund(event), refund(event, part, quantity="0.5"), void(event)))
            assert (await shop.send(back))["status"] == "applied"
        elif what == "night":
            await night(shop)
        elif what == "decide" and (waiting := await open_reviews(shop)):
            verb = chance.choice(("accept", "refuse"))
            body = {"reason": "一次性团购"} if verb == "refuse" else {}
            answer = await decide(shop, chance.choice(waiting), verb, **body)
            assert answer.status_code == 200, answer.text
            what = verb
        did[what] += 1
        await check(shop, list(members.values()), before)
    assert did["sell"] > 15
    assert did["take back"] > 3
    assert did["accept"] + did["refuse"] > 0
