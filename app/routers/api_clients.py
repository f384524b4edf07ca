"""Machines and their keys."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from app.rules.access import Actor
from app.schemas.api_clients import (
    ApiClientChange,
    ApiClientCreate,
    ApiClientRead,
    ApiKeyCreate,
    ApiKeyCreated,
    ApiKeyRead,
)
from app.services import api_clients
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
from app.web.parameters import ClientId, KeyId, OnlyDisabled
from app.web.preconditions import IfMatch, seen_version, set_etag
from app.web.route import HuikeRoute

router = APIRouter(prefix="/v1/api-clients", tags=["API clients"], route_class=HuikeRoute)

Administrator = Annotated[Actor, Depends(Allow(Permission.API_CLIENTS_WRITE))]


@router.post(
    "",
    status_code=201,
    summary="Register a machine",
    responses=problems(*ON_CREATING, "conflict"),
    dependencies=[Idempotent],
)
async def create_api_client(
    body: ApiClientCreate, actor: Administrator, session: SessionDep, response: Response
) -> ApiClientRead:
    """Create an API client with its scopes; make it a key afterwards."""
    client = await api_clients.create_client(session, actor, body)
    set_created(response, f"/v1/api-clients/{client.id}", client.version)
    return client


@router.get("", summary="List machines", responses=problems(*ON_LISTING))
async def list_api_clients(
    _: Administrator,
    session: SessionDep,
    settings: SettingsDep,
    is_disabled: OnlyDisabled = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ApiClientRead]:
    """List API clients by name, with their keys but for the keys themselves."""
    listing = {"list": "api-clients", "is_disabled": is_disabled}
    page, position = await api_clients.list_clients(
        session,
        is_disabled=is_disabled,
        limit=limit,
        after=position_after(settings, listing, cursor),
    )
    return Page(items=page, next_cursor=next_cursor(settings, listing, position))


@router.get("/{client_id}", summary="Read a machine", responses=problems(*ON_READING))
async def get_api_client(
    client_id: ClientId, _: Administrator, session: SessionDep, response: Response
) -> ApiClientRead:
    """Return an API client; its ETag is needed to change it."""
    client = await api_clients.get_client(session, client_id)
    set_etag(response, client.version)
    return client


@router.patch(
    "/{client_id}", summary="Change a machine", responses=problems(*ON_CHANGING, "conflict")
)
async def update_api_client(
    client_id: ClientId,
    body: ApiClientChange,
    actor: Administrator,
    session: SessionDep,
    response: Response,
    if_match: IfMatch = None,
) -> ApiClientRead:
    """Change name or scopes; scopes are in force at once."""
    client = await api_clients.change_client(
        session, actor, client_id, seen_version(if_match), body
    )
    set_etag(response, client.version)
    return client


@router.post("/{client_id}/disable", summary="Disable a machine", responses=problems(*ON_READING))
async def disable_api_client(
    client_id: ClientId, actor: Administrator, session: SessionDep, response: Response
) -> ApiClientRead:
    """Refuse all its keys from now on; doing it twice changes nothing."""
    client = await api_clients.disable_client(session, actor, client_id)
    set_etag(response, client.version)
    return client


@router.post("/{client_id}/enable", summary="Enable a machine", responses=problems(*ON_READING))
async def enable_api_client(
    client_id: ClientId, actor: Administrator, session: SessionDep, response: Response
) -> ApiClientRead:
    """Let its live keys in again; doing it twice changes nothing."""
    client = await api_clients.enable_client(session, actor, client_id)
    set_etag(response, client.version)
    return client


@router.post(
    "/{client_id}/keys",
    status_code=201,
    summary="Make a key",
    responses=problems(*ON_CREATING, "not-found", "key-limit"),
    dependencies=[Idempotent, Depends(ShownOnce("key"))],
)
async def create_api_key(
    client_id: ClientId,
    body: ApiKeyCreate,
    actor: Administrator,
    session: SessionDep,
    response: Response,
) -> ApiKeyCreated:
    """Make a key, shown once. At most two live ones; an expired one leaves its place."""
    key = await api_clients.create_key(session, actor, client_id, body)
    set_created(response, f"/v1/api-clients/{client_id}/keys/{key.id}")
    return key


@router.get(
    "/{client_id}/keys/{key_id}", summary="Read about a key", responses=problems(*ON_READING)
)
async def get_api_key(
    client_id: ClientId, key_id: KeyId, _: Administrator, session: SessionDep
) -> ApiKeyRead:
    """Return how a key begins, when it ends and when it was last used."""
    return await api_clients.get_key(session, client_id, key_id)


@router.delete(
    "/{client_id}/keys/{key_id}",
    status_code=204,
    summary="Revoke a key",
    responses=problems(*ON_READING),
)
async def revoke_api_key(
    client_id: ClientId, key_id: KeyId, actor: Administrator, session: SessionDep
) -> None:
    """Revoke a key at once."""
    await api_clients.revoke_key(session, actor, client_id, key_id)
