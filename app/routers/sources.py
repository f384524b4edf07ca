"""Tills and web shops with their secrets."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from app.rules.access import Actor
from app.schemas.sources import (
    SecretCreated,
    SecretRead,
    SourceChange,
    SourceCreate,
    SourceCreated,
    SourceRead,
)
from app.services import sources
from app.vocabulary import Permission
from app.web.answers import (
    ON_CHANGING,
    ON_CREATING,
    ON_LISTING,
    ON_READING,
    ShownOnce,
    next_cursor,
    position_after,
    set_created,
)
from app.web.dependencies import Allow, Idempotent, SessionDep, SettingsDep
from app.web.documentation import problems
from app.web.pagination import Cursor, Limit, Page
from app.web.parameters import OnlyActive, SecretId, SourceId
from app.web.preconditions import IfMatch, seen_version, set_etag
from app.web.route import HuikeRoute

router = APIRouter(prefix="/v1/sources", tags=["sources"], route_class=HuikeRoute)

Reader = Annotated[Actor, Depends(Allow(Permission.SOURCES_READ))]
Administrator = Annotated[Actor, Depends(Allow(Permission.SOURCES_WRITE))]


@router.post(
    "",
    status_code=201,
    summary="Register a till or web shop",
    responses=problems(*ON_CREATING, "conflict"),
    dependencies=[Idempotent, Depends(ShownOnce("secret"))],
)
async def create_source(
    body: SourceCreate,
    actor: Administrator,
    session: SessionDep,
    settings: SettingsDep,
    response: Response,
) -> SourceCreated:
    """Create a sender of sales; the answer shows its first signing secret, once."""
    source = await sources.create_source(session, settings, actor, body)
    set_created(response, f"/v1/sources/{source.id}", source.version)
    return source


@router.get("", summary="List tills and web shops", responses=problems(*ON_LISTING))
async def list_sources(
    actor: Reader,
    session: SessionDep,
    settings: SettingsDep,
    store_id: Annotated[UUID | None, Query(description="Of this shop.")] = None,
    is_active: OnlyActive = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[SourceRead]:
    """List senders of sales by code; who is bound to shops sees theirs."""
    listing = {"list": "sources", "store_id": store_id, "is_active": is_active}
    page, position = await sources.list_sources(
        session,
        actor,
        store_id=store_id,
        is_active=is_active,
        limit=limit,
        after=position_after(settings, listing, cursor),
    )
    return Page(items=page, next_cursor=next_cursor(settings, listing, position))


@router.get("/{source_id}", summary="Read a till or web shop", responses=problems(*ON_READING))
async def get_source(
    source_id: SourceId, actor: Reader, session: SessionDep, response: Response
) -> SourceRead:
    """Return a sender of sales, without its secrets; its ETag is needed to change it."""
    source = await sources.get_source(session, actor, source_id)
    set_etag(response, source.version)
    return source


@router.patch(
    "/{source_id}",
    summary="Change a till or web shop",
    responses=problems(*ON_CHANGING, "invalid-transition"),
)
async def update_source(
    source_id: SourceId,
    body: SourceChange,
    actor: Administrator,
    session: SessionDep,
    response: Response,
    if_match: IfMatch = None,
) -> SourceRead:
    """Change the fields that the body names; shop and receipt rule only before real events."""
    source = await sources.change_source(session, actor, source_id, seen_version(if_match), body)
    set_etag(response, source.version)
    return source


@router.post(
    "/{source_id}/secrets",
    status_code=201,
    summary="Add a second signing secret",
    responses=problems(*ON_CREATING, "not-found", "key-limit"),
    dependencies=[Idempotent, Depends(ShownOnce("secret"))],
)
async def create_source_secret(
    source_id: SourceId, actor: Administrator, session: SessionDep, response: Response
) -> SecretCreated:
    """Add a secret, shown once; both are good until one is revoked. At most two live ones."""
    secret = await sources.create_secret(session, actor, source_id)
    set_created(response, f"/v1/sources/{source_id}/secrets/{secret.id}")
    return secret


@router.get(
    "/{source_id}/secrets/{secret_id}",
    summary="Read about a signing secret",
    responses=problems(*ON_READING),
)
async def get_source_secret(
    source_id: SourceId, secret_id: SecretId, actor: Reader, session: SessionDep
) -> SecretRead:
    """Return when a live secret was made; the secret itself was shown once."""
    return await sources.get_secret(session, actor, source_id, secret_id)


@router.delete(
    "/{source_id}/secrets/{secret_id}",
    status_code=204,
    summary="Revoke a signing secret",
    responses=problems(*ON_READING),
)
async def revoke_source_secret(
    source_id: SourceId, secret_id: SecretId, actor: Administrator, session: SessionDep
) -> None:
    """Revoke a secret at once; what is signed with it is refused from now on."""
    await sources.revoke_secret(session, actor, source_id, secret_id)
