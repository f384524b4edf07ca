"""What is done to the whole of the statistics by hand, beside tills that go on selling."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import Database, retrying
from app.services import statistics


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
