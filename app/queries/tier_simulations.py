"""A policy tried on every card that holds a tier: counted into cells, and who moves most.

One statement over the scores of :mod:`app.queries.tier_figures`; what comes back has a fixed size,
however many customers there are. It asks what the night asks (:mod:`app.queries.tier_nights`): who
was set by hand stays, and so does an account that is hollow by the draft's own calibration while
its upgrade waits for a person or was refused, unless the draft does not know the level it holds.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import asyncpg

from app.queries import tier_figures
from app.queries.tier_calibrations import Snapshot
from app.rules.hollow_accounts import Limits
from app.rules.tier_policies import Policy
from app.rules.tier_what_if import standing
from app.vocabulary import Indicator, TierLevel

MOVERS: Final = 20

# $1 the day, $2 the kind of customers, $3 since when a refused upgrade counts. A score is dear, and
# looked at several times: it is made once.
_TRIED: Final = """
WITH scored AS MATERIALIZED (
    SELECT f.customer_id, f.net_spend, f.purchases, {score} AS score, {is_hollow} AS is_hollow
    FROM ({figures}) AS f
),
cards AS MATERIALIZED (
    SELECT t.customer_id, t.level AS held,
        coalesce(s.net_spend, 0) AS net_spend, coalesce(s.purchases, 0) AS purchases,
        coalesce(s.score, 0) AS score,
        {earned} AS earned,
        t.ends_on IS NOT NULL AS is_set, coalesce(s.is_hollow, false) AS is_hollow
    FROM tier_assignment AS t
    JOIN tier_policy AS p ON p.id = t.policy_id AND p.scope = $2
    LEFT JOIN scored AS s ON s.customer_id = t.customer_id
    WHERE t.valid_to IS NULL
),
moved AS (
    SELECT *,
        CASE WHEN is_set OR {rank_of_earned} <= {rank_of_held} THEN held
             WHEN {rank_of_held} >= 0 AND is_hollow AND EXISTS (
                SELECT FROM tier_review AS r
                WHERE r.customer_id = cards.customer_id AND (
                    r.status = 'open' AND {rank_of_asked} > {rank_of_held}
                        AND {rank_of_asked} <= {rank_of_earned}
                    OR r.status = 'refused' AND r.decided_at > $3)
             ) THEN held
             ELSE earned END AS at_once,
        {standing_of_earned} - {standing_of_held} AS climb
    FROM cards
),
cells AS (
    SELECT held, at_once, earned AS in_the_end, count(*) AS customers,
        count(*) FILTER (WHERE purchases > 0) AS buyers,
        count(*) FILTER (WHERE is_hollow) AS hollow,
        sum(net_spend)::text AS amount, sum(greatest(net_spend, 0))::text AS discounted
    FROM moved GROUP BY 1, 2, 3
)
SELECT (SELECT coalesce(jsonb_agg(to_jsonb(cells)), '[]') FROM cells) AS cells,
    ({up}) AS up, ({down}) AS down
"""
_MOVERS: Final = """
SELECT coalesce(jsonb_agg(jsonb_build_object(
        'customer_id', customer_id, 'held', held, 'at_once', at_once, 'in_the_end', earned,
        'net_spend', net_spend::text, 'purchases', purchases, 'score', score::text,
        'is_hollow', is_hollow, 'is_set', is_set) ORDER BY net_spend DESC, customer_id), '[]')
FROM (
    SELECT * FROM moved WHERE {condition} ORDER BY net_spend DESC, customer_id LIMIT {limit}
) AS m"""


async def try_out(
    connection: "asyncpg.Connection[Any]",
    snapshot: Snapshot,
    draft: Policy,
    active: Policy,
    refused_since: datetime,
) -> dict[str, Any]:
    """Return ``cells`` as rows, and ``up`` and ``down``, the moves with the greatest net spend.

    ``draft`` has its cuts. Moves are by where a level stands in its own policy
    (:func:`app.rules.tier_what_if.standing`); a level that neither policy knows moves nowhere.
    """

    def by_level(column: str, value_of: Callable[[TierLevel], object]) -> str:
        cases = " ".join(f"WHEN '{level}' THEN {value_of(level)}" for level in TierLevel)
        return f"CASE {column} {cases} END"

    statement = _TRIED.format(
        figures=tier_figures.relation(
            snapshot.window_days,
            draft.looks_at | {Indicator.SERVICE_COST},
            is_current=snapshot.is_current,
        ),
        score=tier_figures.score(draft),
        is_hollow=_is_hollow(draft),
        earned=_earned(draft),
        rank_of_earned=by_level("earned", draft.rank),
        rank_of_held=by_level("held", draft.rank),
        rank_of_asked=by_level("r.next_level", draft.rank),
        standing_of_earned=by_level("earned", lambda level: _number(standing(draft, level))),
        standing_of_held=by_level("held", lambda level: _number(_held(active, draft, level))),
        up=_MOVERS.format(condition="climb > 0", limit=MOVERS),
        down=_MOVERS.format(condition="climb < 0", limit=MOVERS),
    )
    row = await connection.fetchrow(statement, snapshot.as_of, str(snapshot.scope), refused_since)
    assert row is not None
    return {name: row[name] for name in ("cells", "up", "down")}


def _earned(policy: Policy) -> str:
    """Return the SQL of the level that a score earns: numbers and codes of the policy alone."""
    cases = " ".join(
        f"WHEN coalesce(s.score, 0) >= {_number(rule.at_least)} THEN '{rule.level}'"
        for rule in policy.levels[:-1]
    )
    lowest = f"'{policy.levels[-1].level}'"
    return f"CASE {cases} ELSE {lowest} END" if cases else lowest


def _is_hollow(policy: Policy) -> str:
    """Return the SQL of whether figures ``f`` look hollow by the policy's own calibration."""
    references = policy.calibration.references if policy.calibration is not None else None
    if references is None:
        return "false"
    limits = Limits.of(references)
    rate = "round(f.margin / nullif(f.costed, 0) - f.service_cost / nullif(f.net_spend, 0), 4)"
    little = _number(limits.contribution_rate)
    signs = [
        f"f.costed > 0 AND f.net_spend > 0 AND {rate} <= {little}",
        f"{tier_figures.VALUES[Indicator.RETURNS]} >= {_number(limits.refund_rate)}",
        f"f.largest > trunc(f.gross_spend * {_number(limits.largest_share)}, 2)",
        f"f.purchase_days <= {limits.purchase_days}",
    ]
    if limits.service_cost is not None:
        signs.append(f"f.service_cost >= {_number(limits.service_cost)}")
    return (
        f"f.purchases > 0 AND f.gross_spend >= {_number(limits.gross)}"
        f" AND ({' OR '.join(f'coalesce({sign}, false)' for sign in signs)})"
    )


def _held(active: Policy, draft: Policy, level: TierLevel) -> Decimal | None:
    """Return where a held level stands: in the policy in force, else in the draft."""
    stands = standing(active, level)
    return standing(draft, level) if stands is None else stands


def _number(value: Decimal | None) -> str:
    return "NULL" if value is None else f"{value:f}"
