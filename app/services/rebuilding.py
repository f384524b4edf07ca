"""What is derived from a card is made anew after its rows have gone elsewhere.

One function for each table that :data:`~app.queries.customer_tables.CUSTOMER_TABLES` says is
REBUILT; a test compares the two lists.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.queries import customer_service_stats, customer_stats, search_keys
from app.services import customer_profiles, duplicates

Rebuild = Callable[[AsyncSession, Settings, Sequence[UUID]], Awaitable[None]]


async def _statistics(session: AsyncSession, settings: Settings, ids: Sequence[UUID]) -> None:
    today = clock.today(settings.zone)
    await customer_stats.rebuild(await raw_connection(session), today, ids)


async def _service_statistics(
    session: AsyncSession, settings: Settings, ids: Sequence[UUID]
) -> None:
    today = clock.today(settings.zone)
    await customer_service_stats.refresh(await raw_connection(session), today, ids)


async def _blocking_keys(session: AsyncSession, _settings: Settings, ids: Sequence[UUID]) -> None:
    await duplicates.take_up(session, ids)


async def _search_keys(session: AsyncSession, _settings: Settings, ids: Sequence[UUID]) -> None:
    await search_keys.reindex(await raw_connection(session), ids)


async def _profiles(session: AsyncSession, _settings: Settings, ids: Sequence[UUID]) -> None:
    await customer_profiles.rebuild_profiles(session, ids)


REBUILDERS: Final[Mapping[str, Rebuild]] = {
    "customer_stats": _statistics,
    "customer_service_stats": _service_statistics,
    # They read both.
    "customer_profile": _profiles,
    "duplicate_key": _blocking_keys,
    "customer_search_key": _search_keys,
}


async def rebuild_derived(
    session: AsyncSession, settings: Settings, customer_ids: Sequence[UUID]
) -> None:
    """Make everything that is derived from these locked cards anew."""
    for rebuild in REBUILDERS.values():
        await rebuild(session, settings, customer_ids)
