"""What creating and administering routes answer alike: addresses, tags, secrets shown once."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Protocol

import orjson
from fastapi import Depends, Request, Response

from app.core.config import Settings
from app.web.dependencies import idempotent
from app.web.documentation import ANY_REQUEST, SIGNED_IN
from app.web.idempotency import SCOPE_KEY
from app.web.pagination import decode_cursor, encode_cursor
from app.web.preconditions import set_etag

ON_READING = (*SIGNED_IN, "not-found", "validation", "internal-error", "unavailable")
ON_LISTING = (*SIGNED_IN, "validation", "invalid-cursor", "internal-error", "unavailable")
ON_CREATING = (
    *SIGNED_IN,
    *ANY_REQUEST,
    "idempotency-key-required",
    "idempotency-in-progress",
    "idempotency-key-reused",
)
ON_CHANGING = (
    *SIGNED_IN,
    *ANY_REQUEST,
    "not-found",
    "precondition-failed",
    "precondition-required",
)


def set_created(response: Response, location: str, version: int | None = None) -> None:
    """Say where the new object is, and its version if it has one."""
    response.headers["Location"] = location
    if version is not None:
        set_etag(response, version)


def position_after(
    settings: Settings, listing: Mapping[str, Any], cursor: str | None
) -> list[Any] | None:
    """Return the position a cursor stands for; None is the list's beginning.

    Raises:
        InvalidInputError: the cursor is forged, damaged, or of another list.
    """
    return None if cursor is None else decode_cursor(settings, listing, cursor)


def next_cursor(
    settings: Settings, listing: Mapping[str, Any], position: Sequence[Any] | None
) -> str | None:
    """Return the cursor for the place after ``position``; None where the list ends."""
    return None if position is None else encode_cursor(settings, listing, position)


class _Keeps(Protocol):
    async def keep(self, response: Response) -> None: ...


class _KeepsAllBut:
    """Keeps an answer without its secret, which is stored nowhere in a readable form."""

    def __init__(self, keeper: _Keeps, member: str) -> None:
        self._keeper = keeper
        self._member = member

    async def keep(self, response: Response) -> None:
        """Keep a copy in which the secret is null."""
        document = orjson.loads(response.body)
        document[self._member] = None
        copy = Response(
            orjson.dumps(document),
            status_code=response.status_code,
            headers={
                name: value for name, value in response.headers.items() if name != "content-length"
            },
        )
        await self._keeper.keep(copy)


class ShownOnce:
    """A creating route whose answer shows a secret the first time, and null when repeated.

    Use it after ``Idempotent``. Nobody in between may store the answer.
    """

    def __init__(self, member: str) -> None:
        self.member = member

    async def __call__(
        self, request: Request, response: Response, _: Annotated[None, Depends(idempotent)]
    ) -> None:
        """Let the secret out once."""
        response.headers["Cache-Control"] = "no-store"
        request.scope[SCOPE_KEY] = _KeepsAllBut(request.scope[SCOPE_KEY], self.member)
