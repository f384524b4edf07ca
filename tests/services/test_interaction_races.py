"""Service desks and clerks at the same moment: real commits, real locks, each contact once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from app.core import clock
from app.core.config import Settings
from app.core.database import Database, raw_connection
from app.models import Interaction, InteractionEntry, UnattachedInteraction
from app.rules.access import SYSTEM
from app.schemas.customers import IdentityReference
from app.schemas.interactions import CallerContactCreate
from app.schemas.interactions import InteractionEntry as Given
from app.services import statistics
from app.services.interaction_intake import record_batch, record_caller_contact
from app.vocabulary import Channel, Direction, IdentityKind
from tests.conftest import client_of
from tests.support.cards import create_card
from tests.support.contacts import call, contact, contact_counts, record, service_stats
from tests.support.world import World, build_world

ROUNDS = 8


@pytest.fixture
def settings() -> Settings:
    """A connection for everybody: here they shall wait for each other's rows, not for the pool."""
    return Settings(_env_file=None, pool_size=20, pool_overflow=20, pool_timeout_seconds=10)


@pytest.fixture
async def world(fresh_database: Database) -> World:
    """The small chain in a database where transactions run side by side."""
    return await build_world(fresh_database)


@pytest.fixture
async def client(fresh_database: Database, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service over that database."""
    async with client_of(fresh_database, settings) as opened:
        yield opened


def member(number: int) -> dict[str, str]:
    """Return an identity."""
    return {"kind": "member_number", "value": f"HK{number:06}"}


async def differences(database: Database, settings: Settings) -> int:
    """Return how many rows of statistics a full aggregation would write differently."""
    async with database.transaction() as session:
        return (await statistics.check(session, clock.today(settings.zone)))["different"]


@pytest.mark.parametrize("is_call_first", [True, False], ids=["call first", "card first"])
async def test_a_call_and_its_cards_creation_at_the_same_moment_always_meet(
    client: httpx.AsyncClient, world: World, fresh_database: Database, settings: Settings,
    is_call_first: bool,
) -> None:  # fmt: skip
    for number in range(ROUNDS):
        pair: list[Any] = [
            call(client, world, identity=member(number)),
            create_card(client, world, identities=[member(number)]),
        ]
        results = await asyncio.gather(*(pair if is_call_first else reversed(pair)))
        _, card = results if is_call_first else reversed(results)
        stats = await service_stats(fresh_database, card["id"])
        assert stats is not None
        assert stats.contacts == 1
    rows = await contact_counts(fresh_database)
    assert (rows["interaction"], rows["unattached_interaction"]) == (ROUNDS, 0)
    assert await differences(fresh_database, settings) == 0


async def test_a_card_waits_for_the_call_that_is_being_recorded_and_takes_it_along(
    client: httpx.AsyncClient, world: World, fresh_database: Database, settings: Settings
) -> None:
    given = CallerContactCreate(
        channel=Channel.PHONE, direction=Direction.INBOUND, subject="询问到货",
        identity=IdentityReference(kind=IdentityKind.MEMBER_NUMBER, value="HK000001"),
    )  # fmt: skip
    async with fresh_database.transaction() as session:
        recorded, awaited = await record_caller_contact(session, SYSTEM, settings, given)
        assert (recorded.customer_id, awaited and awaited.value) == (None, "HK000001")
        # The clerk saves the card while the call's transaction is still open.
        creation = asyncio.create_task(create_card(client, world, identities=[member(1)]))
        done, _ = await asyncio.wait([creation], timeout=0.4)
        assert not done
    card = await creation
    stats = await service_stats(fresh_database, card["id"])
    assert stats is not None
    assert stats.contacts == 1
    assert (await contact_counts(fresh_database))["unattached_interaction"] == 0


async def test_the_same_batch_from_ten_desks_screens_at_once_has_one_effect(
    client: httpx.AsyncClient, world: World, fresh_database: Database, settings: Settings
) -> None:
    card = await create_card(client, world, identities=[member(0)])
    entries = [
        {**contact(), "entry_id": f"e{n}", **who}
        for n, who in enumerate(
            [{"customer_id": card["id"]}, {"identity": member(0)}, {"identity": member(9)}, {}] * 5
        )
    ]

    async def send(turned: bool) -> list[Any]:
        answer = await client.post(
            "/v1/interactions/batch", headers=world.headers("service"),
            json={"entries": entries[::-1] if turned else entries},
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        results: list[Any] = answer.json()["results"]
        return results[::-1] if turned else results

    answers = await asyncio.gather(*(send(bool(n % 2)) for n in range(10)))
    assert all(answer == answers[0] for answer in answers)
    assert {result["status"] for result in answers[0]} == {"stored"}
    rows = await contact_counts(fresh_database)
    assert [rows[str(table.__tablename__)] for table in (
        Interaction, UnattachedInteraction, InteractionEntry,
    )] == [10, 10, 20]  # fmt: skip
    assert await differences(fresh_database, settings) == 0


async def test_contacts_recorded_at_once_with_one_card_add_up(
    client: httpx.AsyncClient, world: World, fresh_database: Database
) -> None:
    card = await create_card(client, world)
    made = await asyncio.gather(
        *(record(client, world, card["id"], duration_seconds=n) for n in range(12))
    )
    stats = await service_stats(fresh_database, card["id"])
    assert stats is not None
    assert stats.contacts == 12
    cents = sum(round(float(one["cost"]) * 100) for one in made)
    assert str(stats.service_cost) == f"{cents / 100:.2f}"


async def test_of_ten_corrections_of_one_version_one_is_made(
    client: httpx.AsyncClient, world: World, fresh_database: Database
) -> None:
    card = await create_card(client, world)
    one = await record(client, world, card["id"])
    answers = await asyncio.gather(
        *(
            client.patch(
                f"/v1/customers/{card['id']}/interactions/{one['id']}",
                headers=world.headers(If_Match='"v1"'), json={"subject": f"第{n}"},
            )
            for n in range(10)
        )
    )  # fmt: skip
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 9
    assert (await contact_counts(fresh_database))["interaction_change"] == 1


async def test_an_attachment_by_hand_and_by_identity_at_once_leave_one_contact(
    client: httpx.AsyncClient, world: World, fresh_database: Database, settings: Settings
) -> None:
    other = await create_card(client, world)
    for number in range(ROUNDS):
        kept = await call(client, world, identity=member(number))
        by_hand = client.post(
            f"/v1/interactions/{kept['id']}/attach",
            headers=world.headers(), json={"customer_id": other["id"]},
        )  # fmt: skip
        answer, _ = await asyncio.gather(
            by_hand, create_card(client, world, identities=[member(number)])
        )
        assert answer.status_code in {200, 404}
    rows = await contact_counts(fresh_database)
    assert (rows["interaction"], rows["unattached_interaction"]) == (ROUNDS, 0)
    assert await differences(fresh_database, settings) == 0


async def statements_of(database: Database, world: World, entries: list[Any]) -> int:
    """Return how many statements recording these entries takes."""
    seen: list[str] = []

    def note(record: Any) -> None:
        seen.append(record.query)

    actor = replace(SYSTEM, id=world.staff["manager"])
    async with database.transaction() as session:
        connection = await raw_connection(session)
        connection.add_query_logger(note)
        try:
            given = [Given.model_validate(entry) for entry in entries]
            await record_batch(session, actor, Settings(_env_file=None), given)
        finally:
            connection.remove_query_logger(note)
    return len(seen)


async def test_a_batch_takes_as_many_statements_as_a_handful_of_entries(
    client: httpx.AsyncClient, world: World, fresh_database: Database
) -> None:
    cards = [await create_card(client, world, identities=[member(n)]) for n in range(8)]

    def entries(count: int, prefix: str) -> list[Any]:
        made: list[Any] = []
        for n in range(count):
            made += [
                {**contact(), "entry_id": f"{prefix}{n}a", "customer_id": cards[n]["id"]},
                {**contact(), "entry_id": f"{prefix}{n}b", "identity": member(n)},
                {**contact(), "entry_id": f"{prefix}{n}c", "identity": member(n + 100)},
                {**contact(), "entry_id": f"{prefix}{n}d"},
            ]
        return made

    few = await statements_of(fresh_database, world, entries(1, "few"))
    many = await statements_of(fresh_database, world, entries(8, "many"))
    assert many == few <= 16
