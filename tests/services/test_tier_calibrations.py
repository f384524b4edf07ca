"""Calibrations in SQL are what the definition says of the same figures, ties included."""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app.core import clock
from app.core.config import Settings
from app.core.database import Database, raw_connection
from app.models import TierCalibration
from app.queries import tier_calibrations as queries
from app.rules.hollow_accounts import contribution_rate
from app.rules.tier_calibrations import Calibration, cuts_above_nothing, cuts_by_rank, five_ranges
from app.rules.tier_figures import LESS_IS_BETTER, WITHOUT_SOURCE, Figures, value_of
from app.rules.tier_policies import Policy
from app.rules.tier_presets import preset
from app.services import tier_calibrations
from app.vocabulary import (
    CustomerKind,
    Indicator,
    PolicyMethod,
    PolicyPreset,
    ShareOf,
    TierLevel,
    Unit,
)
from tests.support.populations import Person, crowd, move_in, spender
from tests.support.world import World

NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)
TODAY = date(2026, 11, 21)
INDIVIDUAL = CustomerKind.INDIVIDUAL
CENT = Decimal("0.01")


@pytest.fixture(autouse=True)
def now() -> Iterator[None]:
    """A clock that stands."""
    with clock.using(clock.FixedClock(NOW), everywhere=True):
        yield


async def calibrate(
    database: Database, settings: Settings, method: PolicyMethod, body: Any
) -> Calibration:
    """Return the calibration of a policy that is not there."""
    async with database.transaction() as session:
        snapshot = await tier_calibrations.snapshot_of(
            session, settings, INDIVIDUAL, body["window_days"], TODAY
        )
        assert snapshot.is_current
        return await tier_calibrations.calibrate(session, snapshot, method, body, nothing)


async def nothing() -> None:
    """Be told."""


def at_percent(values: Sequence[Decimal], percent: int) -> Decimal:
    """Return the value at rank ⌈percent · n / 100⌉."""
    return sorted(values)[max(math.ceil(percent * len(values) / 100), 1) - 1]


def of_buyers(people: Sequence[Person]) -> list[Figures]:
    """Return the figures of those who are counted."""
    return [
        one.figures
        for one in people
        if one.figures.purchases > 0 and one.kind == "individual" and one.status == "active"
    ]


@pytest.mark.parametrize("seed", [1, 2])
async def test_knots_and_references_are_at_their_ranks(
    database: Database, settings: Settings, world: World, seed: int
) -> None:
    chance = random.Random(seed)
    people = crowd(chance, TODAY, 137)
    # Neither another kind nor cards out of use are counted.
    people += [spender(TODAY, "9999.00", kind="organization")]
    people += [spender(TODAY, "9999.00", status="archived")]
    await move_in(database, people)
    buyers = of_buyers(people)
    begun = preset(PolicyPreset.BOOKSHOP, INDIVIDUAL)
    found = await calibrate(database, settings, begun.method, begun.body)
    assert (found.as_of, found.customers, found.cuts) == (TODAY, len(buyers), {})
    assert set(found.knots) == set(Indicator) - WITHOUT_SOURCE - {Indicator.BREADTH}
    for indicator, knots in found.knots.items():
        values = [value_of(indicator, figures) for figures in buyers]
        counted = [
            -value if indicator in LESS_IS_BETTER else value
            for value in values
            if value is not None
        ]
        assert knots == tuple(at_percent(counted, percent) for percent in range(1, 101)), indicator
    references = found.references
    assert references is not None
    contributions = [one.margin - one.service_cost for one in buyers if one.costed != 0]
    rates = [rate for one in buyers if (rate := contribution_rate(one)) is not None]
    mean = sum((one.refund_rate for one in buyers), Decimal(0)) / len(buyers)
    assert references.value_contribution == at_percent(contributions, 80)
    assert references.top_gross == at_percent([one.gross_spend for one in buyers], 80)
    assert references.contribution_rate_p25 == at_percent(rates, 25)
    assert references.refund_rate_mean == mean.quantize(Decimal("0.0001"), ROUND_HALF_UP)
    assert references.service_cost_median == at_percent([one.service_cost for one in buyers], 50)
    assert references.service_cost_total == sum(one.service_cost for one in buyers)
    assert references.contribution_total == sum(contributions)
    assert Calibration.of(found.as_json()) == found


@pytest.mark.parametrize("seed", [1, 2])
async def test_rfm_cuts_have_fifths_of_the_customers_between_them(
    database: Database, settings: Settings, world: World, seed: int
) -> None:
    people = crowd(random.Random(seed), TODAY, 137)
    await move_in(database, people)
    buyers = of_buyers(people)
    begun = preset(PolicyPreset.BOOKSHOP, INDIVIDUAL)
    found = await calibrate(database, settings, begun.method, begun.body)
    assert found.rfm is not None
    parts: list[tuple[Sequence[Decimal | int], list[Decimal], bool]] = [
        (found.rfm.net_spend, [one.net_spend for one in buyers], False),
        (found.rfm.purchase_days, [Decimal(one.purchase_days) for one in buyers], False),
        (
            found.rfm.days_since_last_purchase,
            [Decimal(one.days_since_last_purchase or 0) for one in buyers],
            True,
        ),
    ]
    for cuts, values, fewer in parts:
        below: list[Decimal] = []
        for fifth, cut in enumerate(cuts, start=1):
            fit = [
                value
                for value in sorted(set(values))
                if (not below or value > below[-1])
                and sum(other <= value if fewer else other < value for other in values) * 5
                >= fifth * len(values)
            ]
            assert cut == fit[0]
            below.append(fit[0])
        assert list(cuts) == sorted(set(cuts))


async def test_customers_who_all_bought_once_score_alike(
    database: Database, settings: Settings, world: World
) -> None:
    await move_in(database, [spender(TODAY, "10.00") for _ in range(7)])
    begun = preset(PolicyPreset.BOOKSHOP, INDIVIDUAL)
    rfm = (await calibrate(database, settings, begun.method, begun.body)).rfm
    assert rfm is not None
    assert rfm.purchase_days == (2, 3, 4, 5)
    assert rfm.days_since_last_purchase == (0, 1, 2, 3)
    assert rfm.net_spend == tuple(map(Decimal, ("10.01", "10.02", "10.03", "10.04")))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([2, 3, 5, 9], (2, 3, 5, 9)),
        ([2, 3, None, None], (2, 3, 10, 11)),
        ([None, None, None, None], (10, 11, 12, 13)),
    ],
)
def test_cuts_that_found_no_figure_lie_beyond_everybody(
    found: list[int | None], expected: tuple[int, ...]
) -> None:
    assert five_ranges(found, 9, 1) == expected


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("share_of", list(ShareOf))
@pytest.mark.parametrize("metric", [Indicator.NET_SPEND, Indicator.MARGIN, Indicator.PURCHASES])
async def test_cuts_of_shares_are_those_of_the_rule(
    database: Database,
    settings: Settings,
    world: World,
    seed: int,
    share_of: ShareOf,
    metric: Indicator,
) -> None:
    chance = random.Random(seed)
    people = crowd(chance, TODAY, chance.choice([1, 3, 90]))
    people.append(spender(TODAY, "35.00"))
    await move_in(database, people)
    percents = sorted(chance.sample(range(1, 100), 2))
    shares = list(zip(TierLevel, map(Decimal, [*percents, 100]), strict=False))
    body = {
        "metric": str(metric),
        "share_of": str(share_of),
        "window_days": 365,
        "levels": [{"level": str(one), "top_percent": str(percent)} for one, percent in shares],
        "keep": {"factor": "0.9", "hold_days": 180, "notice_days": 30},
    }
    waiting = Calibration(TODAY, 0, cuts={level: Decimal(0) for level, _ in shares})
    policy = Policy.of(UUID(int=1), 1, "", PolicyMethod.SHARE, body, waiting)
    expected = cuts_by_rank(shares, [policy.score(one) for one in of_buyers(people)], share_of)
    async with database.transaction() as session:
        snapshot = await tier_calibrations.snapshot_of(session, settings, INDIVIDUAL, 365, TODAY)
        found = await queries.cuts_of_shares(
            await raw_connection(session), snapshot, policy, shares
        )
    assert found == expected
    calibration = await calibrate(database, settings, PolicyMethod.SHARE, body)
    assert calibration.cuts == cuts_above_nothing(expected, shares[-1][0], policy.unit)


async def test_cuts_of_a_composite_are_those_of_its_points(
    database: Database, settings: Settings, world: World
) -> None:
    people = crowd(random.Random(5), TODAY, 120)
    await move_in(database, people)
    begun = preset(PolicyPreset.COMPOSITE, INDIVIDUAL)
    calibration = await calibrate(database, settings, begun.method, begun.body)
    shares = [
        (TierLevel(part["level"]), Decimal(part["top_percent"])) for part in begun.body["levels"]
    ]
    policy = Policy.of(UUID(int=1), 1, "", begun.method, begun.body, calibration)
    scores = [policy.score(one) for one in of_buyers(people)]
    expected = cuts_by_rank(shares, scores, ShareOf.CUSTOMERS)
    assert calibration.cuts == cuts_above_nothing(expected, shares[-1][0], Unit.POINTS)
    assert calibration.cuts[TierLevel.KEY] > calibration.cuts[TierLevel.IMPORTANT]


def test_nobody_is_lifted_by_a_score_of_nothing() -> None:
    cuts = {TierLevel.MAIN: Decimal(-5), TierLevel.SMALL: Decimal(0)}
    assert cuts_above_nothing(cuts, TierLevel.SMALL, Unit.MONEY) == {
        TierLevel.MAIN: CENT, TierLevel.SMALL: Decimal(0),
    }  # fmt: skip


async def test_the_order_of_rows_changes_no_calibration(
    fresh_database: Database, database: Database, settings: Settings, world: World
) -> None:
    people = crowd(random.Random(8), TODAY, 100)
    begun = preset(PolicyPreset.COMPOSITE, INDIVIDUAL)
    await move_in(database, people)
    await move_in(
        fresh_database, [replace(one, id=UUID(int=2**128 - 1 - one.id.int)) for one in people[::-1]]
    )
    assert await calibrate(database, settings, begun.method, begun.body) == await calibrate(
        fresh_database, settings, begun.method, begun.body
    )


async def test_the_policy_in_force_is_calibrated_once_there_are_a_hundred(
    database: Database, settings: Settings, world: World
) -> None:
    async def night() -> dict[str, int]:
        async with database.transaction() as session:
            return dict(await tier_calibrations.calibrate_active(session, settings, TODAY))

    async def kept() -> list[tuple[int, Any]]:
        async with database.transaction() as session:
            rows = (await session.scalars(select(TierCalibration))).all()
            return [(row.customers, row.body) for row in rows]

    await move_in(database, [spender(TODAY, f"{amount}.00") for amount in range(1, 100)])
    assert await night() == {"calibrated": 0}
    assert await kept() == []
    await move_in(database, [spender(TODAY, "100.00")])
    assert await night() == {"calibrated": 1}
    first = await kept()
    assert [customers for customers, _ in first] == [100]
    assert first[0][1]["references"]["top_gross"] == "80.00"
    await move_in(database, [spender(TODAY, "9000.00")])
    assert await night() == {"calibrated": 0}
    assert await kept() == first
