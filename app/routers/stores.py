"""Shops and their opening hours."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from app.rules.access import Actor
from app.schemas.stores import StoreChange, StoreCreate, StoreRead
from app.services import stores
from app.vocabulary import Permission, ShortText
from app.web.answers import (
    ON_CHANGING,
    ON_CREATING,
    ON_LISTING,
    ON_READING,
    next_cursor,
    position_after,
    set_created,
)
from app.web.dependencies import Allow, Idempotent, SessionDep, SettingsDep
from app.web.documentation import problems
from app.web.pagination import Cursor, Limit, Page
from app.web.parameters import OnlyActive, StoreId
from app.web.preconditions import IfMatch, seen_version, set_etag
from app.web.route import HuikeRoute

router = APIRouter(prefix="/v1/stores", tags=["stores"], route_class=HuikeRoute)

Reader = Annotated[Actor, Depends(Allow(Permission.STORES_READ))]
Administrator = Annotated[Actor, Depends(Allow(Permission.STORES_WRITE))]


@router.post(
    "",
    status_code=201,
    summary="Open a shop",
    responses=problems(*ON_CREATING, "conflict"),
    dependencies=[Idempotent],
)
async def create_store(
    body: StoreCreate, actor: Administrator, session: SessionDep, response: Response
) -> StoreRead:
    """Create a shop with its opening hours; its code is unique."""
    store = await stores.create_store(session, actor, body)
    set_created(response, f"/v1/stores/{store.id}", store.version)
    return StoreRead.model_validate(store)


@router.get("", summary="List shops", responses=problems(*ON_LISTING))
async def list_stores(
    _: Reader,
    session: SessionDep,
    settings: SettingsDep,
    is_active: OnlyActive = None,
    region: Annotated[ShortText | None, Query(description="Exactly this region.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[StoreRead]:
    """List shops by code."""
    listing = {"list": "stores", "is_active": is_active, "region": region}
    page, position = await stores.list_stores(
        session,
        is_active=is_active,
        region=region,
        limit=limit,
        after=position_after(settings, listing, cursor),
    )
    return Page(
        items=[StoreRead.model_validate(store) for store in page],
        next_cursor=next_cursor(settings, listing, position),
    )


@router.get("/{store_id}", summary="Read a shop", responses=problems(*ON_READING))
async def get_store(
    store_id: StoreId, _: Reader, session: SessionDep, response: Response
) -> StoreRead:
    """Return a shop; its ETag is needed to change it."""
    store = await stores.get_store(session, store_id)
    set_etag(response, store.version)
    return StoreRead.model_validate(store)


@router.patch("/{store_id}", summary="Change a shop", responses=problems(*ON_CHANGING))
async def update_store(
    store_id: StoreId,
    body: StoreChange,
    actor: Administrator,
    session: SessionDep,
    response: Response,
    if_match: IfMatch = None,
) -> StoreRead:
    """Change the fields that the body names; the others stay."""
    store = await stores.change_store(session, actor, store_id, seen_version(if_match), body)
    set_etag(response, store.version)
    return StoreRead.model_validate(store)
