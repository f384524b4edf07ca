"""What is made anew as a whole, by hand or by the worker, beside tills that go on selling."""

import asyncio
from collections.abc import Mapping
from datetime import date
from functools import partial
from uuid import UUID

from app.core.database import Database, retrying
from app.services import search_keys, statistics


async def rebuild_statistics(
    database: Database, as_of: date, *, at_once: int = 1
) -> Mapping[str, int]:
    """Aggregate every card anew, portion by portion; ``corrected`` rows were wrong.

    So many portions ``at_once``, each on a connection of its own: they are ranges of ids, so that
    none waits for another. A till waits for a portion at most. Broken off, it leaves what it did; a
    second run goes on.

    Raises:
        UnavailableError: the database went away.
    """
    corrected = 0
    ranges = _Ranges(database)

    async def work_through() -> None:
        nonlocal corrected
        while (found := await ranges.next()) is not None:
            after, last = found
            while True:
                portion = await retrying(
                    database, partial(statistics.rebuild, as_of=as_of, after=after, last=last)
                )
                corrected += portion.corrected
                if portion.last_card is None:
                    break
                after = portion.last_card

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(work_through())
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return {"corrected": corrected}


class _Ranges:
    """Ranges of card ids, each given out once, in order."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = asyncio.Lock()
        self._after: UUID | None = statistics.BEFORE_ALL

    async def next(self) -> tuple[UUID, UUID] | None:
        """Return the card behind which the next range begins, and its last one; None at the end."""
        async with self._lock:
            if self._after is None:
                return None
            after = self._after
            end = await retrying(self._database, partial(statistics.end_of_range, after=after))
            self._after = end
            return after, statistics.BEHIND_ALL if end is None else end


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
