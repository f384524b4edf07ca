"""Measure nights over a million customers: ``python -m bench.night``.

``HUIKE_BENCH_CUSTOMERS=100000`` is a short form. Everything is a multiple of one bare serial pass
over the purchases, taken right before and right after. A night runs in a process of its own, as
the command line runs it, on a clock that stands at that night; what its memory came to is asked of
the process. A chain of a tenth of the size says whether that depends on the number of customers.
"""

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from statistics import median
from typing import Any, Final

import asyncpg
from alembic import command
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.core.database import Database, raw_connection
from app.core.embedded_postgres import (
    SUPERUSER,
    EmbeddedServer,
    ensure_database,
    temporary_server,
)
from app.core.logging import configure_logging
from app.core.migrations import alembic_config
from app.jobs.nightly import STEPS, run_night
from app.jobs.upkeep import rebuild_statistics
from app.models import TierPolicy
from app.queries import customer_stats
from app.queries.search_keys import RULE
from app.rules.access import SYSTEM
from app.rules.tier_drafts import fingerprint
from app.schemas.tier_policies import TierPolicyCreate
from app.services import tier_simulations
from app.services.tier_policies import create_draft
from app.vocabulary import CustomerKind, PolicyPreset
from bench.history import PURCHASES_EACH, Span, sell, write_history, write_tiers
from bench.results import keep

DATABASE, OWNER, SERVICE = "huike_bench", "huike_owner", "huike_service"
CUSTOMERS: Final = int(os.environ.get("HUIKE_BENCH_CUSTOMERS", "1000000"))
NEW_OF: Final = 1_000
"""One new purchase for so many old ones comes before a night."""
REPEATED: Final = 3
# Ends four days before a month's first, so that ordinary nights come before one that evaluates.
ENDS_ON: Final = date(2026, 10, 28)
BARE: Final = "SELECT count(*), sum(amount), max(business_day) FROM purchase"
PROMISED: Final = {
    "full re-aggregation": 4.0, "profiles": 1.5, "tiers": 0.3, "whole": 8.0, "incremental": 2.5,
}  # fmt: skip
TIER_STEPS: Final = frozenset({"tiers", "tier_notices", "tier_evaluation"})


@dataclass(slots=True)
class Chain:
    """A chain that is measured, and how long the bare passes around each measurement took."""

    server: EmbeddedServer
    customers: int
    settings: Settings = field(default_factory=lambda: Settings(_env_file=None))
    bare: list[float] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The service's address of the database."""
        return self.server.url(DATABASE, SERVICE)

    async def bare_pass(self) -> float:
        """Return the seconds of one bare serial pass over the purchases."""
        connection = await asyncpg.connect(self.server.dsn(DATABASE, SERVICE))
        try:
            await connection.execute("SET max_parallel_workers_per_gather = 0; SET jit = off")
            began = time.perf_counter()
            await connection.fetch(BARE)
            self.bare.append(time.perf_counter() - began)
        finally:
            await connection.close()
        return self.bare[-1]

    async def around(self, work: Callable[[], Awaitable[Any]]) -> tuple[Any, float, float]:
        """Return what the work returns, its seconds, and the mean of the bare passes around it."""
        before = self.bare[-1] if self.bare else await self.bare_pass()
        began = time.perf_counter()
        done = await work()
        seconds = time.perf_counter() - began
        return done, seconds, (before + await self.bare_pass()) / 2

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """Yield the service's own connection pool, with the time that nights have."""
        database = Database(self.url, self.settings, statement_timeout_seconds=15 * 60)
        try:
            yield database
        finally:
            await database.close()


@dataclass(frozen=True, slots=True)
class Measured:
    """Multiples of a bare pass, one for each repetition, and the seconds of the first."""

    multiples: Sequence[float]
    seconds: float

    def row(self, name: str, promised: float | None = None) -> str:
        """Return a line of the table."""
        spread = f"{min(self.multiples):.2f} to {max(self.multiples):.2f}"
        said = "" if promised is None else f"{promised:g}"
        return (
            f"| {name} | {self.seconds:,.2f} | {median(self.multiples):.2f} |"
            f" {spread if len(self.multiples) > 1 else ''} | {said} |"
        )


@dataclass(frozen=True, slots=True)
class Night:
    """What a night took: seconds of each step and of all, multiples, its process's memory."""

    as_of: date
    steps: dict[str, float]
    counts: dict[str, dict[str, int]]
    seconds: float
    bare: float
    megabytes: float

    def of(self, *names: str) -> float:
        """Return the multiple of some steps."""
        return sum(self.steps.get(name, 0.0) for name in names) / self.bare


async def run_a_night(chain: Chain, as_of: date) -> Night:
    """Run a night in a process of its own."""

    async def work() -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.night", "--night", chain.url, as_of.isoformat(),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"the night of {as_of} ended with {process.returncode}")
        told: dict[str, Any] = json.loads(out)
        return told

    told, _, bare = await chain.around(work)
    return Night(as_of=as_of, bare=bare, **told)


async def _be_a_night(url: str, as_of: date) -> None:
    with clock.using(_clock_of(as_of), everywhere=True):
        began = time.perf_counter()
        reports = await run_night(url, Settings(_env_file=None), as_of)
        seconds = time.perf_counter() - began
    told = {
        "steps": {report.step: report.duration_ms / 1000 for report in reports},
        "counts": {report.step: dict(report.counts) for report in reports},
        "seconds": seconds,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(told))


def _clock_of(day: date) -> clock.FixedClock:
    # 02:30 of the chain's own night lies on the day before in UTC.
    return clock.FixedClock(datetime.combine(day, time_of_day(2, 30), UTC))


async def sell_a_day(chain: Chain, day: date) -> None:
    """Sell one purchase for every thousand, and do what tills do with the figures and tiers."""
    count = chain.customers * PURCHASES_EACH // NEW_OF
    cards = await sell(chain.server.dsn(DATABASE, SUPERUSER), chain.customers, day, count)
    with clock.using(_clock_of(day), everywhere=True):
        async with chain.database() as database:
            for begin in range(0, len(cards), 2_000):
                async with database.transaction() as session:
                    portion = cards[begin : begin + 2_000]
                    await customer_stats.rebuild(await raw_connection(session), day, portion)
        await run_night(
            chain.url, chain.settings, day, tuple(step for step in STEPS if step[0] == "tiers")
        )


async def simulate(chain: Chain, as_of: date) -> Measured:
    """Try the composite preset out on everybody, as often as the rest is measured."""
    multiples, first = [], 0.0
    with clock.using(_clock_of(as_of), everywhere=True):
        async with chain.database() as database:
            async with database.transaction() as session:
                policy, _ = await create_draft(
                    session,
                    chain.settings,
                    SYSTEM,
                    TierPolicyCreate(
                        scope=CustomerKind.INDIVIDUAL,
                        name="Composite",
                        preset=PolicyPreset.COMPOSITE,
                    ),
                )
                parameters = _parameters(policy, as_of)
            for _ in range(REPEATED):

                async def work() -> None:
                    async with database.transaction() as session:
                        await _make(session, chain.settings, parameters)

                _, seconds, bare = await chain.around(work)
                first = first or seconds
                multiples.append(seconds / bare)
    return Measured(multiples, first)


def _parameters(policy: TierPolicy, as_of: date) -> dict[str, str]:
    return {
        "policy_id": str(policy.id),
        "fingerprint": fingerprint(policy.scope, policy.method, policy.body),
        "as_of": as_of.isoformat(),
    }


async def _make(session: AsyncSession, settings: Settings, parameters: dict[str, str]) -> None:
    async def progress(_percent: int) -> None:
        return None

    await tier_simulations.make(session, settings, parameters, progress)


async def rebuild(chain: Chain, as_of: date) -> tuple[int, float, float]:
    """Make all figures anew; return how many rows were not right, the seconds and the bare pass."""

    async def work() -> int:
        async with chain.database() as database:
            return (await rebuild_statistics(database, as_of, at_once=2))["corrected"]

    return await chain.around(work)


async def vacuum(chain: Chain) -> None:
    """Do what autovacuum does meanwhile."""
    connection = await asyncpg.connect(chain.server.dsn(DATABASE, SUPERUSER))
    try:
        await connection.execute("VACUUM (ANALYZE)")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


def _say(text: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)


@asynccontextmanager
async def built(customers: int) -> AsyncIterator[Chain]:
    """Yield a chain with its history; nothing is made of it yet."""
    async with temporary_server() as server:
        await ensure_database(server, database=DATABASE, owner=OWNER, service=SERVICE)
        await asyncio.to_thread(
            command.upgrade, alembic_config(server.url(DATABASE, OWNER)), "head"
        )
        await write_history(server.dsn(DATABASE, SUPERUSER), Span(customers, ENDS_ON), RULE)
        _say(f"{customers:,} customers are there")
        yield Chain(server, customers)


async def nights(chain: Chain) -> tuple[Night, list[Night], Night]:
    """Run the first night of all, ordinary nights after a day's sales, and one that evaluates."""
    first = await run_a_night(chain, ENDS_ON)
    _say(f"first night: {first.steps}")
    await vacuum(chain)
    ordinary = []
    for number in range(1, REPEATED + 1):
        day = ENDS_ON + timedelta(days=number)
        await sell_a_day(chain, day - timedelta(days=1))
        await vacuum(chain)
        await chain.bare_pass()
        ordinary.append(await run_a_night(chain, day))
        _say(f"night {day}: {ordinary[-1].of(*ordinary[-1].steps):.2f} {ordinary[-1].steps}")
    day = ENDS_ON + timedelta(days=REPEATED + 1)
    await sell_a_day(chain, day - timedelta(days=1))
    await vacuum(chain)
    await chain.bare_pass()
    evaluating = await run_a_night(chain, day)
    _say(f"night {day}: {evaluating.of(*evaluating.steps):.2f} {evaluating.counts}")
    return first, ordinary, evaluating


async def measure(customers: int) -> str:
    """Return the results as a page's lines."""
    async with built(max(customers // 10, 1_000)) as small:
        await rebuild(small, ENDS_ON)
        await write_tiers(small.server.dsn(DATABASE, SUPERUSER), Span(small.customers, ENDS_ON))
        _, few, last = await nights(small)
        few_megabytes = [night.megabytes for night in (*few, last)]
    async with built(customers) as chain:
        wrong, from_nothing, bare = await rebuild(chain, ENDS_ON)
        at_first = Measured([from_nothing / bare], from_nothing)
        _say(f"figures: {wrong:,} rows in {from_nothing / bare:.2f}")
        await write_tiers(chain.server.dsn(DATABASE, SUPERUSER), Span(customers, ENDS_ON))
        await chain.bare_pass()
        anew = [await rebuild(chain, ENDS_ON) for _ in range(REPEATED)]
        if any(corrected for corrected, _, _ in anew):
            raise RuntimeError("a second rebuild found other figures")
        full = Measured([seconds / bare for _, seconds, bare in anew], anew[0][1])
        _say(f"full re-aggregation: {full}")
        first, ordinary, evaluating = await nights(chain)
        simulation = await simulate(chain, evaluating.as_of)
        rows = [
            at_first.row("all figures, of empty tables"),
            full.row("all figures anew, nothing wrong", PROMISED["full re-aggregation"]),
            _of_nights("the first night of all", [first]),
            _of_nights("a night after 0.1 % new purchases", ordinary, PROMISED["incremental"]),
            *(
                _of_nights(f"— of that: {name}", ordinary, PROMISED.get(name), [name])
                for name in ordinary[0].steps
            ),
            _of_nights("— tiers, all three steps", ordinary, PROMISED["tiers"], TIER_STEPS),
            _of_nights("a night with the monthly evaluation", [evaluating]),
            _of_nights("— of that: tiers, all three steps", [evaluating], None, TIER_STEPS),
            Measured(
                [median(full.multiples) + evaluating.of(*evaluating.steps)],
                full.seconds + evaluating.seconds,
            ).row("all figures anew, and the night with the evaluation", PROMISED["whole"]),
            simulation.row("a composite draft tried out on everybody"),
        ]
        bares = f"{median(chain.bare):.2f} s ({min(chain.bare):.2f} to {max(chain.bare):.2f})"
        many_megabytes = [night.megabytes for night in (*ordinary, evaluating)]
    metrics, tiers = ordinary[0].counts["metrics"], evaluating.counts["tier_evaluation"]
    return f"""{customers:,} customers with {PURCHASES_EACH} purchases each over two years, three
in a hundred refunded. One bare serial pass without parallel workers takes {bares};
multiples are of the passes right before and after.

    {BARE}

An ordinary night makes the figures of {metrics["refreshed"]:,} cards anew; the evaluation tells
{tiers["noticed"]:,} customers that a level will be lost.

| what | seconds | bare passes | of {REPEATED} | promised |
|---|---:|---:|---|---:|
{chr(10).join(rows)}

The greatest memory of a night's process: {max(many_megabytes):.0f} MB over {customers:,} customers,
{max(few_megabytes):.0f} MB over {max(customers // 10, 1_000):,}.
"""


def _of_nights(
    name: str, all_of: Sequence[Night], promised: float | None = None, steps: Iterable[str] = ()
) -> str:
    wanted = list(steps) or list(all_of[0].steps)
    first = all_of[0]
    return Measured(
        [night.of(*wanted) for night in all_of],
        sum(first.steps.get(step, 0.0) for step in wanted),
    ).row(name, promised)


def main() -> None:
    """Measure, print, and keep; or be a night that is measured."""
    configure_logging("json", "ERROR")
    if sys.argv[1:2] == ["--night"]:
        asyncio.run(_be_a_night(sys.argv[2], date.fromisoformat(sys.argv[3])))
    else:
        keep("night", asyncio.run(measure(CUSTOMERS)))


if __name__ == "__main__":
    main()
