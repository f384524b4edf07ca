"""Keyset pages with sealed cursors: a page costs the same wherever it lies.

A cursor travels in addresses, which are logged on the way; since it may hold a name, it can be
neither changed nor read. It is sealed as RFC 5297 does it: the HMAC of the text both
authenticates it and starts the key stream.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Generic, TypeVar

import orjson
from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from app.core.config import Settings
from app.core.errors import InvalidInputError

Item = TypeVar("Item")
MAXIMUM_LIMIT = 200

Limit = Annotated[
    int, Query(ge=1, le=MAXIMUM_LIMIT, description="How many items a page has at most.")
]
Cursor = Annotated[
    str | None,
    Query(
        max_length=2000,
        description="`next_cursor` of the previous page, with the same filters and sorting.",
    ),
]


class Page(BaseModel, Generic[Item]):
    """A page of a list; ``next_cursor`` is null on the last one."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """Name a page after its items: generated clients call their types so."""
        return f"{params[0].__name__}Page"

    items: list[Item]
    next_cursor: str | None = Field(description="Send it as `cursor` to get the next page.")


_SEAL_BYTES = 16


def _seal(settings: Settings, text: bytes) -> bytes:
    return hmac.digest(_key(settings, b"cursor seal"), text, "sha256")[:_SEAL_BYTES]


def _veil(settings: Settings, seal: bytes, text: bytes) -> bytes:
    """Cover or uncover a text: both are the same."""
    stream = hashlib.shake_256(_key(settings, b"cursor veil") + seal).digest(len(text))
    return bytes(letter ^ cover for letter, cover in zip(text, stream, strict=True))


def _key(settings: Settings, purpose: bytes) -> bytes:
    return hmac.digest(settings.secret_key.get_secret_value().encode(), purpose, "sha256")


def encode_cursor(settings: Settings, listing: Mapping[str, Any], position: Sequence[Any]) -> str:
    """Return a cursor for the place after ``position`` in a listing.

    ``listing`` names the list with its filters and sorting; a cursor is good for no other.
    ``position`` holds the sort values and the id of the last item, JSON-serializable.
    """
    payload = orjson.dumps([_fingerprint(listing), list(position)], default=str)
    seal = _seal(settings, payload)
    return base64.urlsafe_b64encode(seal + _veil(settings, seal, payload)).decode().rstrip("=")


def decode_cursor(settings: Settings, listing: Mapping[str, Any], cursor: str) -> list[Any]:
    """Return the position a cursor stands for.

    Raises:
        InvalidInputError: forged, damaged, or of another list (422 ``invalid-cursor``).
    """
    try:
        raw = base64.b64decode(
            cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True
        )
        seal = raw[:_SEAL_BYTES]
        payload = _veil(settings, seal, raw[_SEAL_BYTES:])
        if hmac.compare_digest(seal, _seal(settings, payload)):
            fingerprint, position = orjson.loads(payload)
            if fingerprint == _fingerprint(listing):
                return list(position)
    except (binascii.Error, ValueError, UnicodeEncodeError):
        pass
    raise InvalidInputError(
        "The cursor is not ours, or of another list.",
        code="invalid-cursor",
        detail_zh="游标无效，或属于另一列表。",
    )


def _fingerprint(listing: Mapping[str, Any]) -> str:
    canonical = orjson.dumps(dict(listing), default=str, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()[:16]
