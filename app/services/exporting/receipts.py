"""Receipts of known customers as a table."""

from collections.abc import Sequence
from typing import ClassVar, Final, Self

from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Purchase
from app.queries import exports as queries
from app.rules.access import Actor
from app.schemas.exports import ReceiptFilters
from app.services import purchases
from app.services.exporting.tables import (
    Column,
    Place,
    Table,
    check_names_own_store,
    coded,
    column,
    count_rows,
)
from app.services.survivors import surviving_id
from app.vocabulary import ExportKind

_COLUMNS: Final[Sequence[Column[Purchase]]] = (
    column("id", "Receipt (id)", "小票编号", lambda row, _: row.id, is_extra=True),
    column("customer_id", "Card", "客户卡编号", lambda row, _: row.customer_id),
    column("receipt_number", "Receipt number", "小票号", lambda row, _: row.receipt_number),
    *coded("kind", "Kind", "类型", lambda row: row.kind),
    *coded("status", "Status", "状态", lambda row: row.status),
    column("business_day", "Business day", "营业日", lambda row, _: row.business_day),
    column("occurred_at", "At", "时间", lambda row, _: row.occurred_at),
    column("store_code", "Store (code)", "门店代码",
           lambda row, scene: scene.store_code(row.store_id)),
    column("store", "Store", "门店", lambda row, scene: scene.store_name(row.store_id)),
    column("source", "Till or web shop", "收银来源",
           lambda row, scene: scene.source_code(row.source_id)),
    column("currency", "Currency", "币种", lambda row, _: row.currency),
    column("amount", "Amount", "金额", lambda row, _: row.amount),
    column("costed_amount", "Part with known cost", "已知成本部分",
           lambda row, _: row.costed_amount, is_extra=True),
    column("cost", "Cost of that part", "该部分成本", lambda row, _: row.cost, is_extra=True),
    column("refund_of_id", "Refund of (id)", "原小票编号",
           lambda row, _: row.refund_of_id, is_extra=True),
    column("cashier", "Cashier", "收银员", lambda row, _: row.cashier),
    column("voided_at", "Voided", "作废时间", lambda row, _: row.voided_at),
    column("recorded_at", "Recorded", "入账时间", lambda row, _: row.recorded_at, is_extra=True),
)  # fmt: skip


class ReceiptTable(Table[Purchase]):
    """A card's receipts as they are listed; those of a store or of the chain by store and day."""

    kind: ClassVar[ExportKind] = ExportKind.PURCHASES

    def __init__(self, actor: Actor, filters: ReceiptFilters) -> None:
        """Check what the actor may take away.

        Raises:
            ForbiddenError: more than a card's receipts or an own store's, by who is bound to
                stores.
        """
        if filters.customer_id is None:
            check_names_own_store(actor, filters.store_id, "filters.store_id")
        self._filters = filters
        self._statement = queries.receipts(
            filters.customer_id,
            filters.store_id,
            filters.business_day_from,
            filters.business_day_to,
        )

    @classmethod
    async def of(cls, session: AsyncSession, actor: Actor, filters: ReceiptFilters) -> Self:
        """Return the table; a merged card's receipts are its survivor's.

        Raises:
            ForbiddenError: as said above.
        """
        if filters.customer_id is None:
            return cls(actor, filters)
        survivor = await surviving_id(session, filters.customer_id)
        return cls(actor, filters.model_copy(update={"customer_id": survivor}))

    def filter_names(self) -> list[str]:
        """Return which filters narrow the list."""
        return sorted(self._filters.model_dump(exclude_none=True))

    async def columns(self, session: AsyncSession) -> Sequence[Column[Purchase]]:
        """Return all columns."""
        return _COLUMNS

    async def count(self, session: AsyncSession, at_most: int) -> int:
        """Return how many receipts there are.

        Raises:
            NotFoundError: no such card.
        """
        if self._filters.customer_id is not None:
            await purchases.require_card(session, self._filters.customer_id)
        return await count_rows(session, self._statement, at_most)

    async def page(
        self, session: AsyncSession, after: Place | None, limit: int
    ) -> tuple[Sequence[Purchase], Place | None]:
        """Return receipts in order."""
        read = queries.receipts_after
        if self._filters.customer_id is not None:
            read = queries.receipts_before
        found = await read(session, self._statement, after, limit + 1)
        page = found[:limit]
        if len(found) <= limit:
            return page, None
        last = page[-1]
        if self._filters.customer_id is not None:
            return page, (last.occurred_at, last.id)
        return page, (last.store_id, last.business_day, last.id)
