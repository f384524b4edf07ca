"""Find the policies that decide tiers now."""

from collections.abc import Mapping
from functools import lru_cache
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import raw_connection
from app.queries import tiers
from app.rules.tier_calibrations import Calibration
from app.rules.tier_policies import Policy
from app.vocabulary import CustomerKind, PolicyMethod


async def active_policies(session: AsyncSession) -> Mapping[CustomerKind, Policy]:
    """Return the policy in force for each kind of customer."""
    rows = await tiers.active_policies(await raw_connection(session))
    return {
        CustomerKind(row["scope"]): _read(
            row["id"], row["version"], row["name"], row["method"], row["body"], row["calibration"]
        )
        for row in rows
    }


@lru_cache(maxsize=16)
def _read(
    policy_id: UUID, version: int, name: str, method: str, body: str, calibration: str | None
) -> Policy:
    """Read a policy; every sale asks for the same one, whose calibration is long."""
    return Policy.of(
        policy_id,
        version,
        name,
        PolicyMethod(method),
        orjson.loads(body),
        None if calibration is None else Calibration.of(orjson.loads(calibration)),
    )
