"""Snapshots of all who bought: percentiles, RFM cuts, reference values, the cuts of top shares.

One pass each over the figures of :mod:`app.queries.tier_figures`. Counted are cards in use of one
kind with a sale in the window that ends with the day. What comes back has a fixed size, however
many customers there are.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

import asyncpg

from app.queries import tier_figures
from app.rules.tier_calibrations import KNOTS
from app.rules.tier_figures import WITHOUT_SOURCE
from app.rules.tier_policies import Policy
from app.vocabulary import CustomerKind, Indicator, ShareOf, TierLevel

_EVERYTHING_CHEAP: Final = frozenset(Indicator) - WITHOUT_SOURCE - {Indicator.BREADTH}
"""Categories are counted from lines of receipts: only where a policy looks at them."""

# Rows of who bought. $1 is the day, $2 the kind of customers.
_OF_BUYERS: Final = """
    FROM ({figures}) AS f
    JOIN customer AS c ON c.id = f.customer_id AND c.kind = $2 AND c.status = 'active'
    WHERE f.purchases > 0"""
_CONTRIBUTION: Final = "CASE WHEN f.costed = 0 THEN NULL ELSE f.margin - f.service_cost END"
# As app.rules.hollow_accounts has it.
_CONTRIBUTION_RATE: Final = (
    "CASE WHEN f.costed > 0 AND f.net_spend > 0"
    " THEN round(f.margin / f.costed - f.service_cost / f.net_spend, 4) END"
)
# Halfway below the rank, so that the product of a fraction and a count is rounded up to it.
_AT_RANK: Final = (
    "(SELECT array_agg((ceil(k * c.{name} / 100.0) - 0.5) / greatest(c.{name}, 1) ORDER BY k)"
    " FROM counts AS c, unnest(ARRAY[{percents}]) AS k)::float8[]"
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Which customers, of which window, are looked at; ``is_current`` as in ``tier_figures``."""

    scope: CustomerKind
    as_of: date
    window_days: int
    is_current: bool

    def buyers(self, looks_at: Collection[Indicator]) -> str:
        """Return FROM and WHERE of those who bought, as rows ``f``."""
        figures = tier_figures.relation(self.window_days, looks_at, is_current=self.is_current)
        return _OF_BUYERS.format(figures=figures)


def _at_ranks(name: str, percents: str) -> str:
    fractions = _AT_RANK.format(name=name, percents=percents)
    return f"percentile_disc({fractions}) WITHIN GROUP (ORDER BY b.{name})"


async def count_buyers(connection: "asyncpg.Connection[Any]", snapshot: Snapshot) -> int:
    """Return how many are counted."""
    counted: int = await connection.fetchval(
        f"SELECT count(*) {snapshot.buyers(())}",
        snapshot.as_of,
        str(snapshot.scope),
    )
    return counted


async def figures_at_percentiles(
    connection: "asyncpg.Connection[Any]", snapshot: Snapshot, looks_at: Collection[Indicator]
) -> "asyncpg.Record":
    """Return ``customers``, the knots of each indicator by its name, and the reference values.

    Knots are ascending, less turned negative where less is better; None where there are no data.
    Those of categories only where ``looks_at`` has them.
    """
    knots = sorted((_EVERYTHING_CHEAP | set(looks_at)) - WITHOUT_SOURCE)
    columns = {str(one): tier_figures.counted(one) for one in knots}
    columns |= {
        "contribution": _CONTRIBUTION,
        "contribution_rate": _CONTRIBUTION_RATE,
        "refund_rate": tier_figures.VALUES[Indicator.RETURNS],
        "gross": "f.gross_spend",
        "cost": "f.service_cost",
    }
    each = ", ".join(f"{value} AS {name}" for name, value in columns.items())
    counts = ", ".join(f"count({name}) AS {name}" for name in columns)
    hundred = ", ".join(str(percent) for percent in range(1, KNOTS + 1))
    wanted = [f"{_at_ranks(str(one), hundred)} AS {one}" for one in knots]
    statement = f"""
        WITH buyers AS MATERIALIZED (SELECT {each} {snapshot.buyers(knots)}),
        counts AS (SELECT {counts} FROM buyers)
        SELECT count(*) AS customers, {", ".join(wanted)},
            ({_at_ranks("contribution", "80")})[1] AS value_contribution,
            ({_at_ranks("gross", "80")})[1] AS top_gross,
            ({_at_ranks("contribution_rate", "25")})[1] AS contribution_rate_p25,
            round(avg(b.refund_rate), 4) AS refund_rate_mean,
            ({_at_ranks("cost", "50")})[1] AS service_cost_median,
            sum(b.cost) AS service_cost_total,
            sum(b.contribution) AS contribution_total
        FROM buyers AS b"""  # noqa: S608 - built from constants, and numbers of our own
    rows = await connection.fetch(statement, snapshot.as_of, str(snapshot.scope))
    row: asyncpg.Record = rows[0]
    return row


# Where more is better a cut is the first figure with k fifths of the customers below it; where less
# is better, the first with k fifths at it or below. Each lies above the one before.
_RFM: Final = """
WITH RECURSIVE each AS (SELECT {value} AS v, count(*) AS n {buyers} GROUP BY 1),
ranked AS MATERIALIZED (
    SELECT v, {share} AS share, sum(n) OVER () AS whole FROM each
),
cuts (k, v) AS (
    SELECT 1, (SELECT min(v) FROM ranked WHERE share * 5 >= whole)
    UNION ALL
    SELECT k + 1, (
        SELECT min(r.v) FROM ranked AS r WHERE r.v > cuts.v AND r.share * 5 >= (k + 1) * r.whole
    )
    FROM cuts WHERE k < 4
)
SELECT array_agg(v ORDER BY k) AS cuts, (SELECT max(v) FROM ranked) AS highest FROM cuts
"""
_BELOW: Final = "sum(n) OVER (ORDER BY v) - n"
_UP_TO: Final = "sum(n) OVER (ORDER BY v)"
_RFM_PARTS: Final = {
    "days_since_last_purchase": ("greatest(f.as_of - f.last_purchase_on, 0)", _UP_TO),
    "purchase_days": ("f.purchase_days", _BELOW),
    "net_spend": ("f.net_spend", _BELOW),
}


async def rfm_cuts(
    connection: "asyncpg.Connection[Any]", snapshot: Snapshot, part: str
) -> tuple[list[Any], Any]:
    """Return the four cuts of a part of RFM, and its highest figure.

    A cut is None where no further figure is left for it.
    """
    value, share = _RFM_PARTS[part]
    statement = _RFM.format(value=value, share=share, buyers=snapshot.buyers(()))
    row = await connection.fetchrow(statement, snapshot.as_of, str(snapshot.scope))
    assert row is not None
    return list(row["cuts"]), row["highest"]


# As app.rules.tier_calibrations.cuts_by_rank has it: half a customer counts, one is always inside.
_CUTS_OF_CUSTOMERS: Final = """
WITH scored AS MATERIALIZED (SELECT f.score {buyers}),
counts AS (SELECT count(*) AS n FROM scored)
SELECT percentile_disc((
    SELECT array_agg((greatest(round(p * n / 100), 1) - 0.5) / greatest(n, 1) ORDER BY place)
    FROM counts, unnest($3::numeric[]) WITH ORDINALITY AS wanted (p, place)
)::float8[]) WITHIN GROUP (ORDER BY score DESC)
FROM scored
"""
_CUTS_OF_VALUE: Final = """
WITH scored AS (SELECT f.score {buyers}),
reached AS MATERIALIZED (
    SELECT score, sum(greatest(score, 0)) OVER (ORDER BY score DESC) AS reached,
        sum(greatest(score, 0)) OVER () AS whole
    FROM scored
)
SELECT array_agg((
    SELECT max(score) FROM reached WHERE reached * 100 >= p * whole
) ORDER BY place)
FROM unnest($3::numeric[]) WITH ORDINALITY AS wanted (p, place)
"""


async def cuts_of_shares(
    connection: "asyncpg.Connection[Any]",
    snapshot: Snapshot,
    policy: Policy,
    shares: Sequence[tuple[TierLevel, Decimal]],
) -> dict[TierLevel, Decimal]:
    """Return the score that begins each top share but the last, which is everybody's.

    What :func:`app.rules.tier_calibrations.cuts_by_rank` says of the same scores, ties included.
    Somebody has to have bought.
    """
    scores = tier_figures.scored(policy, is_current=snapshot.is_current)
    buyers = _OF_BUYERS.format(figures=scores)
    template = _CUTS_OF_VALUE if policy.share_of is ShareOf.VALUE else _CUTS_OF_CUSTOMERS
    found = await connection.fetchval(
        template.format(buyers=buyers),
        snapshot.as_of,
        str(snapshot.scope),
        [percent for _, percent in shares[:-1]],
    )
    cuts = {level: Decimal(cut) for (level, _), cut in zip(shares[:-1], found, strict=True)}
    return {**cuts, shares[-1][0]: Decimal(0)}
