"""The work list of pairs, and what somebody decides about them."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.database import raw_connection
from app.core.errors import NotFoundError
from app.core.queue import enqueue
from app.models import Customer
from app.queries import duplicate_list
from app.queries import duplicates as queries
from app.queries.duplicate_list import ListedPair, PairFilters
from app.queries.duplicates import FoundPair
from app.rules.access import Actor
from app.schemas.duplicates import (
    Duplicate,
    DuplicateComparison,
    DuplicateDecision,
    LookalikeCard,
    reason_texts,
)
from app.services.changes import page_of
from app.services.customer_changes import check_store, get_customer
from app.services.duplicate_facts import compare_facts, facts_of_row
from app.services.duplicates import ordered, stored_reasons
from app.services.trail import record_action
from app.vocabulary import Action, DuplicateState

SCAN_JOB: Final = "scan_duplicates"
"""The name a scan is queued under."""


async def list_duplicates(
    session: AsyncSession, filters: PairFilters, after: Sequence[Any] | None, limit: int
) -> tuple[list[Duplicate], list[Any] | None]:
    """Return a page of pairs, those that look most alike first, and where the next one begins."""
    found = await duplicate_list.list_pairs(session, filters, after, limit + 1)
    page, position = page_of(found, limit, duplicate_list.position_of)
    return [_shown(listed) for listed in page], position


async def list_card_duplicates(
    session: AsyncSession,
    customer_id: UUID,
    state: DuplicateState | None,
    after: Sequence[Any] | None,
    limit: int,
) -> tuple[list[Duplicate], list[Any] | None]:
    """Return a page of the pairs that a card is in.

    Raises:
        NotFoundError: no such card.
    """
    filters = PairFilters(state=state, customer_id=customer_id)
    found = await list_duplicates(session, filters, after, limit)
    if not found[0]:
        await get_customer(session, customer_id)
    return found


async def get_duplicate(session: AsyncSession, one_id: UUID, other_id: UUID) -> DuplicateComparison:
    """Return two cards side by side; the order of the ids makes no difference.

    Cards that nothing has paired yet are compared as they are now, and nothing is written.

    Raises:
        NotFoundError: one of two that are no pair is no card, merged or erased, or both are the
            same.
    """
    first_id, second_id = ordered(one_id, other_id)
    listed = await duplicate_list.find_pair(session, first_id, second_id)
    found = None if listed else await _compare(session, first_id, second_id)
    first = await get_customer(session, first_id)
    second = await get_customer(session, second_id)
    if listed is not None:
        duplicate = _shown(listed)
    else:
        assert found is not None
        duplicate = Duplicate(
            first=LookalikeCard.model_validate(first),
            second=LookalikeCard.model_validate(second),
            state=DuplicateState.OPEN,
            score=found.score,
            reasons=reason_texts(found.reasons),
            found_at=None,
            decided_at=None,
            decided_by_id=None,
            note=None,
        )
    return DuplicateComparison(duplicate=duplicate, first=first, second=second)


async def decide(
    session: AsyncSession, actor: Actor, one_id: UUID, other_id: UUID, given: DuplicateDecision
) -> Duplicate:
    """Write down whether two cards are one customer's; a later decision takes its place.

    Any two cards can be decided on, whether a scan has found them or not.

    Raises:
        NotFoundError: one of them is no card, is merged or erased, or both are the same.
        ForbiddenError: a card's home store is not among the actor's.
    """
    first_id, second_id = ordered(one_id, other_id)
    now = clock.now()
    connection = await raw_connection(session)
    await queries.lock_versions(connection, {first_id, second_id})
    found = await _compare(session, first_id, second_id, actor)
    await queries.write_pairs(connection, [found], now)
    await duplicate_list.decide_pair(
        session,
        first_id,
        second_id,
        state=DuplicateState(given.state),
        note=given.note,
        at=now,
        by_id=actor.id,
    )
    for card_id in (first_id, second_id):
        await record_action(session, actor, Action.DECIDED, "customer", card_id, ["duplicate"])
    listed = await duplicate_list.find_pair(session, first_id, second_id)
    assert listed is not None
    return _shown(listed)


async def queue_scan(session: AsyncSession, *, full: bool) -> bool:
    """Have a worker scan the cards that were changed since the last scan, or all of them.

    Tells whether it was queued: not where the same waits or runs already.
    """
    queued = await enqueue(
        session, SCAN_JOB, {"full": full}, dedupe_key=f"{SCAN_JOB}:{'full' if full else 'changed'}"
    )
    return queued is not None


async def _compare(
    session: AsyncSession, first_id: UUID, second_id: UUID, changing: Actor | None = None
) -> FoundPair:
    """Compare two cards as they are now; ``changing`` is who has to be allowed to change both.

    Raises:
        NotFoundError: one of them is no card, is merged or erased, or both are the same.
        ForbiddenError: a card's home store is not among the actor's.
    """
    cards = await queries.read_cards(await raw_connection(session), {first_id, second_id})
    if len(cards) < 2:
        raise _no_pair()
    if changing is not None:
        for card in cards.values():
            check_store(changing, card["home_store_id"])
    comparison = compare_facts(facts_of_row(cards[first_id]), facts_of_row(cards[second_id]))
    return FoundPair((first_id, second_id), comparison.score, stored_reasons(comparison))


def _no_pair() -> NotFoundError:
    return NotFoundError("There is no such pair of cards.", detail_zh="没有这对客户卡。")


def _shown(listed: ListedPair) -> Duplicate:
    pair, first, second = listed
    return Duplicate(
        first=_card(first),
        second=_card(second),
        state=pair.state,
        score=pair.score,
        reasons=reason_texts(pair.reasons),
        found_at=pair.found_at,
        decided_at=pair.decided_at,
        decided_by_id=pair.decided_by_id,
        note=pair.note,
    )


def _card(card: Customer) -> LookalikeCard:
    return LookalikeCard(
        id=card.id,
        kind=card.kind,
        status=card.status,
        name=card.name,
        home_store_id=card.home_store_id,
    )
