"""Where a search key stands in the indexes: what it is a key of, of which kind of card.

A place is one number, so that every probe of a search names one place and reads one stretch of an
index: cards in use apart from archived ones, people apart from organizations.
"""

from collections.abc import Iterator
from enum import IntEnum
from itertools import product

from app.vocabulary import CustomerKind, CustomerStatus

SEARCHED_STATUSES = (CustomerStatus.ACTIVE, CustomerStatus.ARCHIVED)
"""Merged and erased cards have no keys: the one is found by its survivor, the other by nobody."""


class KeyPart(IntEnum):
    """What a search key is made of."""

    NAME = 0
    """The name from its beginning, in its likeliest reading."""
    ALTERNATIVE = 1
    """The name from its beginning, in another reading."""
    INNER = 2
    """The name from a later character or word on."""
    PHONE = 3
    """The digits of a phone number, the last one first."""
    MEMBER_NUMBER = 4
    EMAIL = 5
    WECHAT = 6
    EXTERNAL = 7


def place_of(part: KeyPart, kind: CustomerKind, status: CustomerStatus) -> int:
    """Return the place of a key of a card of this kind and status."""
    return (
        part * 4
        + 2 * SEARCHED_STATUSES.index(status)
        + (1 if kind is CustomerKind.ORGANIZATION else 0)
    )


def part_of(place: int) -> KeyPart:
    """Return what a key at a place is made of."""
    return KeyPart(place // 4)


def places_of(part: KeyPart, kind: CustomerKind | None, *, include_archived: bool) -> Iterator[int]:
    """Yield the places where a search looks for such keys."""
    statuses = SEARCHED_STATUSES if include_archived else SEARCHED_STATUSES[:1]
    kinds = tuple(CustomerKind) if kind is None else (kind,)
    for status, wanted in product(statuses, kinds):
        yield place_of(part, wanted, status)
