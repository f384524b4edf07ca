"""The keys that cards are found by: made from the cards, and kept as they are now."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

import asyncpg

from app.locale.name_keys import NameKey, name_keys
from app.rules.search_places import SEARCHED_STATUSES, KeyPart, place_of
from app.vocabulary import CustomerKind, CustomerStatus, IdentityKind

Connection: TypeAlias = "asyncpg.Connection[Any] | asyncpg.pool.PoolConnectionProxy[Any]"

RULE: Final = 1
"""The version of how keys are made: raise it, and the worker makes all keys anew."""

_PARTS_OF_IDENTITIES: Final = {
    IdentityKind.PHONE: KeyPart.PHONE,
    IdentityKind.MEMBER_NUMBER: KeyPart.MEMBER_NUMBER,
    IdentityKind.EMAIL: KeyPart.EMAIL,
    IdentityKind.WECHAT: KeyPart.WECHAT,
    IdentityKind.EXTERNAL: KeyPart.EXTERNAL,
}
# Whoever changes one of these cards meanwhile waits, and then writes its keys after us.
_LOCK_CARDS: Final = """
    SELECT id, kind, status, name, home_store_id FROM customer WHERE id = ANY($1)
    ORDER BY id FOR NO KEY UPDATE
"""
_NEXT_IDS: Final = """
    SELECT id FROM customer
    WHERE id > coalesce($1::uuid, '00000000-0000-0000-0000-000000000000'::uuid)
    ORDER BY id LIMIT $2
"""
_IDENTITIES: Final = """
    SELECT customer_id, kind, value FROM customer_identity WHERE customer_id = ANY($1)
    ORDER BY customer_id, kind, value COLLATE "C", system COLLATE "C"
"""
_WANTED: Final = """
    unnest($2::uuid[], $3::smallint[], $4::smallint[], $5::text[], $6::text[], $7::text[],
           $8::uuid[])
    AS wanted (customer_id, place, number, characters, letters, initials, home_store_id)
"""
_DELETE_OTHERS: Final = f"""
    DELETE FROM customer_search_key AS key
    WHERE key.customer_id = ANY($1) AND NOT EXISTS (
        SELECT FROM {_WANTED}
        WHERE wanted.customer_id = key.customer_id AND wanted.place = key.place
            AND wanted.number = key.number
            AND (wanted.characters, wanted.letters, wanted.initials, wanted.home_store_id)
                IS NOT DISTINCT FROM
                (key.characters, key.letters, key.initials, key.home_store_id)
    )
    RETURNING key.customer_id
"""  # noqa: S608 - built from constants of this module
_INSERT_MISSING: Final = f"""
    INSERT INTO customer_search_key
        (customer_id, place, number, characters, letters, initials, home_store_id)
    SELECT wanted.* FROM {_WANTED} WHERE wanted.customer_id = ANY($1)
    ON CONFLICT (customer_id, place, number) DO NOTHING
    RETURNING customer_id
"""  # noqa: S608 - built from constants, and numbers of our own
# Cards without a key of their name as they are: never made, or written past the service.
_WITHOUT_KEYS: Final = """
    SELECT card.id FROM customer AS card
    WHERE card.status = ANY($1) AND NOT EXISTS (
        SELECT FROM customer_search_key AS key
        WHERE key.customer_id = card.id AND key.number = 0
            AND key.place = (CASE card.status WHEN 'archived' THEN 2 ELSE 0 END)
                + (CASE card.kind WHEN 'organization' THEN 1 ELSE 0 END)
            AND key.home_store_id IS NOT DISTINCT FROM card.home_store_id
    )
    LIMIT $2
"""


class _Key(NamedTuple):
    customer_id: UUID
    place: int
    number: int
    characters: str | None
    letters: str
    initials: str | None
    home_store_id: UUID | None


async def reindex(connection: Connection, customer_ids: Iterable[UUID]) -> int:
    """Make the keys of these cards what they should be; return how many cards had others.

    Cards that are in use or archived get keys, of all others they are deleted. Call it in the
    transaction that changes a card's name, kind, status, home store or identities; the cards are
    locked until its end. Any number of cards takes five statements.
    """
    ids = list(customer_ids)
    cards = await connection.fetch(_LOCK_CARDS, ids)
    identities: defaultdict[UUID, list[tuple[IdentityKind, str]]] = defaultdict(list)
    for row in await connection.fetch(_IDENTITIES, ids):
        identities[row["customer_id"]].append((IdentityKind(row["kind"]), row["value"]))
    keys = [key for card in cards for key in _keys_of(card, identities[card["id"]])]
    columns = [list(column) for column in zip(*keys, strict=True)] or [[] for _ in _Key._fields]
    gone = await connection.fetch(_DELETE_OTHERS, ids, *columns)
    made = await connection.fetch(_INSERT_MISSING, ids, *columns)
    return len({row[0] for row in (*gone, *made)})


async def next_cards(connection: Connection, after: UUID | None, limit: int) -> list[UUID]:
    """Return the ids of the cards that follow in the order of ids."""
    return [row[0] for row in await connection.fetch(_NEXT_IDS, after, limit)]


async def cards_without_keys(connection: Connection, limit: int) -> list[UUID]:
    """Return cards whose keys are missing, or are those of another kind, status or home store."""
    statuses = [str(status) for status in SEARCHED_STATUSES]
    return [row[0] for row in await connection.fetch(_WITHOUT_KEYS, statuses, limit)]


def phone_key(number: str) -> str:
    """Return the digits of a phone number from the last to the first: endings become beginnings."""
    return "".join(character for character in reversed(number) if character.isdecimal())


def part_of_name_key(key: NameKey) -> KeyPart:
    """Return which part a key of a name belongs to."""
    if key.start:
        return KeyPart.INNER
    return KeyPart.NAME if key.is_likeliest else KeyPart.ALTERNATIVE


def _keys_of(
    card: asyncpg.Record, identities: Sequence[tuple[IdentityKind, str]]
) -> Iterator[_Key]:
    status = CustomerStatus(card["status"])
    if status not in SEARCHED_STATUSES:
        return
    kind, numbers = CustomerKind(card["kind"]), Counter[KeyPart]()
    for part, characters, letters, initials in _texts(card["name"], identities):
        place = place_of(part, kind, status)
        yield _Key(
            card["id"], place, numbers[part], characters, letters, initials, card["home_store_id"]
        )
        numbers[part] += 1


def _texts(
    name: str, identities: Sequence[tuple[IdentityKind, str]]
) -> Iterator[tuple[KeyPart, str | None, str, str | None]]:
    for key in name_keys(name):
        yield part_of_name_key(key), key.characters, key.letters, key.initials
    for kind, value in identities:
        letters = phone_key(value) if kind is IdentityKind.PHONE else value.casefold()
        yield _PARTS_OF_IDENTITIES[kind], None, letters, None
