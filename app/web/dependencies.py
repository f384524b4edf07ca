"""What routes ask for: the session, the settings, and who is calling."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI, Request, Security
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from fastapi.security import APIKeyHeader, OAuth2PasswordBearer
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.database import Database
from app.core.errors import ForbiddenError, UnauthenticatedError
from app.rules.access import Actor
from app.services import sign_in
from app.vocabulary import Permission
from app.web.idempotency import (
    SCOPE_KEY,
    IdempotencyKeyHeader,
    checked_key,
    claim_key,
    request_hash,
)

token_scheme = OAuth2PasswordBearer(
    tokenUrl="/v1/auth/token",
    scheme_name="staff",
    description="Staff sign in with user name and password and get an opaque token.",
    auto_error=False,
)
api_key_scheme = APIKeyHeader(
    name="X-API-Key",
    scheme_name="api_key",
    description="A key of an API client, made by an administrator.",
    auto_error=False,
)


def get_settings(request: Request) -> Settings:
    """Return the settings the application was made with."""
    settings: Settings = request.app.state.settings
    return settings


def get_database(request: Request) -> Database:
    """Return the application's database."""
    database: Database = request.app.state.database
    return database


async def get_session(
    database: Annotated[Database, Depends(get_database)],
) -> AsyncIterator[AsyncSession]:
    """Open the request's one transaction; it commits before the response is sent."""
    async with database.transaction() as session:
        yield session


SettingsDep = Annotated[Settings, Depends(get_settings)]
DatabaseDep = Annotated[Database, Depends(get_database)]
# The default scope would commit after the response: a client could be told 201 for nothing.
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]


def request_id_of(request: Request) -> str:
    """Return the id this request is logged under."""
    return str(request.scope.get("huike.request_id", ""))


async def authenticate(
    request: Request,
    session: SessionDep,
    settings: SettingsDep,
    token: Annotated[str | None, Security(token_scheme)],
    api_key: Annotated[str | None, Security(api_key_scheme)],
) -> Actor:
    """Return who is calling, by token or API key.

    Raises:
        UnauthenticatedError: neither, or not valid.
    """
    if token:
        return await sign_in.actor_of_token(session, settings, token, request_id_of(request))
    if api_key:
        return await sign_in.actor_of_api_key(session, api_key, request_id_of(request))
    raise UnauthenticatedError(
        "Send a token (Authorization: Bearer) or an API key (X-API-Key).",
        detail_zh="请发送令牌（Authorization: Bearer）或接口密钥（X-API-Key）。",
        headers={"WWW-Authenticate": "Bearer"},
    )


class Allow:
    """Lets in who holds a permission, or all of several; every route has one of these.

    Or it has a :class:`Public`.
    """

    def __init__(self, *permissions: Permission) -> None:
        self.permissions = permissions

    async def __call__(self, actor: Annotated[Actor, Depends(authenticate)]) -> Actor:
        """Return the actor.

        Raises:
            ForbiddenError: they lack a permission.
        """
        for permission in self.permissions:
            if not actor.may(permission):
                raise ForbiddenError(
                    f"This needs the permission {permission}.",
                    detail_zh=f"此操作需要权限：{permission.label.zh}。",
                    members={"permission": str(permission)},
                )
        return actor


class Public:
    """Lets everybody in, for a stated reason."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    async def __call__(self) -> None:
        """Let everybody in."""


def access_of(route: RouteContext | APIRoute) -> Allow | Public | None:
    """Return what guards a route: found among its dependencies, however deep."""
    pending = list(route.dependant.dependencies)
    while pending:
        dependency = pending.pop(0)
        if isinstance(dependency.call, Allow | Public):
            return dependency.call
        pending.extend(dependency.dependencies)
    return None


async def idempotent(
    request: Request,
    session: SessionDep,
    settings: SettingsDep,
    actor: Annotated[Actor, Depends(authenticate)],
    key: IdempotencyKeyHeader = None,
) -> None:
    """Make a creating route safe to repeat: see :mod:`app.web.idempotency`.

    Whoever may not create is told so first: a kept answer is not for them either.
    """
    guard = access_of(request.scope["route"])
    if isinstance(guard, Allow):
        await guard(actor)
    assert actor.id is not None
    request.scope[SCOPE_KEY] = await claim_key(
        session,
        actor.id,
        checked_key(key),
        await request_hash(request, settings.secret_key.get_secret_value()),
        settings.idempotency_keep_hours,
        request.url.path,
    )


Idempotent = Depends(idempotent)


def unguarded_routes(app: FastAPI) -> list[str]:
    """Return the paths of routes that say nothing about access; the service refuses to start."""
    return [
        f"{sorted(route.methods or ())} {route.path}"
        for route in api_routes(app)
        if access_of(route) is None
    ]


def api_routes(app: FastAPI) -> list[RouteContext]:
    """Return every route of the application that FastAPI knows, as it is after inclusion.

    Included routers are not copied into ``app.routes``; they have to be walked.
    """
    return [
        route
        for route in iter_route_contexts(app.routes)
        if isinstance(route.original_route, APIRoute)
    ]
