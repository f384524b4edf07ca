"""A draft is tried out on everybody and moves nobody; what it shows is what then happens."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import Database, raw_connection
from app.core.ids import new_id
from app.models import AuditEntry
from app.queries.rows import as_json
from app.rules.hollow_accounts import evidence
from app.rules.tier_calibrations import References
from app.services import (
    tier_simulations,
)
from tests.support.events import sale
from tests.support.populations import Person, crowd, move_in, spender
from tests.support.shop import Shop
from tests.support.tier_policies import (
    COMPOSITE,
    PATH,
    SHARES,
    THRESHOLDS,
    as_seen,
    contents,
    draft,
    held,
    night,
    publish,
    read,
    simulate,
    versions,
)
from tests.support.world import World

NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)
TODAY = date(2026, 11, 21)


@pytest.fixture(autouse=True)
def now() -> Iterator[clock.FixedClock]:
    """A clock that tests move."""
    standing = clock.FixedClock(NOW)
    with clock.using(standing, everywhere=True):
        yield standing


def amounts(rows: list[dict[str, Any]]) -> dict[str, tuple[int, str]]:
    """Return customers and amount of each level."""
    return {row["level"]["code"]: (row["customers"], row["amount"]) for row in rows}


PEOPLE = [("1200.00", "main"), ("600.00", "ordinary"), ("450.00", "ordinary"), ("90.00", "small"),
          ("20.00", "main")]  # fmt: skip


async def five(database: Database) -> list[Person]:
    """Let five people move in."""
    people = [spender(TODAY, net, level=level) for net, level in PEOPLE]
    await move_in(database, people)
    return people


async def test_a_simulation_shows_levels_moves_and_costs(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    people = await five(database)
    policy = await draft(
        client, world,
        **{**THRESHOLDS, "levels": [
            {"level": "main", "at_least": "500.00", "benefits": {
                "discount_percent": "10", "visit_every_days": 73, "yearly_cost": "7.00"}},
            {"level": "ordinary", "at_least": "100.00", "benefits": {"discount_percent": "5"}},
            {"level": "small", "at_least": "0"},
        ]},
    )  # fmt: skip
    shown = await simulate(client, world, policy)
    shipped = next(one for one in await versions(client, world) if one["status"] == "active")
    assert shown["policy"] == {
        "id": policy["id"],
        "version": 2,
        "name": "Lower lines",
    }
    assert shown["in_force"] == {
        "id": shipped["id"], "version": 1, "name": "Twelve months' net spend",
    }  # fmt: skip
    assert (shown["scope"], shown["fingerprint"]) == ("individual", policy["fingerprint"])
    assert (shown["as_of"], shown["window_from"]) == ("2026-11-21", "2025-11-22")
    assert (shown["customers"], shown["buyers"], shown["amount"]) == (5, 5, "2360.00")
    assert amounts(shown["before"]) == {
        "main": (2, "1220.00"), "ordinary": (2, "1050.00"), "small": (1, "90.00"),
    }  # fmt: skip
    # At once one rises; nobody falls before an evaluation.
    assert amounts(shown["at_once"]) == {
        "main": (3, "1820.00"), "ordinary": (1, "450.00"), "small": (1, "90.00"),
    }  # fmt: skip
    assert amounts(shown["in_the_end"]) == {
        "main": (2, "1800.00"), "ordinary": (1, "450.00"), "small": (2, "110.00"),
    }  # fmt: skip
    assert shown["before"][0] == {
        "level": {"code": "main", "en": "Main", "zh": "主要客户"},
        "customers": 2, "customers_share": "40.0", "buyers": 2, "amount": "1220.00",
        "amount_share": "51.7",
    }  # fmt: skip
    moves = [
        (row["before"], row["after"], row["customers"], row["amount"])
        for row in shown["transitions"]["in_the_end"]
    ]
    assert moves == [
        ("main", "main", 1, "1200.00"), ("main", "small", 1, "20.00"),
        ("ordinary", "main", 1, "600.00"), ("ordinary", "ordinary", 1, "450.00"),
        ("small", "small", 1, "90.00"),
    ]  # fmt: skip
    assert shown["movers"]["up"] == [
        {
            "customer_id": str(people[1].id),
            "before": "ordinary", "at_once": "main", "in_the_end": "main",
            "net_spend": "600.00", "purchases": 1, "score": "600.00",
            "is_hollow": True, "is_set_by_hand": False,
            "sentences": {
                "en": "Scores 600.00; Main begins at 500.00.",
                "zh": "得分 600.00，主要客户从 500.00 起。",
            },
        }
    ]  # fmt: skip
    (down,) = shown["movers"]["down"]
    assert (down["customer_id"], down["at_once"], down["in_the_end"]) == (
        str(people[4].id), "main", "small",
    )  # fmt: skip
    assert down["sentences"]["en"] == "Scores 20.00; Small begins at 0.00, Main at 500.00."
    # A visit costs 30.00, and five are owed a year: 150.00 and 7.00 for each main customer.
    assert shown["benefit_costs"] == {
        "visit_cost": "30.00",
        "levels": [
            {"level": "main", "before": "0.00", "at_once": "653.00", "in_the_end": "494.00"},
            {"level": "ordinary", "before": "0.00", "at_once": "22.50", "in_the_end": "22.50"},
            {"level": "small", "before": "0.00", "at_once": "0.00", "in_the_end": "0.00"},
        ],
        "before": "0.00", "at_once": "675.50", "in_the_end": "516.50",
        "difference_at_once": "675.50", "difference_in_the_end": "516.50",
    }  # fmt: skip
    assert [hint["code"] for hint in shown["hints"]] == ["few-buyers"]


async def test_a_simulation_changes_nothing(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    await move_in(database, crowd(random.Random(3), TODAY, 40))
    policy = await draft(client, world, **COMPOSITE)
    before = await contents(database)
    await simulate(client, world, policy)
    assert await contents(database) == before
    after = await read(client, world, policy)
    assert after["calibration"]["is_current"]
    async with database.transaction() as session:
        told = await session.scalars(
            select(col(AuditEntry.action)).where(col(AuditEntry.object_id) == UUID(policy["id"]))
        )
        assert [str(action) for action in told] == ["created", "simulated"]


@pytest.mark.parametrize(
    "body", [THRESHOLDS, SHARES, {**SHARES, "share_of": "value", "metric": "margin"}, COMPOSITE],
    ids=["threshold", "share of customers", "share of value", "composite"],
)  # fmt: skip
@pytest.mark.parametrize("seed", [1, 2])
async def test_what_it_shows_is_what_then_happens(
    client: httpx.AsyncClient,
    world: World,
    database: Database,
    settings: Settings,
    body: dict[str, Any],
    seed: int,
) -> None:
    people = {one.id: one for one in crowd(random.Random(seed), TODAY, 60)}
    await move_in(database, list(people.values()))
    before = await held(database)
    policy = await draft(client, world, **body)
    shown = await simulate(client, world, policy)
    assert (await publish(client, world, policy)).status_code == 200
    assert await held(database) == before
    await night(database, settings)
    after = await held(database)
    happened = Counter((before[one], after[one]) for one in people)
    promised = {
        (row["before"], row["after"]): row["customers"] for row in shown["transitions"]["at_once"]
    }
    assert dict(happened) == promised
    spent: dict[str, Decimal] = {}
    for one, person in people.items():
        spent[after[one]] = spent.get(after[one], Decimal(0)) + person.figures.net_spend
    distribution = {
        row["level"]["code"]: (row["customers"], Decimal(row["amount"]))
        for row in shown["at_once"]
        if row["customers"]
    }
    assert distribution == {
        level: (count, spent[level]) for level, count in Counter(after.values()).items()
    }
    # A second night, and a second simulation of a copy, find nothing more to do at once.
    await night(database, settings)
    assert await held(database) == after
    copy = await draft(client, world, scope="individual", name="The same", copy_of=policy["id"])
    again = await simulate(client, world, copy)
    assert all(row["before"] == row["after"] for row in again["transitions"]["at_once"])


async def test_reviews_hold_back_at_once_whom_they_will_hold_back(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    chance = random.Random(11)
    people = crowd(chance, TODAY, 60) + [
        spender(TODAY, f"{700 + number}.00", level=chance.choice(["small", "ordinary"]))
        for number in range(20)
    ]
    await move_in(database, people)
    rows = [
        {
            "customer_id": one.id,
            "id": new_id(),
            "level": one.level,
            "next_level": chance.choice(["ordinary", "main", "key"]),
            "status": status,
            "decided_at": None if status == "open" else NOW - timedelta(chance.choice([9, 400])),
        }
        for one in people
        if (status := chance.choice(["open", "refused", None])) is not None
    ]
    async with database.transaction() as session:
        await (await raw_connection(session)).execute(
            """INSERT INTO tier_review (customer_id, id, policy_id, level, next_level, evidence,
                                        is_severe, status, opened_at, decided_at)
               SELECT r.customer_id, r.id, p.id, level, next_level, '{}', false, r.status, $2,
                   decided_at
               FROM jsonb_to_recordset($1::jsonb) AS r (
                   customer_id uuid, id uuid, level text, next_level text, status text,
                   decided_at timestamptz)
               JOIN tier_policy AS p ON p.scope = 'individual' AND p.status = 'active'""",
            as_json(rows),
            NOW,
        )
    policy = await draft(client, world)
    shown = await simulate(client, world, policy)
    stored = (await read(client, world, policy))["calibration"]["references"]
    references = References(**{name: Decimal(value) for name, value in stored.items()})
    hollow = sum(evidence(one.figures, references) is not None for one in people)
    assert sum(row["hollow"] for row in shown["transitions"]["at_once"]) == hollow > 10
    before = await held(database)
    await publish(client, world, policy)
    await night(database, settings)
    after = await held(database)
    happened = Counter((before[one.id], after[one.id]) for one in people)
    assert dict(happened) == {
        (row["before"], row["after"]): row["customers"] for row in shown["transitions"]["at_once"]
    }
    # The same without reviews would lift more.
    free = sum(
        one.figures.net_spend >= 500 and one.level != "main" and not one.is_set for one in people
    )
    assert 0 < sum(after[one.id] == "main" != before[one.id] for one in people) < free


async def test_top_shares_of_nobody_cannot_be_drawn(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    policy = await draft(client, world, **SHARES)
    before = await contents(database)
    refused = await client.post(f"{PATH}/{policy['id']}/simulate", headers=world.headers())
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/conflict")
    assert await contents(database) == before
    assert (await read(client, world, policy))["calibration"] is None


async def test_ties_that_make_a_share_bigger_are_told(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    await move_in(database, [spender(TODAY, "50.00") for _ in range(6)])
    await move_in(database, [spender(TODAY, "10.00") for _ in range(4)])
    policy = await draft(client, world, **SHARES)
    shown = await simulate(client, world, policy)
    ties = [hint["sentences"] for hint in shown["hints"] if hint["code"] == "ties"]
    assert ties == [
        {
            "en": "Main and above reach 60.0 % of those who bought instead of 20 %: equal scores"
            " are all inside.",
            "zh": "主要客户及以上占购买客户的 60.0%，而非 20%：得分相同者全部计入。",
        }
    ]


async def test_who_is_set_by_hand_stays_at_once_and_is_shown_in_the_end(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    person = spender(TODAY, "600.00", level="ordinary", is_set=True)
    await move_in(database, [person])
    policy = await draft(client, world)
    shown = await simulate(client, world, policy)
    (up,) = shown["movers"]["up"]
    assert (up["at_once"], up["in_the_end"], up["is_set_by_hand"]) == ("ordinary", "main", True)
    await publish(client, world, policy)
    await night(database, settings)
    assert await held(database) == {person.id: "ordinary"}


async def test_simulations_are_listed_and_can_be_read_again(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    await five(database)
    policy = await draft(client, world)
    shown = await simulate(client, world, policy)
    await client.patch(
        f"{PATH}/{policy['id']}", headers=as_seen(world, policy), json={"window_days": 180}
    )
    await simulate(client, world, policy)
    where = f"{PATH}/{policy['id']}/simulations"
    first = (await client.get(where, headers=world.headers(), params={"limit": 1})).json()
    rest = (
        await client.get(
            where, headers=world.headers(), params={"limit": 1, "cursor": first["next_cursor"]}
        )
    ).json()
    assert [one["is_current"] for one in first["items"] + rest["items"]] == [True, False]
    assert rest["next_cursor"] is None
    kept = await client.get(f"/v1/reports/jobs/{rest['items'][0]['id']}", headers=world.headers())
    assert kept.json()["result"] == shown
    unknown = await client.get(
        f"{PATH}/{world.staff['manager']}/simulations", headers=world.headers()
    )
    assert unknown.status_code == 404


async def test_a_window_of_another_length_is_read_from_the_receipts(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    shop = Shop(client, world, database, settings)
    cards: dict[UUID, None] = {}
    for number, sales in enumerate(
        [[("2026-11-01", "90.00")], [("2026-08-24", "50.00"), ("2026-10-01", "20.00")],
         [("2026-08-23", "400.00")], [("2026-03-01", "2000.00")], []]
    ):  # fmt: skip
        member = f"HK00000{number}"
        cards[await shop.card(member)] = None
        for day, amount in sales:
            await shop.send(sale(amount, member=member, at=f"{day}T10:00:00+08:00"))
    assert list((await held(database)).values()).count("small") == 3
    policy = await draft(client, world, **{**SHARES, "window_days": 90})
    shown = await simulate(client, world, policy)
    # Days from 24 August on count: two bought, 160.00 in all, and 90.00 begins the upper half.
    assert (shown["window_from"], shown["customers"], shown["buyers"], shown["amount"]) == (
        "2026-08-24", 5, 2, "160.00",
    )  # fmt: skip
    assert (await read(client, world, policy))["levels"][0]["at_least"] == "90.00"
    before, first = await held(database), next(iter(cards))
    assert shown["movers"]["up"][0]["customer_id"] == str(first)
    await publish(client, world, policy)
    await night(database, settings)
    after = await held(database)
    # The one that was ordinary holds a level that is no longer known.
    assert Counter((before[one], after[one]) for one in cards) == {
        (row["before"], row["after"]): row["customers"] for row in shown["transitions"]["at_once"]
    }
    assert after[first] == "main"


async def test_the_same_draft_tried_out_again_shows_the_same(
    client: httpx.AsyncClient, world: World, database: Database
) -> None:
    await move_in(database, crowd(random.Random(9), TODAY, 80))
    policy = await draft(client, world, **COMPOSITE)
    first = await simulate(client, world, policy)
    calibrated = await read(client, world, policy)
    assert await simulate(client, world, policy) == first
    assert await read(client, world, policy) == calibrated


async def test_twice_as_many_customers_take_no_more_statements_nor_a_longer_answer(
    client: httpx.AsyncClient, world: World, database: Database, settings: Settings
) -> None:
    policy = await draft(client, world, **COMPOSITE)
    taken, lengths = [], []
    for seed in (1, 2, 3):
        await move_in(database, crowd(random.Random(seed), TODAY, 150))
        async with database.transaction() as session:
            connection = await raw_connection(session)
            statements: list[str] = []

            def note(record: Any, into: list[str] = statements) -> None:
                into.append(record.query)

            async def percent(_: int) -> None:
                pass

            with connection.query_logger(note):
                result = await tier_simulations.make(
                    session,
                    settings,
                    {
                        "policy_id": policy["id"],
                        "fingerprint": policy["fingerprint"],
                        "as_of": TODAY.isoformat(),
                    },
                    percent,
                )
            taken.append(len(statements))
            lengths.append(len(result["movers"]["up"]))
    # The first time the driver asks what types there are.
    assert taken[1] == taken[2] < 12
    assert lengths == [20, 20, 20]
