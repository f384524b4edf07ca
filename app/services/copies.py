"""A copy of everything that is stored about a person, for that person."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import Database, raw_connection, retrying
from app.locale.column_names import COLUMN_NAMES, TABLE_NAMES
from app.queries import person_copies, survivors
from app.queries.person_copies import COPIED_TABLES, CopiedTable, Place
from app.rules.access import Actor
from app.services.customer_changes import get_standing
from app.services.disclosures import check_reach, record_disclosure
from app.vocabulary import Action

ROWS_OF_A_PAGE: Final = 500
COPY: Final = "copy"
"""Stands for everything among the fields of a disclosure."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A copy that may be made: its record, and the person's cards, the surviving one first."""

    id: UUID
    made_at: datetime
    cards: tuple[UUID, ...]


async def begin_copy(session: AsyncSession, actor: Actor, customer_id: UUID, reason: str) -> Begun:
    """Record who copies out a person's data and why; it is there before the first row leaves.

    Raises:
        NotFoundError, GoneError, ConflictError: no such card, erased, or merged.
        ForbiddenError: its home store is not among the actor's.
    """
    check_reach(actor, await get_standing(session, customer_id, and_keep=True))
    merged = await survivors.merged_into(await raw_connection(session), [customer_id])
    row = await record_disclosure(session, actor, Action.COPIED, customer_id, [COPY], reason)
    return Begun(row["id"], row["disclosed_at"], (customer_id, *merged.get(customer_id, ())))


async def write_copy(database: Database, begun: Begun) -> AsyncGenerator[bytes, None]:
    """Yield the copy as one JSON document, over many short transactions."""
    head = {
        "id": str(begun.id),
        "customer_id": str(begun.cards[0]),
        "made_at": begun.made_at.isoformat(),
        "cards": [str(card) for card in begun.cards],
    }
    yield orjson.dumps(head)[:-1] + b',"tables":['
    for index, table in enumerate(COPIED_TABLES):
        yield (b"," if index else b"") + _head_of(table)[:-1] + b',"rows":['
        after: Place | None = None
        is_first = True
        while is_first or after is not None:
            rows, after = await _page(database, table, begun.cards, after)
            if rows:
                yield (b"" if is_first else b",") + ",".join(rows).encode()
            is_first = False
        yield b"]}"
    yield b"]}"


async def _page(
    database: Database, table: CopiedTable, cards: Sequence[UUID], after: Place | None
) -> tuple[list[str], Place | None]:
    async def read(session: AsyncSession) -> tuple[list[str], Place | None]:
        connection = await raw_connection(session)
        return await person_copies.rows_after(connection, table, cards, after, ROWS_OF_A_PAGE)

    return await retrying(database, read)


def _head_of(table: CopiedTable) -> bytes:
    en, zh = TABLE_NAMES.get(table.name, (table.name, table.name))
    return orjson.dumps(
        {
            "table": table.name,
            "title": {"en": en, "zh": zh},
            "columns": {
                name: {"en": name.replace("_", " "), "zh": COLUMN_NAMES.get(name, name)}
                for name in table.columns
            },
        }
    )
