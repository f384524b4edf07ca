"""The demo chain in a database: the published table comes out of it exactly."""

import io
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, time
from uuid import UUID

import httpx
import pytest
from rich.console import Console
from sqlalchemy import func, select
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.core.ids import new_id
from app.demo import build_chain
from app.demo.load import load_demo
from app.demo.showcase import hollow_sale, showcase_sale
from app.demo.tier_tour import tour
from app.jobs.nightly import STEPS, run_night
from app.jobs.upkeep import rebuild_statistics
from app.models import (
    CustomerContact,
    CustomerIdentity,
    CustomerMerge,
    CustomerServiceStats,
    CustomerStats,
    DuplicatePair,
    Interaction,
    PosEvent,
)
from app.services import statistics
from app.vocabulary import DuplicateState, EventStatus, IdentityKind, MergeStatus
from tests.conftest import client_of
from tests.support import databases
from tests.support.world import World, send_event

LOADED_ON = datetime(2026, 11, 21, tzinfo=UTC).date()
PASSWORD = "a demo password"


@pytest.fixture(scope="module")
async def chain(worker_name: str) -> AsyncIterator[Database]:
    """The demo chain, loaded once for this file; tests add to it and say so."""
    settings = Settings(_env_file=None)
    async with databases.clone(f"{worker_name}_demo_{new_id().hex[-12:]}") as name:
        database = Database(databases.url_for(name, databases.SERVICE), settings)
        await load_demo(database, settings, LOADED_ON, PASSWORD)
        yield database
        await database.close()


async def sign_in(client: httpx.AsyncClient, username: str = "manager") -> dict[str, str]:
    answer = await client.post("/v1/auth/token", data={"username": username, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.fixture
def on_the_load_day(settings: Settings) -> Iterator[None]:
    noon = datetime.combine(LOADED_ON, time(12), settings.zone)
    with clock.using(clock.FixedClock(noon), everywhere=True):
        yield


async def test_the_published_table_comes_out_on_the_day_of_the_load(
    chain: Database, settings: Settings, on_the_load_day: None
) -> None:
    async with client_of(chain, settings) as client:
        headers = await sign_in(client)
        answer = await client.get("/v1/reports/tier-distribution", headers=headers)
    assert answer.status_code == 200, answer.text
    table = answer.json()
    assert (table["customers"], table["amount"]) == (2166, "581780.00")
    assert [
        (row["level"]["code"], row["customers"], row["customers_share"], row["amount"],
         row["amount_share"])
        for row in table["levels"]
    ] == [
        ("main", 93, "4.3", "232730.00", "40.0"),
        ("ordinary", 408, "18.8", "162990.00", "28.0"),
        ("small", 1665, "76.9", "186060.00", "32.0"),
    ]  # fmt: skip


async def test_every_event_of_the_year_was_applied_or_waits_for_its_card(chain: Database) -> None:
    async with chain.transaction() as session:
        rows = await session.execute(
            select(col(PosEvent.status), func.count()).group_by(col(PosEvent.status))
        )
        counted = {row[0]: row[1] for row in rows.all()}
    assert set(counted) == {EventStatus.APPLIED, EventStatus.AWAITING_CUSTOMER}
    assert counted[EventStatus.AWAITING_CUSTOMER] == 7


async def test_statistics_equal_a_rebuild_from_the_receipts(
    chain: Database, on_the_load_day: None
) -> None:
    async with chain.transaction() as session:
        found = await statistics.check(session, LOADED_ON)
        assert found["different"] == 0
        assert found["customers"] == 2166
    corrected = (await rebuild_statistics(chain, LOADED_ON))["corrected"]
    async with chain.transaction() as session:
        assert corrected == found["due"]
        assert await session.scalar(select(func.sum(CustomerStats.net_365))) == 581780


async def test_an_earlier_day_shows_the_tiers_of_that_day(
    chain: Database, settings: Settings, on_the_load_day: None
) -> None:
    async with client_of(chain, settings) as client:
        headers = await sign_in(client)
        answer = await client.get(
            "/v1/reports/tier-distribution", params={"as_of": "2026-05-31"}, headers=headers
        )
    table = answer.json()
    assert table["customers"] < 2166
    assert sum(row["customers"] for row in table["levels"]) == table["customers"]
    assert 0 < table["levels"][0]["customers"] < 93


async def test_the_showcase_sale_lifts_a_named_customer_from_ordinary_to_main(
    chain: Database, settings: Settings, on_the_load_day: None
) -> None:
    ready = await showcase_sale(chain)
    world = World(secrets={ready.source_code: ready.secret})
    async with client_of(chain, settings) as client:
        answer = await send_event(client, world, dict(ready.event), ready.source_code)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["customer"]["name"] == ready.customer_name == "顾念书"
    assert (body["tier"]["before"], body["tier"]["after"]) == ("ordinary", "main")
    assert body["tier"]["net_spend"] == "1026.00"


async def test_loading_again_changes_nothing(chain: Database, settings: Settings) -> None:
    summary = await load_demo(chain, settings, LOADED_ON, "another password")
    assert summary.was_loaded is False
    assert summary.customers == 2206 + 14 + 11


async def test_somebody_is_found_by_pinyin_and_shown_whole(
    chain: Database, settings: Settings, on_the_load_day: None
) -> None:
    async with client_of(chain, settings) as client:
        headers = await sign_in(client)
        found = await client.post(
            "/v1/customers/search", headers=headers, json={"query": "gunianshu"}
        )
        assert found.status_code == 200, found.text
        hit = found.json()["items"][0]
        assert hit["name"] == "顾念书"
        view = (await client.get(f"/v1/customers/{hit['id']}/overview", headers=headers)).json()
    assert view["card"]["name"] == "顾念书"


async def test_organizations_have_people_and_contacts_have_a_cost(
    chain: Database, settings: Settings, on_the_load_day: None
) -> None:
    async with client_of(chain, settings) as client:
        headers = await sign_in(client)
        listed = await client.get("/v1/customers", params={"kind": "organization"}, headers=headers)
        bodies = listed.json()["items"]
    assert len(bodies) == 14
    assert {body["terms"]["payment_days"] for body in bodies} == {0, 30}
    async with chain.transaction() as session:
        people = (await session.scalars(select(CustomerContact))).all()
        assert {person.customer_id for person in people} == {UUID(body["id"]) for body in bodies}
        assert sum(person.decides for person in people) == len(bodies)
        contacts = await session.scalar(select(func.count()).select_from(Interaction)) or 0
        assert contacts > 900
        cost = await session.scalar(select(func.sum(CustomerServiceStats.service_cost_365)))
        assert cost == await session.scalar(select(func.sum(Interaction.cost)))
        assert cost is not None
        assert cost > 1_000


async def test_cards_that_exist_twice_are_found_and_nobody_else_is(chain: Database) -> None:
    demo = build_chain(LOADED_ON)
    expected = {
        frozenset((double.card.member_number, double.of_member_number)): double.is_merged
        for double in demo.doubles
    }
    async with chain.transaction() as session:
        numbers: dict[UUID, list[str]] = defaultdict(list)
        rows = await session.execute(
            select(col(CustomerIdentity.customer_id), col(CustomerIdentity.value)).where(
                col(CustomerIdentity.kind) == IdentityKind.MEMBER_NUMBER
            )
        )
        for customer_id, value in rows:
            numbers[customer_id].append(value)
        pairs = (await session.scalars(select(DuplicatePair))).all()
        merge = (await session.scalars(select(CustomerMerge))).one()
    open_pairs = {
        frozenset(numbers[pair.first_id] + numbers[pair.second_id])
        for pair in pairs
        if pair.state is DuplicateState.OPEN
    }
    assert open_pairs == {pair for pair, is_merged in expected.items() if not is_merged}
    merged = next(pair for pair, is_merged in expected.items() if is_merged)
    assert frozenset(numbers[merge.customer_id]) == merged
    assert merge.status is MergeStatus.DONE


async def test_the_merge_of_the_demo_can_be_undone(
    chain: Database, settings: Settings, on_the_load_day: None
) -> None:
    async with client_of(chain, settings) as client:
        headers = await sign_in(client)
        (merge,) = (await client.get("/v1/merges", headers=headers)).json()["items"]
        (old,) = merge["loser_ids"]
        before = await client.get(f"/v1/customers/{old}", headers=headers)
        assert before.json()["id"] == merge["surviving_id"]
        undone = await client.post(
            f"/v1/merges/{merge['id']}/undo",
            headers={**headers, "Idempotency-Key": "undo-the-demos-merge"},
        )
        assert undone.status_code == 200, undone.text
        after = await client.get(f"/v1/customers/{old}", headers=headers)
        spoken = await client.get(f"/v1/customers/{old}/interactions", headers=headers)
    assert after.json()["id"] == old
    assert len(spoken.json()["items"]) >= 3


async def test_the_tour_tries_two_policies_and_holds_a_hollow_account(
    chain: Database, settings: Settings, on_the_load_day: None
) -> None:
    wanted = {"metrics", "tier_policies", "profiles"}
    steps = tuple(step for step in STEPS if step[0] in wanted)
    await run_night(chain.url, settings, LOADED_ON, steps)
    sale = await hollow_sale(chain)
    assert sale is not None
    console = Console(record=True, width=100, file=io.StringIO())

    async with client_of(chain, settings) as client:
        await tour(client, PASSWORD, sale, console)
        headers = await sign_in(client)
        reviews = (await client.get("/v1/tier-reviews?status=open", headers=headers)).json()
        policies = (await client.get("/v1/tier-policies", headers=headers)).json()

    told = console.export_text()
    matrices = re.findall(r"^│ (main|ordinary|small) +│ +(\d+) │ +(\d+) │", told, re.MULTILINE)
    # From each of the three levels to those of two policies, at once and in the end.
    assert len(matrices) == 3 * 2 * 2
    assert f"{sale.customer_name} buys for {sale.event['total']}: held ordinary" in told
    (review,) = reviews["items"]
    assert review["customer"]["name"] == sale.customer_name
    assert (review["level"]["code"], review["next_level"]["code"]) == ("ordinary", "main")
    assert "few_days" in review["evidence"]["signs"]
    assert re.search(r"^普通客户|^主要客户", told, re.MULTILINE)
    # The drafts are thrown away, nobody was moved.
    assert {policy["status"] for policy in policies["items"]} == {"active"}
