"""Administer shops."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.errors import ConflictError
from app.core.ids import new_id
from app.models import Store
from app.rules.access import Actor
from app.schemas.stores import StoreChange, StoreCreate
from app.services import changes
from app.services.trail import record_action
from app.vocabulary import Action

OBJECT_TYPE = "store"


async def create_store(session: AsyncSession, actor: Actor, body: StoreCreate) -> Store:
    """Open a shop.

    Raises:
        ConflictError: the code is taken.
    """
    now = clock.now()
    fields = body.model_dump()
    store: Store | None = await session.scalar(
        insert(Store)
        .values(id=new_id(), is_active=True, version=1, created_at=now, updated_at=now, **fields)
        .on_conflict_do_nothing(index_elements=["code"])
        .returning(Store)
    )
    if store is None:
        raise ConflictError("Another shop has this code.", detail_zh="该编码已被其他门店使用。")
    await record_action(session, actor, Action.CREATED, OBJECT_TYPE, store.id, fields)
    return store


async def get_store(session: AsyncSession, store_id: UUID) -> Store:
    """Return a shop.

    Raises:
        NotFoundError: there is none.
    """
    store = await session.get(Store, store_id)
    if store is None:
        raise changes.not_found()
    return store


async def list_stores(
    session: AsyncSession,
    *,
    is_active: bool | None,
    region: str | None,
    limit: int,
    after: Sequence[Any] | None,
) -> tuple[list[Store], list[Any] | None]:
    """Return a page of shops by code, and the position of the next page if there is one."""
    wanted = select(Store).order_by(col(Store.code)).limit(limit + 1)
    if is_active is not None:
        wanted = wanted.where(col(Store.is_active) == is_active)
    if region is not None:
        wanted = wanted.where(col(Store.region) == region)
    if after is not None:
        wanted = wanted.where(col(Store.code) > after[0])
    found = await session.scalars(wanted)
    return changes.page_of(found.all(), limit, lambda store: [store.code])


async def change_store(
    session: AsyncSession, actor: Actor, store_id: UUID, seen: int, body: StoreChange
) -> Store:
    """Change the fields of a shop that the body names.

    Raises:
        NotFoundError: there is none.
        PreconditionFailedError: somebody changed it since version ``seen``.
    """
    store = await changes.lock(session, Store, store_id)
    await changes.check_version(session, OBJECT_TYPE, store_id, current=store.version, seen=seen)
    different = changes.write_changes(store, body.changes())
    if different:
        await changes.save(session, actor, store, OBJECT_TYPE, different)
    return store
