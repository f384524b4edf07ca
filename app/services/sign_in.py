"""Sign staff in and out, and tell who a token or an API key belongs to."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock, security
from app.core.config import Settings
from app.core.database import Database
from app.core.errors import RateLimitedError, UnauthenticatedError
from app.core.ids import new_id
from app.models import AccessToken, ApiClient, ApiKey, SignInThrottle, Staff, StaffStore
from app.rules.access import ROLE_PERMISSIONS, STORE_BOUND_ROLES, Actor
from app.services.trail import record_action
from app.vocabulary import Action, ActorKind, Permission

TOUCH_EVERY = timedelta(minutes=1)
# Somebody who does not exist takes as long to refuse as somebody who does: the hash of nothing.
_ABSENT_HASH = (
    "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$"
    "6l0Bq1mVf0qCqgM5O3sVqg8xXk1hYw3j5c0v4Yq0m1E"
)


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A fresh access token, shown once, and when it ends at the latest."""

    access_token: str
    expires_at: datetime
    expires_in_seconds: int


async def sign_in(
    session: AsyncSession, settings: Settings, username: str, password: str, request_id: str | None
) -> IssuedToken:
    """Check a password and issue an opaque token.

    Raises:
        UnauthenticatedError: wrong user name or password, or a disabled account; which of them is
            told neither by the answer nor by its time.
    """
    staff = await session.scalar(select(Staff).where(Staff.username == username.strip().lower()))
    known_hash = staff.password_hash if staff else _ABSENT_HASH
    right = await security.verify_password(known_hash, password)
    if staff is None or not right or staff.disabled_at is not None:
        raise UnauthenticatedError(
            "The user name or the password is wrong, or the account is disabled.",
            detail_zh="用户名或密码错误，或账号已停用。",
            headers={"WWW-Authenticate": "Bearer"},
        )
    if security.needs_rehash(staff.password_hash):
        staff.password_hash = await security.hash_password(password)
    now = clock.now()
    lifetime = timedelta(minutes=settings.token_absolute_minutes)
    token = security.new_token()
    session.add(
        AccessToken(
            id=new_id(),
            token_hash=security.hash_secret(token),
            staff_id=staff.id,
            created_at=now,
            last_used_at=now,
            expires_at=now + lifetime,
        )
    )
    await session.execute(
        delete(AccessToken).where(
            AccessToken.staff_id == staff.id, AccessToken.expires_at < now - lifetime
        )
    )
    actor = _actor_of_staff(staff, frozenset(), request_id)
    await record_action(session, actor, Action.SIGNED_IN, "staff", staff.id)
    await session.flush()
    return IssuedToken(token, now + lifetime, int(lifetime.total_seconds()))


async def sign_out(session: AsyncSession, actor: Actor, token: str) -> None:
    """Revoke the token; doing it twice is no error."""
    assert actor.id is not None
    await session.execute(
        update(AccessToken)
        .where(
            AccessToken.token_hash == security.hash_secret(token), AccessToken.revoked_at.is_(None)
        )
        .values(revoked_at=clock.now())
    )
    await record_action(session, actor, Action.SIGNED_OUT, "staff", actor.id)


async def actor_of_token(
    session: AsyncSession, settings: Settings, token: str, request_id: str | None
) -> Actor:
    """Return who a token belongs to, with the stores that bind them.

    Raises:
        UnauthenticatedError: unknown, expired (idle or absolute) or revoked, or the account is
            disabled.
    """
    now = clock.now()
    stores = (
        select(func.coalesce(func.array_agg(StaffStore.store_id), []))
        .where(StaffStore.staff_id == Staff.id)
        .scalar_subquery()
    )
    row = (
        await session.execute(
            select(AccessToken.id, AccessToken.last_used_at, Staff, stores)
            .join(Staff, Staff.id == AccessToken.staff_id)
            .where(
                AccessToken.token_hash == security.hash_secret(token),
                AccessToken.revoked_at.is_(None),
                AccessToken.expires_at > now,
                AccessToken.last_used_at > now - timedelta(minutes=settings.token_idle_minutes),
                Staff.disabled_at.is_(None),
            )
        )
    ).first()
    if row is None:
        raise _not_signed_in()
    token_id, last_used_at, staff, store_ids = row
    if now - last_used_at > TOUCH_EVERY:
        await session.execute(
            update(AccessToken).where(AccessToken.id == token_id).values(last_used_at=now)
        )
    return _actor_of_staff(staff, frozenset(store_ids), request_id)


async def actor_of_api_key(session: AsyncSession, key: str, request_id: str | None) -> Actor:
    """Return which API client a key belongs to.

    Raises:
        UnauthenticatedError: malformed, unknown, expired or revoked, or the client is disabled.
    """
    if not security.is_well_formed_api_key(key):
        raise _not_signed_in()
    now = clock.now()
    row = (
        await session.execute(
            select(ApiKey.id, ApiKey.last_used_at, ApiClient)
            .join(ApiClient, ApiClient.id == ApiKey.client_id)
            .where(
                ApiKey.key_hash == security.hash_secret(key),
                ApiKey.revoked_at.is_(None),
                (ApiKey.expires_at.is_(None)) | (ApiKey.expires_at > now),
                ApiClient.disabled_at.is_(None),
            )
        )
    ).first()
    if row is None:
        raise _not_signed_in()
    key_id, last_used_at, client = row
    if last_used_at is None or now - last_used_at > TOUCH_EVERY:
        await session.execute(update(ApiKey).where(ApiKey.id == key_id).values(last_used_at=now))
    return Actor(
        kind=ActorKind.API_CLIENT,
        id=client.id,
        name=client.name,
        permissions=frozenset(Permission(scope) for scope in client.scopes),
        request_id=request_id,
    )


async def count_attempt(database: Database, settings: Settings, username: str, address: str) -> None:
    """Count an attempt to sign in, in a transaction of its own: a refusal must not undo it.

    Raises:
        RateLimitedError: too many within the window, for this user name or this address.
    """
    window = timedelta(seconds=settings.sign_in_window_seconds)
    limits = {
        security.hash_secret(f"user:{username.strip().lower()}"): settings.sign_in_attempts,
        security.hash_secret(f"address:{address}"): settings.sign_in_attempts_per_address,
    }
    now = clock.now()
    async with database.transaction() as session:
        starts_over = SignInThrottle.window_starts_at <= now - window
        statement = insert(SignInThrottle).values(
            [{"key": key, "window_starts_at": now, "attempts": 1} for key in sorted(limits)]
        )
        counted = (
            await session.execute(
                statement.on_conflict_do_update(
                    index_elements=["key"],
                    set_={
                        "window_starts_at": func.coalesce(
                            _case(starts_over, now), SignInThrottle.window_starts_at
                        ),
                        "attempts": func.coalesce(
                            _case(starts_over, 1), SignInThrottle.attempts + 1
                        ),
                    },
                ).returning(
                    SignInThrottle.key, SignInThrottle.attempts, SignInThrottle.window_starts_at
                )
            )
        ).all()
    waits = [
        window - (now - starts_at) for key, attempts, starts_at in counted if attempts > limits[key]
    ]
    if waits:
        raise RateLimitedError(
            "Too many attempts to sign in.",
            retry_after_seconds=max(1, int(max(waits).total_seconds()) + 1),
            detail_zh="登录尝试过于频繁。",
        )


def _case(condition: object, value: object) -> object:
    from sqlalchemy import case

    return case((condition, value), else_=None)  # type: ignore[arg-type]


def _actor_of_staff(staff: Staff, store_ids: frozenset[UUID], request_id: str | None) -> Actor:
    return Actor(
        kind=ActorKind.STAFF,
        id=staff.id,
        name=staff.display_name,
        permissions=ROLE_PERMISSIONS[staff.role],
        role=staff.role,
        store_ids=store_ids if staff.role in STORE_BOUND_ROLES else None,
        request_id=request_id,
    )


def _not_signed_in() -> UnauthenticatedError:
    return UnauthenticatedError(
        "Sign in first: the token or key is missing, unknown, expired or revoked.",
        detail_zh="请先登录：令牌或密钥缺失、未知、过期或已撤销。",
        headers={"WWW-Authenticate": "Bearer"},
    )
