"""Two who write down one customer's consent at once: neither overwrites the later statement."""

import asyncio
from datetime import timedelta

from sqlalchemy import select
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.models import ConsentRecord, CustomerConsent
from app.vocabulary import ConsentState
from tests.conftest import client_of
from tests.support.cards import create_card
from tests.support.world import build_world


async def test_the_latest_stated_stands_whoever_comes_first(
    fresh_database: Database, settings: Settings
) -> None:
    world = await build_world(fresh_database)
    start = clock.now() - timedelta(days=1)
    async with client_of(fresh_database, settings) as client:
        card = await create_card(client, world)
        answers = await asyncio.gather(
            *(
                client.post(
                    f"/v1/customers/{card['id']}/consents",
                    headers=world.headers(),
                    json={
                        "statements": [
                            {
                                "purpose": "marketing",
                                "channel": "sms",
                                "state": "withdrawn" if minute == 11 else "granted",
                                "proof": "form",
                                "stated_at": (start + timedelta(minutes=minute)).isoformat(),
                            }
                        ]
                    },
                )
                for minute in (5, 11, 3, 8, 1, 10, 2, 9, 7, 4, 6, 0)
            )
        )
    assert {answer.status_code for answer in answers} == {201}
    async with fresh_database.transaction() as session:
        (stands,) = (await session.scalars(select(CustomerConsent))).all()
        records = (
            await session.scalars(
                select(col(ConsentRecord.stated_at)).order_by(col(ConsentRecord.stated_at))
            )
        ).all()
    assert (stands.state, stands.since) == (
        ConsentState.WITHDRAWN, start + timedelta(minutes=11)
    )  # fmt: skip
    assert records == [start + timedelta(minutes=minute) for minute in range(12)]
