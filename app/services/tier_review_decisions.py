"""Reviews of held upgrades as people work on them: listed, read, accepted, refused."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NoReturn
from uuid import UUID

from sqlalchemy import Select, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.core.errors import ConflictError, NotFoundError
from app.models import Customer, TierReview
from app.queries import customer_service_stats, customer_stats, tier_figures, tiers
from app.queries import tier_reviews as queries
from app.rules.access import Actor
from app.rules.tier_reviews import is_called_for
from app.services.changes import page_of
from app.services.customer_changes import get_standing
from app.services.survivors import card_erased
from app.services.tier_moves import assignment_row, held_now, write_moves
from app.services.tier_policies_in_force import active_policies
from app.services.tier_reviews import OBJECT_TYPE
from app.services.trail import record_action
from app.vocabulary import Action, ActorKind, CustomerStatus, ReviewStatus, TierCause, TierLevel

Listed = tuple[TierReview, Customer]
_SHOWN = (CustomerStatus.ACTIVE, CustomerStatus.ARCHIVED)


async def list_reviews(
    session: AsyncSession,
    actor: Actor,
    *,
    status: ReviewStatus | None,
    limit: int,
    after: Sequence[Any] | None,
) -> tuple[list[Listed], list[Any] | None]:
    """Return a page of reviews with their cards, newest first, and where the next one begins.

    Left out are cards that were merged or erased; for somebody bound to stores, those of others.
    """
    place = (col(TierReview.opened_at), col(TierReview.id))
    query = _reviews().where(col(Customer.status).in_(_SHOWN))
    if status is not None:
        query = query.where(col(TierReview.status) == status)
    if actor.store_ids is not None:
        query = query.where(
            or_(
                col(Customer.home_store_id).is_(None),
                col(Customer.home_store_id).in_(actor.store_ids),
            )
        )
    if after is not None:
        query = query.where(
            tuple_(*place) < tuple_(datetime.fromisoformat(after[0]), UUID(after[1]))
        )
    found = await session.execute(query.order_by(*(part.desc() for part in place)).limit(limit + 1))
    return page_of(
        [(row[0], row[1]) for row in found], limit, lambda row: [row[0].opened_at, row[0].id]
    )


async def get_review(
    session: AsyncSession, actor: Actor, customer_id: UUID, review_id: UUID
) -> Listed:
    """Return a review with its card.

    Raises:
        NotFoundError: there is none, or its card is another store's.
        GoneError: the person's data were erased.
    """
    found = await session.execute(
        _reviews()
        .where(col(TierReview.customer_id) == customer_id, col(TierReview.id) == review_id)
        .execution_options(populate_existing=True)
    )
    row = found.first()
    if row is None or not actor.reaches_store(row[1].home_store_id):
        raise NotFoundError("There is no such review.", detail_zh="没有这条复核。")
    review, customer = row
    if customer.status is CustomerStatus.ERASED:
        raise card_erased()
    return review, customer


async def accept(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    customer_id: UUID,
    review_id: UUID,
    *,
    note: str | None,
    seen_level: TierLevel | None,
) -> Listed:
    """Lift the card to the level it waits for, if it still earns it.

    The purchase that earned the level is kept with it, so that taking it back unwinds; one that was
    taken back already while others earn the level leaves it carried by those. ``seen_level`` is the
    level that the actor decided about.

    Raises:
        NotFoundError: there is no such review, or its card is another store's.
        GoneError, ConflictError: the card was erased, or merged into another one.
        ConflictError: it was decided before, is of another level than the one seen, the level was
            set by hand, or the figures no longer earn it (409 ``invalid-transition``).
    """
    review = await _lock_open(session, actor, customer_id, review_id)
    connection = await raw_connection(session)
    now = clock.now()
    today = clock.business_day(now, settings.zone)
    row = (await tiers.held(connection, [customer_id]))[customer_id]
    policy = (await active_policies(session))[row["kind"]]
    held = held_now(row, settings.zone, policy)
    await customer_stats.refresh(connection, today, [customer_id])
    await customer_service_stats.refresh(connection, today, [customer_id])
    figures = await tier_figures.of_cards(
        connection, policy.window_days, today, [customer_id], policy.looks_at, is_current=True
    )
    standing = figures[customer_id]
    earned = policy.earned(policy.score(standing)).level
    if seen_level is not None and seen_level != review.next_level:
        _refuse(
            "The card has earned another level since; read the review again.",
            "该客户卡此后已达到其他层级，请重新查看复核。",
        )
    if held.is_locked:
        _refuse(
            "The card's level was set by hand; end that first.",
            "该客户卡的层级由人工指定，请先结束指定。",
        )
    if not is_called_for(policy, review.next_level, held.level, earned):
        _refuse(
            "The card's figures no longer earn that level, or it holds it by now.",
            "按当前数据该客户卡已不符合该层级，或已处于该层级。",
        )
    move = assignment_row(
        policy, standing, customer_id, review.next_level, TierCause.REVIEWED, review.purchase_id,
        today,
    )  # fmt: skip
    moves = [{**move, "before": held.level, "is_passing": False}]
    if review.purchase_id is not None and await queries.is_taken_back(
        connection, customer_id, review.purchase_id
    ):
        carried = assignment_row(
            policy, standing, customer_id, review.next_level, TierCause.CARRIED, None, today
        )
        moves = [
            {**moves[0], "is_passing": True},
            {**carried, "before": review.next_level, "is_passing": False},
        ]
    await write_moves(session, now, moves, actor)
    await _close(session, actor, review, ReviewStatus.ACCEPTED, note, now)
    return await get_review(session, actor, customer_id, review_id)


async def refuse(
    session: AsyncSession, actor: Actor, customer_id: UUID, review_id: UUID, *, reason: str
) -> Listed:
    """Leave the card where it is, and say why.

    While it looks hollow it is not asked again for as long as the policy holds a level.

    Raises:
        NotFoundError: there is no such review, or its card is another store's.
        GoneError, ConflictError: the card was erased, or merged into another one.
        ConflictError: it was decided before (409 ``invalid-transition``).
    """
    review = await _lock_open(session, actor, customer_id, review_id)
    await _close(session, actor, review, ReviewStatus.REFUSED, reason, clock.now())
    return await get_review(session, actor, customer_id, review_id)


async def _lock_open(
    session: AsyncSession, actor: Actor, customer_id: UUID, review_id: UUID
) -> TierReview:
    """Lock the card, as tills do, then return its review, which has to be open."""
    await get_review(session, actor, customer_id, review_id)
    await customer_stats.lock_cards(await raw_connection(session), [customer_id])
    await get_standing(session, customer_id)
    review, _ = await get_review(session, actor, customer_id, review_id)
    if review.status is not ReviewStatus.OPEN:
        _refuse("The review has ended.", "该复核已结束。")
    return review


async def _close(
    session: AsyncSession,
    actor: Actor,
    review: TierReview,
    status: ReviewStatus,
    reason: str | None,
    at: datetime,
) -> None:
    await session.execute(
        update(TierReview)
        .where(col(TierReview.customer_id) == review.customer_id, col(TierReview.id) == review.id)
        .values(
            status=status,
            decided_at=at,
            # A machine is nobody of the staff; the audit trail names it.
            decided_by_id=actor.id if actor.kind is ActorKind.STAFF else None,
            reason=reason,
        )
        .execution_options(synchronize_session=False)
    )
    fields = ["status"] if reason is None else ["reason", "status"]
    await record_action(session, actor, Action.DECIDED, OBJECT_TYPE, review.id, fields)


def _reviews() -> Select[TierReview, Customer]:
    return select(TierReview, Customer).join(
        Customer, col(Customer.id) == col(TierReview.customer_id)
    )


def _refuse(detail: str, detail_zh: str) -> NoReturn:
    raise ConflictError(detail, code="invalid-transition", detail_zh=detail_zh)
