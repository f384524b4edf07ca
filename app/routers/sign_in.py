"""Sign in, sign out, and who one is."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import OAuth2PasswordRequestForm

from app.core.errors import UnauthenticatedError
from app.rules.access import Actor
from app.schemas.common import LabelledCode
from app.schemas.sign_in import Me, Token
from app.services import sign_in
from app.vocabulary import Permission
from app.web.dependencies import (
    Allow,
    DatabaseDep,
    Public,
    SessionDep,
    SettingsDep,
    request_id_of,
    token_scheme,
)
from app.web.documentation import SIGNED_IN, problems
from app.web.route import HuikeRoute

router = APIRouter(prefix="/v1", tags=["sign-in"], route_class=HuikeRoute)


@router.post(
    "/auth/token",
    summary="Sign in",
    responses=problems(
        "unauthenticated", "too-large", "unsupported-media-type", "validation", "rate-limited",
        "internal-error", "unavailable",
    ),
    dependencies=[Depends(Public("this is where one signs in"))],
    openapi_extra={
        "requestBody": {
            "content": {
                "application/x-www-form-urlencoded": {
                    "example": {
                        "grant_type": "password",
                        "username": "clerk",
                        "password": "vier-Reiher-am-Teich",
                    }
                }
            }
        }
    },
)  # fmt: skip
async def create_token(
    form: Annotated[OAuth2PasswordRequestForm, Depends()],
    request: Request,
    response: Response,
    database: DatabaseDep,
    settings: SettingsDep,
) -> Token:
    """Check user name and password (OAuth2 password form) and issue an opaque token."""
    issued = await sign_in.sign_in(
        database,
        settings,
        form.username,
        form.password,
        address=request.client.host if request.client else "unknown",
        request_id=request_id_of(request),
    )
    response.headers["Cache-Control"] = "no-store"
    return Token(
        access_token=issued.access_token,
        token_type="bearer",  # noqa: S106 - the scheme's name, not a secret
        expires_in=issued.expires_in_seconds,
    )


@router.delete(
    "/auth/token",
    status_code=204,
    summary="Sign out",
    responses=problems(*SIGNED_IN, "validation", "internal-error", "unavailable"),
)
async def delete_token(
    actor: Annotated[Actor, Depends(Allow(Permission.ME_READ))],
    session: SessionDep,
    token: Annotated[str | None, Depends(token_scheme)],
) -> None:
    """Revoke the token that the request carries."""
    if token is None:
        raise UnauthenticatedError(
            "Only a token can be signed out.", detail_zh="只有令牌可以退出登录。"
        )
    await sign_in.sign_out(session, actor, token)


@router.get(
    "/me",
    summary="Who is signed in",
    responses=problems(*SIGNED_IN, "internal-error", "unavailable"),
)
async def get_me(actor: Annotated[Actor, Depends(Allow(Permission.ME_READ))]) -> Me:
    """Return the caller with their role, permissions and stores."""
    assert actor.id is not None
    kind: Literal["staff", "api_client"] = "staff" if actor.role else "api_client"
    return Me(
        kind=kind,
        id=actor.id,
        name=actor.name,
        role=LabelledCode.of(actor.role) if actor.role else None,
        permissions=sorted(actor.permissions),
        store_ids=None if actor.store_ids is None else sorted(actor.store_ids),
    )
