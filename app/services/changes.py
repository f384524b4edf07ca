"""What administering any noun needs: lock it, compare versions, write what differs, page it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.errors import FieldError, InvalidInputError, NotFoundError, PreconditionFailedError
from app.models import ApiClient, AuditEntry, CustomField, Product, Source, Staff, Store
from app.rules.access import Actor
from app.services.trail import record_action
from app.vocabulary import Action

Row = TypeVar("Row")
Versioned = TypeVar("Versioned", ApiClient, CustomField, Product, Source, Staff, Store)

# Each of these raises the version of what it is done to by one.
_NEW_VERSION: tuple[Action, ...] = (
    Action.CHANGED, Action.DISABLED, Action.ENABLED, Action.ARCHIVED, Action.RESTORED,
    Action.PUBLISHED, Action.UNDONE, Action.RETIRED,
)  # fmt: skip


def page_of(
    rows: Sequence[Row], limit: int, position: Callable[[Row], list[Any]]
) -> tuple[list[Row], list[Any] | None]:
    """Return the page and the position the next one starts after, from ``limit + 1`` rows."""
    page = list(rows[:limit])
    return page, position(page[-1]) if len(rows) > limit else None


async def lock(
    session: AsyncSession, table: type[Versioned], object_id: UUID, *, key_share: bool = True
) -> Versioned:
    """Return a row as it is now, locked until the transaction ends.

    With ``key_share`` others may go on referring to it meanwhile (FOR NO KEY UPDATE).

    Raises:
        NotFoundError: there is none.
    """
    row = await session.scalar(
        select(table)
        .where(col(table.id) == object_id)
        .with_for_update(key_share=key_share)
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise not_found()
    return row


def not_found() -> NotFoundError:
    """Return the error for what is not there, or not for this caller."""
    return NotFoundError(
        "There is no such thing, or not for you.", detail_zh="不存在，或您无权查看。"
    )


def unacceptable(pointer: str, code: str, detail: str, detail_zh: str) -> InvalidInputError:
    """Return the refusal of one value; the sentences are shown, and never repeat the value."""
    return not_acceptable([FieldError(pointer, code, detail, detail_zh)])


def not_acceptable(found: Sequence[FieldError]) -> InvalidInputError:
    """Return the refusal of several values."""
    return InvalidInputError(
        "Some values are not acceptable.", found, detail_zh="部分内容不符合要求。"
    )


async def check_version(
    session: AsyncSession, object_type: str, object_id: UUID, *, current: int, seen: int
) -> None:
    """Refuse a change by somebody who has not seen the current version.

    Raises:
        PreconditionFailedError: with the fields that others changed since, as the audit trail
            names them; none for a version that never was.
    """
    if seen == current:
        return
    missed = await session.scalars(
        select(col(AuditEntry.fields))
        .where(
            col(AuditEntry.object_type) == object_type,
            col(AuditEntry.object_id) == object_id,
            col(AuditEntry.action).in_(_NEW_VERSION),
        )
        .order_by(col(AuditEntry.id).desc())
        .limit(max(current - seen, 0))
    )
    raise PreconditionFailedError(
        "Somebody changed it since you read it.",
        detail_zh="您读取之后，该对象已被他人修改。",
        members={"changed_fields": sorted({name for fields in missed for name in fields})},
    )


def write_changes(row: Versioned, changes: Mapping[str, Any]) -> list[str]:
    """Set the fields that differ and return their names."""
    different = [name for name, value in changes.items() if getattr(row, name) != value]
    for name in different:
        setattr(row, name, changes[name])
    return different


async def save(
    session: AsyncSession,
    actor: Actor,
    row: Versioned,
    object_type: str,
    fields: Sequence[str],
    action: Action = Action.CHANGED,
) -> None:
    """Give the row its next version, and say in the audit trail which fields made it."""
    row.version += 1
    row.updated_at = clock.now()
    session.add(row)
    await record_action(session, actor, action, object_type, row.id, fields)
    await session.flush()
