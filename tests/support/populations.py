"""Many cards at once, with figures as they are said: what a chain's statistics would hold."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.core import clock
from app.core.database import Database, raw_connection
from app.core.ids import new_id
from app.queries.rows import as_json
from app.rules.tier_figures import Figures

_CARDS = """
INSERT INTO customer (id, kind, status, name, birth_month_is_leap, origin, registered_on, version,
                      created_at, updated_at)
SELECT id, kind, status, 'Somebody', false, 'store', DATE '2025-01-01', 1, $2, $2
FROM jsonb_to_recordset($1::jsonb) AS r (id uuid, kind text, status text)
"""
_TIERS = """
INSERT INTO tier_assignment (customer_id, id, level, cause, policy_id, policy_version, valid_from,
                             explanation, ends_on, reason)
SELECT r.id, gen_random_uuid(), level, CASE WHEN is_set THEN 'override' ELSE 'initial' END,
    p.id, p.version, $2::timestamptz - interval '1 year', '{}',
    CASE WHEN is_set THEN DATE '2099-01-01' END,
    CASE WHEN is_set THEN 'By hand' END
FROM jsonb_to_recordset($1::jsonb) AS r (id uuid, kind text, level text, is_set boolean)
JOIN tier_policy AS p ON p.scope = r.kind AND p.status = 'active'
"""
_STATISTICS = """
INSERT INTO customer_stats (customer_id, first_purchase_on, last_purchase_on,
    repeat_purchase_days, purchases, refunds, gross, refunded, net, costed, margin, purchases_365,
    purchase_days_365, gross_365, refunded_365, net_365, costed_365, margin_365, largest_365,
    net_180, net_prior_180)
SELECT id, last_purchase_on, last_purchase_on, greatest(purchase_days - 1, 0), purchases, 0,
    gross_spend, refunded, net_spend, costed, margin, purchases, purchase_days, gross_spend,
    refunded, net_spend, costed, margin, largest, net_180, net_prior_180
FROM jsonb_to_recordset($1::jsonb) AS r (
    id uuid, last_purchase_on date, purchase_days integer, purchases integer, gross_spend numeric,
    refunded numeric, net_spend numeric, costed numeric, margin numeric, largest numeric,
    net_180 numeric, net_prior_180 numeric)
"""
_SERVICE = """
INSERT INTO customer_service_stats (customer_id, contacts, inbound, contacts_365, inbound_365,
                                    service_cost, service_cost_365)
SELECT id, contacts, 0, contacts, 0, service_cost, service_cost
FROM jsonb_to_recordset($1::jsonb) AS r (id uuid, contacts integer, service_cost numeric)
WHERE contacts > 0
"""


@dataclass(frozen=True)
class Person:
    """A card with what it holds and its figures of the window."""

    id: UUID
    figures: Figures
    level: str = "small"
    kind: str = "individual"
    status: str = "active"
    is_set: bool = False


async def move_in(database: Database, people: Sequence[Person]) -> None:
    """Write the cards of these people, in this order."""
    rows = [
        {
            **{name: getattr(one.figures, name) for name in Figures.__dataclass_fields__},
            "id": one.id,
            "level": one.level,
            "kind": one.kind,
            "status": one.status,
            "is_set": one.is_set,
        }
        for one in people
    ]
    async with database.transaction() as session:
        connection = await raw_connection(session)
        given, now = as_json(rows), clock.now()
        await connection.execute(_CARDS, given, now)
        await connection.execute(_TIERS, given, now)
        await connection.execute(_STATISTICS, given)
        await connection.execute(_SERVICE, given)


def spender(as_of: date, net: str, **more: Any) -> Person:
    """Return a person who bought once, today, for this much."""
    amount = Decimal(net)
    figures = Figures(
        as_of, net_spend=amount, gross_spend=amount, purchases=1, purchase_days=1, largest=amount,
        last_purchase_on=as_of, net_180=amount, costed=amount, margin=amount / 4,
    )  # fmt: skip
    return Person(new_id(), figures, **more)


def crowd(chance: random.Random, as_of: date, size: int) -> list[Person]:
    """Return people with figures that may be, many of them alike; some bought nothing."""
    people = []
    for _ in range(size):
        bought = chance.choice([0, 1, 1, 1, 2, 2, 3, chance.randrange(4, 40)])
        gross = Decimal(bought * chance.choice([20, 20, 35, chance.randrange(1, 200)]))
        refunded = chance.choice([Decimal(0)] * 5 + [gross / 2, gross + 10])
        costed = chance.choice([gross - refunded] * 3 + [Decimal(0)]) if bought else Decimal(0)
        contacts = chance.choice([0, 0, 1, 5])
        figures = Figures(
            as_of,
            net_spend=gross - refunded,
            purchases=bought,
            refunded=refunded,
            gross_spend=gross,
            costed=costed,
            margin=(costed * chance.randrange(-5, 60) / 100).quantize(Decimal("0.01")),
            purchase_days=min(bought, chance.randrange(1, 12)),
            largest=gross / max(bought, 1),
            last_purchase_on=as_of - timedelta(chance.choice([0, 3, 3, chance.randrange(365)]))
            if bought
            else chance.choice([None, as_of - timedelta(days=500)]),
            net_180=gross / 2,
            net_prior_180=gross / 2,
            contacts=contacts,
            service_cost=Decimal(contacts * 2),
        )
        people.append(
            Person(
                new_id(),
                replace(figures, largest=figures.largest.quantize(Decimal("0.01"))),
                level=chance.choice(["small", "small", "ordinary", "main"]),
                is_set=chance.random() < 0.1,
            )
        )
    return people
