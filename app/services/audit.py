"""Read the audit trail."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.models import AuditEntry
from app.services.changes import page_of
from app.vocabulary import Action


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are wanted; None where it does not matter. ``until`` itself is left out."""

    object_type: str | None = None
    object_id: UUID | None = None
    actor_id: UUID | None = None
    action: Action | None = None
    since: datetime | None = None
    until: datetime | None = None


def entries(wanted: AuditFilter) -> Select[AuditEntry]:
    """Return the statement of the entries that are wanted, in no order."""
    conditions = [
        column == value
        for column, value in (
            (col(AuditEntry.object_type), wanted.object_type),
            (col(AuditEntry.object_id), wanted.object_id),
            (col(AuditEntry.actor_id), wanted.actor_id),
            (col(AuditEntry.action), wanted.action),
        )
        if value is not None
    ]
    if wanted.since is not None:
        conditions.append(col(AuditEntry.at) >= wanted.since)
    if wanted.until is not None:
        conditions.append(col(AuditEntry.at) < wanted.until)
    return select(AuditEntry).where(*conditions)


async def list_audit_entries(
    session: AsyncSession, wanted: AuditFilter, *, limit: int, after: Sequence[Any] | None
) -> tuple[list[AuditEntry], list[Any] | None]:
    """Return a page of entries, newest first, and the position of the next page if there is one."""
    position = (col(AuditEntry.at), col(AuditEntry.id))
    query = entries(wanted)
    if after is not None:
        query = query.where(
            tuple_(*position) < tuple_(datetime.fromisoformat(after[0]), UUID(after[1]))
        )
    found = await session.scalars(
        query.order_by(*(part.desc() for part in position)).limit(limit + 1)
    )
    return page_of(found.all(), limit, lambda entry: [entry.at, entry.id])
