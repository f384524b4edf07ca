"""``Idempotency-Key``: the same creating request twice has one effect and one answer.

The key's row is written in the transaction of the change. A second request with the key finds the
row and is given the first answer; while the first still runs, an advisory lock tells.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Header, Request, Response
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.errors import ConflictError, InvalidInputError, MalformedError
from app.models import IdempotencyKey

SCOPE_KEY = "huike.idempotency"
_ID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_KEPT_HEADERS = ("location", "etag", "content-type")


class KeptAnswer(Exception):  # noqa: N818 - it is no error: it carries an answer outwards.
    """The answer given the first time, on its way to be given again."""

    def __init__(self, status: int, headers: Mapping[str, str], body: str) -> None:
        super().__init__()
        self.status = status
        self.headers = dict(headers)
        self.body = body

    def response(self) -> Response:
        """Return it as a response, marked as a repetition."""
        return Response(
            self.body.encode(),
            status_code=self.status,
            headers={**self.headers, "Idempotency-Replayed": "true"},
        )


class Keeper:
    """Holds the key's row until the answer is known."""

    def __init__(self, session: AsyncSession, principal_id: UUID, key: str, path: str) -> None:
        self._session = session
        self._principal_id = principal_id
        self._key = key
        self._path = path

    async def keep(self, response: Response) -> None:
        """Store the answer in the same transaction as the change."""
        await self._session.flush()
        body = bytes(response.body).decode()
        await self._session.execute(
            update(IdempotencyKey)
            .where(
                col(IdempotencyKey.principal_id) == self._principal_id,
                col(IdempotencyKey.key) == self._key,
            )
            .values(
                status=response.status_code,
                headers={
                    name: response.headers[name]
                    for name in _KEPT_HEADERS
                    if name in response.headers
                },
                body=body,
                mentions=_ids_in(self._path, response.headers.get("location", ""), body),
            )
        )


def _ids_in(*texts: str) -> list[UUID]:
    """Return whom an answer tells of: by the request's address, by its own, and by its body."""
    return sorted({UUID(found) for text in texts for found in _ID.findall(text)})


async def request_hash(request: Request, secret_key: str) -> str:
    """Return a keyed hash of what makes a request the same: method, address and body.

    A body may hold a password; without the key nobody can try passwords against the hash.
    """
    digest = hmac.new(secret_key.encode(), b"idempotency:", hashlib.sha256)
    digest.update(f"{request.method} {request.url.path}?".encode())
    digest.update(request.scope["query_string"] + b"\n")
    digest.update(await request.body())
    return digest.hexdigest()


async def claim_key(
    session: AsyncSession,
    principal_id: UUID,
    key: str,
    wanted_hash: str,
    keep_hours: int,
    path: str,
) -> Keeper:
    """Claim the key for this request, which was sent to ``path``.

    Raises:
        KeptAnswer: the request was answered before.
        ConflictError: the first request with this key is still running.
        InvalidInputError: the key was used for another request.
    """
    now = clock.now()
    free = await session.scalar(
        select(func.pg_try_advisory_xact_lock(func.hashtextextended(f"{principal_id}:{key}", 0)))
    )
    if not free:
        raise ConflictError(
            "The first request with this Idempotency-Key is still running.",
            code="idempotency-in-progress",
            detail_zh="使用该 Idempotency-Key 的首个请求仍在处理中。",
        )
    of_this_key = (col(IdempotencyKey.principal_id) == principal_id, col(IdempotencyKey.key) == key)
    await session.execute(
        delete(IdempotencyKey).where(*of_this_key, col(IdempotencyKey.expires_at) < now)
    )
    inserted = await session.scalar(
        insert(IdempotencyKey)
        .values(
            principal_id=principal_id,
            key=key,
            request_hash=wanted_hash,
            created_at=now,
            expires_at=now + timedelta(hours=keep_hours),
        )
        .on_conflict_do_nothing()
        .returning(col(IdempotencyKey.key))
    )
    if inserted is not None:
        return Keeper(session, principal_id, key, path)
    first = (await session.execute(select(IdempotencyKey).where(*of_this_key))).scalar_one()
    if first.request_hash != wanted_hash:
        raise InvalidInputError(
            "This Idempotency-Key was used for another request.",
            code="idempotency-key-reused",
            detail_zh="该 Idempotency-Key 已用于另一请求。",
        )
    # Both are written in one transaction: a row that is seen has its answer.
    assert first.status is not None
    if first.body is None:
        raise InvalidInputError(
            "The answer to this Idempotency-Key was erased with a person's data.",
            code="idempotency-key-reused",
            detail_zh="该 Idempotency-Key 的首次应答已随个人数据一并删除。",
        )
    raise KeptAnswer(first.status, first.headers or {}, first.body)


IdempotencyKeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="A value of your making that names this request: 1 to 128 visible ASCII "
        "characters. Required. The same key with the same request gives the first answer again.",
        json_schema_extra={"example": "8d5f2f6e-2b1f-4a53-9d0b-4c6f0c3c7a10"},
    ),
]


def checked_key(key: str | None) -> str:
    """Return the key.

    Raises:
        MalformedError: it is missing, too long, or not visible ASCII.
    """
    if not key or len(key) > 128 or not all(33 <= ord(character) <= 126 for character in key):
        raise MalformedError(
            "Send an Idempotency-Key header: 1 to 128 visible ASCII characters.",
            code="idempotency-key-required",
            detail_zh="请发送 Idempotency-Key 请求头：1–128 个可见 ASCII 字符。",
        )
    return key
