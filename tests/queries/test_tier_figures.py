"""Scores in SQL are those of the rules; figures are the same from statistics and from receipts."""

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import pytest

from app.core import clock
from app.core.database import raw_connection
from app.jobs.upkeep import rebuild_statistics
from app.queries import tier_figures
from app.rules.tier_calibrations import Calibration
from app.rules.tier_figures import LESS_IS_BETTER, WITHOUT_SOURCE, Figures, value_of
from app.rules.tier_policies import Policy
from app.vocabulary import Indicator, PolicyMethod, TierLevel
from tests.services.test_statistics import live_a_while
from tests.support.events import refund, sale
from tests.support.shop import Shop

TODAY = date(2026, 11, 21)
KEEP = {"factor": "0.90", "hold_days": 180, "notice_days": 30}
LEVELS = ("key", "important", "general", "maintenance")
ROW = """
SELECT {score}::text AS score FROM jsonb_to_recordset($1::jsonb) AS f (
    as_of date, net_spend numeric, purchases integer, refunded numeric, gross_spend numeric,
    costed numeric, margin numeric, purchase_days integer, largest numeric, last_purchase_on date,
    net_180 numeric, net_prior_180 numeric, breadth integer, contacts integer, service_cost numeric,
    place bigint)
ORDER BY place
"""


def random_figures(chance: random.Random) -> Figures:
    """Return figures that may be, odd ones among them."""

    def money(most: int) -> Decimal:
        return Decimal(chance.choice([0, 0, chance.randrange(100), chance.randrange(most)])) / 100

    bought = chance.choice([0, 1, chance.randrange(40)])
    gross, refunded = money(500_000), money(100_000)
    costed = chance.choice([Decimal(0), gross, money(400_000), -money(1_000)])
    last = chance.choice([None, TODAY + timedelta(1), TODAY - timedelta(chance.randrange(800))])
    return Figures(
        TODAY,
        net_spend=gross - refunded,
        purchases=bought,
        refunded=refunded,
        gross_spend=gross,
        costed=costed,
        margin=costed * chance.randrange(-20, 90) / 100,
        purchase_days=chance.randrange(bought + 1),
        largest=gross,
        last_purchase_on=last,
        net_180=chance.choice([money(300_000), -money(9_000)]),
        net_prior_180=chance.choice([money(300_000), -money(9_000)]),
        breadth=chance.choice([None, chance.randrange(9)]),
        contacts=chance.randrange(12),
        service_cost=money(9_000),
    )


def random_composite(chance: random.Random, population: list[Figures]) -> Policy:
    """Return a composite policy, calibrated by a population."""
    names = chance.sample(list(Indicator), chance.randrange(1, 8))
    if set(names) <= WITHOUT_SOURCE:
        names.append(Indicator.MARGIN)
    knots = {}
    for name in names:
        found = [value_of(name, one) for one in population]
        there = sorted(-v if name in LESS_IS_BETTER else v for v in found if v is not None)
        if there and name not in WITHOUT_SOURCE:
            knots[name] = tuple(there[len(there) * k // 100] for k in range(100))
    cuts = dict(zip(map(TierLevel, LEVELS), (80, 60, 30, 0), strict=True))
    calibration = Calibration(
        TODAY, len(population), {k: Decimal(v) for k, v in cuts.items()}, knots
    )
    body = {
        "window_days": 365,
        "indicators": [
            {"indicator": str(name), "weight": f"0.{chance.randrange(1, 9999):04}"}
            for name in names
        ],
        "levels": [
            {"level": level, "top_percent": share}
            for level, share in zip(LEVELS, ("5", "20", "60", "100"), strict=True)
        ],
        "keep": KEEP,
    }
    # It comes out of the database in the same way.
    stored = Calibration.of(orjson.loads(orjson.dumps(calibration.as_json())))
    assert stored == calibration
    return Policy.of(UUID(int=1), 1, "tried", PolicyMethod.COMPOSITE, body, stored)


def threshold(metric: Indicator, window_days: int = 365) -> Policy:
    """Return a policy by one figure."""
    levels = [{"level": "main", "at_least": "1000"}, {"level": "small", "at_least": "0"}]
    body = {"metric": str(metric), "window_days": window_days, "levels": levels, "keep": KEEP}
    return Policy.of(UUID(int=2), 1, "plain", PolicyMethod.THRESHOLD, body)


async def scores(shop: Shop, policy: Policy, figures: list[Figures]) -> list[Decimal]:
    """Return what SQL makes of figures."""
    rows = [
        {"place": place} | {name: getattr(one, name) for name in ("as_of", *tier_figures.COLUMNS)}
        for place, one in enumerate(figures)
    ]
    async with shop.database.transaction() as session:
        found = await (await raw_connection(session)).fetch(
            ROW.format(score=tier_figures.score(policy)), orjson.dumps(rows, default=str).decode()
        )
    return [Decimal(row["score"]) for row in found]


@pytest.mark.parametrize("seed", range(12))
async def test_a_composite_score_in_sql_is_that_of_the_rules(shop: Shop, seed: int) -> None:
    chance = random.Random(seed)
    population = [random_figures(chance) for _ in range(300)]
    policy = random_composite(chance, population)
    assert await scores(shop, policy, population) == [policy.score(one) for one in population]


@pytest.mark.parametrize("metric", ["net_spend", "gross_spend", "margin", "frequency", "purchases"])
async def test_a_figure_in_sql_is_that_of_the_rules(shop: Shop, metric: str) -> None:
    chance = random.Random(metric)
    population = [random_figures(chance) for _ in range(300)]
    policy = threshold(Indicator(metric))
    assert await scores(shop, policy, population) == [policy.score(one) for one in population]


async def read(
    shop: Shop, window_days: int, as_of: date, ids: list[Any] | None, *, is_current: bool
) -> dict[UUID, Figures]:
    """Return the figures of some cards, or of all that have any."""
    async with shop.database.transaction() as session:
        connection = await raw_connection(session)
        if ids is not None:
            return await tier_figures.of_cards(
                connection, window_days, as_of, ids, is_current=is_current
            )
        rows = await connection.fetch(
            tier_figures.relation(window_days, is_current=is_current), as_of
        )
        return {row["customer_id"]: tier_figures.figures_of(row, as_of) for row in rows}


@pytest.mark.parametrize("seed", range(4))
async def test_figures_are_the_same_from_statistics_and_from_receipts(
    shop: Shop, now: clock.FixedClock, seed: int
) -> None:
    await live_a_while(shop, random.Random(seed), now)
    today = clock.today(shop.settings.zone)
    async with shop.database.transaction() as session:
        ids = [row["id"] for row in await (await raw_connection(session)).fetch(
            "SELECT id FROM customer"
        )]  # fmt: skip

    await rebuild_statistics(shop.database, today)
    kept = await read(shop, 365, today, ids, is_current=True)
    assert kept == await read(shop, 365, today, ids, is_current=False)
    assert set(kept) == set(ids)
    for is_current in (True, False):
        everybody = await read(shop, 365, today, None, is_current=is_current)
        assert everybody == {one: kept[one] for one in everybody}
        assert everybody


async def test_another_window_and_an_earlier_day_are_read_from_the_receipts(shop: Shop) -> None:
    customer_id = await shop.card()
    first = sale("100.00", at="2026-09-01T10:00:00+08:00")
    second = sale("40.00", at="2026-11-01T10:00:00+08:00")
    await shop.batch([first, second, refund(first, "10.00")])
    found = await read(shop, 30, TODAY, [customer_id], is_current=True)
    assert found[customer_id] == Figures(
        TODAY,
        net_spend=Decimal("30.00"),
        purchases=1,
        refunded=Decimal("10.00"),
        gross_spend=Decimal("40.00"),
        purchase_days=1,
        largest=Decimal("40.00"),
        last_purchase_on=date(2026, 11, 1),
        net_180=Decimal("130.00"),
        breadth=found[customer_id].breadth,
    )
    earlier = await read(shop, 90, date(2026, 10, 1), [customer_id], is_current=False)
    assert earlier[customer_id].net_spend == Decimal("100.00")
    assert earlier[customer_id].last_purchase_on == date(2026, 9, 1)
