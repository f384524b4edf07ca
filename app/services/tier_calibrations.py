"""Calibrate tier policies: one snapshot of all who bought, kept with a version from then on."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import asyncpg
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.core.errors import ConflictError
from app.models import TierCalibration, TierPolicy
from app.queries import tier_calibrations as queries
from app.queries import tiers
from app.queries.tier_calibrations import Snapshot
from app.rules.tier_calibrations import (
    FEWEST_BUYERS,
    Calibration,
    References,
    RfmCuts,
    cuts_above_nothing,
    five_ranges,
)
from app.rules.tier_drafts import fingerprint
from app.rules.tier_policies import Policy
from app.vocabulary import CustomerKind, Indicator, PolicyMethod, PolicyStatus, TierLevel

CENT: Final = Decimal("0.01")
_NOTHING: Final = UUID(int=0)
Step = Callable[[], Awaitable[None]]
"""Told between two statements."""


async def snapshot_of(
    session: AsyncSession, settings: Settings, scope: CustomerKind, window_days: int, as_of: date
) -> Snapshot:
    """Return what a calibration of a day looks at: the statistics where they are of that day."""
    is_today = as_of == clock.today(settings.zone)
    is_current = is_today and await tiers.statistics_are_of(await raw_connection(session), as_of)
    return Snapshot(scope, as_of, window_days, is_current)


async def calibrate(
    session: AsyncSession,
    snapshot: Snapshot,
    method: PolicyMethod,
    body: Mapping[str, Any],
    step: Step,
) -> Calibration:
    """Take the snapshot that a policy with this method and body goes by.

    Raises:
        ConflictError: nobody bought in the window, so that there are no top shares.
    """
    connection = await raw_connection(session)
    looked_at = {Indicator(part["indicator"]) for part in body.get("indicators", ())}
    row = await queries.figures_at_percentiles(connection, snapshot, looked_at)
    calibration = Calibration(
        as_of=snapshot.as_of,
        customers=row["customers"],
        knots={
            one: tuple(row[str(one)])
            for one in Indicator
            if row.get(str(one)) is not None and row[str(one)][0] is not None
        },
        references=None if row["customers"] == 0 else _references(row),
    )
    if calibration.customers > 0:
        calibration = _with(calibration, rfm=await _rfm(connection, snapshot, step))
    if method is PolicyMethod.THRESHOLD:
        return calibration
    if calibration.customers == 0:
        raise ConflictError(
            "Nobody of this kind bought within the window: there are no top shares to draw.",
            detail_zh="统计期内没有此类客户购买，无法划定占比。",
        )
    await step()
    return await _with_cuts(connection, snapshot, method, body, calibration)


async def _with_cuts(
    connection: "asyncpg.Connection[Any]",
    snapshot: Snapshot,
    method: PolicyMethod,
    body: Mapping[str, Any],
    calibration: Calibration,
) -> Calibration:
    shares = [(TierLevel(part["level"]), Decimal(part["top_percent"])) for part in body["levels"]]
    # A policy scores before its levels are drawn: they wait at zero.
    undrawn = _with(calibration, cuts={level: Decimal(0) for level, _ in shares})
    policy = Policy.of(_NOTHING, 1, "", method, body, undrawn)
    cuts = await queries.cuts_of_shares(connection, snapshot, policy, shares)
    return _with(calibration, cuts=cuts_above_nothing(cuts, shares[-1][0], policy.unit))


async def _rfm(connection: "asyncpg.Connection[Any]", snapshot: Snapshot, step: Step) -> RfmCuts:
    await step()
    days, longest = await queries.rfm_cuts(connection, snapshot, "days_since_last_purchase")
    await step()
    frequency, most = await queries.rfm_cuts(connection, snapshot, "purchase_days")
    await step()
    spend, highest = await queries.rfm_cuts(connection, snapshot, "net_spend")
    return RfmCuts(
        five_ranges(days, longest, 1),
        five_ranges(frequency, most, 1),
        five_ranges(spend, highest, CENT),
    )


def _references(row: "asyncpg.Record") -> References:
    """Return the reference values; nothing where no cost of goods is known of anybody."""
    return References(
        **{
            name: Decimal(0) if row[name] is None else row[name]
            for name in References.__dataclass_fields__
        }
    )


def _with(calibration: Calibration, **values: Any) -> Calibration:
    return replace(calibration, **values)


async def keep_of_draft(
    session: AsyncSession, policy_id: UUID, named: str, calibration: Calibration
) -> None:
    """Keep a draft's calibration, in place of the one it had.

    Raises:
        ConflictError: it is no longer the draft that was calibrated.
    """
    policy = await session.scalar(
        select(TierPolicy)
        .where(col(TierPolicy.id) == policy_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if (
        policy is None
        or policy.status is not PolicyStatus.DRAFT
        or fingerprint(policy.scope, policy.method, policy.body) != named
    ):
        raise draft_was_changed()
    values = _row(named, calibration)
    await session.execute(
        insert(TierCalibration)
        .values(policy_id=policy_id, **values)
        .on_conflict_do_update(index_elements=["policy_id"], set_=values)
    )


def draft_was_changed() -> ConflictError:
    """Return the refusal of a simulation whose draft is another one by now."""
    return ConflictError(
        "The draft was changed, published or thrown away meanwhile; simulate it as it is now.",
        detail_zh="草稿在此期间已被修改、发布或删除；请按现有内容重新试算。",
    )


async def calibrate_active(
    session: AsyncSession, settings: Settings, as_of: date
) -> Mapping[str, int]:
    """Give policies in force a calibration that have none: it is kept for that version for ever.

    It waits until enough customers of the kind bought within the window.
    """
    connection = await raw_connection(session)
    rows = await session.scalars(
        select(TierPolicy)
        .outerjoin(TierCalibration, col(TierCalibration.policy_id) == col(TierPolicy.id))
        .where(
            col(TierPolicy.status) == PolicyStatus.ACTIVE,
            col(TierCalibration.policy_id).is_(None),
        )
    )
    calibrated = 0
    for policy in rows.all():
        snapshot = await snapshot_of(
            session, settings, policy.scope, policy.body["window_days"], as_of
        )
        if await queries.count_buyers(connection, snapshot) < FEWEST_BUYERS:
            continue
        calibration = await calibrate(session, snapshot, policy.method, policy.body, _nobody_waits)
        named = fingerprint(policy.scope, policy.method, policy.body)
        await session.execute(
            insert(TierCalibration)
            .values(policy_id=policy.id, **_row(named, calibration))
            .on_conflict_do_nothing()
        )
        calibrated += 1
    return {"calibrated": calibrated}


async def _nobody_waits() -> None:
    pass


def _row(named: str, calibration: Calibration) -> dict[str, Any]:
    return {
        "fingerprint": named,
        "as_of": calibration.as_of,
        "customers": calibration.customers,
        "body": calibration.as_json(),
        "created_at": clock.now(),
    }
