"""Administer people: accounts, roles, shops, passwords, absences, hand-over."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock, security
from app.core.database import raw_connection
from app.core.errors import ConflictError
from app.core.ids import new_id
from app.models import Staff, StaffAbsence, StaffStore, Store
from app.queries import staff as queries
from app.rules.access import STORE_BOUND_ROLES, SYSTEM, Actor
from app.schemas.staff import (
    AbsenceCreate,
    HandedOver,
    PasswordReset,
    PasswordWasReset,
    StaffChange,
    StaffCreate,
    StaffCreated,
    StaffRead,
)
from app.services import changes
from app.services.sign_in import revoke_tokens
from app.services.trail import record_action
from app.vocabulary import Action, Role

OBJECT_TYPE = "staff"
ABSENCE_TYPE = "staff_absence"
# Without letters and digits that look or sound alike: it is read out and typed in.
_PASSWORD_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # noqa: S105 - what passwords are made of
_PASSWORD_GROUPS, _GROUP_LENGTH = 4, 4


@dataclass(frozen=True, slots=True)
class StaffFilter:
    """Which staff are wanted; None where it does not matter."""

    role: Role | None = None
    store_id: UUID | None = None
    is_disabled: bool | None = None


async def create_staff(session: AsyncSession, actor: Actor, body: StaffCreate) -> StaffCreated:
    """Make a member of staff with an account; a password is generated where none is given.

    Raises:
        ConflictError: the user name is taken.
        InvalidInputError: a shop is unknown or closed, or role and shops don't fit.
    """
    _check_role_fits(body.role, body.store_ids)
    await _check_stores(session, body.store_ids)
    password_hash, generated = await _hashed(body.password)
    staff = await _insert(session, body.username, body.display_name, body.role, password_hash)
    await _write_stores(session, staff.id, body.store_ids)
    await record_action(
        session, actor, Action.CREATED, OBJECT_TYPE, staff.id, type(body).model_fields
    )
    return StaffCreated(
        **_read(staff, sorted(body.store_ids)).model_dump(), generated_password=generated
    )


async def create_admin(session: AsyncSession, body: StaffCreate, password_hash: str) -> UUID:
    """Make an administrator on behalf of the service itself; return their id.

    The first administrator comes into being like this, from the command line.

    Raises:
        ConflictError: the user name is taken.
    """
    staff = await _insert(session, body.username, body.display_name, Role.ADMIN, password_hash)
    await record_action(
        session,
        SYSTEM,
        Action.CREATED,
        OBJECT_TYPE,
        staff.id,
        ["username", "display_name", "role", "password"],
    )
    return staff.id


async def get_staff(session: AsyncSession, staff_id: UUID) -> StaffRead:
    """Return a member of staff.

    Raises:
        NotFoundError: there is none.
    """
    row = (await session.execute(queries.with_stores().where(col(Staff.id) == staff_id))).first()
    if row is None:
        raise changes.not_found()
    staff, store_ids = row
    return _read(staff, store_ids)


async def list_staff(
    session: AsyncSession, wanted: StaffFilter, *, limit: int, after: Sequence[Any] | None
) -> tuple[list[StaffRead], list[Any] | None]:
    """Return a page of staff by user name, and the position of the next page if there is one."""
    found = queries.with_stores().order_by(col(Staff.username)).limit(limit + 1)
    if wanted.role is not None:
        found = found.where(col(Staff.role) == wanted.role)
    if wanted.store_id is not None:
        found = found.where(queries.works_in(wanted.store_id))
    if wanted.is_disabled is not None:
        found = found.where(col(Staff.disabled_at).is_not(None) == wanted.is_disabled)
    if after is not None:
        found = found.where(col(Staff.username) > after[0])
    rows = [_read(staff, store_ids) for staff, store_ids in await session.execute(found)]
    return changes.page_of(rows, limit, lambda row: [row.username])


async def change_staff(
    session: AsyncSession, actor: Actor, staff_id: UUID, seen: int, body: StaffChange
) -> StaffRead:
    """Change name, role or shops; a new role and new shops are in force at once.

    Raises:
        NotFoundError: there is none.
        PreconditionFailedError: somebody changed it since version ``seen``.
        ConflictError: the last enabled administrator would lose the role.
        InvalidInputError: a shop is unknown or closed, or role and shops don't fit.
    """
    wanted = body.changes()
    staff, other_admins = await _lock(session, staff_id)
    await changes.check_version(session, OBJECT_TYPE, staff_id, current=staff.version, seen=seen)
    had = set((await get_staff(session, staff_id)).store_ids)
    role = wanted.get("role", staff.role)
    keeps = had if role in STORE_BOUND_ROLES else set()
    stores = set(wanted.pop("store_ids", keeps))
    _check_role_fits(role, stores)
    await _check_stores(session, stores - had)
    if role != Role.ADMIN:
        _check_not_last_admin(staff, other_admins)
    different = changes.write_changes(staff, wanted)
    if stores != had:
        different.append("store_ids")
        await session.execute(delete(StaffStore).where(col(StaffStore.staff_id) == staff_id))
        await _write_stores(session, staff_id, stores)
    if different:
        await changes.save(session, actor, staff, OBJECT_TYPE, different)
    return _read(staff, sorted(stores))


async def disable_staff(session: AsyncSession, actor: Actor, staff_id: UUID) -> StaffRead:
    """Disable an account and revoke its tokens at once; doing it twice changes nothing.

    Raises:
        NotFoundError: there is none.
        ConflictError: it is the last enabled administrator.
    """
    staff, other_admins = await _lock(session, staff_id)
    if staff.disabled_at is None:
        _check_not_last_admin(staff, other_admins)
        staff.disabled_at = clock.now()
        await changes.save(session, actor, staff, OBJECT_TYPE, ["is_disabled"], Action.DISABLED)
        await revoke_tokens(session, staff_id)
    return await get_staff(session, staff_id)


async def enable_staff(session: AsyncSession, actor: Actor, staff_id: UUID) -> StaffRead:
    """Enable an account; its old tokens stay revoked. Doing it twice changes nothing.

    Raises:
        NotFoundError: there is none.
    """
    staff = await changes.lock(session, Staff, staff_id)
    if staff.disabled_at is not None:
        staff.disabled_at = None
        await changes.save(session, actor, staff, OBJECT_TYPE, ["is_disabled"], Action.ENABLED)
    return await get_staff(session, staff_id)


async def reset_password(
    session: AsyncSession, actor: Actor, staff_id: UUID, body: PasswordReset
) -> PasswordWasReset:
    """Set a new password, generated where none is given, and revoke the account's tokens.

    Raises:
        NotFoundError: there is no such member of staff.
    """
    password_hash, generated = await _hashed(body.password)
    staff = await changes.lock(session, Staff, staff_id)
    staff.password_hash = password_hash
    staff.password_changed_at = clock.now()
    session.add(staff)
    await session.flush()
    await revoke_tokens(session, staff_id)
    await record_action(session, actor, Action.PASSWORD_RESET, OBJECT_TYPE, staff_id, ["password"])
    return PasswordWasReset(generated_password=generated)


async def hand_over_cards(
    session: AsyncSession, actor: Actor, staff_id: UUID, to_staff_id: UUID
) -> HandedOver:
    """Give all cards that a member of staff looks after to another, archived ones too.

    Raises:
        NotFoundError: there is no such member of staff.
        InvalidInputError: there is nobody, or the same person, to take over.
        ConflictError: who is to take over is disabled.
    """
    if to_staff_id == staff_id:
        raise changes.unacceptable(
            "/to_staff_id",
            "same",
            "Cards are handed over to somebody else.",
            "客户卡须移交给他人。",
        )
    rows = await session.scalars(
        select(Staff)
        .where(col(Staff.id).in_([staff_id, to_staff_id]))
        .order_by(col(Staff.id))
        # Who takes over can't be disabled meanwhile.
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    )
    found = {staff.id: staff for staff in rows}
    if staff_id not in found:
        raise changes.not_found()
    if to_staff_id not in found:
        raise changes.unacceptable(
            "/to_staff_id", "unknown", "There is no such member of staff.", "没有这名员工。"
        )
    if found[to_staff_id].disabled_at is not None:
        raise ConflictError(
            "Who is to take over is disabled.",
            code="invalid-transition",
            detail_zh="接手的员工账号已停用。",
        )
    cards = await queries.hand_over_cards(
        await raw_connection(session), actor, staff_id, to_staff_id, clock.now()
    )
    if cards:
        await record_action(
            session, actor, Action.HANDED_OVER, OBJECT_TYPE, staff_id, ["owner_staff_id"]
        )
    return HandedOver(cards=cards)


async def create_absence(
    session: AsyncSession, actor: Actor, staff_id: UUID, body: AbsenceCreate
) -> StaffAbsence:
    """Note that a member of staff will be away.

    Raises:
        NotFoundError: there is no such member of staff.
        InvalidInputError: it ends before it starts.
    """
    if body.ends_on < body.starts_on:
        raise changes.unacceptable(
            "/ends_on", "before-start", "It ends before it starts.", "结束日期早于开始日期。"
        )
    await _check_reaches(session, actor, staff_id)
    absence = StaffAbsence(
        staff_id=staff_id, id=new_id(), created_at=clock.now(), **body.model_dump()
    )
    session.add(absence)
    await session.flush()
    await record_action(
        session, actor, Action.CREATED, ABSENCE_TYPE, absence.id, type(body).model_fields
    )
    return absence


async def get_absence(
    session: AsyncSession, actor: Actor, staff_id: UUID, absence_id: UUID
) -> StaffAbsence:
    """Return when a member of staff is away.

    Raises:
        NotFoundError: there is no such absence, or the actor shares no shop with them.
    """
    await _check_reaches(session, actor, staff_id)
    absence = await session.get(StaffAbsence, (staff_id, absence_id))
    if absence is None:
        raise changes.not_found()
    return absence


async def list_absences(
    session: AsyncSession,
    actor: Actor,
    staff_id: UUID,
    *,
    limit: int,
    after: Sequence[Any] | None,
) -> tuple[list[StaffAbsence], list[Any] | None]:
    """Return a page of absences as they were noted, and the next page's position.

    Raises:
        NotFoundError: there is no such member of staff, or the actor shares no shop with them.
    """
    await _check_reaches(session, actor, staff_id)
    wanted = (
        select(StaffAbsence)
        .where(col(StaffAbsence.staff_id) == staff_id)
        .order_by(col(StaffAbsence.id))
        .limit(limit + 1)
    )
    if after is not None:
        wanted = wanted.where(col(StaffAbsence.id) > UUID(after[0]))
    rows = (await session.scalars(wanted)).all()
    return changes.page_of(rows, limit, lambda absence: [absence.id])


async def delete_absence(
    session: AsyncSession, actor: Actor, staff_id: UUID, absence_id: UUID
) -> None:
    """Take back that a member of staff will be away.

    Raises:
        NotFoundError: there is no such absence.
    """
    deleted = await session.scalar(
        delete(StaffAbsence)
        .where(col(StaffAbsence.staff_id) == staff_id, col(StaffAbsence.id) == absence_id)
        .returning(col(StaffAbsence.id))
    )
    if deleted is None:
        raise changes.not_found()
    await record_action(session, actor, Action.REVOKED, ABSENCE_TYPE, absence_id)


async def _insert(
    session: AsyncSession, username: str, display_name: str, role: Role, password_hash: str
) -> Staff:
    now = clock.now()
    staff: Staff | None = await session.scalar(
        insert(Staff)
        .values(
            id=new_id(),
            username=username,
            display_name=display_name,
            role=role,
            password_hash=password_hash,
            password_changed_at=now,
            version=1,
            created_at=now,
            updated_at=now,
        )
        .on_conflict_do_nothing(index_elements=["username"])
        .returning(Staff)
    )
    if staff is None:
        raise ConflictError("Another account has this user name.", detail_zh="该用户名已被使用。")
    return staff


async def _lock(session: AsyncSession, staff_id: UUID) -> tuple[Staff, int]:
    """Return an account, locked, and how many other enabled administrators there are."""
    locked = await queries.lock_with_enabled_admins(session, staff_id)
    staff = next((row for row in locked if row.id == staff_id), None)
    if staff is None:
        raise changes.not_found()
    return staff, len(locked) - 1


def _check_not_last_admin(staff: Staff, other_admins: int) -> None:
    if staff.role == Role.ADMIN and staff.disabled_at is None and other_admins == 0:
        raise ConflictError(
            "This is the last enabled administrator.",
            code="invalid-transition",
            detail_zh="这是最后一个有效的系统管理员。",
        )


def _check_role_fits(role: Role, store_ids: Iterable[UUID]) -> None:
    has_stores = any(True for _ in store_ids)
    if role in STORE_BOUND_ROLES and not has_stores:
        raise changes.unacceptable(
            "/store_ids",
            "missing",
            "This role is bound to at least one shop.",
            "该角色须至少绑定一家门店。",
        )
    if role not in STORE_BOUND_ROLES and has_stores:
        raise changes.unacceptable(
            "/store_ids", "not-bound", "This role is not bound to shops.", "该角色不绑定门店。"
        )


async def _check_stores(session: AsyncSession, store_ids: Iterable[UUID]) -> None:
    wanted = set(store_ids)
    if not wanted:
        return
    known = set(
        await session.scalars(
            select(col(Store.id)).where(col(Store.id).in_(wanted), col(Store.is_active))
        )
    )
    if known != wanted:
        raise changes.unacceptable(
            "/store_ids", "unknown", "A shop is unknown or closed.", "有门店不存在或已停用。"
        )


async def _write_stores(session: AsyncSession, staff_id: UUID, store_ids: Iterable[UUID]) -> None:
    rows = [{"staff_id": staff_id, "store_id": store_id} for store_id in sorted(store_ids)]
    if rows:
        await session.execute(insert(StaffStore).values(rows))


async def _check_reaches(session: AsyncSession, actor: Actor, staff_id: UUID) -> None:
    """Let pass whoever may know when and why this person is away."""
    await get_staff(session, staff_id)
    if actor.store_ids is not None and not await queries.share_a_store(
        session, staff_id, list(actor.store_ids)
    ):
        raise changes.not_found()


async def _hashed(given: SecretStr | None) -> tuple[str, str | None]:
    """Return the hash of a password, and the password if none was given and it was generated.

    Call it before rows are locked. The request's transaction is open meanwhile, since who asks is
    looked up first: strangers must not make the service hash. Only administrators come this far.
    """
    generated = None if given else _generated_password()
    password = given.get_secret_value() if given else generated
    assert password is not None
    return await security.hash_password(password), generated


def _generated_password() -> str:
    """Return a password with 79 bits of entropy, in four groups of four."""
    return "-".join(
        "".join(secrets.choice(_PASSWORD_ALPHABET) for _ in range(_GROUP_LENGTH))
        for _ in range(_PASSWORD_GROUPS)
    )


def _read(staff: Staff, store_ids: Sequence[UUID]) -> StaffRead:
    return StaffRead(
        id=staff.id,
        username=staff.username,
        display_name=staff.display_name,
        role=staff.role,
        store_ids=list(store_ids),
        is_disabled=staff.disabled_at is not None,
        disabled_at=staff.disabled_at,
        version=staff.version,
        created_at=staff.created_at,
        updated_at=staff.updated_at,
    )
