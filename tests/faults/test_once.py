"""One sale from a till that does not hear the answer, and sends it a hundred times at once."""

import asyncio
from collections import Counter

import httpx
from sqlalchemy import select
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.models import OutboxEvent, PosEvent, Purchase, PurchaseLine, Receipt, TierAssignment
from tests.conftest import client_of
from tests.support.events import sale
from tests.support.shop import Shop
from tests.support.world import build_world, send_event

SENDERS = 100
PATIENCE_SECONDS = 60


async def test_a_sale_sent_a_hundred_times_at_once_has_one_effect_and_one_answer(
    fresh_database: Database, settings: Settings
) -> None:
    world = await build_world(fresh_database)
    async with client_of(fresh_database, settings) as client:
        shop = Shop(client, world, fresh_database, settings)
        customer_id = await shop.card()
        event = sale("1200.00")
        refused: Counter[str] = Counter()
        together = asyncio.Barrier(SENDERS)

        async def until_answered() -> httpx.Response:
            until = clock.monotonic_seconds() + PATIENCE_SECONDS
            await together.wait()
            while True:
                answer = await send_event(client, world, event)
                if answer.status_code != 503:
                    return answer
                # All connections are taken: nothing was done, and the till is told when to ask.
                refused[answer.json()["type"]] += 1
                assert int(answer.headers["retry-after"]) >= 1
                assert clock.monotonic_seconds() < until
                await asyncio.sleep(0.05)

        answers = await asyncio.gather(*(until_answered() for _ in range(SENDERS)))

        assert len(answers) == SENDERS
        assert {(answer.status_code, answer.text) for answer in answers} == {(200, answers[0].text)}
        assert set(refused) <= {"/problems/pool-exhausted"}
        assert answers[0].json()["tier"]["after"] == "main"
        assert await shop.counts(PosEvent, Receipt, Purchase, PurchaseLine) == {
            "pos_event": 1, "receipt": 1, "purchase": 1, "purchase_line": 1,
        }  # fmt: skip
        # The first tier and the one the sale earned; the purchase and the tier told once.
        assert await shop.count(TierAssignment) == 2
        async with fresh_database.transaction() as session:
            told = Counter(str(t) for t in await session.scalars(select(col(OutboxEvent.type))))
        assert told["tier.changed"] == 1
        stats = await shop.stats(customer_id)
        assert (stats.purchases, str(stats.net)) == (1, "1200.00")
        assert await shop.wrong_statistics() == 0
