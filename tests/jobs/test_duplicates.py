"""The scan for duplicates: what it takes up, what it leaves, broken off, repeated, at scale."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, update
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import Database, raw_connection
from app.jobs.duplicates import mark_all_cards, run_scan, scan_duplicates
from app.jobs.registry import JOBS, JobContext
from app.models import Customer, DuplicateCard, DuplicateKey, DuplicatePair
from app.queries import duplicates as queries
from app.services import duplicate_scan
from app.services.duplicate_decisions import SCAN_JOB
from tests.support.cards import create_card, seen
from tests.support.lookalike_tables import write_made_cards
from tests.support.lookalikes import MadeCard, Proportions, make_cards
from tests.support.world import World

BORN = (1990, 8, 5)
SMALL = Proportions(twice=300, families=150, twins=50, namesakes=150, fathers=100)


def made(name: str, **fields: Any) -> MadeCard:
    """Return a made-up card."""
    values: dict[str, Any] = {
        "person": 1, "kind": "person", "gender": None, "birthday": None, "phones": (),
        "address": None, "employer": None, **fields,
    }  # fmt: skip
    return MadeCard(name=name, **values)


async def pairs(database: Database) -> dict[tuple[UUID, UUID], tuple[int, str]]:
    """Return the pairs with score and state."""
    async with database.transaction() as session:
        rows = await session.scalars(select(DuplicatePair))
        return {(row.first_id, row.second_id): (row.score, str(row.state)) for row in rows}


async def unfinished(database: Database) -> Sequence[UUID]:
    """Return the cards that a scan still has to compare, or to let go."""
    async with database.transaction() as session:
        rows = await session.scalars(
            select(col(DuplicateCard.customer_id)).where(
                ~col(DuplicateCard.is_compared) | col(DuplicateCard.is_bulk)
            )
        )
        return list(rows)


async def test_a_scan_takes_up_compares_and_a_second_one_finds_nothing_to_do(
    database: Database,
) -> None:
    first, second, _ = await write_made_cards(
        database, [made("王小明", birthday=BORN), made("王晓明", birthday=BORN), made("李强")]
    )

    counts = await scan_duplicates(database)

    assert counts == {
        "taken_up": 3, "compared_cards": 3, "compared_pairs": 1, "written_pairs": 1,
        "removed_pairs": 0,
    }  # fmt: skip
    found = await pairs(database)
    assert list(found) == [(first, second)]
    assert await unfinished(database) == []
    again = await scan_duplicates(database)
    assert set(again.values()) == {0}
    assert await pairs(database) == found
    # All once more: each pair is compared by one of its cards.
    assert await mark_all_cards(database) == 3
    assert (await scan_duplicates(database))["compared_pairs"] == 1
    assert await pairs(database) == found
    assert await unfinished(database) == []


async def test_a_changed_card_is_compared_with_those_that_have_not_changed(
    database: Database,
) -> None:
    first, second = await write_made_cards(
        database, [made("王小明", birthday=BORN), made("李强", birthday=BORN)]
    )
    await scan_duplicates(database)
    assert await pairs(database) == {}

    async with database.transaction() as session:
        await session.execute(
            update(Customer).where(col(Customer.id) == first).values(name="李強", version=2)
        )
    counts = await scan_duplicates(database)

    assert (counts["taken_up"], counts["compared_pairs"]) == (1, 1)
    assert list(await pairs(database)) == [(first, second)]


async def test_a_pair_that_no_longer_looks_alike_is_removed_while_nobody_has_decided(
    database: Database,
) -> None:
    cards = await write_made_cards(
        database,
        [
            *[made("王小明", birthday=BORN)] * 2,
            *[made("李强", birthday=(1971, 1, 1))] * 2,
        ],
    )
    await scan_duplicates(database)
    assert len(await pairs(database)) == 2
    async with database.transaction() as session:
        await session.execute(
            update(DuplicatePair)
            .where(col(DuplicatePair.first_id) == cards[2])
            .values(state="different", decided_at=clock.now())
        )
        for number in (0, 2):
            await session.execute(
                update(Customer)
                .where(col(Customer.id) == cards[number])
                .values(name="赵云", version=2)
            )

    counts = await scan_duplicates(database)

    assert counts["removed_pairs"] == 1
    ((kept, (_, state)),) = (await pairs(database)).items()
    assert (kept, state) == ((cards[2], cards[3]), "different")


async def test_merged_and_erased_cards_have_no_keys_and_no_open_pairs(
    database: Database,
) -> None:
    cards = await write_made_cards(database, [made("王小明", birthday=BORN)] * 3)
    await scan_duplicates(database)
    assert len(await pairs(database)) == 3
    async with database.transaction() as session:
        await session.execute(
            update(Customer)
            .where(col(Customer.id) == cards[0])
            .values(status="merged", merged_into_id=cards[1], version=2)
        )
    await scan_duplicates(database)
    assert list(await pairs(database)) == [(cards[1], cards[2])]
    async with database.transaction() as session:
        with_keys = set(await session.scalars(select(col(DuplicateKey.customer_id))))
    assert with_keys == {cards[1], cards[2]}
    assert set((await scan_duplicates(database)).values()) == {0}


async def test_a_scan_that_is_broken_off_anywhere_goes_on_and_ends_with_the_same_pairs(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(duplicate_scan, "CHUNK", 7)
    cards = make_cards(3, 60, SMALL)
    await write_made_cards(database, cards)
    real, calls = duplicate_scan.compare_next, 0

    async def breaks(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls % 2 == 0:
            raise ConnectionResetError
        return await real(*arguments)

    # when
    monkeypatch.setattr(duplicate_scan, "compare_next", breaks)
    broken = 0
    while True:
        try:
            await scan_duplicates(database)
        except Exception:  # noqa: BLE001 - whatever a broken connection is mapped to
            broken += 1
            assert broken < 100
        else:
            break

    # then
    assert broken >= 5
    in_pieces = await pairs(database)
    monkeypatch.setattr(duplicate_scan, "compare_next", real)
    monkeypatch.setattr(duplicate_scan, "CHUNK", 2_000)
    await mark_all_cards(database)
    await scan_duplicates(database)
    assert await pairs(database) == in_pieces
    assert len(in_pieces) >= 10
    assert await unfinished(database) == []


async def test_cards_that_come_while_a_scan_compares_are_compared_with_all(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicate_scan, "CHUNK", 1)
    first, second = await write_made_cards(database, [made("王小明", birthday=BORN), made("李强")])
    real = duplicate_scan.compare_next
    late: list[UUID] = []

    async def with_a_late_card(*arguments: Any) -> Any:
        portion = await real(*arguments)
        if not late:
            # The first card has been compared, and does not come again.
            late.extend(await write_made_cards(database, [made("王晓明", birthday=BORN)]))
        return portion

    monkeypatch.setattr(duplicate_scan, "compare_next", with_a_late_card)
    await scan_duplicates(database)
    await scan_duplicates(database)

    assert list(await pairs(database)) == [(first, late[0])]
    assert second not in {card for pair in await pairs(database) for card in pair}


async def test_a_block_that_is_too_large_is_refined_and_never_compared_each_with_each(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty people of one name; two of them were born on one day."""
    monkeypatch.setattr(queries, "LARGEST_BLOCK", 10)
    born = [(1950 + number, 1 + number % 12, 1 + number) for number in range(28)]
    cards = await write_made_cards(
        database,
        [made("王小明", birthday=day) for day in born]
        + [made("王小明", birthday=BORN), made("王小明", birthday=BORN)],
    )
    counts = await scan_duplicates(database)
    assert list(await pairs(database)) == [(cards[-2], cards[-1])]
    assert counts["compared_pairs"] <= 10


async def test_a_full_scan_of_a_worker_marks_all_and_leaves_the_rest_to_the_next(
    fresh_database: Database, settings: Settings
) -> None:
    await write_made_cards(fresh_database, [made("王小明", birthday=BORN)] * 2)
    await run_scan(fresh_database.url, settings, full=False)
    context = JobContext(fresh_database, fresh_database.url, settings)

    await JOBS[SCAN_JOB](context, {"full": True})

    assert len(await unfinished(fresh_database)) == 2
    await JOBS[SCAN_JOB](context, {"full": False})
    assert await unfinished(fresh_database) == []
    assert len(await pairs(fresh_database)) == 1


async def test_what_a_card_is_refused_for_is_what_a_scan_lists(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    birthday = {"calendar": "solar", "year": 1990, "month": 8, "day": 5}
    first = await create_card(client, world, birthday=birthday)
    second = await create_card(client, world)
    answer = await client.patch(
        f"/v1/customers/{second['id']}",
        headers=seen(world, second),
        json={"birthday": birthday, "allow_duplicate": True},
    )
    assert answer.status_code == 200
    at_once = await pairs(database)
    await scan_duplicates(database)
    assert await pairs(database) == at_once
    assert [tuple(map(str, pair)) for pair in at_once] == [(first["id"], second["id"])]


async def test_a_decision_stands_when_its_cards_are_merged_into_others(
    database: Database,
) -> None:
    cards = await write_made_cards(
        database,
        [
            *[made("王小明", birthday=BORN)] * 2,
            made("赵云", birthday=(1971, 1, 1)),
            made("孙尚香", birthday=(1982, 2, 2)),
        ],
    )
    await scan_duplicates(database)
    decided = (cards[0], cards[1])
    assert list(await pairs(database)) == [decided]
    async with database.transaction() as session:
        await session.execute(
            update(DuplicatePair).values(state="different", decided_at=clock.now())
        )
        for loser, survivor in ((0, 2), (1, 3)):
            await session.execute(
                update(Customer)
                .where(col(Customer.id) == cards[loser])
                .values(status="merged", merged_into_id=cards[survivor], version=2)
            )
            await session.execute(
                update(Customer)
                .where(col(Customer.id) == cards[survivor])
                .values(
                    name="王小明", birth_year=BORN[0], birth_month=BORN[1], birth_day=BORN[2],
                    version=2,
                )
            )  # fmt: skip
        connection = await raw_connection(session)
        known = await queries.known_pairs(connection, [cards[3]])
        assert known == {(cards[2], cards[3]): "different", (cards[0], cards[3]): "different"}

    counts = await scan_duplicates(database)

    assert (counts["compared_pairs"], counts["written_pairs"]) == (1, 0)
    assert list(await pairs(database)) == [decided]

    async with database.transaction() as session:
        for loser, survivor in ((0, 2), (1, 3)):
            await session.execute(
                update(Customer)
                .where(col(Customer.id) == cards[loser])
                .values(status="active", merged_into_id=None, version=3)
            )
            await session.execute(
                update(Customer).where(col(Customer.id) == cards[survivor]).values(version=3)
            )
    await scan_duplicates(database)
    assert (cards[2], cards[3]) in await pairs(database)
