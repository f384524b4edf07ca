"""What the policy in force holds cards against, set by a test."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Final

from sqlalchemy.dialects.postgresql import insert

from app.core import clock
from app.core.database import Database
from app.models import TierCalibration
from app.rules.tier_calibrations import Calibration, References
from app.services.tier_policies_in_force import active_policies
from app.vocabulary import CustomerKind

REFERENCES: Final = References(
    value_contribution=Decimal("300.00"),
    top_gross=Decimal("1000.00"),
    contribution_rate_p25=Decimal("0.0800"),
    refund_rate_mean=Decimal("0.0900"),
    service_cost_median=Decimal("10.00"),
    service_cost_total=Decimal("5000.00"),
    contribution_total=Decimal("90000.00"),
)


async def calibrate(
    database: Database, kind: CustomerKind = CustomerKind.INDIVIDUAL, **changes: Decimal
) -> None:
    """Give the policy in force for a kind of customers reference values."""
    references = replace(REFERENCES, **changes)
    calibration = Calibration(date(2026, 11, 1), 100, references=references)
    async with database.transaction() as session:
        policy = (await active_policies(session))[kind]
        body = {"body": calibration.as_json()}
        await session.execute(
            insert(TierCalibration)
            .values(
                policy_id=policy.id,
                fingerprint="test",
                as_of=calibration.as_of,
                customers=calibration.customers,
                created_at=clock.now(),
                **body,
            )
            .on_conflict_do_update(index_elements=["policy_id"], set_=body)
        )
