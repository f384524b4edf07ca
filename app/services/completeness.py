"""The score of cards: kept right with every write, and made right in the night."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.database import raw_connection
from app.queries import completeness as queries
from app.queries import customer_stats
from app.services import nights

STEP: Final = "completeness"
CHUNK: Final = 2_000
"""So many cards are locked at a time."""
COMPARED: Final = 20_000
"""So many cards are looked at at a time."""


async def refresh_completeness(
    session: AsyncSession, settings: Settings, customer_ids: Sequence[UUID]
) -> int:
    """Bring the scores of these cards to what they should be, in one statement.

    Call it after whatever was done to the cards, their identities and contact persons, in the same
    transaction, which has to have written or locked the cards. It makes no version: a score says
    nothing new of a customer. Returns how many scores changed.
    """
    return await queries.refresh(session, settings, customer_ids)


async def reconcile(session: AsyncSession, settings: Settings, as_of: date) -> Mapping[str, int]:
    """Look at the next portion of all cards, and make right the scores that are not.

    They are wrong where weights were changed, or where cards came in before they were scored. Call
    it, each time in a transaction of its own, until ``remaining`` is 0: the record of the night
    keeps the place, and only cards that are wrong are locked.
    """
    connection = await raw_connection(session)
    after = await nights.place_of(session, as_of, STEP) or customer_stats.BEFORE_ALL
    end = await customer_stats.last_of_next(connection, after, COMPARED)
    last = end or customer_stats.BEHIND_ALL
    wrong = await queries.differing(session, settings, after, last, CHUNK)
    if len(wrong) == CHUNK:
        last = wrong[-1]
    locked = await queries.lock_differing(session, settings, wrong) if wrong else []
    corrected = await queries.refresh(session, settings, locked) if locked else 0
    checked = await queries.count_cards(session, after, last)
    await nights.keep_place(session, as_of, STEP, last)
    return {
        "checked": checked,
        "corrected": corrected,
        "remaining": int(last != customer_stats.BEHIND_ALL),
    }
