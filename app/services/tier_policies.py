"""Write tier policies: drafts begin, change and go; what was approved stays as it is."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.errors import ConflictError, FieldError
from app.core.ids import new_id
from app.models import TierCalibration, TierPolicy
from app.rules.access import Actor
from app.rules.tier_drafts import ALL_MEMBERS, check_draft
from app.rules.tier_presets import preset
from app.schemas.tier_policies import TierPolicyChange, TierPolicyCreate
from app.services import changes, reports
from app.services.trail import record_action
from app.vocabulary import Action, ActorKind, CustomerKind, PolicyMethod, PolicyStatus

OBJECT_TYPE: Final = "tier_policy"
MAXIMUM_DRAFTS: Final = 50
"""Drafts of a scope that may lie about at once."""

Found = tuple[TierPolicy, TierCalibration | None]


async def list_policies(session: AsyncSession) -> Sequence[Found]:
    """Return all versions with their calibrations: by scope, newest version first."""
    rows = await session.execute(
        _with_calibrations().order_by(col(TierPolicy.scope), col(TierPolicy.version).desc())
    )
    return [(policy, calibration) for policy, calibration in rows]


async def get_policy(session: AsyncSession, policy_id: UUID) -> Found:
    """Return a version with its calibration, if it has one.

    Raises:
        NotFoundError: there is none.
    """
    row = (
        await session.execute(_with_calibrations().where(col(TierPolicy.id) == policy_id))
    ).one_or_none()
    if row is None:
        raise changes.not_found()
    return row[0], row[1]


def _with_calibrations() -> Any:
    return (
        select(TierPolicy, TierCalibration)
        .outerjoin(TierCalibration, col(TierCalibration.policy_id) == col(TierPolicy.id))
        .execution_options(populate_existing=True)
    )


async def create_draft(
    session: AsyncSession, settings: Settings, actor: Actor, body: TierPolicyCreate
) -> Found:
    """Write a draft as the next version of its scope.

    Raises:
        InvalidInputError: with everything that is wrong with it.
        ConflictError: there are too many drafts.
    """
    method, content = await _begun(session, body)
    given = _members(body.model_dump(mode="json", exclude_unset=True, exclude_none=True))
    content = {**content, **given}
    if method is None:
        raise changes.unacceptable(
            "/method", "missing", "Required without a preset or copy_of.",
            "未指定 preset 或 copy_of 时必填。",
        )  # fmt: skip
    _check(method, content)
    await lock_scope(session, body.scope)
    await _check_room(session, body.scope)
    newest = await session.scalar(
        select(func.max(col(TierPolicy.version))).where(col(TierPolicy.scope) == body.scope)
    )
    policy = TierPolicy(
        id=new_id(),
        scope=body.scope,
        version=(newest or 0) + 1,
        name=body.name,
        status=PolicyStatus.DRAFT,
        method=method,
        body=content,
        effective_on=clock.today(settings.zone),
        created_at=clock.now(),
        note=body.note,
        created_by_id=staff_id_of(actor),
    )
    session.add(policy)
    await session.flush()
    await record_action(
        session, actor, Action.CREATED, OBJECT_TYPE, policy.id, ("name", "method", *content)
    )
    return await get_policy(session, policy.id)


async def change_draft(
    session: AsyncSession, actor: Actor, policy_id: UUID, seen: int, body: TierPolicyChange
) -> Found:
    """Change what the body names.

    Raises:
        NotFoundError: there is none.
        PreconditionFailedError: somebody changed it since revision ``seen``.
        ConflictError: it is no draft.
        InvalidInputError: with everything that would be wrong with it.
    """
    policy = await lock_draft(session, policy_id, seen)
    given = body.model_dump(mode="json", exclude_unset=True)
    method = body.method if "method" in given else policy.method
    content = {**policy.body, **_members(given)}
    # What a level is not owed, and what a method has no use for, is left out rather than null.
    content = {name: _without_nulls(value) for name, value in content.items() if value is not None}
    wanted = {
        "name": given.get("name", policy.name),
        "note": given.get("note", policy.note),
        "method": method,
        "body": content,
    }
    different = [name for name, value in wanted.items() if getattr(policy, name) != value]
    if different:
        _check(method, content)
        told = _told(different, policy.body, content)
        for name in different:
            setattr(policy, name, wanted[name])
        await save(session, actor, policy, Action.CHANGED, told)
    return await get_policy(session, policy_id)


async def delete_draft(session: AsyncSession, actor: Actor, policy_id: UUID, seen: int) -> None:
    """Throw a draft away, with its simulations.

    Raises:
        NotFoundError: there is none.
        PreconditionFailedError: somebody changed it since revision ``seen``.
        ConflictError: it is no draft.
    """
    policy = await lock_draft(session, policy_id, seen)
    await reports.forget_reports_of(session, policy_id)
    await session.execute(
        delete(TierCalibration).where(col(TierCalibration.policy_id) == policy_id)
    )
    await session.delete(policy)
    await session.flush()
    await record_action(session, actor, Action.CANCELLED, OBJECT_TYPE, policy_id)


async def lock_scope(session: AsyncSession, scope: CustomerKind) -> None:
    """Let nobody else number, publish or activate versions of a scope until the transaction ends.

    Take it before any version's row.
    """
    await session.execute(
        select(func.pg_advisory_xact_lock(func.hashtextextended(f"tier_policy:{scope}", 0)))
    )


async def lock_policy(session: AsyncSession, policy_id: UUID, seen: int) -> TierPolicy:
    """Return a version as it is now, locked until the transaction ends.

    Raises:
        NotFoundError: there is none.
        PreconditionFailedError: somebody changed it since revision ``seen``.
    """
    policy: TierPolicy | None = await session.scalar(
        select(TierPolicy)
        .where(col(TierPolicy.id) == policy_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if policy is None:
        raise changes.not_found()
    await changes.check_version(session, OBJECT_TYPE, policy_id, current=policy.revision, seen=seen)
    return policy


async def lock_draft(session: AsyncSession, policy_id: UUID, seen: int) -> TierPolicy:
    """Return a draft, locked.

    Raises:
        NotFoundError, PreconditionFailedError: as :func:`lock_policy`.
        ConflictError: it is no draft.
    """
    policy = await lock_policy(session, policy_id, seen)
    if policy.status is not PolicyStatus.DRAFT:
        raise not_a_draft(policy.status)
    return policy


def not_a_draft(status: PolicyStatus) -> ConflictError:
    """Return the refusal of what only drafts allow."""
    return ConflictError(
        f"This version is {status.label.en.lower()}: what was approved stays as it is. Make a new "
        "draft with copy_of, or retract it while it waits.",
        code="invalid-transition",
        detail_zh=f"该版本{status.label.zh}：已批准的内容不再修改。"
        "请以 copy_of 新建草稿，或在生效前撤回。",
        members={"policy_status": str(status)},
    )


async def save(
    session: AsyncSession, actor: Actor, policy: TierPolicy, action: Action, fields: Sequence[str]
) -> None:
    """Give a version its next revision, and say in the audit trail what made it."""
    policy.revision += 1
    session.add(policy)
    await session.flush()
    await record_action(session, actor, action, OBJECT_TYPE, policy.id, fields)


def staff_id_of(actor: Actor) -> UUID | None:
    """Return the member of staff who acts, None where it is not a person."""
    return actor.id if actor.kind is ActorKind.STAFF else None


async def _begun(
    session: AsyncSession, body: TierPolicyCreate
) -> tuple[PolicyMethod | None, Mapping[str, Any]]:
    """Return the method and body that a draft begins as."""
    if body.preset is not None and body.copy_of is not None:
        raise changes.unacceptable(
            "/copy_of", "either-or", "A draft begins as a preset or as a copy.",
            "草稿只能由预设或已有版本二者之一开始。",
        )  # fmt: skip
    if body.preset is not None:
        begun = preset(body.preset, body.scope)
        return body.method or begun.method, begun.body
    if body.copy_of is not None:
        copied = await session.get(TierPolicy, body.copy_of)
        if copied is None:
            raise changes.unacceptable(
                "/copy_of", "unknown", "There is no such version.", "没有这个版本。"
            )
        return body.method or copied.method, _as_drafted(copied.body)
    return body.method, {}


def _as_drafted(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored body without what the first versions said of evaluations: all are monthly."""
    keep = {name: value for name, value in body["keep"].items() if name != "evaluation"}
    return {**body, "keep": keep}


def _members(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in ALL_MEMBERS if name in given}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nulls(part) for name, part in value.items() if part is not None}
    return [_without_nulls(part) for part in value] if isinstance(value, list) else value


def _told(
    different: Sequence[str], before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[str]:
    """Return the names of what differs as they stand in answers."""
    told = [name for name in different if name != "body"]
    return told + [name for name in ALL_MEMBERS if before.get(name) != after.get(name)]


def _check(method: PolicyMethod, content: Mapping[str, Any]) -> None:
    findings = check_draft(method, content).findings
    if findings:
        raise changes.not_acceptable(
            [FieldError(one.pointer, one.code, one.detail, one.detail_zh) for one in findings]
        )


async def _check_room(session: AsyncSession, scope: CustomerKind) -> None:
    drafts = await session.scalar(
        select(func.count()).where(
            col(TierPolicy.scope) == scope, col(TierPolicy.status) == PolicyStatus.DRAFT
        )
    )
    if (drafts or 0) >= MAXIMUM_DRAFTS:
        raise ConflictError(
            f"There are {MAXIMUM_DRAFTS} drafts already; publish or delete some.",
            detail_zh=f"草稿已达 {MAXIMUM_DRAFTS} 份；请先发布或删除部分草稿。",
        )
