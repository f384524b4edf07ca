"""Publish tier policies: what was tried out comes into force, at once or on its day."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.errors import ConflictError, ForbiddenError
from app.models import TierCalibration, TierPolicy
from app.rules.access import SYSTEM, Actor
from app.schemas.tier_policies import TierPolicyPublish
from app.services import changes
from app.services.reports import find_simulation
from app.services.tier_policies import (
    Found,
    get_policy,
    lock_draft,
    lock_policy,
    lock_scope,
    save,
    staff_id_of,
)
from app.services.tier_policy_answers import name_of
from app.services.trail import announce
from app.vocabulary import (
    Action,
    CustomerKind,
    DomainEvent,
    PolicyStatus,
)

FARTHEST_DAYS: Final = 366
"""A policy is decided on for the next year, and not for later ones."""


async def publish(
    session: AsyncSession,
    settings: Settings,
    actor: Actor,
    policy_id: UUID,
    seen: int,
    body: TierPolicyPublish,
) -> Found:
    """Approve a draft: it is in force from now on, or from a later day.

    Cards are moved by the next night, and by their next receipts.

    Raises:
        NotFoundError, PreconditionFailedError: as for every change.
        ForbiddenError: it is no member of staff who approves.
        ConflictError: it is no draft, was not tried out as it stands, or another version waits.
        InvalidInputError: the day has passed, or lies more than a year ahead.
    """
    if staff_id_of(actor) is None:
        raise ForbiddenError(
            "A member of staff approves tier policies.", detail_zh="层级政策须由员工批准。"
        )
    scope = (await get_policy(session, policy_id))[0].scope
    await lock_scope(session, scope)
    policy = await lock_draft(session, policy_id, seen)
    today = clock.today(settings.zone)
    effective_on = body.effective_on or today
    _check_day(today, effective_on)
    await _check_tried_out(session, policy)
    policy.effective_on = effective_on
    policy.approved_by_id = staff_id_of(actor)
    policy.approved_at = clock.now()
    if body.note is not None:
        policy.note = body.note
    if effective_on <= today:
        await _activate(session, actor, policy, Action.PUBLISHED)
    else:
        await _check_nobody_waits(session, scope)
        policy.status = PolicyStatus.SCHEDULED
        await save(session, actor, policy, Action.PUBLISHED, ["effective_on", "status"])
    return await get_policy(session, policy_id)


async def retract(session: AsyncSession, actor: Actor, policy_id: UUID, seen: int) -> Found:
    """Make a draft again of a version that waits for its day.

    Raises:
        NotFoundError, PreconditionFailedError: as for every change.
        ConflictError: it does not wait.
    """
    policy = await lock_policy(session, policy_id, seen)
    if policy.status is not PolicyStatus.SCHEDULED:
        raise ConflictError(
            "Only a version that waits for its day can be retracted.",
            code="invalid-transition",
            detail_zh="只有已批准待生效的版本才能撤回。",
            members={"policy_status": str(policy.status)},
        )
    policy.status = PolicyStatus.DRAFT
    policy.approved_by_id = None
    policy.approved_at = None
    await save(session, actor, policy, Action.UNDONE, ["effective_on", "status"])
    return await get_policy(session, policy_id)


async def activate_due(session: AsyncSession, settings: Settings, as_of: date) -> Mapping[str, int]:
    """Put the versions into force whose day has come by ``as_of``, and by today."""
    day = min(as_of, clock.today(settings.zone))
    activated = 0
    for scope in CustomerKind:
        await lock_scope(session, scope)
        policy = await session.scalar(
            select(TierPolicy)
            .where(
                col(TierPolicy.scope) == scope,
                col(TierPolicy.status) == PolicyStatus.SCHEDULED,
                col(TierPolicy.effective_on) <= day,
            )
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
        if policy is not None:
            await _activate(session, SYSTEM, policy, Action.ENABLED)
            activated += 1
    return {"activated": activated}


async def _activate(
    session: AsyncSession, actor: Actor, policy: TierPolicy, action: Action
) -> None:
    """Put a locked version into force, and the one that was out of it, at the same instant."""
    now = clock.now()
    retired = await session.scalar(
        select(TierPolicy)
        .where(col(TierPolicy.scope) == policy.scope)
        .where(col(TierPolicy.status) == PolicyStatus.ACTIVE)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if retired is not None:
        retired.status, retired.retired_at = PolicyStatus.RETIRED, now
        await save(session, actor, retired, Action.RETIRED, ["status"])
    policy.status, policy.activated_at = PolicyStatus.ACTIVE, now
    await save(session, actor, policy, action, ["status"])
    await announce(
        session,
        DomainEvent.TIER_POLICY_ACTIVATED,
        policy.id,
        payload={
            "scope": str(policy.scope),
            "version": policy.version,
            "retired_policy_id": None if retired is None else str(retired.id),
        },
    )


def _check_day(today: date, effective_on: date) -> None:
    if effective_on < today:
        raise changes.unacceptable(
            "/effective_on", "in-the-past", "This day has passed.", "这一天已经过去。"
        )
    if effective_on > today + timedelta(days=FARTHEST_DAYS):
        raise changes.unacceptable(
            "/effective_on", "range", f"Within {FARTHEST_DAYS} days.",
            f"须在 {FARTHEST_DAYS} 天之内。",
        )  # fmt: skip


async def _check_tried_out(session: AsyncSession, policy: TierPolicy) -> None:
    """Refuse a draft without a simulation, or whose calibration is of another body."""
    named = name_of(policy)
    calibration = await session.get(TierCalibration, policy.id, populate_existing=True)
    is_calibrated = calibration is not None and calibration.fingerprint == named
    if not is_calibrated or await find_simulation(session, policy.id, named) is None:
        raise ConflictError(
            "This draft was not simulated as it stands: simulate it, and look at who would move.",
            code="simulation-required",
            detail_zh="该草稿尚未按现有内容试算：请先试算，查看将会变动的客户。",
        )


async def _check_nobody_waits(session: AsyncSession, scope: CustomerKind) -> None:
    waiting = await session.scalar(
        select(TierPolicy).where(
            col(TierPolicy.scope) == scope, col(TierPolicy.status) == PolicyStatus.SCHEDULED
        )
    )
    if waiting is not None:
        raise ConflictError(
            "Another version of this scope waits for its day; retract it first.",
            detail_zh="该范围已有另一版本待生效；请先撤回。",
            members={"policy_id": str(waiting.id)},
        )
