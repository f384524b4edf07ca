"""Sign staff in and out, and tell who a token or an API key belongs to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, case, delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock, security
from app.core.config import Settings
from app.core.database import Database
from app.core.errors import RateLimitedError, UnauthenticatedError
from app.core.ids import new_id
from app.models import AccessToken, ApiClient, ApiKey, SignInThrottle, Staff, StaffStore
from app.rules.access import API_CLIENT_SCOPES, ROLE_PERMISSIONS, STORE_BOUND_ROLES, Actor
from app.services.trail import record_action
from app.vocabulary import Action, ActorKind, Permission, Role

TOUCH_EVERY = timedelta(minutes=1)
# Somebody who does not exist takes as long to refuse as somebody who does: the hash of a random
# text nobody kept, with today's parameters (a test compares them).
ABSENT_HASH = (
    "$argon2id$v=19$m=65536,t=3,p=4$pkUbzU5ez5+d90PHD3+w3w"
    "$2eOsesECHQAMIvRrO154oUkjwU/+WzEkhhlBSEZonfI"
)


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A fresh access token, shown once, and when it ends at the latest."""

    access_token: str
    expires_at: datetime
    expires_in_seconds: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to sign in that is counted as a failure until it turns out to be none.

    The keys are hashes; ``windows`` says for each when the window began in which it is counted.
    """

    pair_key: str
    windows: Mapping[str, datetime]


async def sign_in(
    database: Database,
    settings: Settings,
    username: str,
    password: str,
    *,
    address: str,
    request_id: str | None,
) -> IssuedToken:
    """Count the attempt, check the password, issue an opaque token, and uncount the attempt.

    It takes the database rather than a session, for two reasons: the count has to outlive a
    refusal, and no connection is held while argon2 works or waits for its turn.

    Raises:
        RateLimitedError: too many failed attempts for this user name or from this address.
        UnauthenticatedError: wrong user name or password, or a disabled account; which of them is
            told neither by the answer nor by its time.
    """
    name = _as_stored(username)
    attempt = await count_attempt(database, settings, name, address)
    async with database.transaction() as session:
        found = (
            await session.execute(
                select(col(Staff.id), col(Staff.password_hash)).where(col(Staff.username) == name)
            )
        ).first()
    staff_id, known_hash = found or (None, ABSENT_HASH)
    right = await security.verify_password(known_hash, _encodable(password))
    if staff_id is None or not right:
        raise _refused()
    new_hash = await security.hash_password(password) if security.needs_rehash(known_hash) else None
    async with database.transaction() as session:
        return await _issue_token(
            session, settings, attempt, staff_id, known_hash, new_hash, request_id
        )


async def _issue_token(
    session: AsyncSession,
    settings: Settings,
    attempt: Attempt,
    staff_id: UUID,
    checked_hash: str,
    new_hash: str | None,
    request_id: str | None,
) -> IssuedToken:
    """Store a token for an account whose password has just been found right.

    The account is locked, so that a token is never issued beside a password reset or a disabling:
    either they come first and it is refused, or they revoke it.
    """
    staff = await session.scalar(
        select(Staff)
        .where(
            col(Staff.id) == staff_id,
            col(Staff.password_hash) == checked_hash,
            col(Staff.disabled_at).is_(None),
        )
        .with_for_update(key_share=True)
    )
    if staff is None:
        raise _refused()
    if new_hash is not None:
        staff.password_hash = new_hash
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
            col(AccessToken.staff_id) == staff.id, col(AccessToken.expires_at) < now - lifetime
        )
    )
    await _give_back(session, attempt)
    actor = _actor_of_staff(staff.id, staff.display_name, staff.role, frozenset(), request_id)
    await record_action(session, actor, Action.SIGNED_IN, "staff", staff.id)
    await session.flush()
    return IssuedToken(token, now + lifetime, int(lifetime.total_seconds()))


async def revoke_tokens(session: AsyncSession, staff_id: UUID) -> None:
    """Revoke every live token of an account; call it with the account's row changed or locked."""
    await session.execute(
        update(AccessToken)
        .where(col(AccessToken.staff_id) == staff_id, col(AccessToken.revoked_at).is_(None))
        .values(revoked_at=clock.now())
    )


async def sign_out(session: AsyncSession, actor: Actor, token: str) -> None:
    """Revoke the token; doing it twice is no error."""
    assert actor.id is not None
    await session.execute(
        update(AccessToken)
        .where(
            col(AccessToken.token_hash) == security.hash_secret(token),
            col(AccessToken.revoked_at).is_(None),
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
        select(func.coalesce(func.array_agg(col(StaffStore.store_id)), []))
        .where(col(StaffStore.staff_id) == col(Staff.id))
        .scalar_subquery()
    )
    row = (
        await session.execute(
            select(
                col(AccessToken.id),
                col(AccessToken.last_used_at),
                col(Staff.id),
                col(Staff.display_name),
                col(Staff.role),
                stores,
                _is_read_only(),
            )
            .join(Staff, col(Staff.id) == col(AccessToken.staff_id))
            .where(
                col(AccessToken.token_hash) == security.hash_secret(_encodable(token)),
                col(AccessToken.revoked_at).is_(None),
                col(AccessToken.expires_at) > now,
                col(AccessToken.last_used_at)
                > now - timedelta(minutes=settings.token_idle_minutes),
                col(Staff.disabled_at).is_(None),
            )
        )
    ).first()
    if row is None:
        raise _not_signed_in()
    token_id, last_used_at, staff_id, name, role, store_ids, is_read_only = row
    if now - last_used_at > TOUCH_EVERY and not is_read_only:
        await _touch(session, AccessToken, token_id, now)
    return _actor_of_staff(staff_id, name, role, frozenset(store_ids), request_id)


async def actor_of_api_key(session: AsyncSession, key: str, request_id: str | None) -> Actor:
    """Return which API client a key belongs to.

    Raises:
        UnauthenticatedError: malformed, unknown, expired or revoked, or the client is disabled.
    """
    if not security.is_well_formed_api_key(_encodable(key)):
        raise _not_signed_in()
    now = clock.now()
    row = (
        await session.execute(
            select(col(ApiKey.id), col(ApiKey.last_used_at), ApiClient, _is_read_only())
            .join(ApiClient, col(ApiClient.id) == col(ApiKey.client_id))
            .where(
                col(ApiKey.key_hash) == security.hash_secret(key),
                col(ApiKey.revoked_at).is_(None),
                (col(ApiKey.expires_at).is_(None)) | (col(ApiKey.expires_at) > now),
                col(ApiClient.disabled_at).is_(None),
            )
        )
    ).first()
    if row is None:
        raise _not_signed_in()
    key_id, last_used_at, client, is_read_only = row
    if (last_used_at is None or now - last_used_at > TOUCH_EVERY) and not is_read_only:
        await _touch(session, ApiKey, key_id, now)
    return Actor(
        kind=ActorKind.API_CLIENT,
        id=client.id,
        name=client.name,
        permissions=API_CLIENT_SCOPES.intersection(
            scope for scope in Permission if scope in client.scopes
        ),
        request_id=request_id,
    )


async def count_attempt(
    database: Database, settings: Settings, username: str, address: str
) -> Attempt:
    """Count an attempt as failed before its password is looked at, in a transaction of its own.

    So a refusal does not undo it, and of many attempts at once no more than the limit get to the
    password. An attempt that is one too many is not counted anywhere: whoever goes on trying one
    name from one address comes no nearer to the limit of the name, which is everybody's.

    Raises:
        RateLimitedError: too many failed within the window: for this name from this address, for
            this name from anywhere, or from this address.
    """
    window = timedelta(seconds=settings.sign_in_window_seconds)
    pair_key = security.hash_secret(f"pair:{address} {username}")
    limits = {
        pair_key: settings.sign_in_attempts,
        security.hash_secret(f"user:{username}"): settings.sign_in_attempts_per_name,
        security.hash_secret(f"address:{address}"): settings.sign_in_attempts_per_address,
    }
    now = clock.now()
    is_over = col(SignInThrottle.window_starts_at) <= now - window
    # Sorted, so that two attempts never wait for each other's rows.
    counting = insert(SignInThrottle).values(
        [{"key": key, "window_starts_at": now, "attempts": 1} for key in sorted(limits)]
    )
    async with database.transaction() as session:
        counted = (
            await session.execute(
                counting.on_conflict_do_update(
                    index_elements=["key"],
                    set_={
                        "window_starts_at": case(
                            (is_over, counting.excluded.window_starts_at),
                            else_=col(SignInThrottle.window_starts_at),
                        ),
                        "attempts": case((is_over, 1), else_=col(SignInThrottle.attempts) + 1),
                    },
                ).returning(
                    col(SignInThrottle.key),
                    col(SignInThrottle.attempts),
                    col(SignInThrottle.window_starts_at),
                )
            )
        ).all()
        waits = [
            window - (now - starts_at)
            for key, attempts, starts_at in counted
            if attempts > limits[key]
        ]
        if waits:
            # Raised inside, so that the transaction is rolled back.
            raise RateLimitedError(
                "Too many attempts to sign in.",
                retry_after_seconds=max(1, int(max(waits).total_seconds()) + 1),
                detail_zh="登录尝试过于频繁。",
            )
    return Attempt(pair_key, {key: starts_at for key, _, starts_at in counted})


async def _give_back(session: AsyncSession, attempt: Attempt) -> None:
    """Take an attempt that succeeded out of the counts; the pair of name and address begins anew.

    A count whose window has begun anew since is left alone: the attempt is not in it.
    """
    # Locked in the order in which attempts are counted.
    await session.execute(
        select(col(SignInThrottle.key))
        .where(col(SignInThrottle.key).in_(attempt.windows))
        .order_by(col(SignInThrottle.key))
        .with_for_update()
    )
    await session.execute(delete(SignInThrottle).where(col(SignInThrottle.key) == attempt.pair_key))
    await session.execute(
        update(SignInThrottle)
        .where(
            tuple_(col(SignInThrottle.key), col(SignInThrottle.window_starts_at)).in_(
                list(attempt.windows.items())
            )
        )
        .values(attempts=col(SignInThrottle.attempts) - 1)
    )


def _as_stored(username: str) -> str:
    """Return a user name as it is compared: lower case, without what PostgreSQL can't take."""
    return _encodable(username).replace("\0", "\N{REPLACEMENT CHARACTER}").strip().lower()


def _encodable(text: str) -> str:
    """Return the text without lone surrogates, which forms can smuggle in by their charset."""
    return text.encode("utf-8", "replace").decode()


def _is_read_only() -> ColumnElement[bool]:
    """Return whether this transaction may not write: reading goes on when the database does not."""
    return func.current_setting("transaction_read_only") == "on"


async def _touch(
    session: AsyncSession,
    table: type[AccessToken] | type[ApiKey],
    credential_id: UUID,
    now: datetime,
) -> None:
    """Note that a credential is in use, unless another request is just noting it.

    Requests side by side with one credential must not wait for each other's transactions.
    """
    free = (
        select(col(table.id))
        .where(col(table.id) == credential_id)
        .with_for_update(skip_locked=True, key_share=True)
        .scalar_subquery()
    )
    await session.execute(update(table).where(col(table.id) == free).values(last_used_at=now))


def _actor_of_staff(
    staff_id: UUID, name: str, role: Role, store_ids: frozenset[UUID], request_id: str | None
) -> Actor:
    return Actor(
        kind=ActorKind.STAFF,
        id=staff_id,
        name=name,
        permissions=ROLE_PERMISSIONS[role],
        role=role,
        store_ids=store_ids if role in STORE_BOUND_ROLES else None,
        request_id=request_id,
    )


def _refused() -> UnauthenticatedError:
    return UnauthenticatedError(
        "The user name or the password is wrong, or the account is disabled.",
        detail_zh="用户名或密码错误，或账号已停用。",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _not_signed_in() -> UnauthenticatedError:
    return UnauthenticatedError(
        "Sign in first: the token or key is missing, unknown, expired or revoked.",
        detail_zh="请先登录：令牌或密钥缺失、未知、过期或已撤销。",
        headers={"WWW-Authenticate": "Bearer"},
    )
