"""What is made anew as a whole, by hand or by the worker, beside tills that go on selling."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import Database, retrying
from app.services import search_keys, statistics


async def rebuild_statistics(database: Database, as_of: date) -> Mapping[str, int]:
    """Aggregate every card anew, portion by portion; ``corrected`` rows were wrong.

    A till waits for a portion at most. Broken off, it leaves what it did; a second run goes on.

    Raises:
        UnavailableError: the database went away.
    """
    corrected = 0
    after: UUID | None = None

    async def work(session: AsyncSession) -> statistics.Rebuilt:
        return await statistics.rebuild(session, as_of, after)

    while True:
        portion = await retrying(database, work)
        corrected += portion.corrected
        after = portion.last_card
        if after is None:
            return {"corrected": corrected}


async def build_search(database: Database, *, anew: bool = False) -> Mapping[str, int]:
    """Make the search keys of all cards, portion by portion; ``corrected`` cards had others.

    Whoever changes a card of the portion waits for it. Broken off, it goes on where it was,
    unless it shall begin ``anew``; beside another of its kind the two share the work.

    Raises:
        UnavailableError: the database went away.
    """
    if anew:
        await retrying(database, search_keys.start_anew)
    cards = corrected = 0
    while True:
        portion = await retrying(database, search_keys.build_next)
        cards += portion.cards
        corrected += portion.corrected
        if portion.is_last:
            return {"cards": cards, "corrected": corrected}
