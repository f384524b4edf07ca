"""Blocking keys, the pairs they bring together, and what became of pairs.

Raw asyncpg: arrays of keys and ids go in and out, for one new card and for thousands alike.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

import asyncpg
import orjson

Connection: TypeAlias = "asyncpg.Connection[Any]"
Pair = tuple[UUID, UUID]
"""Two cards, the smaller id first."""

LARGEST_BLOCK: Final = 50
"""Cards with one key are compared each with each up to this many; a larger block is refined, and
one that stays larger is left out: work grows with the cards, not with their square."""

_COMPARABLE: Final = "status IN ('active', 'archived')"
_CARD: Final = """
    SELECT customer.id, customer.version, customer.kind, customer.name, customer.gender,
        customer.birthday_calendar, customer.birth_year, customer.birth_month, customer.birth_day,
        customer.birth_month_is_leap, customer.employer, customer.address, customer.home_store_id,
        coalesce(own.kinds, '{}') AS kinds, coalesce(own.systems, '{}') AS systems,
        coalesce(own.values, '{}') AS values
    FROM customer
    LEFT JOIN LATERAL (
        SELECT array_agg(kind ORDER BY id) AS kinds, array_agg(system ORDER BY id) AS systems,
            array_agg(value ORDER BY id) AS values
        FROM customer_identity WHERE customer_id = customer.id
    ) AS own ON true
"""
_CARDS = f"{_CARD} WHERE customer.id = ANY($1::uuid[]) AND {_COMPARABLE}"

# Blocks of one key are looked up one by one in the index, never further than one card too many.
_BLOCKS = """
    CROSS JOIN LATERAL (
        SELECT array_agg(customer_id) AS members
        FROM (
            SELECT customer_id FROM duplicate_key
            WHERE key = probe.key LIMIT $1::integer + 1
        ) AS few
    ) AS block
    CROSS JOIN LATERAL (
        SELECT unnest(block.members) WHERE cardinality(block.members) <= $1
        UNION ALL
        SELECT unnest(part.members)
        FROM (
            SELECT array_agg(customer_id) AS members
            FROM (
                SELECT customer_id FROM duplicate_key
                WHERE key = probe.key AND refinement = probe.refinement
                    AND cardinality(block.members) > $1
                LIMIT $1::integer + 1
            ) AS few
        ) AS part
        WHERE cardinality(part.members) <= $1
    ) AS found (customer_id)
"""
_PARTNERS = f"""
    SELECT DISTINCT probe.id AS probe_id, found.customer_id AS partner_id
    FROM unnest($2::uuid[], $3::bigint[], $4::bigint[]) AS probe (id, key, refinement)
    {_BLOCKS}
    WHERE found.customer_id <> probe.id
"""  # noqa: S608 - built from constants of this module
# Of two cards that were taken up together only the one with the smaller id looks for the other.
_PARTNERS_OF_STORED = f"""
    SELECT DISTINCT probe.customer_id AS probe_id, found.customer_id AS partner_id
    FROM unnest($2::uuid[], $3::boolean[]) AS own (id, is_bulk)
    JOIN duplicate_key AS probe ON probe.customer_id = own.id
    {_BLOCKS}
    WHERE found.customer_id > own.id
        OR found.customer_id < own.id AND NOT (
            own.is_bulk AND EXISTS (
                SELECT FROM duplicate_card AS other
                WHERE other.customer_id = found.customer_id AND other.is_bulk
            )
        )
"""  # noqa: S608 - built from constants, and numbers of our own
# Who is not A is not B either once A is merged into B: decisions follow merges, on both sides.
_KNOWN = """
    WITH RECURSIVE own (root_id, id) AS (
        SELECT id, id FROM unnest($1::uuid[]) AS root (id)
        UNION ALL
        SELECT own.root_id, card.id
        FROM own JOIN customer AS card ON card.merged_into_id = own.id
    ), pair (root_id, id, other_id, state) AS (
        SELECT own.root_id, own.id, pair.second_id, pair.state
        FROM own JOIN duplicate_pair AS pair ON pair.first_id = own.id
        UNION ALL
        SELECT own.root_id, own.id, pair.first_id, pair.state
        FROM own JOIN duplicate_pair AS pair ON pair.second_id = own.id
    ), told (root_id, other_id, state, is_direct) AS (
        SELECT root_id, other_id, state, id = root_id FROM pair
        WHERE id = root_id OR state = 'different'
        UNION ALL
        SELECT told.root_id, card.merged_into_id, told.state, false
        FROM told JOIN customer AS card ON card.id = told.other_id
        WHERE card.merged_into_id IS NOT NULL AND told.state = 'different'
    )
    SELECT least(root_id, other_id) AS first_id, greatest(root_id, other_id) AS second_id, state
    FROM told WHERE root_id <> other_id ORDER BY is_direct
"""


async def read_cards(
    connection: Connection, customer_ids: Iterable[UUID]
) -> dict[UUID, Mapping[str, Any]]:
    """Return what is compared of these cards, by their ids; merged and erased ones are left out."""
    rows = await connection.fetch(_CARDS, list(customer_ids))
    return {row["id"]: row for row in rows}


async def find_partners(
    connection: Connection, keys: Sequence[tuple[UUID, int, int | None]]
) -> list[Pair]:
    """Return which cards share a block with each probe, as (probe's id, card's id)."""
    rows = await connection.fetch(
        _PARTNERS,
        LARGEST_BLOCK,
        [probe_id for probe_id, _, _ in keys],
        [key for _, key, _ in keys],
        [refinement for _, _, refinement in keys],
    )
    return [(row["probe_id"], row["partner_id"]) for row in rows]


async def known_pairs(connection: Connection, customer_ids: Sequence[UUID]) -> dict[Pair, str]:
    """Return the state of every pair that one of these cards is in.

    Two cards are decided to be different if cards that were merged into them are; what is known of
    the two themselves goes before.
    """
    rows = await connection.fetch(_KNOWN, list(customer_ids))
    return {(row["first_id"], row["second_id"]): row["state"] for row in rows}


# Changes of cards go on; an erasure or a merge waits, and undoes what is written meanwhile.
_VERSIONS = "SELECT id, version FROM customer WHERE id = ANY($1::uuid[]) ORDER BY id FOR KEY SHARE"


async def lock_versions(connection: Connection, customer_ids: Iterable[UUID]) -> dict[UUID, int]:
    """Return the versions of cards, of merged and erased ones too.

    Until the transaction ends they are neither merged nor erased: what is written about them is
    there when that is done, and goes with it.
    """
    rows = await connection.fetch(_VERSIONS, list(customer_ids))
    return {row["id"]: row["version"] for row in rows}


# --- Keys ---------------------------------------------------------------------------------------

_REMOVE_KEYS = "DELETE FROM duplicate_key WHERE customer_id = ANY($1::uuid[])"
_INSERT_KEYS = """
    INSERT INTO duplicate_key (customer_id, key, refinement)
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[])
"""
_TAKE_UP = """
    INSERT INTO duplicate_card (customer_id, version, is_compared, is_bulk)
    SELECT id, version, false, $3 FROM unnest($1::uuid[], $2::integer[]) AS card (id, version)
    ORDER BY id
    ON CONFLICT (customer_id) DO UPDATE
    SET version = excluded.version, is_compared = false, is_bulk = excluded.is_bulk
"""


async def write_keys(
    connection: Connection,
    versions: Mapping[UUID, int],
    keys: Sequence[tuple[UUID, int, int | None]],
    *,
    is_bulk: bool = False,
) -> None:
    """Replace the keys of cards, each in the version given; a scan will compare them."""
    await connection.execute(_TAKE_UP, list(versions), list(versions.values()), is_bulk)
    await connection.execute(_REMOVE_KEYS, list(versions))
    await connection.execute(
        _INSERT_KEYS,
        [card_id for card_id, _, _ in keys],
        [key for _, key, _ in keys],
        [refinement for _, _, refinement in keys],
    )


_WAIT_FOR_OTHERS = "SELECT pg_advisory_xact_lock(key) FROM unnest($1::bigint[]) AS key"


async def wait_for_lookalikes(connection: Connection, keys: Iterable[int]) -> None:
    """Wait until nobody else is writing a card with one of these keys, and let others wait.

    Two cards of one customer that are made at once see each other then: the second sees the first.
    Call it last of all that waits for somebody, in the order of keys, once a transaction: so nobody
    waits for ever.
    """
    await connection.execute(_WAIT_FOR_OTHERS, sorted(set(keys)))


# --- The scan -----------------------------------------------------------------------------------

_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('huike duplicate scan', 0))"
_STALE = """
    SELECT customer.id, customer.version
    FROM customer LEFT JOIN duplicate_card AS taken ON taken.customer_id = customer.id
    WHERE ($1::uuid IS NULL OR customer.id > $1)
        AND taken.version IS DISTINCT FROM customer.version
    ORDER BY customer.id LIMIT $2
"""
_BULK_HAS_BEGUN = "SELECT EXISTS (SELECT FROM duplicate_card WHERE is_bulk AND is_compared)"
_MARK_ALL = """
    WITH few AS (
        SELECT customer_id FROM duplicate_card
        WHERE ($1::uuid IS NULL OR customer_id > $1) ORDER BY customer_id LIMIT $2
    ), marked AS (
        UPDATE duplicate_card SET is_compared = false, is_bulk = true
        FROM few WHERE duplicate_card.customer_id = few.customer_id
    )
    SELECT customer_id FROM few ORDER BY customer_id
"""
_NEXT = """
    SELECT customer_id, version, is_bulk FROM duplicate_card
    WHERE NOT is_compared AND ($1::uuid IS NULL OR customer_id > $1)
    ORDER BY customer_id LIMIT $2
"""
_IN_BULK = "SELECT customer_id FROM duplicate_card WHERE customer_id = ANY($1) AND is_bulk"
# A card that was changed since its version was read stays to be compared.
_COMPARED = """
    UPDATE duplicate_card AS taken SET is_compared = true
    FROM unnest($1::uuid[], $2::integer[]) AS card (id, version)
    WHERE taken.customer_id = card.id AND taken.version = card.version
"""
_END_BULK = """
    WITH few AS (
        SELECT customer_id FROM duplicate_card WHERE is_bulk AND is_compared LIMIT $1
    )
    UPDATE duplicate_card SET is_bulk = false
    FROM few WHERE duplicate_card.customer_id = few.customer_id
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """A card that was taken up and is to be compared."""

    card_id: UUID
    version: int
    is_bulk: bool


async def be_alone(connection: Connection) -> None:
    """Wait until no other portion of a scan is under way, anywhere; holds for the transaction."""
    await connection.execute(_ALONE)


async def stale_cards(connection: Connection, after: UUID | None, limit: int) -> dict[UUID, int]:
    """Return the next cards that were not taken up in the version they have, and that version."""
    return {row["id"]: row["version"] for row in await connection.fetch(_STALE, after, limit)}


async def bulk_has_begun(connection: Connection) -> bool:
    """Tell whether cards that were taken up together are being compared already."""
    return bool(await connection.fetchval(_BULK_HAS_BEGUN))


async def mark_to_compare(connection: Connection, after: UUID | None, limit: int) -> list[UUID]:
    """Have the next cards compared again; return them in the order of ids."""
    return [row["customer_id"] for row in await connection.fetch(_MARK_ALL, after, limit)]


async def next_to_compare(connection: Connection, after: UUID | None, limit: int) -> list[Taken]:
    """Return the next cards that are to be compared, in the order of ids."""
    rows = await connection.fetch(_NEXT, after, limit)
    return [Taken(row["customer_id"], row["version"], row["is_bulk"]) for row in rows]


async def find_partners_of(connection: Connection, taken: Sequence[Taken]) -> set[Pair]:
    """Return the pairs that these cards are to be compared in, each in the order of its ids."""
    rows = await connection.fetch(
        _PARTNERS_OF_STORED,
        LARGEST_BLOCK,
        [card.card_id for card in taken],
        [card.is_bulk for card in taken],
    )
    return {
        (one, other) if one < other else (other, one)
        for one, other in ((row["probe_id"], row["partner_id"]) for row in rows)
    }


async def taken_in_bulk(connection: Connection, customer_ids: Iterable[UUID]) -> set[UUID]:
    """Return which of these cards were taken up together by the present scan."""
    return {row["customer_id"] for row in await connection.fetch(_IN_BULK, list(customer_ids))}


async def mark_compared(connection: Connection, taken: Sequence[Taken]) -> None:
    """Note that these cards have been compared in these versions."""
    await connection.execute(
        _COMPARED, [card.card_id for card in taken], [card.version for card in taken]
    )


async def end_bulk(connection: Connection, limit: int) -> int:
    """Let some of the cards that were taken up together be cards as all others; count them."""
    return int((await connection.execute(_END_BULK, limit)).split()[-1])


# --- Pairs --------------------------------------------------------------------------------------

_WRITE_PAIRS = """
    INSERT INTO duplicate_pair (first_id, second_id, state, score, reasons, found_at)
    SELECT first_id, second_id, 'open', score, reasons, $5
    FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::jsonb[])
        AS found (first_id, second_id, score, reasons)
    ORDER BY first_id, second_id
    ON CONFLICT (first_id, second_id) DO UPDATE
    SET score = excluded.score, reasons = excluded.reasons
    WHERE duplicate_pair.state = 'open'
        AND (duplicate_pair.score, duplicate_pair.reasons)
            IS DISTINCT FROM (excluded.score, excluded.reasons)
"""
_REMOVE_OPEN = """
    DELETE FROM duplicate_pair USING unnest($1::uuid[], $2::uuid[]) AS gone (first_id, second_id)
    WHERE duplicate_pair.first_id = gone.first_id AND duplicate_pair.second_id = gone.second_id
        AND state = 'open'
"""


@dataclass(frozen=True, slots=True)
class FoundPair:
    """Two cards that look alike: the score in thousandths, reasons as they are stored."""

    pair: Pair
    score: int
    reasons: Sequence[Mapping[str, object]]


async def write_pairs(connection: Connection, found: Sequence[FoundPair], at: datetime) -> int:
    """Put pairs on the work list, or bring their scores up to date; decided ones stay as they are.

    Returns how many were new or had another score.
    """
    outcome = await connection.execute(
        _WRITE_PAIRS,
        [pair.pair[0] for pair in found],
        [pair.pair[1] for pair in found],
        [pair.score for pair in found],
        [orjson.dumps(list(pair.reasons)).decode() for pair in found],
        at,
    )
    return int(outcome.split()[-1])


async def remove_open_pairs(connection: Connection, pairs: Sequence[Pair]) -> int:
    """Take pairs off the work list that nobody has decided about; return how many it were."""
    outcome = await connection.execute(
        _REMOVE_OPEN, [first for first, _ in pairs], [second for _, second in pairs]
    )
    return int(outcome.split()[-1])
