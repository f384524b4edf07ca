"""Measure a scan for duplicates: ``python -m bench.duplicates [cards]``."""

import asyncio
import sys
import time

from alembic import command

from app.core.config import Settings
from app.core.database import Database
from app.core.embedded_postgres import ensure_database, temporary_server
from app.core.logging import configure_logging
from app.core.migrations import alembic_config
from app.jobs.duplicates import run_scan
from bench.results import keep
from tests.support.lookalike_tables import write_made_cards
from tests.support.lookalikes import Proportions, make_cards

DATABASE, OWNER, SERVICE = "huike_bench", "huike_owner", "huike_service"
SEED, CARDS = 17, 100_000


async def measure(count: int) -> str:
    """Return the results as a page's lines."""
    settings = Settings(_env_file=None)
    cards = make_cards(SEED, count, Proportions())
    async with temporary_server() as server:
        await ensure_database(server, database=DATABASE, owner=OWNER, service=SERVICE)
        await asyncio.to_thread(
            command.upgrade, alembic_config(server.url(DATABASE, OWNER)), "head"
        )
        url = server.url(DATABASE, SERVICE)
        database = Database(url, settings)
        await write_made_cards(database, cards)
        await database.close()
        seconds = []
        for full in (False, False, True):
            began, cpu = time.perf_counter(), time.process_time()
            counts = await run_scan(url, settings, full=full)
            seconds.append((time.perf_counter() - began, time.process_time() - cpu, counts))
    first, again, full_again = seconds
    possible = len(cards) * (len(cards) - 1) // 2
    compared = first[2]["compared_pairs"]
    rows = "\n".join(
        f"| {name} | {taken[0]:.1f} | {taken[1]:.1f} | {taken[2]['compared_pairs']:,} |"
        f" {taken[2]['compared_pairs'] / taken[0]:,.0f} |"
        for name, taken in (
            ("all cards, for the first time", first),
            ("the same again: nothing has changed", again),
            ("all cards again (`--full`)", full_again),
        )
    )
    return f"""{len(cards):,} cards: {compared:,} of {possible:,} possible pairs are compared
({compared / possible:.2e}, {compared / len(cards):.2f} a card), {first[2]["written_pairs"]:,} are
put on the work list.

| scan | seconds | of these Python's | pairs compared | pairs a second |
|---|---:|---:|---:|---:|
{rows}
"""


def main() -> None:
    """Measure, print, and keep."""
    configure_logging("json", "ERROR")
    count = int(sys.argv[1]) if len(sys.argv) > 1 else CARDS
    keep("duplicates", asyncio.run(measure(count)))


if __name__ == "__main__":
    main()
