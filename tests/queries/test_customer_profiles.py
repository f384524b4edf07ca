"""Profiles in SQL are those of the rules, whatever the figures and whatever the policy."""

import random
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.core import clock
from app.core.database import raw_connection
from app.core.ids import new_id
from app.queries import customer_profiles
from app.rules.tier_calibrations import Calibration
from app.services.tier_policies_in_force import active_policies
from app.vocabulary import CustomerKind, Indicator, TierLevel
from tests.services.test_statistics import live_a_while
from tests.support.profiles import (
    REFERENCES,
    by_the_rules,
    calibration,
    stored,
    use_calibration,
    use_policy,
)
from tests.support.shop import Shop

AS_OF = date(2026, 11, 28)
KEEP = {"factor": "0.90", "hold_days": 180, "notice_days": 30}
LEVELS = [
    {"level": "main", "at_least": "1000.00"}, {"level": "ordinary", "at_least": "300.00"},
    {"level": "small", "at_least": "0.00"},
]  # fmt: skip
SHARES = [{"level": "main", "top_percent": "20"}, {"level": "small", "top_percent": "100"}]
CARDS = 1_000
# Values about which something changes, and a cent or a day to either side of them.
MONEY_EDGES = ("0", "10", "100", "148", "150", "240", "300", "500", "600", "800", "1000", "5000")
DAY_EDGES = (0, 30, 60, 89, 90, 120, 240, 365, 730)
COUNT_EDGES = (0, 1, 2, 4, 8, 16)

POLICIES = [
    pytest.param("threshold", {"metric": "net_spend", "window_days": 365, "levels": LEVELS},
                 calibration(AS_OF), id="net spend of a year"),
    pytest.param("threshold", {"metric": "net_spend", "window_days": 90, "levels": LEVELS},
                 calibration(AS_OF), id="net spend of a quarter"),
    pytest.param("threshold", {"metric": "frequency", "window_days": 365, "levels": [
                     {"level": "main", "at_least": "8"}, {"level": "ordinary", "at_least": "3"},
                     {"level": "small", "at_least": "0"}]},
                 calibration(AS_OF), id="days with a purchase"),
    pytest.param("share", {"metric": "net_spend", "share_of": "customers", "window_days": 365,
                           "levels": SHARES},
                 calibration(AS_OF, cuts={TierLevel.MAIN: Decimal("240.00"),
                                          TierLevel.SMALL: Decimal(0)}), id="top share"),
    pytest.param("composite", {"indicators": [
                     {"indicator": "margin", "weight": "0.40"},
                     {"indicator": "recency", "weight": "0.15"},
                     {"indicator": "growth", "weight": "0.15"}],
                     "window_days": 365, "levels": SHARES},
                 calibration(AS_OF,
                             cuts={TierLevel.MAIN: Decimal("61.5555"),
                                   TierLevel.SMALL: Decimal(0)},
                             knots={Indicator.MARGIN: tuple(map(Decimal, range(0, 500, 5))),
                                    Indicator.RECENCY: tuple(map(Decimal, range(-300, 0, 3))),
                                    Indicator.GROWTH: tuple(Decimal(n) / 50
                                                            for n in range(-50, 50))}),
                 id="composite"),
    pytest.param("composite", {"indicators": [
                     {"indicator": "net_spend", "weight": "0.5"},
                     {"indicator": "breadth", "weight": "0.5"}],
                     "window_days": 365, "levels": SHARES},
                 calibration(AS_OF,
                             cuts={TierLevel.MAIN: Decimal("30.0000"),
                                   TierLevel.SMALL: Decimal(0)},
                             knots={Indicator.NET_SPEND: tuple(map(Decimal, range(0, 900, 9))),
                                    Indicator.BREADTH: tuple(map(Decimal, range(100)))}),
                 id="composite with breadth"),
]  # fmt: skip
_CARD = """
INSERT INTO customer (id, kind, status, name, birth_month_is_leap, origin, registered_on, version,
    created_at, updated_at)
VALUES ($1, $2, $3, '某', false, 'store', $4, 1, now(), now())
"""
_STATS = """
INSERT INTO customer_stats (customer_id, first_purchase_on, last_purchase_on, repeat_purchase_days,
    purchases, refunds, gross, refunded, net, costed, margin, purchases_365, purchase_days_365,
    gross_365, refunded_365, net_365, costed_365, margin_365, largest_365, net_180, net_prior_180)
VALUES ($1, $2, $2, $3, 1, 0, 0, 0, 0, 0, 0, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""
_CONTACTS = """
INSERT INTO customer_service_stats (customer_id, contacts, inbound, contacts_365, inbound_365,
    service_cost, service_cost_365)
VALUES ($1, 1, 1, 1, 1, $2, $2)
"""
_WRITES = (_CARD, _STATS, _CONTACTS)


def money(chance: random.Random) -> Decimal:
    """Return an amount, more often than not one at the edge of something."""
    near = Decimal(chance.choice(MONEY_EDGES)) + Decimal(chance.choice((-1, 0, 0, 1))) / 100
    return chance.choice((near, Decimal(chance.randrange(200_000)) / 100, -near))


def days(chance: random.Random) -> date | None:
    """Return the day of a last purchase: at an edge, any, tomorrow, or none."""
    ago = chance.choice((chance.choice(DAY_EDGES) + chance.choice((-1, 0, 1)),
                         chance.randrange(900)))  # fmt: skip
    return None if chance.random() < 0.1 else AS_OF - timedelta(ago)


async def write_figures(shop: Shop, seed: int) -> None:
    """Write cards with odd figures: some without receipts, contacts or cost of goods."""
    chance = random.Random(seed)

    def count() -> int:
        return chance.choice((chance.choice(COUNT_EDGES), chance.randrange(20)))

    rows: dict[str, list[tuple[Any, ...]]] = {statement: [] for statement in _WRITES}
    for number in range(CARDS):
        one = new_id()
        kind = "organization" if number % 50 == 0 else "individual"
        rows[_CARD].append((one, kind, "archived" if number % 7 == 0 else "active", AS_OF))
        if chance.random() < 0.9:
            gross = abs(money(chance))
            refunded = round(abs(money(chance)) / chance.choice((1, 10)), 2)
            costed = chance.choice((Decimal(0), gross, money(chance)))
            margin = round(costed * chance.randrange(-20, 90) / 100, 2)
            rows[_STATS].append((
                one, days(chance), chance.choice((0, 0, 1, 9)), count(), count(), gross, refunded,
                gross - refunded, costed, margin, min(money(chance), gross), money(chance),
                money(chance),
            ))  # fmt: skip
        if chance.random() < 0.6:
            costs = (Decimal(0), abs(money(chance)), *map(Decimal, ("9.99", "10.01", "20.00")))
            rows[_CONTACTS].append((one, chance.choice(costs)))
    async with shop.database.transaction() as session:
        connection = await raw_connection(session)
        for statement in _WRITES:
            await connection.executemany(statement, rows[statement])
        # A server that has not looked yet takes the tables for empty, and loops in loops.
        await connection.execute("ANALYZE customer, customer_stats, tier_assignment, purchase")
        await connection.execute("ANALYZE purchase_line, customer_service_stats")


async def refreshed(shop: Shop, limit: int = 100_000) -> tuple[int, int]:
    """Refresh all profiles, in portions; return how many were written and removed."""
    written, removed, after = 0, 0, None
    while True:
        async with shop.database.transaction() as session:
            portion = await customer_profiles.refresh_next(
                await raw_connection(session), AS_OF, await active_policies(session), after, limit
            )
        written, removed = written + portion.written, removed + portion.removed
        if portion.cards < limit:
            return written, removed
        after = portion.last_id


@pytest.mark.parametrize(("method", "body", "frozen"), POLICIES)
async def test_a_profile_in_sql_is_what_the_rules_say_of_the_card(
    shop: Shop, now: clock.FixedClock, method: str, body: dict[str, Any], frozen: Calibration
) -> None:
    await use_policy(shop.database, method, {**body, "keep": KEEP})
    await use_calibration(shop.database, frozen)
    await use_calibration(shop.database, frozen, CustomerKind.ORGANIZATION)
    if method == "threshold":
        # No cost is usual, and shares are of nothing: what such references leave open.
        await use_calibration(
            shop.database,
            replace(
                frozen,
                references=replace(
                    REFERENCES, service_cost_median=Decimal(0), contribution_total=Decimal(0)
                ),
            ),
            CustomerKind.ORGANIZATION,
        )
    await live_a_while(shop, random.Random(5), now)
    await write_figures(shop, 11)

    assert await refreshed(shop) == (await cards_in_use(shop), 0)

    expected, found = await by_the_rules(shop.database, AS_OF), await stored(shop.database)
    assert found == expected
    groups = {row["customer_group"] for row in found.values()}
    assert len(groups) == 5
    assert len({row["segment"] for row in found.values()}) == 11
    for flag in ("has_potential", "is_hollow", "is_severe", "is_pruning_candidate"):
        assert {row[flag] for row in found.values()} == {True, False}, flag


async def cards_in_use(shop: Shop) -> int:
    """Return how many cards there are that were neither merged nor erased."""
    async with shop.database.transaction() as session:
        count: int = await (await raw_connection(session)).fetchval(
            "SELECT count(*) FROM customer WHERE status IN ('active', 'archived')"
        )
    return count


async def test_portions_and_repetition_change_nothing(shop: Shop) -> None:
    await use_calibration(shop.database, calibration(AS_OF))
    await write_figures(shop, 3)
    individuals = CARDS - CARDS // 50
    assert await refreshed(shop, limit=77) == (individuals, 0)
    by_portions = await stored(shop.database)

    assert await refreshed(shop) == (0, 0)
    assert await stored(shop.database) == by_portions

    async with shop.database.transaction() as session:
        await (await raw_connection(session)).execute("DELETE FROM customer_profile")
    assert await refreshed(shop) == (individuals, 0)
    assert await stored(shop.database) == by_portions


async def test_only_what_differs_is_written(shop: Shop) -> None:
    await use_calibration(shop.database, calibration(AS_OF))
    await write_figures(shop, 3)
    await refreshed(shop)
    right = await stored(shop.database)
    async with shop.database.transaction() as session:
        connection = await raw_connection(session)
        await connection.execute(
            """UPDATE customer_profile SET hollow_signs = '{few_days}' WHERE customer_id IN
                   (SELECT customer_id FROM customer_profile WHERE NOT is_hollow LIMIT 3)"""
        )
        await connection.execute(
            """DELETE FROM customer_profile WHERE customer_id IN
                   (SELECT customer_id FROM customer_profile WHERE is_hollow LIMIT 2)"""
        )
    assert await refreshed(shop) == (5, 0)
    assert await stored(shop.database) == right


async def test_a_kind_without_cut_points_has_no_profiles(shop: Shop) -> None:
    await write_figures(shop, 3)
    assert await refreshed(shop) == (0, 0)
    await use_calibration(shop.database, calibration(AS_OF))
    await refreshed(shop)
    await use_calibration(shop.database, calibration(AS_OF, references=None))
    assert await refreshed(shop) == (0, CARDS - CARDS // 50)
    assert await stored(shop.database) == {}


async def test_one_statement_for_each_kind_whatever_the_number_of_cards(shop: Shop) -> None:
    await use_calibration(shop.database, calibration(AS_OF))
    await write_figures(shop, 3)
    sent: list[str] = []
    async with shop.database.transaction() as session:
        connection = await raw_connection(session)
        policies = await active_policies(session)
        with connection.query_logger(lambda record: sent.append(record.query)):
            await customer_profiles.refresh_next(connection, AS_OF, policies, None, 100_000)
    # The portion, how it is planned, and what is written of each kind.
    assert len(sent) == 2 + len(CustomerKind)
