"""Find the policies that decide tiers now."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import raw_connection
from app.queries import tiers
from app.rules.tier_policies import Calibration, Policy
from app.vocabulary import (
    CustomerKind,
    PolicyMethod,
)


async def active_policies(session: AsyncSession) -> Mapping[CustomerKind, Policy]:
    """Return the policy in force for each kind of customer."""
    rows = await tiers.active_policies(await raw_connection(session))
    return {
        CustomerKind(row["scope"]): Policy.of(
            row["id"],
            row["version"],
            row["name"],
            PolicyMethod(row["method"]),
            row["body"],
            None if row["calibration"] is None else Calibration.of(row["calibration"]),
        )
        for row in rows
    }
