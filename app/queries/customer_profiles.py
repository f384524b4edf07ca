"""Profiles of many cards in one statement, equal to what the rules say of each.

Raw SQL text is put together from the policy's own numbers, so that a statement looks at a whole
chain; a test holds it to :func:`app.rules.customer_profiles.profile_of`. Portions are ranges of
card ids, and every table is told the range: they are then read side by side in the order of their
keys. ``OFFSET 0`` keeps a layer from being computed again wherever the next one mentions it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.models import CustomerProfile
from app.queries import profile_facts, tier_figures
from app.queries.profile_facts import Within, among, in_range, is_of_statistics
from app.rules.customer_groups import (
    NEAR,
    POTENTIAL_GROWTH,
    PROSPECT_DAYS,
    SILENT_DAYS,
    TIMES_SHARE,
)
from app.rules.customer_profiles import can_profile
from app.rules.hollow_accounts import SEVERE_SIGNS, Limits
from app.rules.rfm import CELLS, HIGHEST, LOWEST
from app.rules.tier_calibrations import References, RfmCuts
from app.rules.tier_figures import GROWTH_BASE, HALF_DAYS, REFUND_PRIOR, WINDOW_DAYS
from app.rules.tier_policies import Policy
from app.vocabulary import (
    CustomerGroup,
    CustomerKind,
    HollowSign,
    Indicator,
    RfmSegment,
    Unit,
)

COLUMNS: Final = tuple(name for name in CustomerProfile.model_fields if name != "customer_id")
_BEFORE_ALL: Final = UUID(int=0)

_NAMES: Final = ", ".join(COLUMNS)
_NOTHING: Final = "'{}'::text[]"


def _number(value: Decimal | int) -> str:
    # A number of the policy's own, never a text of somebody's.
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _numbers(values: Sequence[Decimal | int], kind: str) -> str:
    return f"'{{{','.join(map(_number, values))}}}'::{kind}[]"


def _facts(policy: Policy, kind: CustomerKind, within: Within) -> str:
    columns, tables = profile_facts.COLUMNS, profile_facts.joined(within)
    if not is_of_statistics(policy):
        scored = tier_figures.scored(policy, is_current=True)
        columns += ", o.score AS own_score"
        tables += f" LEFT JOIN ({scored}) AS o ON o.customer_id = c.id"
        tables += f" AND {within('o.customer_id')}"
    return f"SELECT {columns} {tables} WHERE {within('c.id')} AND c.kind = '{kind}'"


def _at_speed(cents: str, days: int) -> str:
    """Return what is spent in so many days at the speed of the half year: cents, half away from 0.

    Whole numbers are many times faster than decimal ones, and as exact.
    """
    return f"sign({cents})::bigint * ((2 * abs({cents}) * {days} + {HALF_DAYS}) / {2 * HALF_DAYS})"


def _measures(policy: Policy) -> str:
    """Return what is computed of a card's facts ``f``: days, cents, contribution, score.

    Growth is in thousandths: a logarithm is irrational unless it is zero, so that a binary number
    never lies just between two of them.
    """
    score = tier_figures.score(policy) if is_of_statistics(policy) else "coalesce(f.own_score, 0)"
    return f"""
        CASE WHEN f.last_purchase_on >= f.as_of THEN 0 ELSE f.as_of - f.last_purchase_on END
            AS days,
        coalesce((f.net_180 * 100)::bigint, 0) AS cents,
        coalesce((f.net_prior_180 * 100)::bigint, 0) AS cents_before,
        CASE WHEN f.last_purchase_on IS NOT NULL AND (f.purchases = 0 OR f.costed <> 0)
            THEN f.margin - f.service_cost END AS given,
        {score} AS score"""


def _places(policy: Policy, cuts: RfmCuts) -> str:
    """Return the scores, and the place of the level above what is earned."""
    days = _numbers(cuts.days_since_last_purchase, "integer")
    rules = policy.levels
    earned = " ".join(
        f"WHEN m.score >= {_number(rule.at_least)} THEN {policy.rank(rule.level)}"
        for rule in rules[:-1]
    )
    base = int(GROWTH_BASE * 100)
    now, before = (f"(greatest(m.{name}, 0) + {base})" for name in ("cents", "cents_before"))
    return f"""
        CASE WHEN m.days IS NOT NULL THEN least(greatest(
            round(ln({now}::float8 / {before}) * 1000)::integer, -1000), 1000) END AS thousandths,
        {HIGHEST} - width_bucket(m.days - 1, {days}) AS recency_score,
        CASE WHEN m.days IS NOT NULL THEN {LOWEST} + width_bucket(
            m.purchase_days, {_numbers(cuts.purchase_days, "integer")}) END AS frequency_score,
        CASE WHEN m.days IS NOT NULL THEN {LOWEST} + width_bucket(
            m.net_spend, {_numbers(cuts.net_spend, "numeric")}) END AS monetary_score,
        CASE {earned or "WHEN false THEN 0"} ELSE 0 END + 1 AS above"""


def _conditions(policy: Policy, references: References) -> str:
    """Return the segment, and each condition of groups, of potential and of hollow accounts."""
    size = HIGHEST - LOWEST + 1
    levels = [(policy.rank(rule.level), rule) for rule in reversed(policy.levels)]
    near = " ".join(f"WHEN {rank} THEN {_number(rule.at_least * NEAR)}" for rank, rule in levels)
    on_pace = "false"
    if policy.metric is Indicator.NET_SPEND:
        pace = _at_speed("k.cents", policy.window_days)
        cents = " ".join(
            f"WHEN {rank} THEN {math.floor(rule.at_least * 100)}::bigint" for rank, rule in levels
        )
        on_pace = f"coalesce(k.days IS NOT NULL AND {pace} > CASE k.above {cents} END, false)"
    cells = ", ".join(f"'{segment}'" for segment in CELLS)
    whole, whole_cost = references.contribution_total, references.service_cost_total
    shares = "false"
    if whole > 0 and whole_cost > 0:
        shares = f"""k.service_cost > {_number(references.service_cost_median)}
            AND k.given < {_number(references.value_contribution)}
            AND k.service_cost * {_number(whole)}
                >= {TIMES_SHARE} * k.given * {_number(whole_cost)}"""
    limits = Limits.of(references)
    dear = "false"
    if limits.service_cost is not None:
        dear = f"k.service_cost >= {_number(limits.service_cost)}"
    returned, bought = map(_number, REFUND_PRIOR)
    signs = {
        HollowSign.LOW_CONTRIBUTION: "k.costed > 0 AND k.net_spend > 0 AND"
        " round(k.margin / k.costed - k.service_cost / k.net_spend, 4)"
        f" <= {_number(limits.contribution_rate)}",
        HollowSign.MANY_RETURNS: f"round((k.refunded + {returned}) / (k.gross_spend + {bought}), 4)"
        f" >= {_number(limits.refund_rate)}",
        HollowSign.DEAR_TO_SERVE: dear,
        HollowSign.ONE_BIG_ORDER: f"k.largest > k.gross_spend * {_number(limits.largest_share)}",
        HollowSign.FEW_DAYS: f"k.purchase_days <= {limits.purchase_days}",
    }
    found = ", ".join(f"CASE WHEN {there} THEN '{sign}' END" for sign, there in signs.items())
    return f"""
        CASE WHEN k.days IS NULL THEN '{RfmSegment.PROSPECTS}' ELSE (ARRAY[{cells}])[
            (k.recency_score - {LOWEST}) * {size * size}
            + (k.frequency_score - {LOWEST}) * {size} + k.monetary_score] END AS segment,
        {on_pace} AS is_on_pace,
        coalesce(k.thousandths > 0 AND k.score >= CASE k.above {near} END, false) AS is_rising,
        coalesce({shares}, false) AS is_over_served,
        k.days IS NULL OR (k.repeat_purchase_days = 0 AND k.days < {PROSPECT_DAYS})
            AS is_prospective,
        coalesce(k.given >= {_number(references.value_contribution)}, false) AS is_of_value,
        CASE WHEN k.purchases > 0 AND k.gross_spend >= {_number(limits.gross)}
            THEN array_remove(ARRAY[{found}], NULL) ELSE {_NOTHING} END AS hollow_signs"""


def _decisions() -> str:
    """Return the group, and whether there is potential."""
    return f"""
        CASE WHEN d.is_over_served THEN '{CustomerGroup.OVER_SERVED}'
            WHEN d.is_prospective THEN '{CustomerGroup.PROSPECTIVE}'
            WHEN d.is_of_value THEN '{CustomerGroup.VALUE}'
            WHEN d.thousandths > {_number(POTENTIAL_GROWTH * 1000)} OR d.is_on_pace
                THEN '{CustomerGroup.POTENTIAL}'
            ELSE '{CustomerGroup.OTHER}' END AS customer_group,
        d.is_on_pace OR d.is_rising AS has_potential,
        cardinality(d.hollow_signs) > 0 AS is_hollow,
        cardinality(d.hollow_signs) >= {SEVERE_SIGNS} AS is_severe,
        (d.is_over_served AND d.given < 0)
            OR coalesce(d.days >= {SILENT_DAYS} AND d.service_cost > 0, false)
            AS is_pruning_candidate"""


def _for_lists(policy: Policy) -> str:
    """Return what lists are ordered by and show: of the cards that are in them, empty of others."""
    levels = [(policy.rank(rule.level), rule) for rule in reversed(policy.levels)]
    names = " ".join(f"WHEN {rank} THEN '{rule.level}'" for rank, rule in levels)
    bounds = " ".join(f"WHEN {rank} THEN {_number(rule.at_least)}" for rank, rule in levels)
    missing = f"CASE e.above {bounds} END - e.score"
    if policy.unit is Unit.POINTS:
        missing = f"round({missing}, 2)"
    return f"""
        CASE WHEN e.has_potential THEN CASE e.above {names} END END AS next_level,
        CASE WHEN e.has_potential THEN {missing} END AS missing,
        CASE WHEN e.has_potential THEN e.thousandths * 0.001 END AS growth,
        CASE WHEN e.has_potential THEN {_at_speed("e.cents", WINDOW_DAYS)} * 0.01
            ELSE 0 END AS pace,
        CASE WHEN e.is_pruning_candidate THEN e.given END AS contribution"""


def fresh(policy: Policy, kind: CustomerKind, within: Within = in_range) -> str:
    """Return a SELECT of ``customer_id``, ``is_in_use`` and the columns of a profile.

    Of the cards of a kind with ids above ``$2``, up to ``$3``, as of the day ``$1``. The statistics
    are taken as they are, so that they have to be brought up to the day before.
    """
    calibration = policy.calibration
    assert calibration is not None
    assert calibration.rfm is not None
    assert calibration.references is not None
    layers = (
        ("f", _measures(policy)),
        ("m", _places(policy, calibration.rfm)),
        ("k", _conditions(policy, calibration.references)),
        ("d", _decisions()),
    )
    query = _facts(policy, kind, within)
    for name, columns in layers:
        # In order, since a layer would forget that it is, and everything be sorted once more.
        query = (
            f"SELECT {name}.*, {columns} FROM ({query}) AS {name}"  # noqa: S608 - built from constants, and numbers of our own
            f" ORDER BY {name}.customer_id OFFSET 0"
        )
    return f"SELECT e.*, {_for_lists(policy)} FROM ({query}) AS e"  # noqa: S608 - built from constants, and numbers of our own


def _refresh(policy: Policy, kind: CustomerKind, within: Within) -> str:
    ours = ", ".join(f"n.{name}" for name in COLUMNS)
    theirs = ", ".join(f"p.{name}" for name in COLUMNS)
    return f"""
WITH differing AS MATERIALIZED (
    SELECT n.customer_id, n.is_in_use, {ours}
    FROM ({fresh(policy, kind, within)}) AS n
    LEFT JOIN customer_profile AS p
        ON p.customer_id = n.customer_id AND {within("p.customer_id")}
    WHERE CASE WHEN n.is_in_use
        THEN p.customer_id IS NULL OR ({ours}) IS DISTINCT FROM ({theirs})
        ELSE p.customer_id IS NOT NULL END
),
written AS (
    INSERT INTO customer_profile (customer_id, {_NAMES})
    SELECT customer_id, {_NAMES} FROM differing WHERE is_in_use
    ON CONFLICT (customer_id) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name in COLUMNS)}
    RETURNING 1
),
removed AS (
    DELETE FROM customer_profile
    WHERE customer_id IN (SELECT customer_id FROM differing WHERE NOT is_in_use)
    RETURNING 1
)
SELECT (SELECT count(*) FROM written)::integer AS written,
    (SELECT count(*) FROM removed)::integer AS removed
"""  # noqa: S608 - built from constants of this module, and the policy's numbers


def _remove(kind: CustomerKind, within: Within) -> str:
    # The day is named so that the statement takes what the others take.
    return f"""
WITH removed AS (
    DELETE FROM customer_profile AS p USING customer AS c
    WHERE c.id = p.customer_id AND c.kind = '{kind}' AND {within("p.customer_id")}
        AND $1::date IS NOT NULL
    RETURNING 1
)
SELECT 0 AS written, count(*)::integer AS removed FROM removed
"""  # noqa: S608 - built from constants of this module


# Portions are read from tables that the night keeps warm, and each has ends of its own: a plan for
# any two ends would not know how many cards lie between them.
_SETTINGS: Final = """
SELECT set_config('plan_cache_mode', 'force_custom_plan', true),
    set_config('random_page_cost', '1.1', true), set_config('work_mem', '32MB', true)
"""
_NEXT_PORTION: Final = """
WITH portion AS (SELECT id FROM customer WHERE id > $1 ORDER BY id LIMIT $2)
SELECT (SELECT count(*) FROM portion)::integer AS cards,
    (SELECT id FROM portion ORDER BY id DESC LIMIT 1) AS last_id
"""


@dataclass(frozen=True, slots=True)
class Portion:
    """A portion of cards that was looked at; ``last_id`` is None where there was none."""

    cards: int
    last_id: UUID | None
    written: int
    removed: int


async def refresh_next(
    connection: "asyncpg.Connection[Any]",
    as_of: date,
    policies: Mapping[CustomerKind, Policy],
    after: UUID | None,
    limit: int,
) -> Portion:
    """Write what differs of the next cards in the order of ids; remove what is of cards not in use.

    A kind of customer whose policy has no cut points has no profiles.
    """
    start = after or _BEFORE_ALL
    found = await connection.fetchrow(_NEXT_PORTION, start, limit)
    assert found is not None
    if found["last_id"] is None:
        return Portion(0, None, 0, 0)
    await connection.execute(_SETTINGS)
    written, removed = await _each_kind(
        connection, policies, in_range, as_of, start, found["last_id"]
    )
    return Portion(found["cards"], found["last_id"], written, removed)


async def refresh(
    connection: "asyncpg.Connection[Any]",
    as_of: date,
    policies: Mapping[CustomerKind, Policy],
    customer_ids: Sequence[UUID],
) -> tuple[int, int]:
    """Make the profiles of these locked cards anew; return how many were written, and removed."""
    return await _each_kind(connection, policies, among, as_of, list(customer_ids))


async def _each_kind(
    connection: "asyncpg.Connection[Any]",
    policies: Mapping[CustomerKind, Policy],
    within: Within,
    *arguments: Any,
) -> tuple[int, int]:
    written = removed = 0
    for kind in CustomerKind:
        policy = policies.get(kind)
        statement = (
            _refresh(policy, kind, within)
            if policy is not None and can_profile(policy)
            else _remove(kind, within)
        )
        row = await connection.fetchrow(statement, *arguments)
        assert row is not None
        written, removed = written + row["written"], removed + row["removed"]
    return written, removed
