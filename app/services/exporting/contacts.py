"""Contacts with known customers as a table."""

from collections.abc import Sequence
from typing import ClassVar, Final, Self

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core.config import Settings
from app.models import Interaction
from app.queries import exports as queries
from app.rules.access import Actor
from app.schemas.exports import ContactFilters
from app.services import interactions, purchases
from app.services.exporting.tables import (
    Column,
    Place,
    Table,
    check_names_own_store,
    coded,
    column,
    count_rows,
)
from app.services.interactions import InteractionFilters
from app.services.survivors import surviving_id
from app.vocabulary import ExportKind

_COLUMNS: Final[Sequence[Column[Interaction]]] = (
    column("id", "Interaction (id)", "互动编号", lambda row, _: row.id, is_extra=True),
    column("customer_id", "Card", "客户卡编号", lambda row, _: row.customer_id),
    column("occurred_at", "At", "时间", lambda row, _: row.occurred_at),
    column("business_day", "Business day", "营业日", lambda row, _: row.business_day),
    *coded("channel", "Channel", "渠道", lambda row: row.channel),
    *coded("direction", "Direction", "方向", lambda row: row.direction),
    column("subject", "Subject", "主题", lambda row, _: row.subject),
    column("text", "Text", "内容", lambda row, _: row.text),
    *coded("outcome", "Outcome", "结果", lambda row: row.outcome),
    column("next_step", "Next step", "下一步", lambda row, _: row.next_step),
    column("next_step_on", "Next step on", "下一步日期", lambda row, _: row.next_step_on),
    column("next_step_done_at", "Next step done", "下一步完成时间",
           lambda row, _: row.next_step_done_at),
    column("duration_seconds", "Seconds", "时长（秒）", lambda row, _: row.duration_seconds),
    column("cost", "Cost", "成本", lambda row, _: row.cost),
    column("store_code", "Store (code)", "门店代码",
           lambda row, scene: scene.store_code(row.store_id)),
    column("store", "Store", "门店", lambda row, scene: scene.store_name(row.store_id)),
    column("staff", "Member of staff", "员工", lambda row, scene: scene.staff_name(row.staff_id)),
    column("contact_id", "Contact person (id)", "联系人编号",
           lambda row, _: row.contact_id, is_extra=True),
    column("purchase_id", "Receipt (id)", "小票编号",
           lambda row, _: row.purchase_id, is_extra=True),
    column("recorded_at", "Recorded", "登记时间", lambda row, _: row.recorded_at),
    column("recorded_by", "Recorded by", "登记人",
           lambda row, scene: scene.staff_name(row.recorded_by_id)),
)  # fmt: skip


class ContactTable(Table[Interaction]):
    """Contacts with a card as they are listed; those of a store or of the chain by day."""

    kind: ClassVar[ExportKind] = ExportKind.INTERACTIONS

    def __init__(self, actor: Actor, settings: Settings, filters: ContactFilters) -> None:
        """Check what the actor may take away.

        Raises:
            ForbiddenError: more than a card's contacts or an own store's, by who is bound to
                stores.
        """
        if filters.customer_id is None:
            check_names_own_store(actor, filters.store_id, "filters.store_id")
        self._filters = filters
        wanted = filters.model_dump(exclude={"customer_id", "store_id"})
        self._statement = interactions.contacts(settings, InteractionFilters(**wanted))
        for place, value in (
            (Interaction.customer_id, filters.customer_id),
            (Interaction.store_id, filters.store_id),
        ):
            if value is not None:
                self._statement = self._statement.where(col(place) == value)

    @classmethod
    async def of(
        cls, session: AsyncSession, actor: Actor, settings: Settings, filters: ContactFilters
    ) -> Self:
        """Return the table; contacts with a merged card are its survivor's.

        Raises:
            ForbiddenError: as said above.
            GoneError: the person's data were erased.
        """
        if filters.customer_id is None:
            return cls(actor, settings, filters)
        survivor = await surviving_id(session, filters.customer_id)
        return cls(actor, settings, filters.model_copy(update={"customer_id": survivor}))

    def filter_names(self) -> list[str]:
        """Return which filters narrow the list."""
        return sorted(self._filters.model_dump(exclude_none=True))

    async def columns(self, session: AsyncSession) -> Sequence[Column[Interaction]]:
        """Return all columns."""
        return _COLUMNS

    async def count(self, session: AsyncSession, at_most: int) -> int:
        """Return how many contacts there are.

        Raises:
            NotFoundError: no such card.
        """
        if self._filters.customer_id is not None:
            await purchases.require_card(session, self._filters.customer_id)
        return await count_rows(session, self._statement, at_most)

    async def page(
        self, session: AsyncSession, after: Place | None, limit: int
    ) -> tuple[Sequence[Interaction], Place | None]:
        """Return contacts in order."""
        of_card = self._filters.customer_id is not None
        read = queries.contacts_before if of_card else queries.contacts_after
        found = await read(session, self._statement, after, limit + 1)
        page = found[:limit]
        if len(found) <= limit:
            return page, None
        last = page[-1]
        return page, (last.occurred_at if of_card else last.business_day, last.id)
