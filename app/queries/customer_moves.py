"""What a card owns goes over to another, and back: statements made from the list of tables.

A table that :data:`CUSTOMER_TABLES` says MOVES is moved by what its model says of it: its rows
are inserted anew under the other card and deleted under theirs, since ``customer_id`` is never
updated. Rows are noted in the manifest one by one, by their ``id``; rows of a table that refers to
such a row (the lines of a receipt) follow it, and need no note. What is keyed by something else
and only names the card (POINTS) has its statements in :mod:`app.queries.customer_pointers`.

Raw asyncpg: thousands of rows in a few statements.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from app.models import metadata
from app.queries.customer_tables import CUSTOMER_TABLES, OnMerge


@dataclass(frozen=True, slots=True)
class Moving:
    """A table whose rows move; ``parent`` is the table it belongs to, by its column ``reference``.

    Rows without a parent are in the manifest by their id.
    """

    name: str
    columns: tuple[str, ...]
    parent: str | None = None
    reference: str | None = None

    @property
    def noted_as(self) -> str:
        """The table in whose name the manifest has what these rows go with."""
        return self.parent or self.name

    @property
    def noted_by(self) -> str:
        """The column that the manifest's key is compared with."""
        return self.reference or "id"

    @property
    def listed(self) -> str:
        """The columns beside the card's."""
        return ", ".join(self.columns)

    @property
    def listed_of_t(self) -> str:
        """The same of the alias ``t``."""
        return ", ".join(f"t.{name}" for name in self.columns)


def _moving() -> tuple[Moving, ...]:
    names = [table.name for table in CUSTOMER_TABLES if table.on_merge is OnMerge.MOVES]
    return tuple(_described(metadata.tables[name], names) for name in names)


def _described(table: sa.Table, moving: Sequence[str]) -> Moving:
    columns = tuple(column.name for column in table.columns if column.name != "customer_id")
    for constraint in table.foreign_key_constraints:
        parent = constraint.referred_table.name
        own = [column.name for column in constraint.columns if column.name != "customer_id"]
        if parent in moving and parent != table.name and len(own) == 1:
            return Moving(table.name, columns, parent, own[0])
    return Moving(table.name, columns)


MOVING: Final = _moving()
"""What moves, parents first."""
NOTED: Final = tuple(table for table in MOVING if table.parent is None)


def _note(table: Moving) -> str:
    return f"""
INSERT INTO customer_merge_item
    (customer_id, merge_id, object_type, object_key, from_customer_id)
SELECT $1, $2, '{table.name}', t.id::text, t.customer_id
FROM {table.name} AS t WHERE t.customer_id = ANY($3::uuid[])
"""  # noqa: S608 - built from the models' own names


def _take(table: Moving) -> str:
    return f"""
INSERT INTO {table.name} (customer_id, {table.listed})
SELECT $1, {table.listed} FROM {table.name} WHERE customer_id = ANY($2::uuid[])
"""  # noqa: S608 - built from constants, and numbers of our own


def _leave(table: Moving) -> str:
    return f"DELETE FROM {table.name} WHERE customer_id = ANY($1::uuid[])"  # noqa: S608 - built from constants, and numbers of our own


# Keys are given as arrays, never joined with the manifest: it is new, nothing is known of how many
# rows it has, and a plan for one row would take for ever with thousands.
def _give_back(table: Moving) -> str:
    return f"""
INSERT INTO {table.name} (customer_id, {table.listed})
SELECT $2, {table.listed} FROM {table.name}
WHERE customer_id = $1 AND {table.noted_by} = ANY($3::uuid[])
"""  # noqa: S608 - built from constants, and numbers of our own


def _let_go(table: Moving) -> str:
    return f"""
DELETE FROM {table.name} WHERE customer_id = $1 AND {table.noted_by} = ANY($2::uuid[])
"""  # noqa: S608 - built from constants, and numbers of our own


def _self_references(table: Moving) -> list[str]:
    """Return the columns by which rows of a table refer to others of the same table."""
    return [
        column.name
        for constraint in metadata.tables[table.name].foreign_key_constraints
        if constraint.referred_table.name == table.name
        for column in constraint.columns
        if column.name != "customer_id"
    ]


def _follow(table: Moving, column: str) -> str:
    return f"""
SELECT id FROM {table.name} WHERE customer_id = $1 AND {column} = ANY($2::uuid[])
"""  # noqa: S608 - built from constants, and numbers of our own


_MANIFEST = """
SELECT object_type, from_customer_id, array_agg(object_key::uuid) AS keys FROM customer_merge_item
WHERE customer_id = $1 AND merge_id = $2 GROUP BY object_type, from_customer_id
"""
_NOTE_LATER = """
INSERT INTO customer_merge_item
    (customer_id, merge_id, object_type, object_key, from_customer_id)
SELECT $1, $2, $3, w.key::text, w.owner
FROM unnest($4::uuid[], $5::uuid[]) AS w (key, owner)
ON CONFLICT DO NOTHING
"""
_COUNT = " UNION ALL ".join(
    f"SELECT '{table.name}' AS name, count(*) AS rows"  # noqa: S608 - built from constants, and numbers of our own
    f" FROM {table.name} WHERE customer_id = ANY($1::uuid[])"
    for table in MOVING
)


async def count_rows(connection: Any, customer_ids: Sequence[UUID]) -> dict[str, int]:
    """Return how many rows of each moving table these cards have."""
    return {row["name"]: row["rows"] for row in await connection.fetch(_COUNT, list(customer_ids))}


async def move_to(connection: Any, merge_id: UUID, survivor: UUID, losers: Sequence[UUID]) -> None:
    """Move everything that the losers own to the survivor, and note it in the manifest."""
    for table in NOTED:
        await connection.execute(_note(table), survivor, merge_id, list(losers))
    for table in MOVING:
        await connection.execute(_take(table), survivor, list(losers))
    for table in reversed(MOVING):
        await connection.execute(_leave(table), list(losers))


async def note_later(
    connection: Any,
    merge_id: UUID,
    survivor: UUID,
    table: str,
    rows: Sequence[tuple[UUID, UUID]],
) -> None:
    """Add rows (id, card) to the manifest that came after the merge and go back with it."""
    if rows:
        keys, owners = (list(part) for part in zip(*rows, strict=True))
        await connection.execute(_NOTE_LATER, survivor, merge_id, table, keys, owners)


async def move_back(connection: Any, merge_id: UUID, survivor: UUID) -> None:
    """Move what the manifest names, and is still there, back to whose it was.

    Rows that refer to such a row go with it, whenever they came.
    """
    noted: dict[str, dict[UUID, list[UUID]]] = {}
    for row in await connection.fetch(_MANIFEST, survivor, merge_id):
        noted.setdefault(row["object_type"], {})[row["from_customer_id"]] = row["keys"]
    for table in NOTED:
        for column in _self_references(table):
            for owner, keys in noted.get(table.name, {}).items():
                found = await connection.fetch(_follow(table, column), survivor, keys)
                late = sorted({row["id"] for row in found} - set(keys))
                await note_later(
                    connection, merge_id, survivor, table.name, [(one, owner) for one in late]
                )
                keys += late
    for table in MOVING:
        for owner, keys in noted.get(table.noted_as, {}).items():
            await connection.execute(_give_back(table), survivor, owner, keys)
    for table in reversed(MOVING):
        gone = [key for keys in noted.get(table.noted_as, {}).values() for key in keys]
        if gone:
            await connection.execute(_let_go(table), survivor, gone)
