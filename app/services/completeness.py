"""The score of cards: kept right with every write, and made right in the night."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.queries import completeness as queries
from app.services import nights

STEP: Final = "completeness"
CHUNK: Final = 2_000


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
    after = await nights.place_of(session, as_of, STEP)
    portion = await queries.next_cards(session, after, CHUNK)
    wrong = await queries.lock_differing(session, settings, portion)
    corrected = await queries.refresh(session, settings, wrong) if wrong else 0
    if portion:
        await nights.keep_place(session, as_of, STEP, portion[-1])
    return {
        "checked": len(portion),
        "corrected": corrected,
        "remaining": int(len(portion) == CHUNK),
    }
