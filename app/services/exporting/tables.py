"""What a list needs to be written to a file: its columns, its pages, and how long it is."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar, Generic, Literal, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core.errors import ForbiddenError
from app.integrations.sheets import Cell
from app.models import Source, Staff, Store
from app.rules.access import Actor
from app.vocabulary import Code, ExportKind, Label

Row = TypeVar("Row")
Place = Sequence[Any]
"""Where a page ends, and the next one begins after."""
Language = Literal["zh", "en"]
_YES_NO: Mapping[str, tuple[str, str]] = {"zh": ("是", "否"), "en": ("yes", "no")}
_BETWEEN = "; "


@dataclass(frozen=True, slots=True)
class Scene:
    """What turns values into cells: a language, the chain's time zone, names behind ids."""

    language: Language
    zone: ZoneInfo
    stores: Mapping[UUID, tuple[str, str]]
    staff: Mapping[UUID, str]
    sources: Mapping[UUID, str]

    def store_code(self, store_id: UUID | None) -> str | None:
        """Return a store's code."""
        return self._of_store(store_id)[0]

    def store_name(self, store_id: UUID | None) -> str | None:
        """Return a store's name."""
        return self._of_store(store_id)[1]

    def _of_store(self, store_id: UUID | None) -> tuple[str | None, str | None]:
        # A store may have been opened since the file was begun.
        return (self.stores.get(store_id) if store_id else None) or (None, None)

    def staff_name(self, staff_id: UUID | None) -> str | None:
        """Return the name of a member of staff."""
        return self.staff.get(staff_id) if staff_id else None

    def source_code(self, source_id: UUID | None) -> str | None:
        """Return a till's or web shop's code."""
        return self.sources.get(source_id) if source_id else None

    def label(self, label: Label) -> str:
        """Return a label in the file's language."""
        return label.zh if self.language == "zh" else label.en


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column: its name in the API, its labels, and how it is read from a row.

    ``is_extra`` ones are written only when they are asked for.
    """

    name: str
    label: Label
    read: Callable[[Row, Scene], Any]
    is_extra: bool = False


def column(
    name: str, en: str, zh: str, read: Callable[[Row, Scene], Any], *, is_extra: bool = False
) -> Column[Row]:
    """Return a column."""
    return Column(name, Label((en, zh)), read, is_extra)


def coded(name: str, en: str, zh: str, read: Callable[[Row], Code | None]) -> list[Column[Row]]:
    """Return two columns: what a code is called, and, when asked for, the code itself."""

    def code_of(row: Row, _scene: Scene) -> str | None:
        code = read(row)
        return None if code is None else code.value

    return [
        column(name, en, zh, lambda row, _: read(row)),
        column(f"{name}_code", f"{en} (code)", f"{zh}（代码）", code_of, is_extra=True),
    ]


def cell_of(value: Any, scene: Scene) -> Cell:
    """Return a value as it stands in a file."""
    if isinstance(value, Code):
        return scene.label(value.label)
    if isinstance(value, bool):
        return _YES_NO[scene.language][0 if value else 1]
    if isinstance(value, datetime):
        return value.astimezone(scene.zone).replace(tzinfo=None, microsecond=0)
    if isinstance(value, list | tuple):
        return _BETWEEN.join(str(cell_of(part, scene)) for part in value) or None
    if value is None or isinstance(value, str | int | Decimal | date):
        return value
    return str(value)


class Table(ABC, Generic[Row]):
    """A list with its filters, as somebody may read it."""

    kind: ClassVar[ExportKind]

    @abstractmethod
    def filter_names(self) -> list[str]:
        """Return which filters narrow the list; names, for the record."""

    @abstractmethod
    async def columns(self, session: AsyncSession) -> Sequence[Column[Row]]:
        """Return all columns, those of the chain's own fields too."""

    @abstractmethod
    async def count(self, session: AsyncSession, at_most: int) -> int:
        """Return how many rows there are; ``at_most`` where there are as many or more."""

    @abstractmethod
    async def page(
        self, session: AsyncSession, after: Place | None, limit: int
    ) -> tuple[Sequence[Row], Place | None]:
        """Return rows after a place, and the place of the last one if more follow."""

    def in_full(self) -> Sequence[str]:
        """Return the columns that are written in full though they are usually masked."""
        return ()


async def read_scene(session: AsyncSession, language: Language, zone: ZoneInfo) -> Scene:
    """Return what turns values into cells, read once for a file."""
    stores = await session.execute(select(col(Store.id), col(Store.code), col(Store.name)))
    staff = await session.execute(select(col(Staff.id), col(Staff.display_name)))
    sources = await session.execute(select(col(Source.id), col(Source.code)))
    return Scene(
        language,
        zone,
        {store_id: (code, name) for store_id, code, name in stores},
        dict(staff.all()),
        dict(sources.all()),
    )


async def count_rows(session: AsyncSession, rows: Select[*tuple[Any, ...]], at_most: int) -> int:
    """Return how many rows a statement has, and look no further than ``at_most``."""
    some = rows.order_by(None).limit(at_most).subquery()
    return await session.scalar(select(func.count()).select_from(some)) or 0


def check_names_own_store(actor: Actor, store_id: UUID | None, filter_name: str) -> None:
    """Let pass who is bound to no store, or narrows the list to one of their own.

    Reading card by card is part of the work of every store; taking away the whole chain's list is
    not.

    Raises:
        ForbiddenError: the list is not narrowed, or to another store.
    """
    if actor.store_ids is not None and store_id not in actor.store_ids:
        raise ForbiddenError(
            f"You may export what is of your own stores: name one of them as {filter_name}.",
            detail_zh=f"您只能导出所属门店的数据：请用 {filter_name} 指定其中一家。",
        )
