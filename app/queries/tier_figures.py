"""Figures and scores of many cards in SQL, equal to what the rules make of one card's.

Two sources: the statistics, which are of today and of 365 days, and the receipts themselves, for
any day and any window. Raw SQL text is put together here from the policy's own numbers, so that one
statement scores a whole chain; a test holds it to :meth:`app.rules.tier_policies.Policy.score`.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.rules.tier_figures import (
    GROWTH_BASE,
    HALF_DAYS,
    LESS_IS_BETTER,
    REFUND_PRIOR,
    WINDOW_DAYS,
    WITHOUT_SOURCE,
    Figures,
)
from app.rules.tier_policies import Policy
from app.vocabulary import Indicator

EVERYTHING: Final = frozenset(Indicator)
_SERVICE: Final = frozenset({Indicator.INTERACTION, Indicator.SERVICE_COST})
_SIGNED: Final = "CASE WHEN kind = 'sale' THEN {0} ELSE -({0}) END"

COLUMNS: Final = (
    "net_spend", "purchases", "refunded", "gross_spend", "costed", "margin", "purchase_days",
    "largest", "last_purchase_on", "net_180", "net_prior_180", "breadth", "contacts",
    "service_cost",
)  # fmt: skip
"""The figures by the names that :class:`~app.rules.tier_figures.Figures` gives them."""


def relation(
    window_days: int,
    looks_at: Collection[Indicator] = EVERYTHING,
    *,
    is_current: bool,
    only_some: bool = False,
    day: str = "$1",
) -> str:
    """Return a SELECT of ``customer_id``, ``as_of`` and :data:`COLUMNS`, a row for each card.

    Of the window that ends with the parameter ``day``, of every card with receipts; with
    ``only_some`` of the cards ``$2``, receipts or not. ``is_current`` says that the statistics
    hold for the day: they are read if they are of that window. What no indicator in ``looks_at``
    needs may be empty.
    """
    if is_current and window_days == WINDOW_DAYS:
        figures = _FROM_STATISTICS
        source = "customer_stats AS s"
    else:
        figures = _FROM_RECEIPTS.format(
            window=int(window_days),
            some="AND customer_id = ANY($2::uuid[])" if only_some else "",
        )
        source = f"({figures}) AS s"
        figures = _AS_THEY_ARE
    joins, breadth, contacts, cost = "", "NULL::integer", "0", "0::numeric"
    owner = "s.customer_id"
    if only_some:
        source = (
            f"unnest($2::uuid[]) AS wanted (customer_id) LEFT JOIN {source} USING (customer_id)"
        )
        owner = "wanted.customer_id"
    if not _SERVICE.isdisjoint(looks_at):
        contacts, cost = "coalesce(v.contacts, 0)", "coalesce(v.service_cost, 0)"
        joins += f" LEFT JOIN ({_service(window_days, is_current=is_current, only_some=only_some)})"
        joins += f" AS v ON v.customer_id = {owner}"
    if Indicator.BREADTH in looks_at:
        some = "AND p.customer_id = ANY($2::uuid[])" if only_some else ""
        breadth = "coalesce(b.breadth, 0)"
        joins += f" LEFT JOIN ({_BREADTH.format(window=int(window_days), some=some)})"
        joins += f" AS b ON b.customer_id = {owner}"
    statement = (
        f"SELECT {owner} AS customer_id, $1::date AS as_of, {figures},"  # noqa: S608 - built from constants, and numbers of our own
        f" {breadth} AS breadth, {contacts} AS contacts, {cost} AS service_cost"
        f" FROM {source}{joins}"
    )
    return statement.replace("$1::date", f"{day}::date")


_FROM_STATISTICS: Final = """
    coalesce(s.net_365, 0) AS net_spend, coalesce(s.purchases_365, 0) AS purchases,
    coalesce(s.refunded_365, 0) AS refunded, coalesce(s.gross_365, 0) AS gross_spend,
    coalesce(s.costed_365, 0) AS costed, coalesce(s.margin_365, 0) AS margin,
    coalesce(s.purchase_days_365, 0) AS purchase_days, coalesce(s.largest_365, 0) AS largest,
    s.last_purchase_on, coalesce(s.net_180, 0) AS net_180,
    coalesce(s.net_prior_180, 0) AS net_prior_180"""
_AS_THEY_ARE: Final = """
    coalesce(s.net_spend, 0) AS net_spend, coalesce(s.purchases, 0) AS purchases,
    coalesce(s.refunded, 0) AS refunded, coalesce(s.gross_spend, 0) AS gross_spend,
    coalesce(s.costed, 0) AS costed, coalesce(s.margin, 0) AS margin,
    coalesce(s.purchase_days, 0) AS purchase_days, coalesce(s.largest, 0) AS largest,
    s.last_purchase_on, coalesce(s.net_180, 0) AS net_180,
    coalesce(s.net_prior_180, 0) AS net_prior_180"""
_SALE: Final = "kind = 'sale'"
_FROM_RECEIPTS: Final = f"""
    SELECT customer_id,
        sum({_SIGNED.format("amount")}) FILTER (WHERE is_in)::numeric(28,2) AS net_spend,
        (count(*) FILTER (WHERE is_in AND {_SALE}))::integer AS purchases,
        sum(amount) FILTER (WHERE is_in AND NOT {_SALE})::numeric(28,2) AS refunded,
        sum(amount) FILTER (WHERE is_in AND {_SALE})::numeric(28,2) AS gross_spend,
        sum({_SIGNED.format("costed_amount")}) FILTER (WHERE is_in)::numeric(28,2) AS costed,
        sum({_SIGNED.format("costed_amount - cost")}) FILTER (WHERE is_in)::numeric(28,2)
            AS margin,
        (count(DISTINCT business_day) FILTER (WHERE is_in AND {_SALE}))::integer AS purchase_days,
        max(amount) FILTER (WHERE is_in AND {_SALE})::numeric(28,2) AS largest,
        max(business_day) FILTER (WHERE {_SALE}) AS last_purchase_on,
        sum({_SIGNED.format("amount")}) FILTER (WHERE business_day > $1::date - {HALF_DAYS})
            ::numeric(28,2) AS net_180,
        sum({_SIGNED.format("amount")}) FILTER (
            WHERE business_day > $1::date - {2 * HALF_DAYS}
            AND business_day <= $1::date - {HALF_DAYS}
        )::numeric(28,2) AS net_prior_180
    FROM (
        SELECT customer_id, kind, amount, costed_amount, cost, business_day,
            business_day > $1::date - {{window}} AS is_in
        FROM purchase
        WHERE status = 'posted' AND business_day <= $1::date {{some}}
    ) AS receipts
    GROUP BY customer_id"""  # noqa: S608 - built from constants, and numbers of our own
_BREADTH: Final = """
    SELECT p.customer_id, count(DISTINCT l.category)::integer AS breadth
    FROM purchase AS p
    JOIN purchase_line AS l ON l.customer_id = p.customer_id AND l.purchase_id = p.id
    WHERE p.status = 'posted' AND p.kind = 'sale' AND p.business_day <= $1::date
        AND p.business_day > $1::date - {window} {some}
    GROUP BY p.customer_id"""


_SERVICE_KEPT: Final = """
    SELECT customer_id, contacts_365 AS contacts, service_cost_365 AS service_cost
    FROM customer_service_stats WHERE {some}"""
_SERVICE_COUNTED: Final = """
    SELECT customer_id, count(*)::integer AS contacts, sum(cost)::numeric(28,2) AS service_cost
    FROM interaction
    WHERE business_day <= $1::date AND business_day > $1::date - {window} AND {some}
    GROUP BY customer_id"""


def _service(window_days: int, *, is_current: bool, only_some: bool) -> str:
    is_kept = is_current and window_days == WINDOW_DAYS
    return (_SERVICE_KEPT if is_kept else _SERVICE_COUNTED).format(
        window=int(window_days), some="customer_id = ANY($2::uuid[])" if only_some else "true"
    )


def _number(value: Decimal) -> str:
    # A number of the policy's own, never a text of somebody's.
    return f"{value:f}"


_RETURNED, _BOUGHT = (_number(part) for part in REFUND_PRIOR)
_BASE: Final = _number(GROWTH_BASE)
VALUES: Final[dict[Indicator, str]] = {
    Indicator.NET_SPEND: "f.net_spend",
    Indicator.GROSS_SPEND: "f.gross_spend",
    Indicator.MARGIN: "CASE WHEN f.purchases > 0 AND f.costed = 0 THEN NULL ELSE f.margin END",
    Indicator.FREQUENCY: "f.purchase_days::numeric",
    Indicator.PURCHASES: "f.purchases::numeric",
    Indicator.RECENCY: "greatest(f.as_of - f.last_purchase_on, 0)::numeric",
    Indicator.GROWTH: (
        f"least(greatest(round(ln((greatest(f.net_180, 0) + {_BASE})"
        f" / (greatest(f.net_prior_180, 0) + {_BASE})), 3), -1), 1)"
    ),
    Indicator.BREADTH: "f.breadth::numeric",
    Indicator.INTERACTION: "f.contacts::numeric",
    Indicator.RETURNS: f"round((f.refunded + {_RETURNED}) / (f.gross_spend + {_BOUGHT}), 4)",
    Indicator.SERVICE_COST: "f.service_cost",
}
"""The figure of an indicator of a row ``f`` of :func:`relation`; NULL where there is no data."""
# greatest() passes over NULL: who never bought would have bought today.
VALUES[Indicator.RECENCY] = (
    f"CASE WHEN f.last_purchase_on IS NOT NULL THEN {VALUES[Indicator.RECENCY]} END"
)


def counted(indicator: Indicator) -> str:
    """Return the figure as knots hold it: turned negative where less is better."""
    value = VALUES[indicator]
    return f"-({value})" if indicator in LESS_IS_BETTER else value


def score(policy: Policy) -> str:
    """Return the SQL of a policy's score of a row ``f`` of :func:`relation`."""
    if policy.metric is not None:
        return f"coalesce({VALUES[policy.metric]}, 0)"
    assert policy.calibration is not None
    points, weights = [], []
    for part in policy.indicators:
        if part.indicator in WITHOUT_SOURCE:
            continue
        knots = ", ".join(
            _number(knot) for knot in policy.calibration.knots.get(part.indicator, ())
        )
        place = f"width_bucket({counted(part.indicator)}, ARRAY[{knots}]::numeric[])"
        points.append(f"coalesce({_number(part.weight)} * {place}, 0)")
        weights.append(
            f"CASE WHEN ({VALUES[part.indicator]}) IS NULL THEN 0 ELSE {_number(part.weight)} END"
        )
    whole = f"nullif({' + '.join(weights)}, 0)"
    return (
        f"CASE WHEN f.purchases > 0 THEN coalesce(round(({' + '.join(points)}) / {whole}, 4), 0)"
        " ELSE 0 END"
    )


def scored(policy: Policy, *, is_current: bool, only_some: bool = False, day: str = "$1") -> str:
    """Return a SELECT of ``customer_id``, the figures that the policy looks at, and ``score``."""
    figures = relation(
        policy.window_days, policy.looks_at, is_current=is_current, only_some=only_some, day=day
    )
    return f"SELECT f.*, {score(policy)} AS score FROM ({figures}) AS f"  # noqa: S608 - built from constants, and numbers of our own


# Each stands before the table of its name: what these cards have, as if it were the first one's.
_AS_ONE: Final = """
WITH purchase AS (
    SELECT $3::uuid AS customer_id, id, kind, status, amount, costed_amount, cost, business_day
    FROM purchase WHERE customer_id = ANY($2::uuid[])
),
purchase_line AS (
    SELECT $3::uuid AS customer_id, purchase_id, category
    FROM purchase_line WHERE customer_id = ANY($2::uuid[])
),
interaction AS (
    SELECT $3::uuid AS customer_id, cost, business_day
    FROM interaction WHERE customer_id = ANY($2::uuid[])
)"""


async def of_cards(
    connection: "asyncpg.Connection[Any]",
    window_days: int,
    as_of: date,
    customer_ids: Sequence[UUID],
    looks_at: Collection[Indicator] = EVERYTHING,
    *,
    is_current: bool,
) -> dict[UUID, Figures]:
    """Return each card's figures of the window that ends with a day; a card without any has zeros.

    ``is_current`` says that the cards' statistics hold for the day, which they do once they are
    refreshed in this transaction.
    """
    rows = await connection.fetch(
        relation(window_days, looks_at, is_current=is_current, only_some=True),
        as_of,
        list(customer_ids),
    )
    return {row["customer_id"]: figures_of(row, as_of) for row in rows}


async def joint(
    connection: "asyncpg.Connection[Any]",
    window_days: int,
    as_of: date,
    customer_ids: Sequence[UUID],
    looks_at: Collection[Indicator] = EVERYTHING,
) -> Figures:
    """Return the figures of one card that had all the receipts and contacts of these."""
    figures = relation(window_days, looks_at, is_current=False)
    rows = await connection.fetch(
        f"{_AS_ONE} {figures}", as_of, list(customer_ids), customer_ids[0]
    )
    return figures_of(rows[0], as_of) if rows else Figures(as_of)


def figures_of(row: "asyncpg.Record", as_of: date) -> Figures:
    """Return a row of :func:`relation` as the rules take it."""
    return replace(Figures(as_of), **{name: row[name] for name in COLUMNS})
