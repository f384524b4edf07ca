"""Everything about a person, row by row as it is stored, from every table of customers.

Raw asyncpg: rows are passed on as the JSON that PostgreSQL makes of them, so that no table needs
code of its own and numbers stay as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.models import AuditEntry, Customer, CustomerChange, CustomerMerge, CustomerMergeItem
from app.queries.customer_tables import CUSTOMER_TABLES


@dataclass(frozen=True, slots=True)
class CopiedTable:
    """A table, the column that names the person, what orders its rows, and all its columns."""

    name: str
    key: str
    order: tuple[str, ...]
    columns: tuple[str, ...]
    condition: str = "true"


def _copied(model: Any, key: str, condition: str = "true") -> CopiedTable:
    table = model.__table__
    return CopiedTable(
        table.name,
        key,
        tuple(column.name for column in table.primary_key),
        tuple(column.name for column in table.columns),
        condition,
    )


# Two people who were taken for one, and are two again: what was noted of the other one for that
# time is none of this person's. A merge and its end write a card's history at their own instants.
_OF_THE_PERSON: Final[Mapping[Any, str]] = {
    CustomerMerge: "status = 'done'",
    CustomerMergeItem: """EXISTS (
        SELECT FROM customer_merge AS m
        WHERE m.customer_id = t.customer_id AND m.id = t.merge_id AND m.status = 'done')""",
    CustomerChange: """NOT EXISTS (
        SELECT FROM customer_merge AS m
        WHERE m.customer_id = t.customer_id AND m.status = 'undone'
            AND t.changed_at IN (m.merged_at, m.undone_at))""",
}

COPIED_TABLES: Final[tuple[CopiedTable, ...]] = (
    *(
        _copied(
            table.model,
            "id" if table.model is Customer else "customer_id",
            _OF_THE_PERSON.get(table.model, "true"),
        )
        for table in CUSTOMER_TABLES
        if table.is_copied
    ),
    # Who has looked at the person's data, and who has changed it.
    _copied(AuditEntry, "object_id", "object_type = 'customer'"),
)

Place = Sequence[Any]


async def rows_after(
    connection: "asyncpg.Connection[Any]",
    table: CopiedTable,
    cards: Sequence[UUID],
    after: Place | None,
    limit: int,
) -> tuple[list[str], Place | None]:
    """Return rows as JSON after a place in the order of keys, and the last one's place if full."""
    keys = ", ".join(table.order)
    beyond = ""
    if after is not None:
        marks = ", ".join(f"${number}" for number in range(3, 3 + len(after)))
        beyond = f"AND ({keys}) > ({marks})"
    rows = await connection.fetch(
        f"SELECT to_jsonb(t)::text AS row, {keys} FROM {table.name} AS t"  # noqa: S608 - built from constants, and numbers of our own
        f" WHERE {table.key} = ANY($1::uuid[]) AND {table.condition} {beyond}"
        f" ORDER BY {keys} LIMIT $2",
        list(cards),
        limit,
        *(after or ()),
    )
    place = [rows[-1][name] for name in table.order] if len(rows) == limit else None
    return [str(row["row"]) for row in rows], place
