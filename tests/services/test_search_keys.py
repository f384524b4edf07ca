"""The keys of the search: made for old cards without anybody's doing, and as they should be."""

import asyncio
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, insert, select, update
from sqlmodel import col

from app.core.database import Database, raw_connection
from app.core.ids import new_id
from app.jobs.upkeep import build_search
from app.jobs.worker import queue_search_build
from app.models import Customer, CustomerIdentity, CustomerSearchKey, SearchBuild
from app.queries import search_keys as queries
from app.services import search_keys
from app.vocabulary import CustomerKind, CustomerOrigin, CustomerStatus, IdentityKind

NOW = datetime(2026, 11, 28, tzinfo=UTC)


async def write_old_cards(
    database: Database, *names: str, status: CustomerStatus = CustomerStatus.ACTIVE, **values: Any
) -> list[UUID]:
    """Write cards as they were before there were keys; return their ids."""
    rows = [
        {
            "id": new_id(), "kind": CustomerKind.INDIVIDUAL, "status": status, "name": name,
            "origin": CustomerOrigin.STORE, "registered_on": date(2026, 3, 1),
            "birth_month_is_leap": False, "version": 1, "created_at": NOW, "updated_at": NOW,
            **values,
        }
        for name in names
    ]  # fmt: skip
    async with database.transaction() as session:
        await session.execute(insert(Customer), rows)
    return [row["id"] for row in rows]


async def keys_of(database: Database, customer_id: UUID) -> list[tuple[Any, ...]]:
    """Return a card's keys: place, number, characters, letters, initials."""
    async with database.transaction() as session:
        rows = await session.scalars(
            select(CustomerSearchKey)
            .where(col(CustomerSearchKey.customer_id) == customer_id)
            .order_by(col(CustomerSearchKey.place), col(CustomerSearchKey.number))
            .execution_options(populate_existing=True)
        )
        return [(row.place, row.number, row.characters, row.letters, row.initials) for row in rows]


async def test_the_keys_of_a_card_are_its_beginnings_readings_and_identities(
    database: Database,
) -> None:
    (card,) = await write_old_cards(database, "单长", status=CustomerStatus.ARCHIVED)
    async with database.transaction() as session:
        for kind, value in (
            (IdentityKind.PHONE, "+8613800138000"),
            (IdentityKind.MEMBER_NUMBER, "HK7"),
        ):
            await session.execute(
                insert(CustomerIdentity).values(
                    customer_id=card, id=new_id(), kind=kind, system="", value=value,
                    is_primary=False, added_at=NOW,
                )
            )  # fmt: skip
        assert await search_keys.reindex(session, card) == 1
    assert await keys_of(database, card) == [
        (2, 0, "单长", "shanchang", "sc"),
        (6, 0, None, "danchang", "dc"),
        (6, 1, None, "chanchang", "cc"),
        (6, 2, None, "shanzhang", "sz"),
        (6, 3, None, "danzhang", "dz"),
        (6, 4, None, "chanzhang", "cz"),
        (10, 0, "长", "chang", None),
        (10, 1, None, "zhang", None),
        (14, 0, None, "0008310083168", None),
        (18, 0, None, "hk7", None),
    ]


async def test_making_keys_twice_changes_nothing_and_wrong_ones_are_made_right(
    database: Database,
) -> None:
    right, wrong = await write_old_cards(database, "王伟", "李明朗")
    async with database.transaction() as session:
        assert await search_keys.reindex(session, right, wrong) == 2
        assert await search_keys.reindex(session, right, wrong) == 0
        made = await keys_of(database, wrong)
        await session.execute(
            update(CustomerSearchKey)
            .where(col(CustomerSearchKey.customer_id) == wrong, col(CustomerSearchKey.place) == 0)
            .values(letters="wrong")
        )
        await session.execute(
            insert(CustomerSearchKey).values(customer_id=wrong, place=24, number=0, letters="gone")
        )
        assert await search_keys.reindex(session, right, wrong) == 1
    assert await keys_of(database, wrong) == made
    assert len(made) == 3


@pytest.mark.parametrize(
    ("status", "more"),
    [
        (CustomerStatus.MERGED, {"merged_into_id": new_id()}),
        (CustomerStatus.ERASED, {"erased_at": NOW}),
    ],
)
async def test_merged_and_erased_cards_have_no_keys(
    database: Database, status: CustomerStatus, more: dict[str, Any]
) -> None:
    (card,) = await write_old_cards(database, "李明朗")
    async with database.transaction() as session:
        await search_keys.reindex(session, card)
        await session.execute(
            update(Customer).where(col(Customer.id) == card).values(status=status, **more)
        )
        assert await search_keys.reindex(session, card) == 1
    assert await keys_of(database, card) == []


async def test_a_longest_name_has_a_bounded_number_of_keys(database: Database) -> None:
    (card,) = await write_old_cards(database, "长乐行朝" * 25)
    async with database.transaction() as session:
        await search_keys.reindex(session, card)
    assert len(await keys_of(database, card)) == 16 + 5


async def test_old_cards_get_their_keys_by_a_job_that_is_queued_once(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_keys, "CHUNK", 2)
    cards = await write_old_cards(fresh_database, "王一", "王二", "王三", "王四")
    queued = await asyncio.gather(*(queue_search_build(fresh_database) for _ in range(3)))
    assert sorted(queued) == [False, False, True]

    assert await build_search(fresh_database) == {"cards": 4, "corrected": 4}
    for card in cards:
        assert len(await keys_of(fresh_database, card)) == 2
    assert await queue_search_build(fresh_database) is False
    assert await build_search(fresh_database, anew=True) == {"cards": 4, "corrected": 0}


async def test_a_build_that_broke_off_goes_on_where_it_was(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_keys, "CHUNK", 2)
    cards = await write_old_cards(database, "王一", "王二", "王三")
    async with database.transaction() as session:
        portion = await search_keys.build_next(session)
        assert (portion.cards, portion.corrected, portion.is_last) == (2, 2, False)
        assert await search_keys.is_built(session) is False
    assert await build_search(database) == {"cards": 1, "corrected": 1}
    assert len(await keys_of(database, cards[2])) == 2
    async with database.transaction() as session:
        assert await search_keys.is_built(session) is True


async def test_a_changed_rule_makes_all_keys_anew(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    (card,) = await write_old_cards(database, "王一")
    await build_search(database)
    monkeypatch.setattr(search_keys, "RULE", queries.RULE + 1)
    async with database.transaction() as session:
        assert await search_keys.is_built(session) is False
        await session.execute(
            update(CustomerSearchKey)
            .where(col(CustomerSearchKey.customer_id) == card)
            .values(letters="by the old rule")
        )
    assert await build_search(database) == {"cards": 1, "corrected": 1}
    async with database.transaction() as session:
        assert len(list(await session.scalars(select(SearchBuild)))) == 2


async def test_the_night_finds_cards_that_were_written_past_the_service(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_keys, "CHUNK", 2)
    cards = await write_old_cards(database, "王一", "王二", "王三")
    async with database.transaction() as session:
        assert await search_keys.give_missing(session) == {"corrected": 0}
    await build_search(database)
    async with database.transaction() as session:
        assert await search_keys.give_missing(session) == {"corrected": 0, "remaining": 0}
        await session.execute(
            delete(CustomerSearchKey).where(col(CustomerSearchKey.customer_id) == cards[0])
        )
        await session.execute(
            update(Customer)
            .where(col(Customer.id).in_(cards[1:]))
            .values(status=CustomerStatus.ARCHIVED, archived_at=NOW)
        )
        assert await search_keys.give_missing(session) == {"corrected": 2, "remaining": 1}
        assert await search_keys.give_missing(session) == {"corrected": 1, "remaining": 0}
        connection = await raw_connection(session)
        assert await queries.cards_without_keys(connection, 10) == []


async def test_a_card_that_changes_meanwhile_has_its_last_keys(fresh_database: Database) -> None:
    (card,) = await write_old_cards(fresh_database, "李明朗")

    async def build() -> None:
        await build_search(fresh_database)

    async with fresh_database.transaction() as session:
        await session.execute(update(Customer).where(col(Customer.id) == card).values(name="周芳"))
        building = asyncio.create_task(build())
        # The build waits for the card, and then reads what it says.
        await asyncio.sleep(0.3)
        assert not building.done()
        await search_keys.reindex(session, card)
    await building
    assert [key[2] for key in await keys_of(fresh_database, card)] == ["周芳", "芳"]
