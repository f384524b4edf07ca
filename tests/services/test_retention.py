"""What is kept for a time only goes when the time is over, and not before."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.core.ids import new_id
from app.models import (
    Disclosure,
    Identity,
    ImportChunk,
    ImportJob,
    OutboxEvent,
    PosEvent,
    Purchase,
    UnattachedInteraction,
    UnattachedPurchase,
)
from app.services.housekeeping import forget_expired
from app.vocabulary import (
    ActorKind,
    DomainEvent,
    EventKind,
    EventStatus,
    ImportKind,
    ImportStatus,
    OnExisting,
    SourceMode,
)
from tests.support.cards import create_card
from tests.support.contacts import call
from tests.support.events import refund, sale
from tests.support.shop import Shop
from tests.support.world import World

NOW = clock.now()
INSTANT = timedelta(microseconds=1)


def disclosure(world: World, customer_id: str, at: datetime) -> dict[str, Any]:
    return {
        "customer_id": customer_id, "id": new_id(), "fields": ["copy"], "reason": "x",
        "disclosed_at": at, "actor_kind": ActorKind.SYSTEM,
    }  # fmt: skip


def event(status: EventStatus) -> Any:
    def made(world: World, _customer_id: str, at: datetime) -> dict[str, Any]:
        return {
            "source_id": world.sources["till-1"], "event_id": str(new_id()),
            "kind": EventKind.SALE, "status": status, "mode": SourceMode.LIVE, "body": {},
            "body_hash": "x", "received_at": at,
        }  # fmt: skip

    return made


def unknown_caller(world: World, _customer_id: str, at: datetime) -> dict[str, Any]:
    return {"id": new_id(), "occurred_at": at, "recorded_at": at, "body": {}}


def delivered(world: World, customer_id: str, at: datetime) -> dict[str, Any]:
    return {
        "id": new_id(), "type": DomainEvent.CUSTOMER_UPDATED, "occurred_at": at,
        "subject_id": customer_id, "payload": {}, "delivered_at": at,
    }  # fmt: skip


KEPT: Mapping[str, tuple[str, int, type[SQLModel], Any]] = {
    "disclosures": ("keep_disclosures_days", 1095, Disclosure, disclosure),
    "till_events": ("keep_events_days", 730, PosEvent, event(EventStatus.APPLIED)),
    "test_events": ("keep_test_events_days", 30, PosEvent, event(EventStatus.TEST)),
    "unknown_callers": (
        "keep_unknown_callers_days", 365, UnattachedInteraction, unknown_caller,
    ),
    "delivered_events": ("keep_delivered_days", 30, OutboxEvent, delivered),
}  # fmt: skip


@pytest.mark.parametrize("name", KEPT)
async def test_it_goes_when_its_time_is_over(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings, name: str
) -> None:
    setting, days, table, make = KEPT[name]
    assert getattr(settings, setting) == days
    card = await create_card(client, world)
    async with database.transaction() as session:
        others = await session.scalar(select(func.count()).select_from(table)) or 0
        for at in (NOW - timedelta(days=days), NOW - timedelta(days=days) + INSTANT):
            await session.execute(insert(table).values(make(world, card["id"], at)))
        never = settings.model_copy(update={setting: 0})
        assert name not in await forget_expired(session, never, NOW)
        assert (await forget_expired(session, settings, NOW))[name] == 1
        assert (await forget_expired(session, settings, NOW))[name] == 0
        assert await session.scalar(select(func.count()).select_from(table)) == others + 1


async def test_an_event_that_went_leaves_its_receipt_and_its_number(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    shop = Shop(client, world, database, settings)
    card = await shop.card()
    bought = sale("58.00")
    await shop.send(bought)
    async with database.transaction() as session:
        await session.execute(update(PosEvent).values(received_at=NOW - timedelta(days=731)))
        assert (await forget_expired(session, settings, NOW))["till_events"] == 1
    again = await shop.send(bought)
    assert (again["status"], again["problem"]["type"]) == ("held", "/problems/receipt-number-used")
    assert await shop.count(Purchase) == 1
    assert (await shop.send(refund(bought)))["status"] == "applied"
    assert str((await shop.stats(card)).net) == "0.00"


async def test_a_purchase_waits_for_its_customer_for_a_time(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    shop = Shop(client, world, database, settings)
    old, young, both = (sale("5.00", member=member) for member in ("HK1", "HK2", "HK3"))
    for waiting in (old, young, both, later := sale("5.00", member="HK3")):
        assert (await shop.send(waiting))["status"] == "awaiting_customer"
    async with database.transaction() as session:
        await session.execute(
            update(UnattachedPurchase)
            .where(col(UnattachedPurchase.event_id).in_([old["event_id"], both["event_id"]]))
            .values(recorded_at=NOW - timedelta(days=730))
        )
        never = settings.model_copy(update={"keep_awaited_days": 0})
        assert (await forget_expired(session, never, NOW))["awaited"] == 0
        assert (await forget_expired(session, settings, NOW))["awaited"] == 2
        assert (await forget_expired(session, settings, NOW))["awaited"] == 0
        rows = await session.execute(
            select(col(UnattachedPurchase.event_id), col(UnattachedPurchase.awaits_value))
        )
        assert {row[0]: row[1] for row in rows} == {
            old["event_id"]: None, young["event_id"]: "HK2", both["event_id"]: None,
            later["event_id"]: "HK3",
        }  # fmt: skip
        values = await session.scalars(select(col(Identity.value)))
        assert sorted(values) == ["HK2", "HK3"]
    stored = await shop.read_event(old)
    assert (stored["status"], "customer" in stored["body"]) == ("applied", False)
    assert (await shop.read_event(later))["status"] == "awaiting_customer"
    card = await shop.card("HK3")
    assert len(await shop.purchases(card)) == 1


async def test_an_unknown_caller_is_forgotten_with_the_number_unless_somebody_else_waits_for_it(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    shop = Shop(client, world, database, settings)
    calls = [
        await call(client, world, identity={"kind": "member_number", "value": number})
        for number in ("HK1", "HK2", "HK3", "HK3")
    ]
    assert (await shop.send(sale("5.00", member="HK2")))["status"] == "awaiting_customer"
    async with database.transaction() as session:
        await session.execute(
            update(UnattachedInteraction)
            .where(col(UnattachedInteraction.id).in_([UUID(one["id"]) for one in calls[:3]]))
            .values(occurred_at=NOW - timedelta(days=365))
        )
        assert (await forget_expired(session, settings, NOW))["unknown_callers"] == 3
        assert sorted(await session.scalars(select(col(Identity.value)))) == ["HK2", "HK3"]


@pytest.mark.parametrize(
    ("status", "given_up"),
    [
        (ImportStatus.AWAITING_FILE, True),
        (ImportStatus.UPLOADED, True),
        (ImportStatus.CHECKED, True),
        (ImportStatus.FAILED, True),
        (ImportStatus.RUNNING, False),
        (ImportStatus.UNDOING, False),
        (ImportStatus.DONE, False),
    ],
)
async def test_an_import_that_nobody_goes_on_with_is_cancelled(
    session: AsyncSession, settings: Settings, status: ImportStatus, given_up: bool
) -> None:
    for days in (7, 6):
        job = new_id()
        await session.execute(
            insert(ImportJob).values(
                id=job, kind=ImportKind.CARDS, status=status, on_existing=OnExisting.SKIP,
                file_name="f", columns=["王小明"], mapping={}, sample=[["王小明"]], counts={},
                file_bytes=1, staged=0, rows_total=0, rows_done=0, phase="", position=0,
                is_cancelling=False, version=1, created_by_kind=ActorKind.SYSTEM,
                created_at=NOW, updated_at=NOW - timedelta(days=days),
            )
        )  # fmt: skip
        await session.execute(insert(ImportChunk).values(import_id=job, number=0, body=b"x"))
    never = settings.model_copy(update={"keep_import_files_days": 0})
    assert (await forget_expired(session, never, NOW))["imports"] == 0
    assert (await forget_expired(session, settings, NOW))["imports"] == int(given_up)
    left = await session.execute(
        text("SELECT j.status, sample, columns, (SELECT count(*) FROM import_chunk AS c"
             " WHERE c.import_id = j.id) FROM import_job AS j ORDER BY j.id")
    )  # fmt: skip
    untouched = (str(status), [["王小明"]], ["王小明"], 1)
    columns = [] if status is ImportStatus.FAILED else ["王小明"]
    assert list(map(tuple, left)) == [
        ("cancelled", [], columns, 0) if given_up else untouched,
        untouched,
    ]
