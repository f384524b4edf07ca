"""Drafts of tier policies as tests write them over the API."""

from typing import Any

import httpx

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
