"""Forget what has run out: kept answers and access tokens."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Delete, delete, or_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core.config import Settings
from app.models import AccessToken, IdempotencyKey, SignInThrottle


async def forget_expired(
    session: AsyncSession, settings: Settings, now: datetime
) -> Mapping[str, int]:
    """Delete what nobody can use any more at ``now``; the counts say how many rows of each.

    A token ends at its expiry, when it was not used for the idle time, or when it was revoked.
    A window of counted sign-ins ends when it is over.
    """
    idle_since = now - timedelta(minutes=settings.token_idle_minutes)
    window_before = now - timedelta(seconds=settings.sign_in_window_seconds)
    return {
        "idempotency_keys": await _deleted(
            session, delete(IdempotencyKey).where(col(IdempotencyKey.expires_at) <= now)
        ),
        "access_tokens": await _deleted(
            session,
            delete(AccessToken).where(
                or_(
                    col(AccessToken.expires_at) <= now,
                    col(AccessToken.last_used_at) <= idle_since,
                    col(AccessToken.revoked_at) <= now,
                )
            ),
        ),
        "sign_in_windows": await _deleted(
            session,
            delete(SignInThrottle).where(col(SignInThrottle.window_starts_at) <= window_before),
        ),
    }


async def _deleted(session: AsyncSession, statement: Delete) -> int:
    outcome = await session.execute(statement)
    count: int = outcome.rowcount  # type: ignore[attr-defined]  # a DELETE's outcome has one
    return count
