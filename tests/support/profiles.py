"""What the rules say of every card, beside what the night wrote; policies with cut points."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import orjson

from app.core import clock
from app.core.database import Database, raw_connection
from app.queries import customer_profiles
from app.queries.profile_facts import standings
from app.rules.customer_profiles import Profile, can_profile, profile_of
from app.rules.tier_calibrations import Calibration, References, RfmCuts
from app.services import nights
from app.services.customer_profiles import STEP, refresh_profiles
from app.services.tier_policies_in_force import active_policies
from app.vocabulary import CustomerKind

CUTS: Final = RfmCuts(
    days_since_last_purchase=(30, 60, 120, 240),
    purchase_days=(2, 4, 8, 16),
    net_spend=(Decimal("100.00"), Decimal("300.00"), Decimal("600.00"), Decimal("1000.00")),
)
REFERENCES: Final = References(
    value_contribution=Decimal("300.00"),
    top_gross=Decimal("1000.00"),
    contribution_rate_p25=Decimal("0.0800"),
    refund_rate_mean=Decimal("0.0900"),
    service_cost_median=Decimal("10.00"),
    service_cost_total=Decimal("5000.00"),
    contribution_total=Decimal("100000.00"),
)


def calibration(as_of: date, **more: Any) -> Calibration:
    """Return a calibration with cut points and reference values."""
    return Calibration(as_of, 100, **{"rfm": CUTS, "references": REFERENCES, **more})


async def use_calibration(
    database: Database, frozen: Calibration, kind: CustomerKind = CustomerKind.INDIVIDUAL
) -> None:
    """Let the policy in force have been calibrated so."""
    async with database.transaction() as session:
        await (await raw_connection(session)).execute(
            """INSERT INTO tier_calibration (policy_id, fingerprint, as_of, customers, body,
                   created_at)
               SELECT id, 'made up', $2, $3, $4::jsonb, now() FROM tier_policy
               WHERE scope = $1 AND status = 'active'
               ON CONFLICT (policy_id) DO UPDATE SET body = excluded.body""",
            str(kind), frozen.as_of, frozen.customers, orjson.dumps(frozen.as_json()).decode(),
        )  # fmt: skip


async def use_policy(database: Database, method: str, body: dict[str, Any]) -> None:
    """Let the individuals' policy in force be another one."""
    async with database.transaction() as session:
        await (await raw_connection(session)).execute(
            """UPDATE tier_policy SET method = $1, body = $2::jsonb
               WHERE scope = 'individual' AND status = 'active'""",
            method, orjson.dumps(body).decode(),
        )  # fmt: skip


async def make_profiles(database: Database, as_of: date) -> dict[str, int]:
    """Run the night's step for a day; return what it counted."""
    async with database.transaction() as session:
        await nights.begin_step(session, as_of, STEP, clock.now())
    total: dict[str, int] = {}
    while True:
        async with database.transaction() as session:
            counts = dict(await refresh_profiles(session, as_of))
        remaining = counts.pop("remaining")
        total = {name: total.get(name, 0) + count for name, count in counts.items()}
        if not remaining:
            break
    async with database.transaction() as session:
        await nights.finish_step(session, as_of, STEP, clock.now(), 1, total)
    return total


def columns_of(profile: Profile) -> dict[str, Any]:
    """Return what is to be stored of a profile."""
    scores, above, hollow = profile.scores, profile.next, profile.hollow
    if above is not None and not above.has_potential:
        above = None
    return {
        "recency_score": scores and scores.recency,
        "frequency_score": scores and scores.frequency,
        "monetary_score": scores and scores.monetary,
        "segment": str(profile.boundary.segment),
        "customer_group": str(profile.grouping.group),
        "growth": above and profile.standing.growth,
        "contribution": profile.standing.contribution if profile.pruning else None,
        "pace": profile.standing.pace if above else Decimal(0),
        "next_level": above and str(above.level),
        "missing": above and above.missing,
        "has_potential": above is not None,
        "is_hollow": hollow is not None,
        "is_severe": bool(hollow and hollow.is_severe),
        "hollow_signs": [] if hollow is None else [str(sign) for sign in hollow.signs],
        "is_pruning_candidate": bool(profile.pruning),
    }


async def by_the_rules(database: Database, as_of: date) -> dict[UUID, dict[str, Any]]:
    """Return what is to be stored of every card in use whose policy is calibrated."""
    async with database.transaction() as session:
        connection = await raw_connection(session)
        ids = [
            row["id"]
            for row in await connection.fetch(
                "SELECT id FROM customer WHERE status IN ('active', 'archived')"
            )
        ]
        policies = await active_policies(session)
        found = await standings(connection, as_of, policies, ids)
    return {
        one: columns_of(profile_of(replace(card.standing, is_in_review=False), policies[card.kind]))
        for one, card in found.items()
        if can_profile(policies[card.kind])
    }


async def stored(database: Database) -> dict[UUID, dict[str, Any]]:
    """Return every profile that is stored."""
    names = ", ".join(customer_profiles.COLUMNS)
    async with database.transaction() as session:
        rows = await (await raw_connection(session)).fetch(
            f"SELECT customer_id, {names} FROM customer_profile"
        )
    return {
        row["customer_id"]: {name: row[name] for name in customer_profiles.COLUMNS} for row in rows
    }
