"""Measure the hot paths and write ``bench/results.md``; takes some minutes.

The embedded server runs with fsync, the service in a process of its own, the sender in this one.
Figures are of one machine and one moment: the ratio to a bare serial pass over the same purchases
says more than the seconds.
"""

import asyncio
import os
import platform
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
from alembic import command

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.core.embedded_postgres import EmbeddedServer, ensure_database, temporary_server
from app.core.logging import configure_logging
from app.core.migrations import alembic_config
from app.jobs.nightly import run_night
from app.jobs.upkeep import rebuild_statistics
from bench import search
from bench.card import measure_cards, write_cards
from bench.chain import CUSTOMERS, PURCHASES, write_chain
from bench.imports import measure_imports
from bench.people import write_people
from bench.sender import Measured, Sender

DATABASE, OWNER, SERVICE = "huike_bench", "huike_owner", "huike_service"
PEOPLE = "huike_bench_people"
RESULTS = Path(__file__).with_name("results.md")
SECONDS_EACH = 8.0
BATCH, BATCHES = 1_000, 5
BARE_PASS = "SELECT count(*), sum(amount), max(business_day) FROM purchase"


@asynccontextmanager
async def service(
    server: EmbeddedServer, port: int, database: str = DATABASE
) -> AsyncIterator[httpx.AsyncClient]:
    """Run the service as a process for the length of a block; yield a client of it."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HUIKE_")},
        "HUIKE_DATABASE_URL": server.url(database, SERVICE),
        "HUIKE_DATABASE_OWNER_URL": server.url(database, OWNER),
        "HUIKE_LOG_LEVEL": "ERROR",
    }
    huike = Path(sys.executable).with_name("huike")
    process = await asyncio.create_subprocess_exec(
        huike, "serve", "--port", str(port), env=environment
    )
    try:
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", timeout=70, limits=limits, trust_env=False
        ) as client:
            await _until_ready(client, process)
            yield client
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 30)


async def _until_ready(client: httpx.AsyncClient, process: asyncio.subprocess.Process) -> None:
    for _ in range(300):
        if process.returncode is not None:
            raise SystemExit(f"bench: the service ended with {process.returncode}")
        try:
            if (await client.get("/health/ready")).status_code == 200:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.1)
    raise SystemExit("bench: the service did not become ready within 30 s")


async def bare_pass_seconds(dsn: str) -> float:
    """Return the best of five serial passes over all purchases."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SET max_parallel_workers_per_gather = 0")
        found = []
        for _ in range(5):
            began = time.perf_counter()
            await connection.fetchrow(BARE_PASS)
            found.append(time.perf_counter() - began)
        return min(found)
    finally:
        await connection.close()


async def nightly_seconds(server: EmbeddedServer) -> tuple[float, float, int, float]:
    """Return seconds of a full rebuild and of a night, who was refreshed, seconds of a 2nd run."""
    settings = Settings(_env_file=None)
    today = clock.today(settings.zone)
    url = server.url(DATABASE, SERVICE)
    database = Database(url, settings, statement_timeout_seconds=120)
    began = time.perf_counter()
    await rebuild_statistics(database, today - timedelta(days=1))
    rebuilt = time.perf_counter() - began
    await database.close()
    # The night before gives everybody the tier that a year of sales would have given them.
    await run_night(url, settings, today - timedelta(days=1))
    seconds, refreshed = [], 0
    for _ in range(2):
        began = time.perf_counter()
        reports = await run_night(url, settings, today)
        seconds.append(time.perf_counter() - began)
        refreshed = max(refreshed, reports[0].counts["refreshed"])
    return rebuilt, seconds[0], refreshed, seconds[1]


def line_of(name: str, measured: Measured, bare: float, events: int = 1) -> str:
    """Return a line of the table of results."""
    others = sum(measured.statuses.values()) - measured.statuses[200]
    per_second = measured.per_second * events
    return (
        f"| {name} | {per_second:,.0f} | {measured.milliseconds(0.5):,.1f} |"
        f" {measured.milliseconds(0.95):,.1f} | {others} | {per_second * bare:,.1f} |"
    )


async def search_page(server: EmbeddedServer, port: int) -> str:
    """Return the figures of the search, over a database of its own."""
    await ensure_database(server, database=PEOPLE, owner=OWNER, service=SERVICE)
    await asyncio.to_thread(command.upgrade, alembic_config(server.url(PEOPLE, OWNER)), "head")
    began = time.perf_counter()
    await write_people(server.dsn(PEOPLE, OWNER), search.CARDS)
    print(f"{search.CARDS:,} cards to search written in {time.perf_counter() - began:.0f} s")
    key, stores = await search.write_api_key(server.dsn(PEOPLE, OWNER))
    settings = Settings(_env_file=None)
    database = Database(server.url(PEOPLE, SERVICE), settings)
    try:
        inside = await search.measured(search.over_services(database, settings), stores)
    finally:
        await database.close()
    async with service(server, port, PEOPLE) as client:
        outside = await search.measured(search.over_http(client, key), stores)
    return search.page_of(inside, outside)


async def measure() -> str:
    """Return the results as a page."""
    async with temporary_server() as server:
        await ensure_database(server, database=DATABASE, owner=OWNER, service=SERVICE)
        await asyncio.to_thread(
            command.upgrade, alembic_config(server.url(DATABASE, OWNER)), "head"
        )
        till = await write_chain(server.dsn(DATABASE, OWNER))
        print(f"chain of {CUSTOMERS:,} cards and {PURCHASES:,} purchases written")
        bare = await bare_pass_seconds(server.dsn(DATABASE, OWNER))
        rebuilt, night, refreshed, again = await nightly_seconds(server)
        cards = await write_cards(server.dsn(DATABASE, OWNER))
        print(f"bare pass {bare * 1000:.0f} ms, rebuild {rebuilt:.1f} s, night {night:.2f} s")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        lines = []
        async with service(server, port) as client:
            sender = Sender(client, till)
            await sender.one_by_one(4, 1.0)
            for at_once in (1, 16, 64):
                measured = await sender.one_by_one(at_once, SECONDS_EACH)
                name = "one at a time" if at_once == 1 else f"{at_once} at once"
                lines.append(line_of(f"sales, {name}", measured, bare))
                print(lines[-1])
            measured = await sender.batches(BATCH, BATCHES)
            lines.append(line_of(f"sales, in batches of {BATCH:,}", measured, bare, BATCH))
            print(lines[-1])
            card_table = await measure_cards(client, cards)
        imported = await measure_imports(server)
        searches = await search_page(server, port)
    table = "\n".join(lines)
    return f"""# Results of `make bench`

Written {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {os.cpu_count()} processors \
({platform.machine()}), Python {platform.python_version()}.
One process of the service, the embedded server with fsync, and the sender share the machine.

The chain: {CUSTOMERS:,} cards, {PURCHASES:,} purchases. One bare serial pass over them
(`{BARE_PASS}`) takes {bare * 1000:.0f} ms.

| what | events a second | ms, half of the answers | ms, 95 % | not 200 | events a bare pass |
|---|---:|---:|---:|---:|---:|
{table}

| what | seconds | bare passes |
|---|---:|---:|
| rebuild of all statistics | {rebuilt:.2f} | {rebuilt / bare:,.0f} |
| a night in which purchases of {refreshed:,} cards leave the window | {night:.2f} \
| {night / bare:,.0f} |
| the same night again | {again:.2f} | {again / bare:,.0f} |

| read, one at a time | ms, half of the answers | ms, 95 % |
|---|---:|---:|
{card_table}
{imported.lines()}
{searches}"""


def main() -> None:
    """Measure, print, and keep."""
    configure_logging("json", "ERROR")
    page = asyncio.run(asyncio.wait_for(measure(), 1_200))
    RESULTS.write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
