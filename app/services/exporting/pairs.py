"""Cards that look like one customer's as a table."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import ClassVar, Final

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.models import DuplicatePair
from app.queries import duplicate_list
from app.queries.duplicate_list import ListedPair, PairFilters
from app.rules.access import Actor
from app.services.exporting.tables import (
    Column,
    Place,
    Scene,
    Table,
    check_names_own_store,
    coded,
    column,
    count_rows,
)
from app.vocabulary import DuplicateReason, ExportKind


def _reasons(row: ListedPair, scene: Scene) -> list[str]:
    return [scene.label(DuplicateReason(reason["code"]).label) for reason in row[0].reasons]


_COLUMNS: Final[Sequence[Column[ListedPair]]] = (
    column("score", "Score", "相似度", lambda row, _: row[0].score),
    column("reasons", "Why", "理由", _reasons),
    *coded("state", "State", "状态", lambda row: row[0].state),
    column("first_id", "One card", "客户卡一编号", lambda row, _: row[0].first_id),
    column("first_name", "Its name", "客户卡一姓名", lambda row, _: row[1].name),
    column("first_store", "Its home store", "客户卡一归属门店",
           lambda row, scene: scene.store_name(row[1].home_store_id)),
    column("second_id", "The other card", "客户卡二编号", lambda row, _: row[0].second_id),
    column("second_name", "The other's name", "客户卡二姓名", lambda row, _: row[2].name),
    column("second_store", "The other's home store", "客户卡二归属门店",
           lambda row, scene: scene.store_name(row[2].home_store_id)),
    column("found_at", "Found", "发现时间", lambda row, _: row[0].found_at),
    column("decided_at", "Decided", "判定时间", lambda row, _: row[0].decided_at),
    column("decided_by", "Decided by", "判定人",
           lambda row, scene: scene.staff_name(row[0].decided_by_id)),
    column("note", "Note", "备注", lambda row, _: row[0].note),
)  # fmt: skip


class PairTable(Table[ListedPair]):
    """Pairs of cards, those that look most alike first."""

    kind: ClassVar[ExportKind] = ExportKind.DUPLICATES

    def __init__(self, actor: Actor, filters: PairFilters) -> None:
        """Check what the actor may take away.

        Raises:
            ForbiddenError: more than an own store's pairs, by who is bound to stores.
        """
        check_names_own_store(actor, filters.home_store_id, "filters.home_store_id")
        self._filters = filters

    def filter_names(self) -> list[str]:
        """Return which filters narrow the list."""
        return [name for name, value in asdict(self._filters).items() if value is not None]

    async def columns(self, session: AsyncSession) -> Sequence[Column[ListedPair]]:
        """Return all columns."""
        return _COLUMNS

    async def count(self, session: AsyncSession, at_most: int) -> int:
        """Return how many pairs there are."""
        # The cards are joined as ever; of a pair one column is enough to be counted.
        pairs = duplicate_list.pairs(self._filters).with_only_columns(col(DuplicatePair.score))
        return await count_rows(session, pairs, at_most)

    async def page(
        self, session: AsyncSession, after: Place | None, limit: int
    ) -> tuple[Sequence[ListedPair], Place | None]:
        """Return pairs in the order of the list."""
        found = await duplicate_list.list_pairs(session, self._filters, after, limit + 1)
        page = found[:limit]
        return page, duplicate_list.position_of(page[-1]) if len(found) > limit else None
