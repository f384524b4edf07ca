"""Administer tills and web shops, and their signing secrets."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock, security
from app.core.config import Settings
from app.core.errors import ConflictError
from app.core.ids import new_id
from app.models import PosEvent, Receipt, Source, SourceSecret, Store
from app.rules.access import Actor
from app.schemas.sources import (
    SecretCreated,
    SecretRead,
    SourceChange,
    SourceCreate,
    SourceCreated,
    SourceRead,
)
from app.services import changes
from app.services.trail import record_action
from app.vocabulary import Action, EventStatus, SourceMode

OBJECT_TYPE = "source"
SECRET_TYPE = "source_secret"  # noqa: S105 - the audit trail's name for it, not a secret
SLOTS = (1, 2)


async def create_source(
    session: AsyncSession, settings: Settings, actor: Actor, body: SourceCreate
) -> SourceCreated:
    """Register a till or web shop with its first signing secret.

    Raises:
        ConflictError: the code is taken.
        InvalidInputError: there is no such shop.
    """
    await _check_store(session, body.store_id)
    now = clock.now()
    # One chain, one currency: amounts of all its sources are added.
    fields = {**body.model_dump(), "currency": settings.currency}
    source: Source | None = await session.scalar(
        insert(Source)
        .values(
            id=new_id(),
            is_active=True,
            version=1,
            created_at=now,
            updated_at=now,
            **fields,
        )
        .on_conflict_do_nothing(index_elements=["code"])
        .returning(Source)
    )
    if source is None:
        raise ConflictError(
            "Another till or web shop has this code.", detail_zh="该编码已被其他收银来源使用。"
        )
    await record_action(session, actor, Action.CREATED, OBJECT_TYPE, source.id, fields)
    created = await _store_secret(session, actor, source.id, slot=SLOTS[0])
    return SourceCreated(
        **_read(source, [SecretRead(id=created.id, created_at=created.created_at)]).model_dump(),
        secret=created.secret,
    )


async def get_source(session: AsyncSession, actor: Actor, source_id: UUID) -> SourceRead:
    """Return a till or web shop.

    Raises:
        NotFoundError: there is none, or of a shop that is not the actor's.
    """
    source = await session.get(Source, source_id)
    if source is None or not actor.reaches_store(source.store_id):
        raise changes.not_found()
    return await _read_with_secrets(session, source)


async def list_sources(
    session: AsyncSession,
    actor: Actor,
    *,
    store_id: UUID | None,
    is_active: bool | None,
    limit: int,
    after: Sequence[Any] | None,
) -> tuple[list[SourceRead], list[Any] | None]:
    """Return a page of the actor's tills and web shops by code, and the next page's position."""
    wanted = select(Source).order_by(col(Source.code)).limit(limit + 1)
    if actor.store_ids is not None:
        wanted = wanted.where(col(Source.store_id).in_(actor.store_ids))
    if store_id is not None:
        wanted = wanted.where(col(Source.store_id) == store_id)
    if is_active is not None:
        wanted = wanted.where(col(Source.is_active) == is_active)
    if after is not None:
        wanted = wanted.where(col(Source.code) > after[0])
    rows = (await session.scalars(wanted)).all()
    page, position = changes.page_of(rows, limit, lambda source: [source.code])
    secrets = await _live_secrets(session, [source.id for source in page])
    return [_read(source, secrets.get(source.id, [])) for source in page], position


async def change_source(
    session: AsyncSession, actor: Actor, source_id: UUID, seen: int, body: SourceChange
) -> SourceRead:
    """Change the fields of a till or web shop that the body names.

    Shop and receipt rule stand once a receipt was applied. Until then they can be mended, and
    events that are held because of them replayed.
    Going live deletes what was sent as a test.

    Raises:
        NotFoundError: there is none, or of a shop that is not the actor's.
        PreconditionFailedError: somebody changed it since version ``seen``.
        ConflictError: shop or receipt rule can't be changed any more.
        InvalidInputError: there is no such shop.
    """
    # Receipts refer to their source, so this waits for sales under way, and sales for this.
    source = await changes.lock(session, Source, source_id, key_share=False)
    if not actor.reaches_store(source.store_id):
        raise changes.not_found()
    await changes.check_version(session, OBJECT_TYPE, source_id, current=source.version, seen=seen)
    wanted = body.changes()
    was_test = source.mode == SourceMode.TEST
    different = changes.write_changes(source, wanted)
    if "store_id" in different:
        await _check_store(session, source.store_id)
    fixed = sorted({"store_id", "receipt_rule"}.intersection(different))
    if fixed and await _has_receipts(session, source_id):
        raise ConflictError(
            "Its shop and receipt rule stand: receipts of it were applied already.",
            code="invalid-transition",
            detail_zh="该来源已有入账小票，所属门店与小票规则不可再改。",
            members={"fields": fixed},
        )
    if was_test and source.mode == SourceMode.LIVE:
        await session.execute(
            delete(PosEvent).where(
                col(PosEvent.source_id) == source_id, col(PosEvent.status) == EventStatus.TEST
            )
        )
    if different:
        await changes.save(session, actor, source, OBJECT_TYPE, different)
    return await _read_with_secrets(session, source)


async def create_secret(session: AsyncSession, actor: Actor, source_id: UUID) -> SecretCreated:
    """Add a second signing secret, so that the sender can change over to it.

    Raises:
        NotFoundError: there is no such source, or of a shop that is not the actor's.
        ConflictError: there are two live ones.
    """
    source = await changes.lock(session, Source, source_id)
    if not actor.reaches_store(source.store_id):
        raise changes.not_found()
    taken = set(
        await session.scalars(
            select(col(SourceSecret.slot)).where(
                col(SourceSecret.source_id) == source_id, col(SourceSecret.revoked_at).is_(None)
            )
        )
    )
    free = [slot for slot in SLOTS if slot not in taken]
    if not free:
        raise ConflictError(
            "There are two live secrets; revoke one of them first.",
            code="key-limit",
            detail_zh="已有两个有效密钥，请先撤销其中一个。",
        )
    return await _store_secret(session, actor, source_id, slot=free[0])


async def get_secret(
    session: AsyncSession, actor: Actor, source_id: UUID, secret_id: UUID
) -> SecretRead:
    """Return when a live secret was made; the secret itself was shown once.

    Raises:
        NotFoundError: there is none, it is revoked, or of a shop that is not the actor's.
    """
    source = await get_source(session, actor, source_id)
    for secret in source.secrets:
        if secret.id == secret_id:
            return secret
    raise changes.not_found()


async def revoke_secret(
    session: AsyncSession, actor: Actor, source_id: UUID, secret_id: UUID
) -> None:
    """Revoke a signing secret at once; the last one too, which silences the sender.

    Raises:
        NotFoundError: there is none, it is revoked, or of a shop that is not the actor's.
    """
    source = await changes.lock(session, Source, source_id)
    if not actor.reaches_store(source.store_id):
        raise changes.not_found()
    revoked = await session.scalar(
        update(SourceSecret)
        .where(
            col(SourceSecret.id) == secret_id,
            col(SourceSecret.source_id) == source_id,
            col(SourceSecret.revoked_at).is_(None),
        )
        .values(revoked_at=clock.now())
        .returning(col(SourceSecret.id))
    )
    if revoked is None:
        raise changes.not_found()
    await record_action(session, actor, Action.REVOKED, SECRET_TYPE, secret_id)


async def _store_secret(
    session: AsyncSession, actor: Actor, source_id: UUID, *, slot: int
) -> SecretCreated:
    row = SourceSecret(
        id=new_id(),
        source_id=source_id,
        slot=slot,
        secret=security.new_webhook_secret(),
        created_at=clock.now(),
    )
    session.add(row)
    await session.flush()
    await record_action(session, actor, Action.CREATED, SECRET_TYPE, row.id, ["source_id"])
    return SecretCreated(id=row.id, created_at=row.created_at, secret=row.secret)


async def _check_store(session: AsyncSession, store_id: UUID) -> None:
    if not await session.scalar(select(exists().where(col(Store.id) == store_id))):
        raise changes.unacceptable(
            "/store_id", "unknown", "There is no such shop.", "没有这家门店。"
        )


async def _has_receipts(session: AsyncSession, source_id: UUID) -> bool:
    """Tell whether a receipt number is taken, or awaited by a refund that came before its sale."""
    return bool(await session.scalar(select(exists().where(col(Receipt.source_id) == source_id))))


async def _live_secrets(
    session: AsyncSession, source_ids: Sequence[UUID]
) -> dict[UUID, list[SecretRead]]:
    rows = await session.execute(
        select(col(SourceSecret.source_id), col(SourceSecret.id), col(SourceSecret.created_at))
        .where(col(SourceSecret.source_id).in_(source_ids), col(SourceSecret.revoked_at).is_(None))
        .order_by(col(SourceSecret.id))
    )
    found: dict[UUID, list[SecretRead]] = {}
    for source_id, secret_id, created_at in rows:
        found.setdefault(source_id, []).append(SecretRead(id=secret_id, created_at=created_at))
    return found


async def _read_with_secrets(session: AsyncSession, source: Source) -> SourceRead:
    secrets = await _live_secrets(session, [source.id])
    return _read(source, secrets.get(source.id, []))


def _read(source: Source, secrets: list[SecretRead]) -> SourceRead:
    return SourceRead(
        id=source.id,
        code=source.code,
        name=source.name,
        kind=source.kind,
        store_id=source.store_id,
        mode=source.mode,
        receipt_rule=source.receipt_rule,
        currency=source.currency,
        is_active=source.is_active,
        secrets=secrets,
        version=source.version,
        created_at=source.created_at,
        updated_at=source.updated_at,
    )
