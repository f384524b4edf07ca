"""The 360° view: everything a conversation begins with, in a fixed number of statements."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.core import clock
from app.core.config import Settings
from app.core.database import Database, raw_connection
from app.core.ids import new_id
from app.jobs.upkeep import rebuild_statistics
from app.rules.access import SYSTEM
from app.services.customer_360 import get_customer_360
from tests.support.cards import create_card, read_card
from tests.support.contacts import record
from tests.support.events import refund, sale
from tests.support.world import World, send_event

NOW = datetime(2026, 11, 28, 6, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
async def now() -> AsyncIterator[clock.FixedClock]:
    """A clock that stands."""
    fixed = clock.FixedClock(NOW)
    with clock.using(fixed, everywhere=True):
        yield fixed


async def overview(
    client: httpx.AsyncClient, world: World, card: str, who: str = "clerk"
) -> dict[str, Any]:
    """Return a card's 360° view."""
    answer = await client.get(f"/v1/customers/{card}/overview", headers=world.headers(who))
    assert answer.status_code == 200, answer.text
    view: dict[str, Any] = answer.json()
    return view


async def execute(database: Database, statement: str, *values: Any) -> None:
    """Do to the database what no service does."""
    async with database.transaction() as session:
        await (await raw_connection(session)).execute(statement, *values)


def bought(amount: str, category: str | None, days_ago: int, cost: str | None) -> dict[str, Any]:
    """Return a sale of one line of a category."""
    line = {
        "line_number": 1, "quantity": "1", "unit_price": amount, "amount": amount,
        "category": category, "unit_cost": cost,
    }  # fmt: skip
    at = (NOW - timedelta(days=days_ago)).isoformat()
    return sale(amount, member="HK1", at=at, lines=[line])


async def test_the_view_shows_what_each_of_its_parts_says(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    card = (
        await create_card(
            client, world,
            identities=[{"kind": "member_number", "value": "HK1"},
                        {"kind": "phone", "value": "13800138000"}],
        )
    )["id"]  # fmt: skip
    sales = [
        bought("500.00", "文学", 2, "300.00"),
        bought("600.00", "少儿", 3, None),
        bought("10.00", None, 4, None),
        bought("80.00", "教辅", 364, None),
        bought("900.00", "历史", 365, None),
        bought("30.00", "文具", 5, None),
    ]
    for event in sales:
        assert (await send_event(client, world, event)).json()["status"] == "applied"
    back = refund(sales[1], "200.00", quantity="0.5")
    gone = refund(sales[5])
    for event in (back, gone):
        assert (await send_event(client, world, event)).json()["status"] == "applied"
    spoken = [
        await record(client, world, card, occurred_at=(NOW - timedelta(days=n)).isoformat())
        for n in range(7)
    ]
    said = await client.post(
        f"/v1/customers/{card}/consents", headers=world.headers(),
        json={"statements": [
            {"purpose": "marketing", "channel": "sms", "state": "granted", "proof": "form"},
            {"purpose": "service", "channel": "any", "state": "withdrawn", "proof": "form"},
        ]},
    )  # fmt: skip
    assert said.status_code == 201, said.text
    pair = (
        "INSERT INTO duplicate_pair (first_id, second_id, state, score, reasons, found_at,"
        " decided_at) VALUES ($1, $2, $3, 900, '[]', now(), $4)"
    )
    low, high = UUID(int=1), UUID(int=2**128 - 1)
    await execute(database, pair, low, UUID(card), "open", None)
    await execute(database, pair, UUID(card), high, "open", None)
    await execute(database, pair, UUID(int=2), UUID(card), "different", NOW)

    view = await overview(client, world, card)

    assert view.keys() == {
        "card", "tier", "value", "profile", "service", "last_purchases", "favourite_categories",
        "last_interactions", "consents", "possible_duplicates",
    }  # fmt: skip
    assert view["card"] == await read_card(client, world, card)
    assert view["card"]["identities"][1]["value"] == "+86138****8000"
    tier = await client.get(f"/v1/customers/{card}/tier", headers=world.headers())
    assert view["tier"] == tier.json()
    assert view["value"] == {
        "first_purchase_on": "2025-11-28", "last_purchase_on": "2026-11-26", "purchases": 6,
        "net": "1890.00", "margin": "200.00", "purchases_365": 5, "net_365": "990.00",
        "margin_365": "200.00",
    }  # fmt: skip
    statistics = await client.get(f"/v1/customers/{card}/statistics", headers=world.headers())
    assert view["service"] == statistics.json()["service"]
    purchases = await client.get(
        f"/v1/customers/{card}/purchases", headers=world.headers(), params={"limit": 5}
    )
    assert view["last_purchases"] == purchases.json()["items"]
    # What was bought a day too long ago, in no category, or taken back whole is not among them.
    assert view["favourite_categories"] == [
        {"category": "文学", "amount": "500.00"}, {"category": "少儿", "amount": "400.00"},
        {"category": "教辅", "amount": "80.00"},
    ]  # fmt: skip
    assert view["last_interactions"] == spoken[:5]
    assert view["consents"] == said.json()["standing"]
    assert [c["purpose"] for c in view["consents"]] == ["service", "marketing"]
    assert view["possible_duplicates"] == 2


async def test_a_new_card_has_a_view_with_nothing_in_it(
    client: httpx.AsyncClient, world: World
) -> None:
    card = await create_card(client, world)
    view = await overview(client, world, card["id"])
    assert view["value"] == {
        "first_purchase_on": None, "last_purchase_on": None, "purchases": 0, "net": "0.00",
        "margin": None, "purchases_365": 0, "net_365": "0.00", "margin_365": None,
    }  # fmt: skip
    assert view["profile"] is None
    assert view["service"]["contacts"] == view["possible_duplicates"] == 0
    assert not any(
        view[name]
        for name in ("last_purchases", "favourite_categories", "last_interactions", "consents")
    )


async def test_a_view_is_for_those_who_may_read_every_part(
    client: httpx.AsyncClient, world: World
) -> None:
    card = await create_card(client, world)
    made = await client.post(
        "/v1/api-clients", headers=world.headers("admin"),
        json={"name": "screen", "scopes": ["customers:read", "purchases:read", "tiers:read"]},
    )  # fmt: skip
    key = await client.post(
        f"/v1/api-clients/{made.json()['id']}/keys", headers=world.headers("admin"), json={}
    )
    path = f"/v1/customers/{card['id']}/overview"
    answer = await client.get(path, headers={"X-API-Key": key.json()["key"]})
    assert (answer.status_code, answer.json()["permission"]) == (403, "interactions:read")
    answer = await client.get(path, headers=world.headers("marketing"))
    assert (answer.status_code, answer.json()["permission"]) == (403, "purchases:read")
    answer = await client.get(f"/v1/customers/{new_id()}/overview", headers=world.headers())
    assert answer.status_code == 404


CHILDREN = (
    """
    INSERT INTO purchase (customer_id, id, kind, status, occurred_at, business_day, store_id,
        source_id, event_id, receipt_key, receipt_number, currency, amount, costed_amount, cost,
        recorded_at)
    SELECT $1, gen_random_uuid(), 'sale', 'posted', now() - n * interval '1 hour',
        current_date, $2, $3, 'x' || n, 'x' || n, 'x' || n, 'CNY', 2000, 0, 0, now()
    FROM generate_series(1, $4::integer) AS n
    """,
    """
    INSERT INTO purchase_line (customer_id, purchase_id, line_number, category, quantity,
        unit_price, amount)
    SELECT customer_id, id, 1, 'c' || right(receipt_number, 1), 1, 2000, 2000
    FROM purchase WHERE customer_id = $1
    """,
    """
    INSERT INTO interaction (customer_id, id, channel, direction, occurred_at, business_day,
        subject, cost, version, recorded_at, recorded_by_kind, updated_at)
    SELECT $1, gen_random_uuid(), 'phone', 'inbound', now() - n * interval '1 hour',
        current_date, 'x', 1, 1, now(), 'system', now()
    FROM generate_series(1, $2::integer) AS n
    """,
    """
    INSERT INTO duplicate_pair (first_id, second_id, state, score, reasons, found_at)
    SELECT $1, ('ffffffff-ffff-ffff-ffff-' || lpad(n::text, 12, '0'))::uuid, 'open', 900, '[]',
        now()
    FROM generate_series(1, $2::integer) AS n
    """,
)


async def with_children(
    client: httpx.AsyncClient, world: World, database: Database, count: int
) -> UUID:
    """Return a card of the highest tier with so many children of each kind."""
    made = await create_card(client, world)
    card = UUID(made["id"])
    await execute(database, CHILDREN[0], card, world.stores["S01"], world.sources["till-1"], count)
    await execute(database, CHILDREN[1], card)
    for statement in CHILDREN[2:]:
        await execute(database, statement, card, count)
    await execute(
        database,
        "UPDATE tier_assignment SET level = 'main' WHERE customer_id = $1 AND valid_to IS NULL",
        card,
    )
    return card


async def test_the_view_takes_as_many_statements_with_one_child_as_with_five_hundred(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    cards = [await with_children(client, world, database, count) for count in (1, 500)]
    await rebuild_statistics(database, clock.today(settings.zone))
    counts: list[int] = []
    for card in cards:
        seen: list[str] = []
        async with database.transaction() as session:
            connection = await raw_connection(session)

            def note(sent: Any, into: list[str] = seen) -> None:
                into.append(sent.query)

            connection.add_query_logger(note)
            try:
                view = await get_customer_360(session, SYSTEM, settings, card)
            finally:
                connection.remove_query_logger(note)
        counts.append(len(seen))
    assert counts[0] == counts[1] <= 16, counts
    assert (len(view.last_purchases), len(view.last_interactions)) == (5, 5)
    assert len(view.favourite_categories) == 5
    assert (view.service.contacts, view.possible_duplicates) == (500, 100)
