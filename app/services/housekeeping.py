"""Forget what has run out: kept answers, access tokens, and what is kept for a time only.

How long that is, is a setting for each; 0 keeps it for ever.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, inspect, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from app.core.config import Settings
from app.core.database import raw_connection
from app.models import (
    AccessToken,
    Disclosure,
    IdempotencyKey,
    OutboxEvent,
    PosEvent,
    Report,
    SignInThrottle,
)
from app.queries import imports, interactions, waiting_purchases
from app.services import reports
from app.vocabulary import EventStatus

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
    run_out: dict[str, tuple[type[SQLModel], ColumnElement[bool]]] = {
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
        "reports": (Report, reports.run_out(now)),
    }
    for name, (days, table, condition) in _kept_for_a_time(settings, now).items():
        if days:
            run_out[name] = (table, condition)
    counts = {
        name: await _delete_some(session, table, condition)
        for name, (table, condition) in run_out.items()
    }
    if days := settings.keep_unknown_callers_days:
        before = now - timedelta(days=days)
        connection = await raw_connection(session)
        counts["unknown_callers"] = await interactions.forget_unattached(connection, before, CHUNK)
    counts["awaited"] = await _stop_waiting(session, settings, now)
    counts["imports"] = await _give_up_imports(session, settings, now)
    # A full portion may have been the last one: then the next finds nothing.
    remaining = sum(count >= CHUNK for count in counts.values())
    return {**counts, "remaining": remaining}


def _kept_for_a_time(
    settings: Settings, now: datetime
) -> Mapping[str, tuple[int, type[SQLModel], ColumnElement[bool]]]:
    """Return, by name: for how many days, in which table, and which rows are older than that.

    A till event may go although its receipt stays: the receipt's number is taken, so that nothing
    is posted twice. Of the outbox only what was delivered goes; ids are made in the order of time.
    """
    days = {
        "disclosures": settings.keep_disclosures_days,
        "till_events": settings.keep_events_days,
        "test_events": settings.keep_test_events_days,
        "delivered_events": settings.keep_delivered_days,
    }
    before = {name: now - timedelta(days=count) for name, count in days.items()}
    return {
        "disclosures": (
            days["disclosures"],
            Disclosure,
            col(Disclosure.disclosed_at) <= before["disclosures"],
        ),
        "till_events": (
            days["till_events"],
            PosEvent,
            col(PosEvent.received_at) <= before["till_events"],
        ),
        "test_events": (
            days["test_events"],
            PosEvent,
            and_(
                col(PosEvent.status) == EventStatus.TEST,
                col(PosEvent.received_at) <= before["test_events"],
            ),
        ),
        "delivered_events": (
            days["delivered_events"],
            OutboxEvent,
            col(OutboxEvent.delivered_at) <= before["delivered_events"],
        ),
    }


async def _stop_waiting(session: AsyncSession, settings: Settings, now: datetime) -> int:
    """Let old receipts of awaited customers be nobody's, and forget whom they waited for."""
    if settings.keep_awaited_days == 0:
        return 0
    before = now - timedelta(days=settings.keep_awaited_days)
    return await waiting_purchases.stop_waiting(await raw_connection(session), before, now, CHUNK)


async def _give_up_imports(session: AsyncSession, settings: Settings, now: datetime) -> int:
    """Cancel imports that nobody goes on with, and delete their files."""
    if settings.keep_import_files_days == 0:
        return 0
    before = now - timedelta(days=settings.keep_import_files_days)
    return await imports.give_up(await raw_connection(session), before, now, CHUNK)


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
