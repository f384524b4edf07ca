"""Cost to serve: kept right with every contact, the same when rebuilt, true to the day."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.core import clock
from app.core.config import Settings
from app.core.database import Database, raw_connection
from app.jobs.upkeep import rebuild_statistics
from app.services import statistics
from tests.support.cards import create_card
from tests.support.contacts import call, keep_signed_in, record, service_stats
from tests.support.world import World

NOW = datetime(2026, 11, 28, 6, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
async def now() -> AsyncIterator[clock.FixedClock]:
    """A clock that tests move."""
    fixed = clock.FixedClock(NOW)
    with clock.using(fixed, everywhere=True):
        yield fixed


async def served(client: httpx.AsyncClient, world: World, customer_id: str) -> dict[str, Any]:
    """Return a card's cost to serve as the service tells it."""
    answer = await client.get(f"/v1/customers/{customer_id}/statistics", headers=world.headers())
    assert answer.status_code == 200, answer.text
    service: dict[str, Any] = answer.json()["service"]
    return service


async def execute(database: Database, statement: str, *values: Any) -> None:
    """Do to the database what no service does."""
    async with database.transaction() as session:
        await (await raw_connection(session)).execute(statement, *values)


async def test_every_figure_of_a_card_is_as_counted_by_hand(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = (await create_card(client, world))["id"]
    nothing = {
        "contacts": 0, "inbound": 0, "contacts_365": 0, "inbound_365": 0, "service_cost": "0.00",
        "service_cost_365": "0.00", "last_contact_at": None, "last_inbound_at": None,
    }  # fmt: skip
    assert await served(client, world, card) == nothing
    await execute(
        database,
        "UPDATE channel_cost SET per_contact = 0.25, per_minute = 1 WHERE channel = 'phone'",
    )
    # The window is the as-of day and the 364 before it, in days of the chain.
    ages = [("inbound", 0), ("outbound", 0), ("inbound", 364), ("inbound", 365)]
    for direction, days in ages:
        await record(
            client, world, card, direction=direction, duration_seconds=60,
            occurred_at=(NOW - timedelta(days=days, hours=direction == "inbound")).isoformat(),
        )  # fmt: skip
    assert await served(client, world, card) == {
        "contacts": 4, "inbound": 3, "contacts_365": 3, "inbound_365": 2, "service_cost": "5.00",
        "service_cost_365": "3.75", "last_contact_at": "2026-11-28T06:30:00Z",
        "last_inbound_at": "2026-11-28T05:30:00Z",
    }  # fmt: skip
    stats = await service_stats(database, card)
    assert stats is not None
    assert str(stats.window_changes_on) == "2026-11-29"


async def test_the_night_moves_the_window(
    client: httpx.AsyncClient, world: World, database: Database, now: clock.FixedClock
) -> None:
    card = (await create_card(client, world))["id"]
    await record(client, world, card, occurred_at=(NOW - timedelta(days=364)).isoformat())
    await record(client, world, card)
    tomorrow = (NOW + timedelta(days=1)).date()
    async with database.transaction() as session:
        assert await statistics.check(session, tomorrow) == {
            "customers": 0, "due": 1, "different": 0,
        }  # fmt: skip
        assert await statistics.refresh_due(session, tomorrow) == {"refreshed": 1, "remaining": 0}
        assert await statistics.refresh_due(session, tomorrow) == {"refreshed": 0, "remaining": 0}
    now.advance(timedelta(days=1))
    await keep_signed_in(database)
    after = await served(client, world, card)
    assert (after["contacts"], after["contacts_365"]) == (2, 1)


@pytest.mark.parametrize("seed", range(3))
async def test_after_any_history_a_rebuild_finds_nothing_to_correct(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings, seed: int
) -> None:
    chance = random.Random(seed)
    cards = [
        (await create_card(client, world, identities=[{"kind": "wechat", "value": f"w{n}"}]))["id"]
        for n in range(3)
    ]
    made: list[dict[str, Any]] = []
    for n in range(25):
        at = NOW - timedelta(days=chance.choice([0, 1, 363, 364, 365, 700]), minutes=n)
        fields: dict[str, Any] = {
            "occurred_at": at.isoformat(), "direction": chance.choice(["inbound", "outbound"]),
            "duration_seconds": chance.randrange(600), "channel": chance.choice(["phone", "visit"]),
        }  # fmt: skip
        kind = chance.random()
        if kind < 0.5 or not made:
            made.append(await record(client, world, chance.choice(cards), **fields))
        elif kind < 0.8:
            one = chance.choice(made)
            answer = await client.patch(
                f"/v1/customers/{one['customer_id']}/interactions/{one['id']}",
                headers=world.headers(If_Match=f'"v{one["version"]}"'), json=fields,
            )  # fmt: skip
            assert answer.status_code == 200, answer.text
            one |= answer.json()
        else:
            identity = {"kind": "wechat", "value": f"w{chance.randrange(5)}"}
            await call(client, world, identity=identity, **fields)
    cards += [
        (await create_card(client, world, identities=[{"kind": "wechat", "value": f"w{n}"}]))["id"]
        for n in (3, 4)
    ]
    today = clock.today(settings.zone)

    async def rows() -> list[Any]:
        found = [await service_stats(database, card) for card in cards]
        return [row.model_dump() for row in found if row]

    kept = await rows()
    async with database.transaction() as session:
        assert (await statistics.check(session, today))["different"] == 0
    assert await rebuild_statistics(database, today) == {"corrected": 0}
    await execute(database, "UPDATE customer_service_stats SET contacts = contacts + 1")
    async with database.transaction() as session:
        assert (await statistics.check(session, today))["different"] == len(kept)
    await execute(database, "DELETE FROM customer_service_stats WHERE customer_id = $1", cards[0])
    corrected = (await rebuild_statistics(database, today))["corrected"]
    assert corrected == len(kept)
    assert await rows() == kept


async def test_a_row_without_contacts_is_found_and_removed(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    card = (await create_card(client, world))["id"]
    await record(client, world, card)
    await execute(database, "DELETE FROM interaction")
    today = clock.today(settings.zone)
    async with database.transaction() as session:
        assert (await statistics.check(session, today))["different"] == 1
    assert await rebuild_statistics(database, today) == {"corrected": 1}
    assert await service_stats(database, card) is None
