"""A card that looks like another one is refused with the others, unless that is wanted."""

from typing import Any

import httpx
import pytest
from asyncpg.connection import LoggedQuery
from sqlalchemy import select

from app.core.database import Database, raw_connection
from app.core.ids import new_id
from app.models import DuplicatePair
from app.services.duplicate_facts import GivenBirthday, facts_of, probe_of
from app.services.duplicates import find_candidates, take_up
from app.vocabulary import BirthdayCalendar, CustomerKind
from tests.support.cards import create_card, read_card, row_counts, seen
from tests.support.lookalike_tables import write_made_cards
from tests.support.lookalikes import MadeCard
from tests.support.world import World

BORN = {"calendar": "solar", "year": 1990, "month": 8, "day": 5}
ADDRESS = "上海市徐汇区漕溪路12号3幢502室"
PHONE, NEAR = "13800138000", "13800138001"


def phone(value: str) -> list[dict[str, str]]:
    """Return a phone as an identity of a new card."""
    return [{"kind": "phone", "value": value}]


async def post_card(
    client: httpx.AsyncClient, world: World, who: str = "manager", **fields: Any
) -> httpx.Response:
    """Ask for a card of an individual."""
    return await client.post(
        "/v1/customers", headers=world.headers(who), json={"kind": "individual", **fields}
    )


async def pairs(database: Database) -> list[tuple[str, str, str]]:
    """Return the pairs on the work list, with their states."""
    async with database.transaction() as session:
        rows = await session.scalars(select(DuplicatePair))
        return [(str(row.first_id), str(row.second_id), str(row.state)) for row in rows]


@pytest.mark.parametrize(
    ("stored", "given", "reasons"),
    [
        (
            {"name": "王小明", "birthday": BORN},
            {"name": "王晓明", "birthday": BORN, "identities": phone(PHONE)},
            {"same_birthday", "same_name_pinyin"},
        ),
        (
            {"name": "王小明", "birthday": BORN, "gender": "male"},
            {"name": "Xiaoming Wang", "birthday": BORN, "gender": "male"},
            {"same_name_pinyin", "same_birthday", "same_gender"},
        ),
        (
            {"name": "劉國華", "birthday": BORN},
            {"name": "刘国华", "birthday": BORN},
            {"same_name", "same_birthday"},
        ),
        (
            {"name": "王小明", "identities": phone(PHONE)},
            {"name": "王小明", "identities": phone(NEAR)},
            {"same_name", "similar_phone"},
        ),
        (
            {"name": "王小明", "address": ADDRESS},
            {"name": "王小明", "address": f"{ADDRESS}。"},
            {"same_name", "same_address"},
        ),
        (
            {"name": "尉迟恭", "employer": "明湖区第三中学"},
            {"name": "尉迟恭", "employer": "明湖区第三中学"},
            {"same_name", "same_employer"},
        ),
        (
            {"name": "李明", "birthday": {**BORN, "calendar": "lunar", "month": 6, "day": 15}},
            {"name": "李明", "birthday": BORN},
            {"same_birthday", "same_name"},
        ),
    ],
    ids=["homophone", "pinyin", "traditional", "near phone", "address", "employer", "lunar"],
)
async def test_a_card_that_looks_like_another_is_refused_and_nothing_is_written(
    client: httpx.AsyncClient,
    world: World,
    database: Database,
    stored: dict[str, Any],
    given: dict[str, Any],
    reasons: set[str],
) -> None:
    # given
    other = await create_card(client, world, home_store_id=str(world.stores["S02"]), **stored)
    before = await row_counts(database)

    # when
    answer = await post_card(client, world, **given)

    # then
    assert answer.status_code == 409, answer.text
    assert answer.json()["type"] == "/problems/possible-duplicate"
    (candidate,) = answer.json()["candidates"]
    assert candidate["customer_id"] == other["id"]
    assert candidate["name"] == stored["name"]
    assert candidate["home_store_id"] == str(world.stores["S02"])
    assert candidate["phones"] == (["+86138****8000"] if stored.get("identities") else [])
    assert 850 <= candidate["score"] <= 1000
    assert {reason["code"] for reason in candidate["reasons"]} == reasons
    assert all(set(reason) == {"code", "en", "zh", "weight"} for reason in candidate["reasons"])
    assert await row_counts(database) == before
    assert await pairs(database) == []


async def test_a_name_alone_refuses_nothing(client: httpx.AsyncClient, world: World) -> None:
    for name in ("王小明", "王小明", "尉迟恭", "尉迟恭"):
        await create_card(client, world, name=name, gender="male")


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("王小红", {"address": ADDRESS, "identities": phone(NEAR)}),
        ("王小亮", {"address": ADDRESS, "birthday": BORN}),
        ("王小明", {"birthday": {**BORN, "year": 1962, "month": 1}}),
    ],
    ids=["wife", "twin", "namesake"],
)
async def test_a_family_and_a_namesake_have_cards_of_their_own(
    client: httpx.AsyncClient, world: World, name: str, more: dict[str, Any]
) -> None:
    await create_card(
        client, world, name="王小明", birthday=BORN, address=ADDRESS, identities=phone(PHONE)
    )
    await create_card(client, world, name=name, **more)


async def test_an_organization_is_found_without_its_legal_form(
    client: httpx.AsyncClient, world: World
) -> None:
    stored = await create_card(
        client, world, kind="organization", name="明湖图书有限公司", address=ADDRESS
    )
    answer = await client.post(
        "/v1/customers",
        headers=world.headers(),
        json={"kind": "organization", "name": "明湖图书", "address": ADDRESS},
    )
    assert answer.status_code == 409
    assert [one["customer_id"] for one in answer.json()["candidates"]] == [stored["id"]]


async def test_a_card_that_is_wanted_all_the_same_is_made_and_put_on_the_work_list(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    first = await create_card(client, world, birthday=BORN)
    second = await create_card(client, world, birthday=BORN, allow_duplicate=True)
    assert "allow_duplicate" not in second
    assert await pairs(database) == [(first["id"], second["id"], "open")]


async def test_a_change_that_makes_a_card_look_like_another_is_refused(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    # given
    other = await create_card(client, world, birthday=BORN)
    card = await create_card(client, world)
    before = await row_counts(database)
    address = f"/v1/customers/{card['id']}"

    # when
    refused = await client.patch(address, headers=seen(world, card), json={"birthday": BORN})

    # then
    assert refused.status_code == 409
    assert refused.json()["type"] == "/problems/possible-duplicate"
    assert [one["customer_id"] for one in refused.json()["candidates"]] == [other["id"]]
    assert await row_counts(database) == before
    assert await read_card(client, world, card["id"]) == card

    # when
    allowed = await client.patch(
        address, headers=seen(world, card), json={"birthday": BORN, "allow_duplicate": True}
    )

    # then
    assert allowed.status_code == 200, allowed.text
    assert await pairs(database) == [(other["id"], card["id"], "open")]

    # A pair that is known refuses no further change.
    again = await client.patch(
        address, headers=seen(world, allowed.json()), json={"address": ADDRESS}
    )
    assert again.status_code == 200, again.text


async def test_a_change_of_what_is_not_compared_asks_nothing(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    await create_card(client, world, birthday=BORN)
    card = await create_card(client, world, birthday=BORN, allow_duplicate=True)
    async with database.transaction() as session:
        for pair in await session.scalars(select(DuplicatePair)):
            await session.delete(pair)
    answer = await client.patch(
        f"/v1/customers/{card['id']}", headers=seen(world, card), json={"note": "x"}
    )
    assert answer.status_code == 200


async def test_an_identity_that_makes_a_card_look_like_another_is_refused(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    other = await create_card(client, world, identities=phone(PHONE))
    card = await create_card(client, world)
    before = await row_counts(database)
    address = f"/v1/customers/{card['id']}/identities"
    body = {"kind": "phone", "value": NEAR}

    refused = await client.post(address, headers=seen(world, card), json=body)

    assert refused.status_code == 409
    assert [one["customer_id"] for one in refused.json()["candidates"]] == [other["id"]]
    assert await row_counts(database) == before

    allowed = await client.post(
        address, headers=seen(world, card), json={**body, "allow_duplicate": True}
    )
    assert allowed.status_code == 201, allowed.text


async def test_an_archived_card_is_a_candidate_too(client: httpx.AsyncClient, world: World) -> None:
    card = await create_card(client, world, birthday=BORN)
    await client.post(f"/v1/customers/{card['id']}/archive", headers=seen(world, card))
    assert (await post_card(client, world, name="王小明", birthday=BORN)).status_code == 409


async def test_looking_takes_the_same_statements_however_many_cards_look_alike(
    database: Database,
) -> None:
    """One proposed card and fifty, with no candidate and with thirty."""
    cards = [
        MadeCard(
            person=number, kind="person", name="王小明", gender=None, birthday=(1990, 8, 5),
            phones=(), address=None, employer=None,
        )
        for number in range(30)
    ]  # fmt: skip
    ids = await write_made_cards(database, cards)
    async with database.transaction() as session:
        await take_up(session, ids)

    birthday = GivenBirthday(BirthdayCalendar.SOLAR, 1990, 8, 5)
    alike = facts_of(CustomerKind.INDIVIDUAL, "王曉明", birthday=birthday)
    nobody = facts_of(CustomerKind.INDIVIDUAL, "赵云")
    proposed = {
        1: [probe_of(new_id(), "赵云", nobody)],
        50: [probe_of(new_id(), "王曉明", alike) for _ in range(50)],
    }
    statements, found = {}, {}
    for count, probes in proposed.items():
        async with database.transaction() as session:
            connection = await raw_connection(session)
            run: list[str] = []

            def note(record: LoggedQuery, run: list[str] = run) -> None:
                run.append(record.query)

            connection.add_query_logger(note)
            try:
                candidates = await find_candidates(session, probes)
            finally:
                connection.remove_query_logger(note)
        statements[count] = run
        found[count] = {len(those) for those in candidates.values()}
    assert found == {1: {0}, 50: {30}}
    assert statements[1] == statements[50]
    assert len(statements[1]) == 3
