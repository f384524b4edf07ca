"""What profiles are made of: a card's figures and what it holds, and which cards are wanted.

Every table is told which cards are wanted: it is then read by its own key, side by side with the
others where they are a range.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final, TypeAlias
from uuid import UUID

import asyncpg

from app.queries import tier_figures
from app.rules.customer_groups import Standing
from app.rules.tier_figures import WINDOW_DAYS, Figures
from app.rules.tier_policies import Policy
from app.vocabulary import CustomerKind, CustomerStatus, Indicator, TierLevel

Within: TypeAlias = Callable[[str], str]
"""Gives the condition that a column holds one of the wanted cards."""

_IN_USE: Final = ", ".join(
    f"'{status}'" for status in (CustomerStatus.ACTIVE, CustomerStatus.ARCHIVED)
)


def in_range(column: str) -> str:
    """Return that a column lies above ``$2``, up to ``$3``."""
    return f"{column} > $2 AND {column} <= $3"


def among(column: str) -> str:
    """Return that a column is one of ``$2``."""
    return f"{column} = ANY($2::uuid[])"


# What a card has, in the words of `app.queries.tier_figures`, whose scores are of a row `f`. What a
# card without receipts has nothing of is empty.
COLUMNS: Final = f"""
    c.id AS customer_id, c.status IN ({_IN_USE}) AS is_in_use, $1::date AS as_of,
    s.net_365 AS net_spend, s.purchases_365 AS purchases, s.refunded_365 AS refunded,
    s.gross_365 AS gross_spend, s.costed_365 AS costed, s.margin_365 AS margin,
    s.purchase_days_365 AS purchase_days, s.largest_365 AS largest, s.last_purchase_on,
    s.net_180, s.net_prior_180, s.repeat_purchase_days,
    coalesce(v.contacts_365, 0) AS contacts, coalesce(v.service_cost_365, 0) AS service_cost"""


def joined(within: Within) -> str:
    """Return the tables that hold a card's facts, each told which cards are wanted."""
    return f"""
    FROM customer AS c
    LEFT JOIN customer_stats AS s ON s.customer_id = c.id AND {within("s.customer_id")}
    LEFT JOIN customer_service_stats AS v ON v.customer_id = c.id AND {within("v.customer_id")}"""


def is_of_statistics(policy: Policy) -> bool:
    """Tell whether the statistics have all that the policy's score is made of."""
    return policy.window_days == WINDOW_DAYS and Indicator.BREADTH not in policy.looks_at


_STANDINGS: Final = f"""
SELECT {COLUMNS}, c.kind, t.level,
    EXISTS (SELECT FROM tier_review AS r WHERE r.customer_id = c.id AND r.status = 'open')
        AS is_in_review
{joined(among)}
LEFT JOIN tier_assignment AS t ON t.customer_id = c.id AND t.valid_to IS NULL
WHERE {among("c.id")} ORDER BY c.id
"""  # noqa: S608 - built from constants of this module


@dataclass(frozen=True, slots=True)
class CardStanding:
    """How a card stands, its kind, and the level it holds: none if it was merged or erased."""

    kind: CustomerKind
    level: TierLevel | None
    standing: Standing


async def standings(
    connection: "asyncpg.Connection[Any]",
    as_of: date,
    policies: Mapping[CustomerKind, Policy],
    customer_ids: Sequence[UUID],
) -> dict[UUID, CardStanding]:
    """Return how each of these cards stands, as their statistics say it now."""
    rows = await connection.fetch(_STANDINGS, as_of, list(customer_ids))
    found = {row["customer_id"]: row for row in rows}
    scores: dict[UUID, Decimal] = {}
    for kind, policy in policies.items():
        of_kind = [one for one, row in found.items() if row["kind"] == kind]
        if of_kind and not is_of_statistics(policy):
            figures = await tier_figures.of_cards(
                connection, policy.window_days, as_of, of_kind, policy.looks_at, is_current=True
            )
            scores |= {one: policy.score(own) for one, own in figures.items()}
    return {one: _standing(row, policies, scores.get(one)) for one, row in found.items()}


def _standing(
    row: "asyncpg.Record", policies: Mapping[CustomerKind, Policy], score: Decimal | None
) -> CardStanding:
    figures = Figures(
        row["as_of"],
        **{name: row[name] for name in tier_figures.COLUMNS if row.get(name) is not None},
    )
    kind = CustomerKind(row["kind"])
    standing = Standing(
        figures,
        row["repeat_purchase_days"] or 0,
        policies[kind].score(figures) if score is None else score,
        row["is_in_review"],
    )
    return CardStanding(kind, None if row["level"] is None else TierLevel(row["level"]), standing)
