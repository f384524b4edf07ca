"""A million made-up cards, named as people are: whoever is looked for is found, by bounded probes.

No times are asserted here; ``make bench`` measures them.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from app.core.config import Settings
from app.core.database import Database, raw_connection
from app.core.dsn import plain_dsn
from app.queries import search_keys, search_probes
from app.queries.search_probes import MIXTURE_ROWS
from bench.people import write_people
from tests.conftest import client_of
from tests.support import databases
from tests.support.cards import create_card
from tests.support.world import build_world

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
CARDS = 1_000_000
SAMPLED_EVERY = 2_000
SEARCH = "/v1/customers/search"


@pytest.fixture(scope="module")
def crowded(worker_name: str) -> Iterator[str]:
    """A database of its own with the million."""
    name = f"{worker_name}_million"
    loop = asyncio.new_event_loop()
    context = databases.clone(name)
    loop.run_until_complete(context.__aenter__())
    try:
        loop.run_until_complete(
            write_people(
                plain_dsn(databases.url_for(name, databases.OWNER)),
                CARDS,
                identities_of_every=SAMPLED_EVERY,
            )
        )
        yield name
    finally:
        loop.run_until_complete(context.__aexit__(None, None, None))
        loop.close()


@pytest.fixture
async def database(crowded: str, settings: Settings) -> AsyncIterator[Database]:
    """The million, in a transaction that is rolled back at the end of the test."""
    url = databases.url_for(crowded, databases.SERVICE)
    async with databases.rolled_back(url, settings) as rolled_back:
        yield rolled_back


@pytest.fixture
async def client(database: Database, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service over the million."""
    async with client_of(database, settings) as opened:
        yield opened


FINDS_LI_MINGLANG = {
    "李明朗": "exact_name",
    "李 明 朗": "exact_name",
    "liminglang": "pinyin",
    "Li Minglang": "pinyin",
    "LIMINGLANG": "pinyin",
    "ｌｉｍｉｎｇｌａｎｇ": "pinyin",
    "liminglan": "pinyin",
    "李mlang": "mixed",
    "李minglang": "mixed",
    "li明朗": "mixed",
    "76543": "phone_suffix",
    "9876543": "phone_suffix",
    "18900009876543": None,
    "189 0987 6543": "phone",
    "+86 189-0987-6543": "phone",
    "XB-000077": "member_number",
    "xb-0000": "member_number_prefix",
    "minglang@example.org": "email",
    "minglang@": "email_prefix",
}
BOUNDED = (
    "王", "李", "明", "朗", "王明", "明朗", "李明朗", "劉", "上海", "有限公司",
    "w", "l", "z", "li", "lm", "wang", "limin", "lml", "zhang", "zz", "dan",
    "liml", "李m", "李ml", "王w", "l明", "li明", "明l", "图shu", "zhm", "区zq",
    "8000", "7919", "13900007919", "HK000", "HK00000042", "reader4", "reader42@example.com",
)  # fmt: skip


async def test_one_card_among_a_million_is_found_in_many_ways(
    client: httpx.AsyncClient, database: Database
) -> None:
    world = await build_world(database)
    card = await create_card(
        client, world, name="李明朗", home_store_id=str(world.stores["S01"]), allow_duplicate=True,
        identities=[
            {"kind": "phone", "value": "18909876543"},
            {"kind": "member_number", "value": "XB-000077"},
            {"kind": "email", "value": "minglang@example.org"},
        ],
    )  # fmt: skip

    async def reason(query: str, limit: int = 50) -> str | None:
        answer = await client.post(
            SEARCH, headers=world.headers("clerk"), json={"query": query, "limit": limit}
        )
        assert answer.status_code == 200, answer.text
        hits: list[dict[str, Any]] = answer.json()["items"]
        # Nobody else belongs to the clerk's store: on its rung the card comes first.
        for hit in hits:
            if hit["id"] == card["id"]:
                code: str = hit["reasons"][0]["code"]
                return code
        return None

    assert {query: await reason(query) for query in FINDS_LI_MINGLANG} == FINDS_LI_MINGLANG
    # What thousands share suffices for the customers of one's own store, and for them alone.
    shared = {
        "李": "name_prefix", "李明": "name_prefix", "li": "pinyin", "limin": "pinyin",
        "lml": "initials", "李ml": "mixed", "liml": "mixed", "l": "pinyin",
    }  # fmt: skip
    assert {query: await reason(query) for query in shared} == shared


async def test_the_made_up_keys_are_those_that_the_service_makes(database: Database) -> None:
    async with database.transaction() as session:
        connection = await raw_connection(session)
        sample = [
            row[0]
            for row in await connection.fetch("SELECT DISTINCT customer_id FROM customer_identity")
        ]
        assert len(sample) == CARDS // SAMPLED_EVERY
        assert await search_keys.reindex(connection, sample) == 0


async def test_no_probe_reads_more_than_its_bound_however_many_cards_fit(
    client: httpx.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await build_world(database)
    plans: list[tuple[str, int, dict[str, Any]]] = []
    query = ""
    fetch = search_probes.run_probes

    async def explained(
        connection: Any, probes: Any, store_ids: list[UUID], limit: int
    ) -> list[search_probes.Found]:
        shapes, arguments = search_probes.arranged(probes, store_ids, limit)
        statement = search_probes.statement_of(shapes, bool(store_ids))
        for mode in ("force_custom_plan", "force_generic_plan"):
            plan = await plan_of(connection, statement, arguments, mode)
            plans.append((f"{query} {mode}", limit, plan))
        return await fetch(connection, probes, store_ids, limit)

    monkeypatch.setattr("app.services.customer_search.run_probes", explained)
    found = 0
    for query in BOUNDED:
        answer = await client.post(
            SEARCH, headers=world.headers("clerk"), json={"query": query, "include_archived": True}
        )
        assert answer.status_code == 200, answer.text
        found += len(answer.json()["items"])
    assert found > 500
    assert len(plans) >= 2 * len(BOUNDED)
    for query, limit, plan in plans:
        nodes = list(nodes_of(plan))
        reads = [node for node in nodes if node.get("Relation Name") == "customer_search_key"]
        assert reads, query
        assert {node["Node Type"] for node in reads} <= {"Index Scan", "Index Only Scan"}, query
        assert not {"Sort", "Incremental Sort"} & {node["Node Type"] for node in nodes}, query
        for node in reads:
            assert node.get("Rows Removed by Filter", 0) == 0, query
            bound = limit if node["Actual Rows"] <= limit else MIXTURE_ROWS
            assert node["Actual Rows"] <= bound, query
            # A few pages down the index, and the page of each row.
            pages = node["Shared Hit Blocks"] + node["Shared Read Blocks"]
            assert pages <= node["Actual Loops"] * (8 + 2 * bound), query


async def plan_of(
    connection: "asyncpg.Connection[Any]", statement: str, arguments: list[Any], mode: str
) -> dict[str, Any]:
    """Run a statement as a prepared one is run, and return its plan with what it read."""
    await connection.execute(f"SET LOCAL plan_cache_mode = {mode}; PREPARE probe AS {statement}")
    literals = ", ".join(literal_of(argument) for argument in arguments)
    (row,) = await connection.fetch(
        f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE probe ({literals})"
    )
    await connection.execute("DEALLOCATE probe")
    explained = json.loads(row[0]) if isinstance(row[0], str) else row[0]
    plan: dict[str, Any] = explained[0]["Plan"]
    return plan


def literal_of(argument: Any) -> str:
    """Return a number or an array as it stands in SQL."""
    if isinstance(argument, int):
        return str(argument)
    return "'{" + ",".join(f'"{part}"' for part in argument) + "}'"


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a plan's nodes."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes_of(child)
