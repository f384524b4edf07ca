"""What cards are found by: made with each change of a card, made anew when the rule changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.database import raw_connection
from app.models import SearchBuild
from app.queries import search_keys as queries
from app.queries.search_keys import RULE

CHUNK: Final = 1_000
DEPENDS_ON: Final = frozenset({"name", "kind", "status", "home_store_id"})
"""The fields of a card that its keys are made from; its identities are, too."""


async def reindex(session: AsyncSession, *customer_ids: UUID) -> int:
    """Make the keys of cards what they should be, in the transaction that changes the cards.

    For many cards, or on a raw connection, use :func:`app.queries.search_keys.reindex`.
    """
    return await queries.reindex(await raw_connection(session), customer_ids)


async def is_built(session: AsyncSession) -> bool:
    """Tell whether all cards have been given keys by the rule of today."""
    finished = await session.scalar(
        select(col(SearchBuild.finished_at)).where(col(SearchBuild.rule) == RULE)
    )
    return finished is not None


@dataclass(frozen=True, slots=True)
class Built:
    """A portion: its cards, how many of them had other keys, and whether it was the last."""

    cards: int
    corrected: int
    is_last: bool


async def build_next(session: AsyncSession) -> Built:
    """Make the keys of the next portion of all cards, in the order of ids.

    Call it, each time in a transaction of its own, until it was the last. Several may do it side
    by side: the row that says how far they are is locked. Broken off, it goes on where it was.
    """
    place = insert(SearchBuild).values(rule=RULE, started_at=clock.now())
    await session.execute(place.on_conflict_do_nothing())
    build = (
        await session.execute(
            select(SearchBuild).where(col(SearchBuild.rule) == RULE).with_for_update()
        )
    ).scalar_one()
    connection = await raw_connection(session)
    cards = await queries.next_cards(connection, build.after_id, CHUNK)
    corrected = await queries.reindex(connection, cards)
    is_last = len(cards) < CHUNK
    await session.execute(
        update(SearchBuild)
        .where(col(SearchBuild.rule) == RULE)
        .values(
            after_id=cards[-1] if cards else build.after_id,
            finished_at=clock.now() if is_last else None,
        )
        .execution_options(synchronize_session=False)
    )
    return Built(len(cards), corrected, is_last)


async def start_anew(session: AsyncSession) -> None:
    """Let the next build begin with the first card."""
    await session.execute(
        update(SearchBuild)
        .where(col(SearchBuild.rule) == RULE)
        .values(after_id=None, started_at=func.now(), finished_at=None)
        .execution_options(synchronize_session=False)
    )


async def give_missing(session: AsyncSession) -> Mapping[str, int]:
    """Give keys to a portion of the cards that have none, or those of another store or status.

    That is a guard: who changes cards in sets makes their keys as well. Before all cards have been
    given keys there is nothing to guard.
    """
    if not await is_built(session):
        return {"corrected": 0}
    connection = await raw_connection(session)
    missing = await queries.cards_without_keys(connection, CHUNK + 1)
    corrected = await queries.reindex(connection, missing[:CHUNK])
    return {"corrected": corrected, "remaining": max(len(missing) - CHUNK, 0)}
