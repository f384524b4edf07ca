"""The probes of a search: each reads one stretch of one index, in its order, up to a limit.

However many cards there are, and however many of them fit, a probe reads no more rows than its
limit. All probes of a stage are one statement.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Final, TypeAlias
from uuid import UUID

import asyncpg

from app.vocabulary import CustomerKind, TierLevel

Connection: TypeAlias = "asyncpg.Connection[Any] | asyncpg.pool.PoolConnectionProxy[Any]"

MIXTURE_ROWS: Final = 1_000
"""So many rows a probe with patterns looks at, at most."""
_AFTER_EVERY_TEXT: Final = "\U0010ffff"
_NEXT_TO_A_TEXT: Final = "\x01"


class Column(StrEnum):
    """What of a search key is compared."""

    CHARACTERS = "characters"
    LETTERS = "letters"
    INITIALS = "initials"


@dataclass(frozen=True, slots=True)
class Patterns:
    """What the rows of a stretch must look like besides (LIKE)."""

    characters: str
    letters: str
    initials: str


@dataclass(frozen=True, slots=True)
class Probe:
    """A stretch of an index: the keys at a place whose column begins with a text, or equals it."""

    column: Column
    place: int
    text: str
    is_whole: bool = False
    patterns: Patterns | None = None

    @property
    def end(self) -> str:
        """The first text after the stretch."""
        return self.text + (_NEXT_TO_A_TEXT if self.is_whole else _AFTER_EVERY_TEXT)


@dataclass(frozen=True, slots=True)
class Found:
    """A key that a probe came upon."""

    customer_id: UUID
    place: int
    column: Column
    is_by_pattern: bool
    is_of_full_stretch: bool
    characters: str | None
    letters: str
    initials: str | None
    home_store_id: UUID | None

    @property
    def text(self) -> str:
        """What was compared."""
        return getattr(self, self.column) or ""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a search shows of a card."""

    id: UUID
    kind: CustomerKind
    status: str
    name: str
    tier: TierLevel | None
    home_store_id: UUID | None
    owner_staff_id: UUID | None
    phone: str | None


_READ = "key.customer_id, key.place, key.characters, key.letters, key.initials, key.home_store_id"
_SUMMARIES: Final = """
    SELECT card.id, card.kind, card.status, card.name, card.home_store_id, card.owner_staff_id,
        tier.level AS tier,
        (SELECT value FROM customer_identity AS identity
         WHERE identity.customer_id = card.id AND identity.kind = 'phone'
         ORDER BY is_primary DESC, id LIMIT 1) AS phone
    FROM customer AS card
    LEFT JOIN tier_assignment AS tier ON tier.customer_id = card.id AND tier.valid_to IS NULL
    WHERE card.id = ANY($1)
"""


Shapes: TypeAlias = tuple[tuple[Column, bool], ...]


async def run_probes(
    connection: Connection, probes: Sequence[Probe], store_ids: Sequence[UUID], limit: int
) -> list[Found]:
    """Return what the probes come upon, at most ``limit`` keys each.

    Every probe looks into each of the stores first and then into the whole chain. What the chain's
    part finds in those stores comes twice.
    """
    if not probes:
        return []
    shapes, arguments = arranged(probes, store_ids, limit)
    rows = await connection.fetch(statement_of(shapes, bool(store_ids)), *arguments)
    stretches = [tuple(row["stretch"]) for row in rows]
    read = Counter(stretches)
    return [
        Found(
            row["customer_id"],
            row["place"],
            shapes[stretch[0]][0],
            shapes[stretch[0]][1],
            read[stretch] >= limit,
            row["characters"],
            row["letters"],
            row["initials"],
            row["home_store_id"],
        )
        for row, stretch in zip(rows, stretches, strict=True)
    ]


def arranged(
    probes: Sequence[Probe], store_ids: Sequence[UUID], limit: int
) -> tuple[Shapes, list[Any]]:
    """Return the shapes of the probes, and the arguments of the statement of these shapes."""
    shapes = tuple(dict.fromkeys((probe.column, probe.patterns is not None) for probe in probes))
    arguments: list[Any] = [list(store_ids), limit, MIXTURE_ROWS]
    for shape in shapes:
        chosen = [probe for probe in probes if (probe.column, probe.patterns is not None) == shape]
        arguments += [
            [probe.place for probe in chosen],
            [probe.text for probe in chosen],
            [probe.end for probe in chosen],
        ]
        patterns = [probe.patterns for probe in chosen if probe.patterns is not None]
        if patterns:
            arguments += [
                [pattern.characters for pattern in patterns],
                [pattern.letters for pattern in patterns],
                [pattern.initials for pattern in patterns],
            ]
    return shapes, arguments


@cache
def statement_of(shapes: Shapes, has_stores: bool) -> str:
    """Return the statement of probes of these columns, with patterns or without.

    There are few of them, so that a connection has them all prepared.
    """
    branches: list[str] = []
    parameter = 4
    for shape, (column, is_by_pattern) in enumerate(shapes):
        width = 6 if is_by_pattern else 3
        types = ("smallint", "text", "text", "text", "text", "text")[:width]
        names = ("place", "low", "high", "characters", "letters", "initials")[:width]
        arrays = ", ".join(
            f"${parameter + position}::{kind}[]" for position, kind in enumerate(types)
        )
        parameter += width
        probes = f"unnest({arrays}) WITH ORDINALITY AS probe ({', '.join(names)}, number)"
        for in_store in (True, False) if has_stores else (False,):
            store, number = ("", "0")
            if in_store:
                store = "CROSS JOIN unnest($1::uuid[]) WITH ORDINALITY AS store (id, number)"
                number = "store.number"
            branches.append(
                f"SELECT ARRAY[{shape}, probe.number, {number}] AS stretch, hit.*"  # noqa: S608 - built from constants, and numbers of our own
                f" FROM {probes} {store}"
                f" CROSS JOIN LATERAL ({_stretch(column, is_by_pattern, in_store)}) AS hit"
            )
    # What a parameter stands for is known even where a branch does without it.
    head = "WITH given AS (SELECT $1::uuid[], $2::bigint, $3::bigint) "
    return head + " UNION ALL ".join(branches)


def _stretch(column: Column, is_by_pattern: bool, in_store: bool) -> str:
    # Naming the constant columns in the order as well keeps the planner from sorting.
    stretch = f"""
        SELECT {_READ} FROM customer_search_key AS key
        WHERE {"key.home_store_id = store.id AND " if in_store else ""}key.place = probe.place
            AND key.{column} >= probe.low AND key.{column} < probe.high
        ORDER BY {"key.home_store_id, " if in_store else ""}key.place, key.{column}, key.customer_id
    """  # noqa: S608 - built from constants of this module
    if not is_by_pattern:
        return f"{stretch} LIMIT $2"
    return f"""
        SELECT {_READ} FROM ({stretch} LIMIT $3) AS key
        WHERE coalesce(key.characters, '') LIKE probe.characters
            AND key.letters LIKE probe.letters AND coalesce(key.initials, '') LIKE probe.initials
        LIMIT $2
    """  # noqa: S608 - built from constants, and numbers of our own


async def summaries(connection: Connection, customer_ids: Sequence[UUID]) -> dict[UUID, Summary]:
    """Return what is shown of these cards, by id, in one statement."""
    rows = await connection.fetch(_SUMMARIES, list(customer_ids))
    return {
        row["id"]: Summary(
            row["id"],
            CustomerKind(row["kind"]),
            row["status"],
            row["name"],
            None if row["tier"] is None else TierLevel(row["tier"]),
            row["home_store_id"],
            row["owner_staff_id"],
            row["phone"],
        )
        for row in rows
    }
