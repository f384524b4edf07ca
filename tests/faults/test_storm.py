"""A storm of events: repeated, shuffled, refunds before sales, on many connections at once.

What is left of it equals what the same events leave in their order, one delivery each; ids,
instants and the path of tiers excepted. ``HUIKE_FAULTS_FULL=1`` makes it ten times as large.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.core import clock
from app.core.config import Settings
from app.core.database import Database, raw_connection
from app.core.ids import new_id
from app.models import PosEvent
from app.services import statistics
from app.services.tier_policies_in_force import active_policies
from app.vocabulary import CustomerKind, TierLevel
from tests.conftest import client_of
from tests.support import databases
from tests.support.shop import Shop
from tests.support.world import build_world, send_batch, send_event

IS_FULL = os.environ.get("HUIKE_FAULTS_FULL") == "1"
EVENTS = 10_000 if IS_FULL else 1_000
SENDERS = 8
SEED = 20261121
NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)
TILLS = {"till-1": "S01", "till-2": "S02"}

# Lines that are taken back one after the other; None is the whole sale. Together never too much.
RETURNS: list[list[int | None]] = [[], [], [], [1], [1, 2], [1, 1], [None]]

_RECEIPTS = """
SELECT s.code, r.receipt_key, i.value AS member, p.kind, p.status, p.business_day, p.amount,
    p.costed_amount, p.cost, p.receipt_number, o.receipt_number AS refund_of,
    (SELECT array_agg(ROW(l.line_number, l.sku, l.quantity, l.amount, l.refunds_line_number)::text
                      ORDER BY l.line_number)
     FROM purchase_line AS l
     WHERE l.customer_id = p.customer_id AND l.purchase_id = p.id) AS lines
FROM receipt AS r JOIN source AS s ON s.id = r.source_id
LEFT JOIN purchase AS p ON p.id = r.purchase_id AND p.customer_id = r.customer_id
LEFT JOIN purchase AS o ON o.id = p.refund_of_id AND o.customer_id = p.customer_id
LEFT JOIN customer_identity AS i ON i.customer_id = r.customer_id
ORDER BY s.code, r.receipt_key
"""
_UNATTACHED = """
SELECT s.code, u.receipt_key, u.awaits_value, u.kind, u.status, u.business_day, u.amount,
    o.receipt_number AS refund_of
FROM unattached_purchase AS u JOIN source AS s ON s.id = u.source_id
LEFT JOIN unattached_purchase AS o ON o.id = u.refund_of_id
ORDER BY s.code, u.receipt_key
"""
_STATISTICS = """
SELECT i.value AS member, to_jsonb(c) - 'customer_id' AS figures
FROM customer_stats AS c JOIN customer_identity AS i USING (customer_id) ORDER BY i.value
"""
_LEVELS = """
SELECT i.value AS member, t.level, c.net_365
FROM tier_assignment AS t JOIN customer_identity AS i USING (customer_id)
LEFT JOIN customer_stats AS c USING (customer_id)
WHERE t.valid_to IS NULL
"""


@dataclass
class Script:
    """What happens: events by the till that sends them, and who gets a card meanwhile."""

    known: list[str]
    newcomers: list[str]
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


def write_script(count: int, chance: random.Random) -> Script:
    """Return ``count`` events in an order in which each can be applied at once."""
    script = Script(
        known=[f"HK{number:06}" for number in range(count // 40)],
        newcomers=[f"NEW{number:06}" for number in range(count // 80)],
    )
    members: list[str | None] = [*script.known, *script.newcomers, None]
    number = 0
    while len(script.events) < count:
        number += 1
        till = chance.choice(sorted(TILLS))
        at = NOW - timedelta(minutes=chance.randrange(400 * 24 * 60))
        lines = [
            {
                "line_number": line,
                "sku": f"B{line}",
                "quantity": "2",
                "unit_price": f"{price}.50",
                "amount": f"{2 * price + 1}.00",
                "unit_cost": f"{price // 2}.00" if line % 2 else None,
            }
            for line, price in enumerate(chance.choices(range(5, 90), k=3), start=1)
        ]
        total = sum(Decimal(str(line["amount"])) for line in lines)
        member = chance.choice(members)
        sold = {
            **_head(till, f"sale-{number}", "sale", at),
            "receipt_number": f"S{number}",
            "currency": "CNY",
            "customer": member and {"kind": "member_number", "value": member},
            "lines": lines,
            "total": str(total),
        }
        script.events.append((till, sold))
        for part in chance.choice(RETURNS):
            at = min(NOW, at + timedelta(minutes=chance.randrange(1, 90 * 24 * 60)))
            taker = chance.choice(sorted(TILLS))
            returned = {
                **_head(taker, f"refund-{len(script.events)}", "refund", at),
                "receipt_number": f"R{len(script.events)}",
                "currency": "CNY",
                "original": {"receipt_number": f"S{number}", "source": till},
                "total": str(total),
            }
            if part is not None:
                returned["total"] = f"{Decimal(str(lines[part - 1]['amount'])) / 2:.2f}"
                returned["lines"] = [
                    {
                        "line_number": 1,
                        "refunds_line": part,
                        "quantity": "1",
                        "amount": returned["total"],
                    }
                ]
            script.events.append((taker, returned))
    del script.events[count:]
    return script


def _head(till: str, event_id: str, kind: str, at: datetime) -> dict[str, Any]:
    return {
        "type": kind,
        "event_id": event_id,
        "occurred_at": at.isoformat(),
        "store": TILLS[till],
    }


@asynccontextmanager
async def a_shop(name: str) -> AsyncIterator[Shop]:
    """Open a shop on a database of its own."""
    settings = Settings(
        _env_file=None, pool_size=SENDERS + 2, pool_overflow=2, pool_timeout_seconds=20
    )
    async with databases.clone(name) as clone:
        database = Database(databases.url_for(clone, databases.SERVICE), settings)
        try:
            world = await build_world(database)
            async with client_of(database, settings) as client:
                yield Shop(client, world, database, settings)
        finally:
            await database.close()


async def play_in_order(shop: Shop, script: Script) -> None:
    """Deliver each event once, in order; newcomers get their cards half way."""
    for member in script.known:
        await shop.card(member)
    half = len(script.events) // 2
    for number, (till, event) in enumerate(script.events):
        if number == half:
            for member in script.newcomers:
                await shop.card(member)
        assert (await shop.send(event, till))["status"] != "held"


async def play_storm(shop: Shop, script: Script, chance: random.Random) -> Counter[str]:
    """Deliver each event one to five times, shuffled, alone or in batches, by many at once.

    Who is told to come again does, as a till would.
    """
    for member in script.known:
        await shop.card(member)
    deliveries = [one for one in script.events for _ in range(chance.randint(1, 5))]
    chance.shuffle(deliveries)
    work: list[Any] = list(script.newcomers)
    while deliveries:
        size = chance.choice([1, 1, 1, 2, 20, 60])
        part, deliveries = deliveries[:size], deliveries[size:]
        for till in TILLS:
            events = [event for sender, event in part if sender == till]
            if events:
                work.append((till, events))
    chance.shuffle(work)
    figures: Counter[str] = Counter()

    async def send_all() -> None:
        while work:
            item = work.pop()
            if isinstance(item, str):
                await shop.card(item)
                continue
            till, events = item
            figures["deliveries"] += len(events)
            while True:
                figures["requests"] += 1
                if len(events) == 1:
                    answer = await send_event(shop.client, shop.world, events[0], till)
                else:
                    answer = await send_batch(shop.client, shop.world, events, till)
                if answer.status_code != 503:
                    break
                figures["told to come again"] += 1
            assert answer.status_code in {200, 202}, answer.text

    await asyncio.gather(*(send_all() for _ in range(SENDERS)))
    return figures


async def left_by(shop: Shop) -> dict[str, list[tuple[Any, ...]]]:
    """Return receipts and statistics, without ids and instants."""
    async with shop.database.transaction() as session:
        connection = await raw_connection(session)
        return {
            name: [tuple(row) for row in await connection.fetch(query)]
            for name, query in (
                ("receipts", _RECEIPTS), ("unattached", _UNATTACHED), ("statistics", _STATISTICS),
            )
        }  # fmt: skip


async def below_what_they_earn(shop: Shop) -> list[str]:
    """Return members who hold less than their figures earn: nobody ever should."""
    async with shop.database.transaction() as session:
        policy = (await active_policies(session))[CustomerKind.INDIVIDUAL]
        rows = await (await raw_connection(session)).fetch(_LEVELS)
        return [
            row["member"]
            for row in rows
            if policy.rank(TierLevel(row["level"]))
            < policy.rank(policy.earned(row["net_365"] or Decimal(0)).level)
        ]


@pytest.mark.timeout(900)
async def test_a_storm_of_events_leaves_what_they_leave_in_order(worker_name: str) -> None:
    chance = random.Random(SEED)
    script = write_script(EVENTS, chance)
    with clock.using(clock.FixedClock(NOW), everywhere=True):
        async with (
            a_shop(f"{worker_name}_{new_id().hex[-10:]}_o") as ordered,
            a_shop(f"{worker_name}_{new_id().hex[-10:]}_s") as stormy,
        ):
            started = clock.monotonic_seconds()
            await play_in_order(ordered, script)
            between = clock.monotonic_seconds()
            figures = await play_storm(stormy, script, chance)
            ended = clock.monotonic_seconds()
            print(  # noqa: T201 - figures for who runs it with -s
                f"\n{EVENTS} events in order: {between - started:.1f} s; storm: {dict(figures)}"
                f" by {SENDERS} at once: {ended - between:.1f} s"
            )
            expected, found = await left_by(ordered), await left_by(stormy)
            for name, rows in expected.items():
                assert found[name] == rows, name
            assert len(expected["receipts"]) == EVENTS
            assert len(expected["statistics"]) > len(script.known) // 2
            for shop in (ordered, stormy):
                assert await shop.statuses() == {"applied": EVENTS}
                assert await shop.count(PosEvent) == EVENTS
                assert await below_what_they_earn(shop) == []
                async with shop.database.transaction() as session:
                    checked = await statistics.check(session, clock.today(shop.settings.zone))
                    assert checked["different"] == 0
