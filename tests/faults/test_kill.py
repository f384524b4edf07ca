"""Kill -9 under write load: what was acknowledged is there, once; nothing is there by half."""

import asyncio
import os
import random
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
from sqlalchemy import text

from app.core.config import Settings
from app.core.database import Database
from app.core.runtime import prepared_database
from tests.faults.test_start_stop import Home, running
from tests.support.events import sale
from tests.support.world import World, build_world, send_event

pytestmark = pytest.mark.slow

SENDERS = 6
CARDS = ("HK1", "HK2")
ROUNDS = {"the service": False, "the service and its server": True}
_ONCE = """
SELECT e.event_id, count(DISTINCT p.id) AS purchases, count(DISTINCT l.purchase_id) AS with_lines,
    count(DISTINCT r.receipt_key) AS receipts, min(e.status) AS status
FROM pos_event AS e
LEFT JOIN purchase AS p ON p.source_id = e.source_id AND p.event_id = e.event_id
LEFT JOIN purchase_line AS l ON l.customer_id = p.customer_id AND l.purchase_id = p.id
LEFT JOIN receipt AS r ON r.source_id = e.source_id AND r.purchase_id = p.id
GROUP BY e.event_id
"""
_STRAY = """
SELECT (SELECT count(*) FROM purchase AS p WHERE NOT EXISTS (
            SELECT FROM pos_event AS e
            WHERE e.source_id = p.source_id AND e.event_id = p.event_id))
    + (SELECT count(*) FROM receipt AS r WHERE NOT EXISTS (
            SELECT FROM purchase AS p WHERE p.id = r.purchase_id))
"""

Storm: TypeAlias = tuple[dict[str, str], dict[str, dict[str, Any]], list[dict[str, Any]]]
"""Answers and events that were acknowledged, by their ids, and events that nobody answered."""


@pytest.fixture
def home() -> Iterator[Home]:
    """A data folder of its own, which every account can reach."""
    folder = Path(tempfile.mkdtemp(prefix="huike-kill-")).resolve()
    folder.chmod(0o755)
    home = Home(folder)
    yield home
    pid = home.server_pid()
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder)


@asynccontextmanager
async def database_of(home: Home) -> AsyncIterator[Database]:
    """Join the database that the running service uses."""
    settings = Settings(_env_file=None, data_dir=home.data_dir)
    async with prepared_database(settings) as addresses:
        database = Database(addresses.service, settings)
        yield database
        await database.close()


async def furnish(home: Home, url: str) -> World:
    """Write the small chain and its cards."""
    async with database_of(home) as database:
        world = await build_world(database)
    async with httpx.AsyncClient(base_url=url) as client:
        for member in CARDS:
            answer = await client.post(
                "/v1/customers",
                headers=world.headers("manager"),
                json={
                    "kind": "individual",
                    "name": "顾念书",
                    "identities": [{"kind": "member_number", "value": member}],
                },
            )
            assert answer.status_code == 201, answer.text
    return world


async def sell_until_killed(url: str, world: World, kill: "asyncio.Future[None]") -> Storm:
    """Send sales from several tills until they are answered no more."""
    acknowledged: dict[str, str] = {}
    events: dict[str, dict[str, Any]] = {}
    unanswered: list[dict[str, Any]] = []

    async def sell(client: httpx.AsyncClient) -> None:
        while True:
            event = sale("1.00", member=random.choice(CARDS))
            try:
                answer = await send_event(client, world, event)
            except httpx.TransportError:
                unanswered.append(event)
                return
            if answer.status_code == 503:
                unanswered.append(event)
                continue
            assert answer.status_code == 200, answer.text
            acknowledged[event["event_id"]] = answer.text
            events[event["event_id"]] = event

    async with httpx.AsyncClient(base_url=url, timeout=10) as client:
        await asyncio.gather(*(sell(client) for _ in range(SENDERS)), kill)
    return acknowledged, events, unanswered


async def send_again(url: str, world: World, events: list[dict[str, Any]]) -> dict[str, str]:
    """Send what was not answered, as a till does; return the answers."""
    async with httpx.AsyncClient(base_url=url, timeout=10) as client:
        answers = [await send_event(client, world, event) for event in events]
    assert {answer.status_code for answer in answers} <= {200}
    return {event["event_id"]: answer.text for event, answer in zip(events, answers, strict=True)}


async def kept(home: Home) -> tuple[dict[str, tuple[int, int, int, str]], int]:
    """Return what there is of each event, and how many receipts are of none."""
    async with database_of(home) as database, database.transaction() as session:
        rows = (await session.execute(text(_ONCE))).all()
        stray = await session.scalar(text(_STRAY))
    return (
        {row.event_id: (row.purchases, row.with_lines, row.receipts, row.status) for row in rows},
        stray or 0,
    )


@pytest.mark.timeout(120)
def test_what_was_acknowledged_outlives_a_kill(home: Home) -> None:
    expected: dict[str, str] = {}
    with running(home, "serve") as run:
        world = asyncio.run(furnish(home, run.url))
        assert run.stop() == 0
    for kills_server in ROUNDS.values():
        with running(home, "serve") as killed:
            server = home.server_pid()
            assert server is not None

            async def kill_soon(
                pids: tuple[int, ...] = (killed.process.pid, *((server,) if kills_server else ())),
            ) -> None:
                await asyncio.sleep(random.uniform(0.5, 1.5))
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)

            async def storm() -> Storm:
                return await sell_until_killed(
                    killed.url, world, asyncio.ensure_future(kill_soon())
                )

            acknowledged, events, unanswered = asyncio.run(storm())
        assert len(acknowledged) > SENDERS
        assert unanswered
        with running(home, "serve") as run:
            there, stray = asyncio.run(kept(home))
            expected |= acknowledged
            # Everything acknowledged, and perhaps what was done and could not be told any more.
            assert expected.keys() <= there.keys()
            assert set(there.values()) == {(1, 1, 1, "applied")}
            assert stray == 0
            expected |= asyncio.run(send_again(run.url, world, unanswered))
            there, stray = asyncio.run(kept(home))
            assert there == dict.fromkeys(expected, (1, 1, 1, "applied"))
            assert stray == 0
            # A till that asks again gets its first answer again.
            last = list(events)[-SENDERS:]
            assert asyncio.run(send_again(run.url, world, [events[name] for name in last])) == {
                name: acknowledged[name] for name in last
            }
            checked = home.command("rebuild-stats", "--check")
            assert (checked.returncode, "different 0" in checked.stdout) == (0, True), checked
            assert run.stop() == 0
