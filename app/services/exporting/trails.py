"""The audit trail and tills' events as tables."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import ClassVar, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.models import AuditEntry, PosEvent
from app.rules.access import Actor
from app.services import audit, pos_intake
from app.services.audit import AuditFilter
from app.services.exporting.tables import Column, Place, Table, coded, column, count_rows
from app.vocabulary import EventFault, EventStatus, ExportKind

_OF_AUDIT: Final[Sequence[Column[AuditEntry]]] = (
    column("id", "Entry (id)", "记录编号", lambda row, _: row.id, is_extra=True),
    column("at", "At", "时间", lambda row, _: row.at),
    *coded("actor_kind", "By (kind)", "操作者类型", lambda row: row.actor_kind),
    column("actor", "By", "操作者", lambda row, scene: scene.staff_name(row.actor_id)),
    column("actor_id", "By (id)", "操作者编号", lambda row, _: row.actor_id),
    *coded("action", "What was done", "操作", lambda row: row.action),
    column("object_type", "To what", "对象类型", lambda row, _: row.object_type),
    column("object_id", "To which", "对象编号", lambda row, _: row.object_id),
    column("fields", "Fields", "字段", lambda row, _: row.fields),
    column("request_id", "Request", "请求编号", lambda row, _: row.request_id),
)


class AuditTable(Table[AuditEntry]):
    """The audit trail, newest first."""

    kind: ClassVar[ExportKind] = ExportKind.AUDIT

    def __init__(self, filters: AuditFilter) -> None:
        self._filters = filters

    def filter_names(self) -> list[str]:
        """Return which filters narrow the list."""
        return [name for name, value in asdict(self._filters).items() if value is not None]

    async def columns(self, session: AsyncSession) -> Sequence[Column[AuditEntry]]:
        """Return all columns."""
        return _OF_AUDIT

    async def count(self, session: AsyncSession, at_most: int) -> int:
        """Return how many entries there are."""
        return await count_rows(session, audit.entries(self._filters), at_most)

    async def page(
        self, session: AsyncSession, after: Place | None, limit: int
    ) -> tuple[Sequence[AuditEntry], Place | None]:
        """Return entries in the order of the list."""
        page, last = await audit.list_audit_entries(
            session, self._filters, limit=limit, after=after
        )
        return page, None if last is None else [last[0].isoformat(), str(last[1])]


Event = tuple[PosEvent, str]
_OF_EVENTS: Final[Sequence[Column[Event]]] = (
    column("source", "Till or web shop", "收银来源", lambda row, _: row[1]),
    column("event_id", "Event", "事件编号", lambda row, _: row[0].event_id),
    *coded("kind", "Kind", "类型", lambda row: row[0].kind),
    *coded("status", "Status", "状态", lambda row: row[0].status),
    *coded("mode", "Mode", "模式", lambda row: row[0].mode),
    column("problem", "Problem", "问题", lambda row, scene: _problem(row, scene.language)),
    column("problem_code", "Problem (code)", "问题代码",
           lambda row, _: row[0].problem_code, is_extra=True),
    column("received_at", "Received", "接收时间", lambda row, _: row[0].received_at),
    column("applied_at", "Applied", "入账时间", lambda row, _: row[0].applied_at),
    column("customer_id", "Card", "客户卡编号", lambda row, _: row[0].customer_id),
    column("purchase_id", "Receipt (id)", "小票编号", lambda row, _: row[0].purchase_id),
)  # fmt: skip


def _problem(row: Event, language: str) -> str | None:
    code = row[0].problem_code
    if code is None:
        return None
    label = EventFault(code).label
    return label.zh if language == "zh" else label.en


class EventTable(Table[Event]):
    """Tills' events of the stores that the actor reaches, newest first; not what they say."""

    kind: ClassVar[ExportKind] = ExportKind.POS_EVENTS

    def __init__(self, actor: Actor, status: EventStatus | None, source: str | None) -> None:
        self._actor = actor
        self._status = status
        self._source = source

    def filter_names(self) -> list[str]:
        """Return which filters narrow the list."""
        wanted = {"status": self._status, "source": self._source}
        return [name for name, value in wanted.items() if value is not None]

    async def columns(self, session: AsyncSession) -> Sequence[Column[Event]]:
        """Return all columns."""
        return _OF_EVENTS

    async def count(self, session: AsyncSession, at_most: int) -> int:
        """Return how many events there are."""
        rows = pos_intake.events(self._actor, status=self._status, source=self._source)
        return await count_rows(session, rows, at_most)

    async def page(
        self, session: AsyncSession, after: Place | None, limit: int
    ) -> tuple[Sequence[Event], Place | None]:
        """Return events in the order of the list."""
        place: tuple[datetime, UUID, str] | None = tuple(after) if after else None
        found = await pos_intake.list_events(
            session,
            self._actor,
            status=self._status,
            source=self._source,
            after=place,
            limit=limit + 1,
        )
        page = found[:limit]
        last = page[-1][0] if len(found) > limit else None
        if last is None:
            return page, None
        return page, (last.received_at, last.source_id, last.event_id)
