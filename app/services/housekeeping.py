"""Forget what has run out: kept answers and access tokens."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, inspect, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from app.core.config import Settings
from app.models import AccessToken, IdempotencyKey, SignInThrottle

CHUNK = 5_000


async def forget_expired(
    session: AsyncSession, settings: Settings, now: datetime
) -> Mapping[str, int]:
    """Delete a portion of what nobody can use any more at ``now``; counts say how many of each.

    Call it, each time in a transaction of its own, until ``remaining`` is 0: nobody who signs in
    or repeats a request then waits for more than a portion.

    A token ends at its expiry, when it was not used for the idle time, or when it was revoked.
    A window of counted sign-ins ends when it is over.
    """
    idle_since = now - timedelta(minutes=settings.token_idle_minutes)
    window_before = now - timedelta(seconds=settings.sign_in_window_seconds)
    run_out: Mapping[str, tuple[type[SQLModel], ColumnElement[bool]]] = {
        "idempotency_keys": (IdempotencyKey, col(IdempotencyKey.expires_at) <= now),
        "access_tokens": (
            AccessToken,
            or_(
                col(AccessToken.expires_at) <= now,
                col(AccessToken.last_used_at) <= idle_since,
                col(AccessToken.revoked_at) <= now,
            ),
        ),
        "sign_in_windows": (SignInThrottle, col(SignInThrottle.window_starts_at) <= window_before),
    }
    counts = {
        name: await _delete_some(session, table, condition)
        for name, (table, condition) in run_out.items()
    }
    # A full portion may have been the last one: then the next finds nothing.
    remaining = sum(count == CHUNK for count in counts.values())
    return {**counts, "remaining": remaining}


async def _delete_some(
    session: AsyncSession, table: type[SQLModel], condition: ColumnElement[bool]
) -> int:
    key = tuple_(*inspect(table).primary_key)
    # Rows that somebody is using just now are left to the next night. The portion is a CTE, since
    # a plain subquery may be scanned again for each row and then finds other rows than before.
    portion = (
        select(*inspect(table).primary_key)
        .where(condition)
        .limit(CHUNK)
        .with_for_update(skip_locked=True)
        .cte("portion")
    )
    outcome = await session.execute(delete(table).where(key.in_(select(portion)), condition))
    count: int = outcome.rowcount  # type: ignore[attr-defined]  # a DELETE's outcome has one
    return count
