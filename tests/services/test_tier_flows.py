"""Flows between levels: what a history of tiers says of a period, and that its sums close."""

import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from app.core import clock
from app.core.config import Settings
from app.core.database import Database
from app.core.dsn import plain_dsn
from app.queries import tier_reports
from app.services.tier_reports import first_instant_after
from app.vocabulary import CustomerKind, PolicyMethod, TierLevel
from tests.support import databases
from tests.support.events import refund, sale
from tests.support.merging import merge
from tests.support.shop import Shop
from tests.support.tier_histories import (
    FOUR_LEVELS,
    Held,
    MadeHistory,
    three_levels,
    write_histories,
    write_policy,
)

NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)
TODAY = date(2026, 11, 21)
THREE = ("main", "ordinary", "small")
FOUR = ("key", "important", "general", "maintenance")
COLUMNS = (
    "opening", "new", "up_in", "down_in", "other_in", "up_out", "down_out", "other_out", "gone",
    "closing",
)  # fmt: skip
NOTHING = (0,) * len(COLUMNS)


async def flows(shop: Shop, who: str = "manager", **period: str) -> dict[str, Any]:
    answer = await shop.client.get(
        "/v1/reports/tier-flows", params=period, headers=shop.world.headers(who)
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def table(found: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the columns of each level that has something in one."""
    rows = {
        row["level"]["code"]: tuple(row[column] for column in COLUMNS) for row in found["levels"]
    }
    return {level: row for level, row in rows.items() if row != NOTHING}


def matrix(found: dict[str, Any]) -> dict[tuple[str | None, str | None], int]:
    return {(row["opening"], row["closing"]): row["customers"] for row in found["matrix"]}


async def test_a_day_on_which_cards_are_made_rise_fall_and_are_merged(
    shop: Shop, now: clock.FixedClock
) -> None:
    # Given three cards of yesterday, one of them ordinary.
    now.move_to(NOW - timedelta(days=1))
    survivor, loser, _ = [await shop.card(f"HK{number}") for number in range(3)]
    await shop.send(sale("400.00", member="HK1", at="2026-11-20T10:00:00+08:00"))
    # When one rises by two levels and falls again, a card is made, and the first two are merged,
    now.move_to(NOW)
    bought = sale("1200.00", member="HK2", at="2026-11-21T10:00:00+08:00")
    await shop.send(bought)
    await shop.send(refund(bought))
    await shop.card("HK3")
    await merge(shop.client, shop.world, survivor, [loser])

    # then each way of coming and going has its column.
    found = await flows(shop, **{"from": "2026-11-21"})
    assert (found["from_day"], found["to_day"], found["kind"]) == (
        "2026-11-21", "2026-11-21", "individual",
    )  # fmt: skip
    assert [row["level"]["code"] for row in found["levels"]] == list(THREE)
    #         opening new up_in down_in other_in up_out down_out other_out gone closing
    assert table(found) == {
        "main": (0, 0, 1, 0, 0, 0, 1, 0, 0, 0),
        "ordinary": (1, 0, 1, 0, 0, 0, 0, 0, 1, 1),
        "small": (2, 1, 0, 1, 0, 2, 0, 0, 0, 2),
    }
    assert matrix(found) == {
        ("small", "small"): 1,  # who rose and fell
        ("small", "ordinary"): 1,  # the surviving card
        ("ordinary", None): 1,
        (None, "small"): 1,
    }
    assert [found[name] for name in ("opening", "new", "gone", "closing")] == [3, 1, 1, 3]
    # The day before, cards were made, and the sale lifted one.
    assert table(await flows(shop, **{"from": "2026-11-20", "to": "2026-11-20"})) == {
        "ordinary": (0, 0, 1, 0, 0, 0, 0, 0, 0, 1),
        "small": (0, 3, 0, 0, 0, 1, 0, 0, 0, 2),
    }


async def test_days_begin_at_midnight_of_the_chain_and_what_falls_on_it_is_of_the_new_day(
    shop: Shop,
) -> None:
    policy = await write_policy(shop.database, three_levels(), 90, PolicyMethod.THRESHOLD)
    start = datetime(2026, 11, 1, tzinfo=UTC)
    midnight = datetime(2026, 11, 9, 16, tzinfo=UTC)  # the tenth begins in Shanghai
    await write_histories(
        shop.database,
        [
            MadeHistory(
                CustomerKind.INDIVIDUAL,
                None,
                [Held(TierLevel.SMALL, policy, start, at), Held(TierLevel.MAIN, policy, at, None)],
            )
            for at in (midnight - timedelta(microseconds=1), midnight)
        ],
    )

    ninth = await flows(shop, **{"from": "2026-11-09", "to": "2026-11-09"})
    tenth = await flows(shop, **{"from": "2026-11-10", "to": "2026-11-10"})

    assert table(ninth) == {
        "main": (0, 0, 1, 0, 0, 0, 0, 0, 0, 1),
        "small": (2, 0, 0, 0, 0, 1, 0, 0, 0, 1),
    }
    assert table(tenth) == {
        "main": (1, 0, 1, 0, 0, 0, 0, 0, 0, 2),
        "small": (1, 0, 0, 0, 0, 1, 0, 0, 0, 0),
    }


@pytest.mark.parametrize(
    ("period", "pointer"),
    [
        pytest.param({"from": "2026-11-22"}, "/query/from", id="begins tomorrow"),
        pytest.param({"from": "2026-11-01", "to": "2026-11-22"}, "/query/to", id="ends tomorrow"),
        pytest.param({"from": "2026-11-02", "to": "2026-11-01"}, "/query/to", id="turned round"),
        pytest.param({}, "/query/from", id="without a beginning"),
    ],
)
async def test_periods_that_are_none_are_refused(
    shop: Shop, period: dict[str, str], pointer: str
) -> None:
    answer = await shop.client.get(
        "/v1/reports/tier-flows", params=period, headers=shop.world.headers()
    )

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


# --- Histories at random ----------------------------------------------------------------------


async def random_histories(shop: Shop, seed: int) -> list[MadeHistory]:
    """Write cards that moved often: several times at once, at midnight, by other policies."""
    chance = random.Random(seed)
    policies = [
        await write_policy(shop.database, three_levels(), 90, PolicyMethod.THRESHOLD),
        await write_policy(shop.database, FOUR_LEVELS, 91, PolicyMethod.COMPOSITE),
    ]
    stores = [None, *shop.world.stores.values()]
    begin = datetime(2026, 10, 31, 16, tzinfo=UTC)
    cards = []
    for _ in range(120):
        at = begin + timedelta(hours=6 * chance.randrange(80))
        held: list[Held] = []
        for number in range(chance.choice([1, 1, 2, 3, 6])):
            # A fifth of the moves come at the instant of the one before: they pass through.
            until = at + timedelta(hours=6 * chance.choice([0, 1, 1, 4, 30]))
            is_second = chance.random() < 0.2 * number
            level = TierLevel(chance.choice(FOUR if is_second else THREE))
            held.append(Held(level, policies[is_second], at, until))
            # Now and then a card has none for a while, as one that was merged and came back would.
            at = until + timedelta(hours=6 * chance.choice([0, 0, 0, 0, 2]))
        if chance.random() < 0.8:
            last = held.pop()
            held.append(Held(last.level, last.policy_id, last.valid_from, None))
        kind = CustomerKind.ORGANIZATION if chance.random() < 0.1 else CustomerKind.INDIVIDUAL
        cards.append(MadeHistory(kind, chance.choice(stores), held))
    await write_histories(shop.database, cards)
    return cards


def level_before(card: MadeHistory, at: datetime) -> str | None:
    """Return the level held just before an instant, found by looking at every period."""
    for one in card.held:
        if one.valid_from < at and (one.valid_to is None or one.valid_to >= at):
            return str(one.level)
    return None


def direction(before: str, after: str) -> str:
    """Return which way a move leads by the policy that knows the level after it."""
    order = THREE if after in THREE else FOUR
    if before not in order:
        return "other"
    return "up" if order.index(after) < order.index(before) else "down"


def expected_table(
    cards: Sequence[MadeHistory], opens: datetime, closes: datetime
) -> dict[str, tuple[int, ...]]:
    """Follow each card through the period, one tier after the other."""
    rows: dict[str, Counter[str]] = {level: Counter() for level in (*THREE, *FOUR)}
    for card in cards:
        for at, column in ((opens, "opening"), (closes, "closing")):
            level = level_before(card, at)
            if level is not None:
                rows[level][column] += 1
        previous: Held | None = None
        for one in card.held:
            is_moved = previous is not None and previous.valid_to == one.valid_from
            if previous is not None and not is_moved:
                assert previous.valid_to is not None
                rows[str(previous.level)]["gone"] += opens <= previous.valid_to < closes
            if opens <= one.valid_from < closes:
                if previous is None or not is_moved:
                    rows[str(one.level)]["new"] += 1
                elif previous.level != one.level:
                    way = direction(str(previous.level), str(one.level))
                    rows[str(previous.level)][f"{way}_out"] += 1
                    rows[str(one.level)][f"{way}_in"] += 1
            previous = one
        end = card.held[-1].valid_to
        if end is not None and opens <= end < closes:
            rows[str(card.held[-1].level)]["gone"] += 1
    found = {level: tuple(row[column] for column in COLUMNS) for level, row in rows.items()}
    return {level: row for level, row in found.items() if row != NOTHING}


@pytest.mark.parametrize("seed", range(6))
async def test_any_history_gives_the_flows_that_following_each_card_gives_and_closes(
    shop: Shop, settings: Settings, seed: int
) -> None:
    cards = await random_histories(shop, seed)
    chance = random.Random(seed)
    own = shop.world.stores["S01"]
    for _ in range(6):
        first, last = sorted(date(2026, 11, chance.randint(1, 21)) for _ in range(2))
        opens = first_instant_after(settings, first - timedelta(days=1))
        closes = first_instant_after(settings, last)
        for who, kind, counted in (
            ("manager", "individual", lambda _: True),
            ("manager", "organization", lambda _: True),
            ("store_manager", "individual", lambda card: card.home_store_id == own),
        ):
            found = await flows(
                shop, who, kind=kind, **{"from": first.isoformat(), "to": last.isoformat()}
            )
            of_kind = [card for card in cards if card.kind == kind and counted(card)]

            assert table(found) == expected_table(of_kind, opens, closes)
            pairs = Counter(
                (level_before(card, opens), level_before(card, closes)) for card in of_kind
            )
            pairs.pop((None, None), None)
            assert matrix(found) == dict(pairs)
            for row in found["levels"]:
                came = sum(row[name] for name in ("opening", "new", "up_in", "down_in", "other_in"))
                went = sum(row[name] for name in ("up_out", "down_out", "other_out", "gone"))
                assert came - went == row["closing"]
                level = row["level"]["code"]
                assert row["opening"] == sum(n for (a, _), n in pairs.items() if a == level)
                assert row["closing"] == sum(n for (_, b), n in pairs.items() if b == level)


async def test_two_periods_that_follow_each_other_join_without_a_gap(shop: Shop) -> None:
    await random_histories(shop, 7)

    earlier = await flows(shop, **{"from": "2026-11-01", "to": "2026-11-10"})
    later = await flows(shop, **{"from": "2026-11-11", "to": "2026-11-21"})
    whole = await flows(shop, **{"from": "2026-11-01", "to": "2026-11-21"})

    closing = {row["level"]["code"]: row["closing"] for row in earlier["levels"] if row["closing"]}
    opening = {row["level"]["code"]: row["opening"] for row in later["levels"] if row["opening"]}
    assert closing == opening
    assert whole["new"] == earlier["new"] + later["new"]
    assert whole["gone"] == earlier["gone"] + later["gone"]
    assert (whole["opening"], whole["closing"]) == (earlier["opening"], later["closing"])


async def test_the_flows_take_two_passes_over_the_tiers_however_many_cards_there_are(
    fresh_database: Database,
) -> None:
    policy = await write_policy(fresh_database, three_levels(), 90, PolicyMethod.THRESHOLD)
    start = NOW - timedelta(days=60)
    held = [
        Held(TierLevel.SMALL, policy, start, start + timedelta(days=50)),
        Held(TierLevel.MAIN, policy, start + timedelta(days=50), None),
    ]
    cards = [MadeHistory(CustomerKind.INDIVIDUAL, None, held)] * 2_000
    await write_histories(fresh_database, cards)
    owner = await asyncpg.connect(
        plain_dsn(databases.url_for(str(make_url(fresh_database.url).database), databases.OWNER))
    )
    try:
        await owner.execute("ANALYZE customer; ANALYZE tier_assignment")
        rows = await owner.fetch(
            f"EXPLAIN {tier_reports._FLOWS}", "individual", NOW - timedelta(days=30), NOW, None
        )
    finally:
        await owner.close()
    plan = "\n".join(row[0] for row in rows)
    # Every card counts, so the tables are read as they lie, and joined as wholes.
    assert plan.count("Seq Scan on tier_assignment") == 2
    assert "Nested Loop" not in plan
