"""What an erasure reads and writes: one statement a table, for the cards of any number of persons.

Which tables there are, and which of their columns are personal, stands in
:data:`~app.queries.customer_tables.CUSTOMER_TABLES`; here stands what is done to each, and to the
tables that belong to no customer and may tell of one all the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from app.models import Customer, CustomerMerge, CustomerMergeItem, ImportItem, PosEvent
from app.queries.customer_tables import CUSTOMER_TABLES, CustomerTable, OnErasure

NAME_OF_ERASED: Final = "已删除"
"""Stands where a card's name was: a name can't be empty."""

_LOCK_PERSONS = """
WITH RECURSIVE person (id) AS (
    SELECT id FROM customer WHERE id = ANY($1::uuid[])
    UNION
    SELECT c.id FROM person JOIN customer AS c ON c.merged_into_id = person.id
)
SELECT c.id, c.status, c.merged_into_id FROM customer AS c JOIN person USING (id)
ORDER BY c.id FOR UPDATE OF c
"""
# What found the cards ever: an identity that was taken off a card stands in its history.
_IDENTITIES = """
SELECT DISTINCT kind, system, value FROM (
    SELECT kind, system, value FROM customer_identity WHERE customer_id = ANY($1::uuid[])
    UNION ALL
    SELECT one ->> 'kind', coalesce(one ->> 'system', ''), one ->> 'value'
    FROM customer_change AS c,
        jsonb_path_query(c.changes, '$.identities[*][*]') AS one
    WHERE c.customer_id = ANY($1::uuid[])
) AS ever
WHERE kind IS NOT NULL AND value IS NOT NULL
    AND NOT EXISTS (
        SELECT FROM identity AS i
        WHERE i.kind = ever.kind AND i.system = ever.system AND i.value = ever.value
            AND NOT i.customer_id = ANY($1::uuid[]))
"""
_MARK_ERASED = """
UPDATE customer SET status = 'erased', erased_at = $2
WHERE id = ANY($1::uuid[]) AND merged_into_id IS NULL AND status <> 'erased'
"""
_NEW_VERSION = """
UPDATE customer SET version = version + 1, updated_at = $2, completeness = 0
WHERE id = ANY($1::uuid[])
"""
_MERGES = """
SELECT id FROM customer_merge
WHERE customer_id = ANY($1::uuid[]) OR loser_ids ?| $2::text[]
"""
# Of a merge that was undone another card stayed, and said for a while what the person's card says.
_CLEAR_HISTORY_OF_MERGES = """
UPDATE customer_change AS c SET changes = '{}'
FROM customer_merge AS m
WHERE m.id = ANY($1::uuid[]) AND c.customer_id = m.customer_id
    AND c.changed_at BETWEEN m.merged_at AND m.undone_at
"""
# The customer goes, goods and amounts stay: the event can still be posted, to nobody. A hash of
# what was said could be tried out phone by phone.
_EVENT_WITHOUT_CUSTOMER = """
    body = e.body - 'customer', body_hash = '',
    answer = e.answer || '{"customer": null, "greeting": null}'
"""
_CLEAR_EVENTS = f"""
UPDATE pos_event AS e SET {_EVENT_WITHOUT_CUSTOMER}
WHERE e.customer_id = ANY($1::uuid[]) AND e.body_hash <> ''
"""  # noqa: S608 - built from constants of this module
_CLEAR_WAITING_EVENTS = f"""
UPDATE pos_event AS e SET {_EVENT_WITHOUT_CUSTOMER}, status = 'applied', applied_at = $3
FROM unnest($1::uuid[], $2::text[]) AS w (source_id, event_id)
WHERE e.source_id = w.source_id AND e.event_id = w.event_id AND e.status = 'awaiting_customer'
"""  # noqa: S608 - built from constants, and numbers of our own
# Events that no card is known of: they tell of the person by an identity, as the till wrote it, by
# the card's id, or in the answer to a test. The digits of a phone end with its national number.
_CLEAR_EVENTS_OF_NOBODY = f"""
UPDATE pos_event AS e SET {_EVENT_WITHOUT_CUSTOMER}
WHERE e.status IN ('held', 'parked', 'test') AND e.body_hash <> ''
    AND (e.body -> 'customer' ->> 'id' = ANY($1::text[])
        OR e.answer -> 'customer' ->> 'id' = ANY($1::text[])
        OR lower(btrim(normalize(e.body -> 'customer' ->> 'value', NFKC))) = ANY($2::text[])
        OR EXISTS (
            SELECT FROM unnest($3::text[]) AS p (number)
            WHERE right(regexp_replace(
                normalize(e.body -> 'customer' ->> 'value', NFKC), '[^0-9]', '', 'g'),
                length(p.number)) = p.number))
"""  # noqa: S608 - built from constants, and numbers of our own
_FORGET_AWAITED_PURCHASES = """
UPDATE unattached_purchase AS u
SET awaits_kind = NULL, awaits_system = NULL, awaits_value = NULL
FROM unnest($1::text[], $2::text[], $3::text[]) AS w (kind, system, value)
WHERE u.awaits_kind = w.kind AND u.awaits_system = w.system AND u.awaits_value = w.value
RETURNING u.source_id, u.event_id
"""
_FORGET_AWAITED_INTERACTIONS = """
DELETE FROM unattached_interaction AS u
USING unnest($1::text[], $2::text[], $3::text[]) AS w (kind, system, value)
WHERE u.awaits_kind = w.kind AND u.awaits_system = w.system AND u.awaits_value = w.value
RETURNING u.id
"""
_FORGET_AWAITED_IDENTITIES = """
DELETE FROM identity AS i
USING unnest($1::text[], $2::text[], $3::text[]) AS w (kind, system, value)
WHERE i.kind = w.kind AND i.system = w.system AND i.value = w.value AND i.customer_id IS NULL
"""
# A contact with a caller who was not known then names no card, but itself.
_FORGET_ANSWERS = """
UPDATE idempotency_key SET body = NULL, headers = '{}'
WHERE mentions && ($1::uuid[] || ARRAY(
    SELECT id FROM interaction WHERE customer_id = ANY($1::uuid[])))
"""
# A receipt's key stays, since it finds the receipt; a contact's says whom the file named.
_CLEAR_IMPORTED = """
UPDATE import_item SET before = NULL,
    key = CASE WHEN strpos(key, E'\\t') > 0 THEN NULL ELSE key END
WHERE customer_id = ANY($1::uuid[])
"""
_CLEAR_IMPORTED_BY_NAME = """
UPDATE import_item AS i SET key = NULL
FROM import_job AS j
WHERE j.kind = 'interactions' AND i.import_id = j.id AND i.customer_id IS NULL
    AND i.key = ANY($1::text[])
"""
# A file that could not be read may tell of anybody, as may what was taken for its names of columns.
# Of other files nothing is left once they are in.
_FORGET_UNREADABLE_FILES = """
WITH failed AS (
    UPDATE import_job SET columns = '[]', mapping = '{}', sample = '[]'
    WHERE status = 'failed' RETURNING id
)
DELETE FROM import_chunk AS c USING failed WHERE c.import_id = failed.id
"""
_FORGET_PAIRS = """
DELETE FROM duplicate_pair WHERE first_id = ANY($1::uuid[]) OR second_id = ANY($1::uuid[])
"""


@dataclass(frozen=True, slots=True)
class Persons:
    """Locked cards: those that were asked about, and all that were ever merged into them."""

    surviving: tuple[UUID, ...]
    cards: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Identities:
    """What ever found a person, and finds nobody else now: kinds, systems and values beside."""

    kinds: list[str]
    systems: list[str]
    values: list[str]


async def lock_persons(
    connection: "asyncpg.Connection[Any]", customer_ids: Sequence[UUID]
) -> Persons:
    """Lock these cards and those merged into them, in the order of ids."""
    rows = await connection.fetch(_LOCK_PERSONS, list(customer_ids))
    wanted = set(customer_ids)
    return Persons(
        surviving=tuple(UUID(str(row["id"])) for row in rows if row["id"] in wanted),
        cards=tuple(UUID(str(row["id"])) for row in rows),
    )


async def identities_of(connection: "asyncpg.Connection[Any]", cards: Sequence[UUID]) -> Identities:
    """Return what ever found these cards, unless it finds another card now."""
    rows = await connection.fetch(_IDENTITIES, list(cards))
    kinds, systems, values = (
        [str(row[name]) for row in rows] for name in ("kind", "system", "value")
    )
    return Identities(kinds, systems, values)


async def clear_customer_tables(
    connection: "asyncpg.Connection[Any]", cards: Sequence[UUID]
) -> None:
    """Empty or delete what is personal in every table of customers; figures and ids stay."""
    for table in CUSTOMER_TABLES:
        if table.model is PosEvent:
            await connection.execute(_CLEAR_EVENTS, list(cards))
        elif table.model is ImportItem:
            await connection.execute(_CLEAR_IMPORTED, list(cards))
        elif table.model in {CustomerMerge, CustomerMergeItem}:
            # By the merge rather than by the card: it tells of those it took as well, even if it
            # was undone.
            merges = await connection.fetch(_MERGES, list(cards), [str(card) for card in cards])
            ids = [row["id"] for row in merges]
            column = "id" if table.model is CustomerMerge else "merge_id"
            await connection.execute(_statement(table, column), ids)
            if table.model is CustomerMerge:
                await connection.execute(_CLEAR_HISTORY_OF_MERGES, ids)
        elif table.on_erasure is not OnErasure.KEPT:
            column = "id" if table.model is Customer else "customer_id"
            await connection.execute(_statement(table, column), list(cards))


async def mark_erased(
    connection: "asyncpg.Connection[Any]", cards: Sequence[UUID], at: datetime
) -> None:
    """Give the cards their last version; those that stand for somebody are erased from now on."""
    await connection.execute(_NEW_VERSION, list(cards), at)
    await connection.execute(_MARK_ERASED, list(cards), at)


async def clear_other_tables(
    connection: "asyncpg.Connection[Any]",
    cards: Sequence[UUID],
    identities: Identities,
    national_numbers: Sequence[str],
    at: datetime,
) -> None:
    """Forget the persons where no table's row is a customer's: what waits, was answered, compared.

    ``national_numbers`` are the persons' phones without country code, in digits.
    """
    triples = (identities.kinds, identities.systems, identities.values)
    waited = await connection.fetch(_FORGET_AWAITED_PURCHASES, *triples)
    contacts = await connection.fetch(_FORGET_AWAITED_INTERACTIONS, *triples)
    await connection.execute(
        _CLEAR_WAITING_EVENTS,
        [row["source_id"] for row in waited],
        [row["event_id"] for row in waited],
        at,
    )
    await connection.execute(
        _CLEAR_EVENTS_OF_NOBODY,
        [str(card) for card in cards],
        [value.lower() for value in identities.values],
        list(national_numbers),
    )
    await connection.execute(_FORGET_AWAITED_IDENTITIES, *triples)
    await connection.execute(_FORGET_ANSWERS, [*cards, *(row["id"] for row in contacts)])
    await connection.execute(_FORGET_PAIRS, list(cards))
    await connection.execute(
        _CLEAR_IMPORTED_BY_NAME, ["\t".join(triple) for triple in zip(*triples, strict=True)]
    )
    await connection.execute(_FORGET_UNREADABLE_FILES)


def _statement(table: CustomerTable, key: str) -> str:
    """Return the statement that erases a table's rows of the cards in ``$1``."""
    if table.on_erasure is OnErasure.DELETED:
        return f"DELETE FROM {table.name} WHERE {key} = ANY($1::uuid[])"  # noqa: S608 - built from constants, and numbers of our own
    columns = table.model.__table__.columns  # type: ignore[attr-defined]
    emptied = ", ".join(f"{name} = {_empty(table, columns[name])}" for name in table.personal)
    return f"UPDATE {table.name} SET {emptied} WHERE {key} = ANY($1::uuid[])"  # noqa: S608 - built from constants, and numbers of our own


def _empty(table: CustomerTable, column: "sa.Column[Any]") -> str:
    """Return what a personal column says of nobody, in SQL."""
    if table.model is Customer and column.name == "name":
        return f"'{NAME_OF_ERASED}'"
    if column.nullable or column.server_default is not None:
        return "DEFAULT"
    if isinstance(column.type, JSONB):
        return "'{}'"
    if isinstance(column.type, sa.ARRAY):
        return "'{}'"
    return "false" if isinstance(column.type, sa.Boolean) else "''"
