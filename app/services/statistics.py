"""Derived numbers of customers: kept right with each receipt, checked, rebuilt."""

from collections.abc import Mapping
from datetime import date

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import raw_connection
from app.queries import customer_stats

CHUNK = 2_000


async def refresh_due(session: AsyncSession, as_of: date) -> Mapping[str, int]:
    """Re-aggregate a portion of those who have a purchase leaving the window by ``as_of``.

    Call it, each time in a transaction of its own, until ``remaining`` is 0: a till that wants one
    of the locked cards then waits for a portion, not for the night. Doing it twice changes nothing.
    """
    connection = await raw_connection(session)
    due = await customer_stats.due(connection, as_of, CHUNK + 1)
    portion = due[:CHUNK]
    await customer_stats.lock_cards(connection, portion)
    await customer_stats.refresh(connection, as_of, portion)
    return {"refreshed": len(portion), "remaining": len(due) - len(portion)}


async def rebuild(session: AsyncSession, as_of: date) -> Mapping[str, int]:
    """Re-aggregate everybody from the receipts; ``corrected`` rows were wrong.

    Receipts that arrive meanwhile wait for its end.
    """
    await session.execute(text("LOCK TABLE customer_stats IN SHARE ROW EXCLUSIVE MODE"))
    return {"corrected": await customer_stats.rebuild(await raw_connection(session), as_of)}


async def check(session: AsyncSession, as_of: date) -> Mapping[str, int]:
    """Compare with a full aggregation; ``different`` counts bugs, ``due`` the night's work."""
    return await customer_stats.compare(await raw_connection(session), as_of)
