"""Imports whose cards were merged, or got their receipts, before they are taken back."""

from typing import Any

import httpx
import pytest

from app.core.config import Settings
from app.core.database import Database
from app.queries import import_rows
from tests.conftest import client_of
from tests.services.test_import_cards import imported
from tests.services.test_import_purchases import rows_of
from tests.support.cards import create_card
from tests.support.events import sale
from tests.support.import_files import ask, step
from tests.support.merging import merge, undo
from tests.support.world import World, build_world, send_event

PURCHASES = "小票号,日期,会员卡号,金额\nX1,2026-11-01,HK1,1200\nX2,2026-11-02,HK2,7\n"
CONTACTS = "日期,渠道,主题,会员卡号,时长\n2026-11-02,电话,询问,HK1,3\n2026-11-03,微信,投诉,HK2,1\n"


async def card_of(client: httpx.AsyncClient, world: World, number: str) -> str:
    identities = [{"kind": "member_number", "value": number}]
    card = await create_card(client, world, name=f"客户{number}", identities=identities)
    return str(card["id"])


async def undone(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings, job: Any
) -> dict[str, Any]:
    asked = await ask(client, world, job, "undo")
    ended = await step(client, world, database, settings, asked)
    assert ended["status"] == "undone"
    return ended


async def test_receipts_of_a_card_that_was_merged_go_and_leave_its_survivor_right(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    survivor, loser = [await card_of(client, world, number) for number in ("HK9", "HK1")]
    job = await imported(
        client, world, database, settings, PURCHASES, kind="purchases", source="till-1"
    )
    assert (await send_event(client, world, sale("5.00", member="HK9"))).json()[
        "status"
    ] == "applied"
    # One receipt moves with its card, the other one joins the card that it waited for.
    done = await merge(client, world, survivor, [loser])
    later = await card_of(client, world, "HK2")
    statistics = "SELECT customer_id::text, purchases, net::text FROM customer_stats WHERE net > 0"
    assert sorted(await rows_of(database, statistics)) == sorted(
        [(survivor, 2, "1205.00"), (later, 1, "7.00")]
    )
    levels = (
        "SELECT customer_id::text, level FROM tier_assignment WHERE valid_to IS NULL"
        " ORDER BY customer_id"
    )
    assert await rows_of(database, levels) == [(survivor, "main"), (later, "small")]
    job = await undone(client, world, database, settings, job)
    assert job["written"]["removed"] == 2
    assert await rows_of(database, statistics) == [(survivor, 1, "5.00")]
    assert await rows_of(database, levels) == [(survivor, "small"), (later, "small")]
    # The cards can be parted all the same.
    await undo(client, world, done)
    assert await rows_of(database, statistics) == [(survivor, 1, "5.00")]


async def test_contacts_of_a_card_that_was_merged_go_from_its_survivor(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    ids = [await card_of(client, world, number) for number in ("HK9", "HK8", "HK1", "HK2")]
    job = await imported(client, world, database, settings, CONTACTS, kind="interactions")
    await merge(client, world, ids[1], [ids[2]])
    await merge(client, world, ids[0], [ids[1]])
    counted = "SELECT customer_id::text, contacts FROM customer_service_stats WHERE contacts > 0"
    assert sorted(await rows_of(database, counted)) == sorted([(ids[0], 1), (ids[3], 1)])
    job = await undone(client, world, database, settings, job)
    assert (job["written"]["removed"], job["written"].get("kept")) == (2, None)
    assert await rows_of(database, "SELECT subject FROM interaction") == []
    assert await rows_of(database, counted) == []


async def test_a_row_of_a_card_that_is_merged_at_that_moment_finds_the_surviving_one(
    fresh_database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await build_world(fresh_database)
    async with client_of(fresh_database, settings) as client:
        survivor, loser = [await card_of(client, world, number) for number in ("HK9", "HK1")]
        lock_cards = import_rows.lock_cards
        merged: list[Any] = []

        async def locked_late(connection: Any, ids: Any) -> Any:
            if not merged:
                merged.append(await merge(client, world, survivor, [loser]))
            return await lock_cards(connection, ids)

        monkeypatch.setattr(import_rows, "lock_cards", locked_late)
        job = await imported(
            client, world, fresh_database, settings, "姓名,会员卡号,备注\n客户,HK1,新备注\n",
            kind="cards", on_existing="update",
        )  # fmt: skip
    assert job["written"] == {"rows": 1, "cards_updated": 1}
    found = await rows_of(fresh_database, "SELECT id::text, note FROM customer")
    assert sorted(found) == sorted([(survivor, "新备注"), (loser, None)])
