"""Files that are sent while they are made, and files that are received.

A file that breaks off is noticed, since the connection is closed: CSV ends without its last chunk,
XLSX before its announced length. What fails before the first byte is answered as a problem.
"""

import asyncio
import io
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, BinaryIO, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from app.core import clock
from app.core.config import Settings
from app.vocabulary import ExportFormat

CSV: Final = "text/csv; charset=utf-8; header=present"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_CHUNK_BYTES: Final = 262_144

Chunks = AsyncGenerator[bytes, None]


class MadeFile(StreamingResponse):
    """An answer whose body is made while it is sent, and given up when the client is gone.

    The request's own transaction is over by then. ``make`` is awaited, and its first chunk too,
    before the answer begins; it returns the chunks and their length, where that is known.
    """

    def __init__(
        self, make: Callable[[], Awaitable[tuple[Chunks, int | None]]], name: str, media_type: str
    ) -> None:
        super().__init__(
            (),
            media_type=media_type,
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
        self._make = make

    async def stream_response(self, send: Send) -> None:
        """Send what is made."""
        chunks, length = await self._make()
        try:
            first = await anext(chunks, b"")
            if length is not None:
                self.headers["Content-Length"] = str(length)
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            await send({"type": "http.response.body", "body": first, "more_body": True})
            async for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            # Whatever has ended it, nothing stays open: no file, no transaction.
            await chunks.aclose()


class ReceivedFile(Response):
    """An answer for which the request's body is received first, as it comes.

    The request's own transaction is over by then: a body that comes slowly holds no connection to
    the database. ``take`` is given the body, and returns the answer.
    """

    def __init__(self, take: Callable[[AsyncIterator[bytes]], Awaitable[Response]]) -> None:
        super().__init__()
        self._take = take

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Receive the body, and send the answer."""
        answer = await self._take(Request(scope, receive).stream())
        await answer(scope, receive, send)


async def chunks_of(file: BinaryIO) -> Chunks:
    """Yield a file's bytes, and close it."""
    try:
        while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
            yield chunk
    finally:
        file.close()


def size_of(file: BinaryIO) -> int:
    """Return how many bytes a file has, which is then read from its beginning."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    return size


def file_name(settings: Settings, stem: str, kind: ExportFormat) -> str:
    """Return a name with the chain's own day and second: two of a minute are two files."""
    now = clock.now().astimezone(settings.zone)
    return f"{stem}-{now:%Y%m%d-%H%M%S}.{kind}"


def file_answers(description: str) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of a route that answers with a file of either kind."""
    return {
        200: {
            "description": description,
            "content": {
                "text/csv": {
                    "schema": {"type": "string"},
                    "example": "姓名,电话\r\n王小明,138****8000\r\n",
                },
                XLSX: {"schema": {"type": "string", "format": "binary"}, "example": "PK…"},
            },
        }
    }
