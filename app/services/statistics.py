"""Derived numbers of customers: kept right with each receipt, checked, rebuilt."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import raw_connection
from app.queries import customer_service_stats, customer_stats

CHUNK = 5_000
"""So many cards are locked at a time."""
COMPARED: Final = 20_000
"""So many cards are compared with their receipts at a time."""
BEFORE_ALL: Final = customer_stats.BEFORE_ALL
BEHIND_ALL: Final = customer_stats.BEHIND_ALL


async def refresh_due(session: AsyncSession, as_of: date) -> Mapping[str, int]:
    """Re-aggregate a portion of those who have a purchase or contact leaving the window by then.

    Call it, each time in a transaction of its own, until ``remaining`` is 0: a till that wants one
    of the locked cards then waits for a portion, not for the night. Doing it twice changes nothing.
    """
    connection = await raw_connection(session)
    bought = await customer_stats.due(connection, as_of, CHUNK + 1)
    served = await customer_service_stats.due(connection, as_of, CHUNK + 1)
    portion = {*bought[:CHUNK], *served[:CHUNK]}
    await customer_stats.lock_cards(connection, list(portion))
    # A card that was merged while we waited for it has no receipts any more, and no row.
    await customer_stats.rebuild(connection, as_of, bought[:CHUNK])
    await customer_service_stats.refresh(connection, as_of, served[:CHUNK])
    remaining = len({*bought, *served} - portion)
    return {"refreshed": len(portion), "remaining": remaining}


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A rebuilt portion: how many rows were wrong, and the card it ends with.

    ``last_card`` is None when it was the last portion of its range.
    """

    corrected: int
    last_card: UUID | None


async def end_of_range(session: AsyncSession, after: UUID) -> UUID | None:
    """Return the last card of the next range to compare; None when that is the last range."""
    return await customer_stats.last_of_next(await raw_connection(session), after, COMPARED)


async def rebuild(
    session: AsyncSession, as_of: date, after: UUID = BEFORE_ALL, last: UUID = BEHIND_ALL
) -> Rebuilt:
    """Compare a range of cards with receipts and contacts, and mend the first rows that differ.

    The range begins behind ``after``. Call it, each time in a transaction of its own and behind the
    card that the one before ended with, until ``last_card`` is None. Cards whose rows are right are
    not locked, others a portion at a time, in the order of ids. A card that appears meanwhile needs
    no rebuild: its first receipt writes its row.
    """
    connection = await raw_connection(session)
    bought = await customer_stats.differing(connection, as_of, after, last, CHUNK)
    served = await customer_service_stats.differing(connection, as_of, after, last, CHUNK)
    end = min([last, *(wrong[-1] for wrong in (bought, served) if len(wrong) == CHUNK)])
    portion = sorted(card for card in {*bought, *served} if card <= end)
    # What differed may be right by now, and what is written has to be what is there now.
    await customer_stats.lock_cards(connection, portion)
    corrected = await customer_stats.rebuild(connection, as_of, portion)
    corrected += await customer_service_stats.refresh(connection, as_of, portion)
    return Rebuilt(corrected, None if end == last else end)


async def check(session: AsyncSession, as_of: date) -> Mapping[str, int]:
    """Compare both tables with a full aggregation.

    ``different`` counts bugs, ``due`` the night's work, ``customers`` those who have receipts.
    """
    connection = await raw_connection(session)
    bought = await customer_stats.compare(connection, as_of)
    served = await customer_service_stats.compare(connection, as_of)
    return {
        "customers": bought["customers"],
        "due": bought["due"] + served["due"],
        "different": bought["different"] + served["different"],
    }
