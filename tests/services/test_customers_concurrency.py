"""Many at once on the same cards: real commits, real locks."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import func, select

from app.core.config import Settings
from app.core.database import Database
from app.models import Customer, CustomerChange, CustomerIdentity, Identity
from tests.conftest import client_of
from tests.support.cards import create_card, pointers_of, read_card, seen
from tests.support.world import World, build_world

AT_ONCE = 20


@pytest.fixture
def settings() -> Settings:
    """A connection for everybody: here they shall wait for each other's rows, not for the pool."""
    return Settings(
        _env_file=None, pool_size=AT_ONCE, pool_overflow=AT_ONCE, pool_timeout_seconds=10
    )


@pytest.fixture
async def crowd(
    fresh_database: Database, settings: Settings
) -> AsyncIterator[tuple[httpx.AsyncClient, World]]:
    """A client and the small chain in a database where transactions run side by side."""
    world = await build_world(fresh_database)
    async with client_of(fresh_database, settings) as client:
        yield client, world


async def test_of_many_changes_of_one_version_one_is_written_and_the_others_are_told(
    crowd: tuple[httpx.AsyncClient, World], fresh_database: Database
) -> None:
    client, world = crowd
    card = await create_card(client, world)
    answers = await asyncio.gather(
        *(
            client.patch(
                f"/v1/customers/{card['id']}", headers=seen(world, card), json={"note": f"n{n}"}
            )
            for n in range(AT_ONCE)
        )
    )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: AT_ONCE - 1}
    winner = next(answer.json() for answer in answers if answer.status_code == 200)
    assert all(
        answer.json()["changed_fields"] == ["note"]
        for answer in answers
        if answer.status_code == 412
    )
    assert winner["version"] == 2
    assert await read_card(client, world, card["id"]) == winner
    async with fresh_database.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(CustomerChange)) == 2


async def test_changes_that_try_again_with_what_they_have_read_all_arrive(
    crowd: tuple[httpx.AsyncClient, World],
) -> None:
    client, world = crowd
    card = await create_card(client, world)

    async def add(number: int) -> int:
        tries = 0
        while True:
            tries += 1
            now = await read_card(client, world, card["id"])
            answer = await client.patch(
                f"/v1/customers/{card['id']}",
                headers=seen(world, now),
                json={"note": f"{now['note'] or ''}{number},"},
            )
            if answer.status_code == 200:
                return tries
            assert answer.status_code == 412

    await asyncio.gather(*(add(number) for number in range(8)))
    final = await read_card(client, world, card["id"])
    assert sorted(final["note"].rstrip(",").split(",")) == [str(number) for number in range(8)]
    assert final["version"] == 9


async def test_of_many_cards_that_claim_the_same_identities_one_is_created(
    crowd: tuple[httpx.AsyncClient, World], fresh_database: Database
) -> None:
    client, world = crowd
    identities = [
        {"kind": "phone", "value": "13800138000"},
        {"kind": "email", "value": "li@example.com"},
    ]
    answers = await asyncio.gather(
        *(
            client.post(
                "/v1/customers",
                headers=world.headers(),
                json={
                    "kind": "individual",
                    "name": f"李{n}",
                    # Half of them name the two the other way round: none may wait for ever.
                    "identities": identities if n % 2 else identities[::-1],
                },
            )
            for n in range(AT_ONCE)
        )
    )
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: AT_ONCE - 1}
    card = next(answer.json() for answer in answers if answer.status_code == 201)
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["customer_id"] == card["id"]
            assert pointers_of(answer) == [
                ("/identities/0/value", "identity-taken"),
                ("/identities/1/value", "identity-taken"),
            ]
    async with fresh_database.transaction() as session:
        counts = [
            await session.scalar(select(func.count()).select_from(table))
            for table in (Customer, CustomerIdentity, Identity)
        ]
    assert counts == [1, 2, 2]


async def test_of_many_cards_that_add_the_same_identity_one_gets_it(
    crowd: tuple[httpx.AsyncClient, World],
) -> None:
    client, world = crowd
    cards = [await create_card(client, world) for _ in range(10)]
    answers = await asyncio.gather(
        *(
            client.post(
                f"/v1/customers/{card['id']}/identities",
                headers=seen(world, card),
                json={"kind": "wechat", "value": "wx"},
            )
            for card in cards
        )
    )
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 9}
    holder = next(answer.json()["id"] for answer in answers if answer.status_code == 201)
    assert {answer.json()["customer_id"] for answer in answers if answer.status_code == 409} == {
        holder
    }
    versions = [(await read_card(client, world, card["id"]))["version"] for card in cards]
    assert Counter(versions) == {1: 9, 2: 1}
