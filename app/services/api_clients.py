"""Administer machines that call the API, and their keys."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock, security
from app.core.errors import ConflictError
from app.core.ids import new_id
from app.models import ApiClient, ApiKey
from app.rules.access import API_CLIENT_SCOPES, Actor
from app.schemas.api_clients import (
    ApiClientChange,
    ApiClientCreate,
    ApiClientRead,
    ApiKeyCreate,
    ApiKeyCreated,
    ApiKeyRead,
)
from app.services import changes
from app.services.trail import record_action
from app.vocabulary import Action, Permission

OBJECT_TYPE = "api_client"
KEY_TYPE = "api_key"
SLOTS = (1, 2)


async def create_client(
    session: AsyncSession, actor: Actor, body: ApiClientCreate
) -> ApiClientRead:
    """Register a machine; it gets keys afterwards.

    Raises:
        ConflictError: the name is taken.
        InvalidInputError: a scope stays with people.
    """
    _check_scopes(body.scopes)
    now = clock.now()
    client: ApiClient | None = await session.scalar(
        insert(ApiClient)
        .values(
            id=new_id(),
            name=body.name,
            scopes=[str(scope) for scope in body.scopes],
            version=1,
            created_at=now,
            updated_at=now,
        )
        .on_conflict_do_nothing(index_elements=["name"])
        .returning(ApiClient)
    )
    if client is None:
        raise ConflictError(
            "Another API client has this name.", detail_zh="该名称已被其他接口客户端使用。"
        )
    await record_action(
        session, actor, Action.CREATED, OBJECT_TYPE, client.id, type(body).model_fields
    )
    return _read(client, [])


async def get_client(session: AsyncSession, client_id: UUID) -> ApiClientRead:
    """Return a machine with its keys.

    Raises:
        NotFoundError: there is none.
    """
    client = await session.get(ApiClient, client_id)
    if client is None:
        raise changes.not_found()
    return await _read_with_keys(session, client)


async def list_clients(
    session: AsyncSession, *, is_disabled: bool | None, limit: int, after: Sequence[Any] | None
) -> tuple[list[ApiClientRead], list[Any] | None]:
    """Return a page of machines by name, and the position of the next page if there is one."""
    wanted = select(ApiClient).order_by(col(ApiClient.name)).limit(limit + 1)
    if is_disabled is not None:
        wanted = wanted.where(col(ApiClient.disabled_at).is_not(None) == is_disabled)
    if after is not None:
        wanted = wanted.where(col(ApiClient.name) > after[0])
    rows = (await session.scalars(wanted)).all()
    page, position = changes.page_of(rows, limit, lambda client: [client.name])
    keys = await _unrevoked_keys(session, [client.id for client in page])
    return [_read(client, keys.get(client.id, [])) for client in page], position


async def change_client(
    session: AsyncSession, actor: Actor, client_id: UUID, seen: int, body: ApiClientChange
) -> ApiClientRead:
    """Change the fields of a machine that the body names; its keys see new scopes at once.

    Raises:
        NotFoundError: there is none.
        PreconditionFailedError: somebody changed it since version ``seen``.
        ConflictError: the name is taken (told by the unique constraint).
        InvalidInputError: a scope stays with people.
    """
    client = await changes.lock(session, ApiClient, client_id)
    await changes.check_version(session, OBJECT_TYPE, client_id, current=client.version, seen=seen)
    wanted = body.changes()
    if "scopes" in wanted:
        _check_scopes(wanted["scopes"])
        wanted["scopes"] = [str(scope) for scope in wanted["scopes"]]
    different = changes.write_changes(client, wanted)
    if different:
        await changes.save(session, actor, client, OBJECT_TYPE, different)
    return await _read_with_keys(session, client)


async def disable_client(session: AsyncSession, actor: Actor, client_id: UUID) -> ApiClientRead:
    """Refuse all keys of a machine from now on; doing it twice changes nothing.

    Raises:
        NotFoundError: there is none.
    """
    return await _set_disabled(session, actor, client_id, clock.now(), Action.DISABLED)


async def enable_client(session: AsyncSession, actor: Actor, client_id: UUID) -> ApiClientRead:
    """Let a machine's live keys in again; doing it twice changes nothing.

    Raises:
        NotFoundError: there is none.
    """
    return await _set_disabled(session, actor, client_id, None, Action.ENABLED)


async def create_key(
    session: AsyncSession, actor: Actor, client_id: UUID, body: ApiKeyCreate
) -> ApiKeyCreated:
    """Make a key; an expired one leaves its place to it.

    The client is locked, so that of several requests at once two at most succeed.

    Raises:
        NotFoundError: there is no such client.
        InvalidInputError: it would have expired already.
        ConflictError: there are two live keys.
    """
    now = clock.now()
    if body.expires_at is not None and body.expires_at <= now:
        raise changes.unacceptable(
            "/expires_at",
            "past",
            "A key can't expire before it is made.",
            "密钥的到期时间不可早于创建时间。",
        )
    await changes.lock(session, ApiClient, client_id)
    expired = await session.scalars(
        update(ApiKey)
        .where(
            col(ApiKey.client_id) == client_id,
            col(ApiKey.revoked_at).is_(None),
            col(ApiKey.expires_at) <= now,
        )
        .values(revoked_at=now)
        .returning(col(ApiKey.id))
    )
    for key_id in expired:
        await record_action(session, actor, Action.REVOKED, KEY_TYPE, key_id)
    taken = set(
        await session.scalars(
            select(col(ApiKey.slot)).where(
                col(ApiKey.client_id) == client_id, col(ApiKey.revoked_at).is_(None)
            )
        )
    )
    free = [slot for slot in SLOTS if slot not in taken]
    if not free:
        raise ConflictError(
            "There are two live keys; revoke one of them first.",
            code="key-limit",
            detail_zh="已有两个有效密钥，请先撤销其中一个。",
        )
    key = security.new_api_key()
    row = ApiKey(
        id=new_id(),
        client_id=client_id,
        slot=free[0],
        prefix=security.api_key_display_prefix(key),
        key_hash=security.hash_secret(key),
        created_at=now,
        expires_at=body.expires_at,
    )
    session.add(row)
    await session.flush()
    await record_action(
        session, actor, Action.CREATED, KEY_TYPE, row.id, ["client_id", "expires_at"]
    )
    return ApiKeyCreated(
        id=row.id,
        prefix=row.prefix,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=None,
        key=key,
    )


async def get_key(session: AsyncSession, client_id: UUID, key_id: UUID) -> ApiKeyRead:
    """Return a key that is not revoked, without the key.

    Raises:
        NotFoundError: there is none, or it is revoked.
    """
    for key in (await get_client(session, client_id)).keys:
        if key.id == key_id:
            return key
    raise changes.not_found()


async def revoke_key(session: AsyncSession, actor: Actor, client_id: UUID, key_id: UUID) -> None:
    """Revoke a key at once.

    Raises:
        NotFoundError: there is none, or it is revoked.
    """
    revoked = await session.scalar(
        update(ApiKey)
        .where(
            col(ApiKey.id) == key_id,
            col(ApiKey.client_id) == client_id,
            col(ApiKey.revoked_at).is_(None),
        )
        .values(revoked_at=clock.now())
        .returning(col(ApiKey.id))
    )
    if revoked is None:
        raise changes.not_found()
    await record_action(session, actor, Action.REVOKED, KEY_TYPE, key_id)


def _check_scopes(scopes: Sequence[Permission]) -> None:
    if not API_CLIENT_SCOPES.issuperset(scopes):
        raise changes.unacceptable(
            "/scopes",
            "not-for-machines",
            "Administration of people, keys and tills stays with people.",
            "员工、密钥与收银来源的管理只能由员工进行。",
        )


async def _set_disabled(
    session: AsyncSession, actor: Actor, client_id: UUID, at: datetime | None, action: Action
) -> ApiClientRead:
    client = await changes.lock(session, ApiClient, client_id)
    if (client.disabled_at is None) != (at is None):
        client.disabled_at = at
        await changes.save(session, actor, client, OBJECT_TYPE, ["is_disabled"], action)
    return await _read_with_keys(session, client)


async def _unrevoked_keys(
    session: AsyncSession, client_ids: Sequence[UUID]
) -> dict[UUID, list[ApiKeyRead]]:
    rows = await session.scalars(
        select(ApiKey)
        .where(col(ApiKey.client_id).in_(client_ids), col(ApiKey.revoked_at).is_(None))
        .order_by(col(ApiKey.id))
    )
    found: dict[UUID, list[ApiKeyRead]] = {}
    for key in rows:
        found.setdefault(key.client_id, []).append(
            ApiKeyRead(
                id=key.id,
                prefix=key.prefix,
                created_at=key.created_at,
                expires_at=key.expires_at,
                last_used_at=key.last_used_at,
            )
        )
    return found


async def _read_with_keys(session: AsyncSession, client: ApiClient) -> ApiClientRead:
    keys = await _unrevoked_keys(session, [client.id])
    return _read(client, keys.get(client.id, []))


def _read(client: ApiClient, keys: list[ApiKeyRead]) -> ApiClientRead:
    return ApiClientRead(
        id=client.id,
        name=client.name,
        scopes=[scope for scope in Permission if scope in client.scopes],
        is_disabled=client.disabled_at is not None,
        disabled_at=client.disabled_at,
        keys=keys,
        version=client.version,
        created_at=client.created_at,
        updated_at=client.updated_at,
    )
