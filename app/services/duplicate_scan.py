"""The search for duplicates among all cards, in portions that each stand alone.

A scan first takes up the cards that were not taken up in the version they have, then compares those
that were not compared since they were. What it has done is written on the cards' own rows: broken
off, it goes on where it was, and a second run finds nothing left to do.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.database import raw_connection
from app.queries import duplicates as queries
from app.queries.duplicates import FoundPair, Pair, Taken
from app.rules.duplicates import CardFacts, Comparison
from app.services.duplicate_facts import compare_facts, facts_of_row
from app.services.duplicates import stored_reasons, take_up
from app.vocabulary import DuplicateState

CHUNK: Final = 500
"""Cards of a portion; memory is bounded by it and by the size of a block.

So is the time for which pairs are weighed with a transaction open, which PostgreSQL ends when it is
idle for long: where many blocks are full a card is compared with hundreds.
"""


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a portion did, and the card it ends with; None when it was the last one."""

    counts: Mapping[str, int]
    last_card: UUID | None


Portion = Callable[[AsyncSession, UUID | None], Any]


async def mark_all(session: AsyncSession, after: UUID | None) -> Scanned:
    """Have the next cards compared again, whatever was known of them."""
    connection = await raw_connection(session)
    await queries.be_alone(connection)
    marked = await queries.mark_to_compare(connection, after, CHUNK)
    return Scanned({"marked": len(marked)}, marked[-1] if len(marked) == CHUNK else None)


async def take_up_stale(session: AsyncSession, after: UUID | None) -> Scanned:
    """Write the keys of the next cards that were changed, or made, since they were last written."""
    connection = await raw_connection(session)
    await queries.be_alone(connection)
    stale = await queries.stale_cards(connection, after, CHUNK)
    if stale:
        # Cards that come too late to be compared with all others in the order of ids do without it.
        is_bulk = not await queries.bulk_has_begun(connection)
        await take_up(session, stale, is_bulk=is_bulk)
    return Scanned({"taken_up": len(stale)}, max(stale) if len(stale) == CHUNK else None)


async def compare_next(session: AsyncSession, after: UUID | None) -> Scanned:
    """Compare the next cards with all others; write pairs that look alike, remove those that don't.

    What somebody has decided stays decided.
    """
    connection = await raw_connection(session)
    await queries.be_alone(connection)
    taken = await queries.next_to_compare(connection, after, CHUNK)
    pairs = await queries.find_partners_of(connection, taken)
    cards = await queries.read_cards(connection, {card for pair in pairs for card in pair})
    facts = {card_id: facts_of_row(card) for card_id, card in cards.items()}
    found = _alike(pairs, facts)
    own = [card.card_id for card in taken]
    known = await queries.known_pairs(connection, own)
    in_bulk = await queries.taken_in_bulk(connection, {card for pair in known for card in pair})
    gone = [
        pair
        for pair, state in known.items()
        if state == DuplicateState.OPEN
        and pair not in found
        and _is_judged_here(pair, {card.card_id: card for card in taken}, in_bulk)
    ]
    written = await queries.write_pairs(
        connection,
        [
            FoundPair(pair, comparison.score, stored_reasons(comparison))
            for pair, comparison in found.items()
            if known.get(pair, DuplicateState.OPEN) == DuplicateState.OPEN
        ],
        clock.now(),
    )
    removed = await queries.remove_open_pairs(connection, gone)
    await queries.mark_compared(connection, taken)
    return Scanned(
        {
            "compared_cards": len(taken),
            "compared_pairs": len(pairs),
            "written_pairs": written,
            "removed_pairs": removed,
        },
        own[-1] if len(own) == CHUNK else None,
    )


async def finish(session: AsyncSession, _after: UUID | None = None) -> Scanned:
    """Let cards that were taken up together be as all others; end of a scan."""
    connection = await raw_connection(session)
    await queries.be_alone(connection)
    ended = await queries.end_bulk(connection, CHUNK)
    # The place is not looked at: what was ended is not found again.
    return Scanned({}, UUID(int=0) if ended == CHUNK else None)


def _looks(card: Taken, other: UUID, in_bulk: set[UUID]) -> bool:
    return not card.is_bulk or other not in in_bulk or card.card_id < other


def _is_judged_here(pair: Pair, taken: Mapping[UUID, Taken], in_bulk: set[UUID]) -> bool:
    first, second = pair
    return (first in taken and _looks(taken[first], second, in_bulk)) or (
        second in taken and _looks(taken[second], first, in_bulk)
    )


def _alike(pairs: set[Pair], facts: Mapping[UUID, CardFacts]) -> dict[Pair, Comparison]:
    found = {}
    for first, second in pairs:
        if first in facts and second in facts:
            comparison = compare_facts(facts[first], facts[second])
            if comparison.is_listed():
                found[first, second] = comparison
    return found
