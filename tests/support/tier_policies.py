"""Tier policies as tests write, try out and publish them, and the night that follows."""

from datetime import date
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import select
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import Database, raw_connection
from app.jobs.nightly import STEPS
from app.models import TierAssignment
from app.services import (
    customer_profiles,
    nights,
    tier_reviews,
)
from tests.support.world import World

PATH = "/v1/tier-policies"
LEVELS: list[dict[str, Any]] = [
    {"level": "main", "at_least": "500.00", "benefits": {"discount_percent": "10"}},
    {"level": "ordinary", "at_least": "100.00"},
    {"level": "small", "at_least": "0.00"},
]
KEEP: dict[str, Any] = {"factor": "0.90", "hold_days": 180, "notice_days": 30, "grace_days": 0}
THRESHOLDS: dict[str, Any] = {
    "scope": "individual", "name": "Lower lines", "method": "threshold", "metric": "net_spend",
    "window_days": 365, "levels": LEVELS, "keep": KEEP,
}  # fmt: skip


async def draft(client: httpx.AsyncClient, world: World, **body: Any) -> dict[str, Any]:
    """Write a draft; return it."""
    answer = await client.post(PATH, headers=world.headers(), json=body or THRESHOLDS)
    assert answer.status_code == 201, answer.text
    policy: dict[str, Any] = answer.json()
    return policy


def as_seen(world: World, policy: dict[str, Any], who: str = "manager") -> dict[str, str]:
    """Return headers of somebody who has seen this revision."""
    return world.headers(who, If_Match=f'"v{policy["revision"]}"')


async def read(
    client: httpx.AsyncClient, world: World, policy: dict[str, Any] | str
) -> dict[str, Any]:
    """Return a version as it is now."""
    policy_id = policy if isinstance(policy, str) else policy["id"]
    answer = await client.get(f"{PATH}/{policy_id}", headers=world.headers("clerk"))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def versions(client: httpx.AsyncClient, world: World) -> list[dict[str, Any]]:
    """Return the list of all versions."""
    answer = await client.get(PATH, headers=world.headers("clerk"))
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


SHARES: dict[str, Any] = {
    "scope": "individual", "name": "Shares", "method": "share", "metric": "net_spend",
    "share_of": "customers", "window_days": 365, "keep": KEEP,
    "levels": [{"level": "main", "top_percent": "20"}, {"level": "small", "top_percent": "100"}],
}  # fmt: skip
COMPOSITE: dict[str, Any] = {
    "scope": "individual", "name": "Four tiers", "preset": "composite",
}  # fmt: skip
UNTOUCHED = ("report", "tier_calibration", "audit_entry", "idempotency_key", "access_token")


async def simulate(
    client: httpx.AsyncClient, world: World, policy: dict[str, Any], **headers: str
) -> dict[str, Any]:
    """Try a draft out; return what it shows."""
    answer = await client.post(f"{PATH}/{policy['id']}/simulate", headers=world.headers(**headers))
    assert answer.status_code == 201, answer.text
    result: dict[str, Any] = answer.json()
    return result


async def publish(
    client: httpx.AsyncClient, world: World, policy: dict[str, Any], **body: Any
) -> httpx.Response:
    """Publish a draft as it is now."""
    return await client.post(
        f"{PATH}/{policy['id']}/publish",
        headers=as_seen(world, await read(client, world, policy)),
        json=body,
    )


async def contents(database: Database) -> dict[str, Any]:
    """Return every row of every table but those that a simulation may write to."""
    async with database.transaction() as session:
        connection = await raw_connection(session)
        names = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        )
        return {
            name: await connection.fetchval(
                f"SELECT jsonb_agg(to_jsonb(t) ORDER BY to_jsonb(t)) FROM {name} AS t"
            )
            for name in (row["tablename"] for row in names)
            if name not in UNTOUCHED
        }


async def held(database: Database) -> dict[UUID, str]:
    """Return the level that each card holds."""
    async with database.transaction() as session:
        rows = await session.scalars(
            select(TierAssignment).where(col(TierAssignment.valid_to).is_(None))
        )
        return {row.customer_id: str(row.level) for row in rows}


async def night(database: Database, settings: Settings, day: date | None = None) -> None:
    """Run the steps of a night that lead from a policy to who moves, in the night's order."""
    day = day or clock.today(settings.zone)
    wanted = {"tier_policies", customer_profiles.STEP, tier_reviews.STEP, "tiers"}
    steps = [(step, portion) for step, portion in STEPS if step in wanted]
    assert len(steps) == len(wanted)
    for step, portion in steps:
        async with database.transaction() as session:
            await nights.begin_step(session, day, step, clock.now())
            assert (await portion(session, settings, day)).get("remaining", 0) == 0
