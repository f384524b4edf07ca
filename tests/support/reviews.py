"""Reviews of held upgrades: looked at in the database, decided over the API."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import select
from sqlmodel import col

from app.core import clock
from app.core.database import raw_connection
from app.models import AuditEntry, OutboxEvent, TierAssignment, TierReview
from app.services import nights, tier_reviews
from tests.support.events import sale
from tests.support.shop import Shop


async def reviews(shop: Shop, customer_id: UUID) -> Sequence[TierReview]:
    """Return a card's reviews, oldest first."""
    async with shop.database.transaction() as session:
        return (
            await session.scalars(
                select(TierReview)
                .where(col(TierReview.customer_id) == customer_id)
                .order_by(col(TierReview.id))
                .execution_options(populate_existing=True)
            )
        ).all()


async def fates(shop: Shop, customer_id: UUID) -> list[tuple[str, str, str]]:
    """Return from which level to which each of a card's reviews is, and what became of it."""
    return [
        (str(one.level), str(one.next_level), str(one.status))
        for one in await reviews(shop, customer_id)
    ]


async def history(shop: Shop, customer_id: UUID) -> list[tuple[str, str]]:
    """Return level and cause of every tier of a card, oldest first."""
    async with shop.database.transaction() as session:
        rows = await session.execute(
            select(col(TierAssignment.level), col(TierAssignment.cause))
            .where(col(TierAssignment.customer_id) == customer_id)
            .order_by(
                col(TierAssignment.valid_to).nulls_last(),
                col(TierAssignment.valid_from),
                col(TierAssignment.id),
            )
        )
        return [(str(level), str(cause)) for level, cause in rows]


async def decide(
    shop: Shop, review: TierReview, verb: str, who: str = "manager", **body: Any
) -> httpx.Response:
    """Accept or refuse a review."""
    return await shop.client.post(
        f"/v1/tier-reviews/{review.customer_id}/{review.id}/{verb}",
        headers=shop.world.headers(who),
        json=body,
    )


async def on_days(shop: Shop, *amounts: str, member: str = "HK000001") -> list[dict[str, Any]]:
    """Sell each amount on a day of its own, the last one today; return the events."""
    events = []
    for back, amount in zip(range(len(amounts) - 1, -1, -1), amounts, strict=True):
        at = (clock.now() - timedelta(days=back)).isoformat()
        events.append(sale(amount, member=member, at=at))
        await shop.send(events[-1])
    return events


async def lapse(shop: Shop) -> dict[str, int]:
    """Run a portion of the night's step."""
    async with shop.database.transaction() as session:
        await nights.begin_step(
            session, clock.today(shop.settings.zone), tier_reviews.STEP, clock.now()
        )
        return dict(
            await tier_reviews.lapse_outdated(
                session, shop.settings, clock.today(shop.settings.zone)
            )
        )


async def statements_about_reviews(shop: Shop, events: list[Any]) -> int:
    """Return how many statements about reviews a batch takes, but for the one of every batch."""
    seen: list[str] = []

    def note(record: Any) -> None:
        seen.append(record.query)

    async with shop.database.transaction() as session:
        # One connection serves everything that is rolled back.
        connection = await raw_connection(session)
        connection.add_query_logger(note)
    await shop.batch(events)
    async with shop.database.transaction() as session:
        (await raw_connection(session)).remove_query_logger(note)
    assert seen
    return sum("tier_review" in text and "has_review" not in text for text in seen)


async def keep_signed_in(shop: Shop) -> None:
    """Let tokens last although the clock was moved."""
    async with shop.database.transaction() as session:
        connection = await raw_connection(session)
        await connection.execute(
            "UPDATE access_token SET last_used_at = $1, expires_at = $2",
            clock.now(),
            clock.now() + timedelta(days=1),
        )


async def told(shop: Shop, kind: str) -> list[dict[str, Any]]:
    """Return the payloads of the events of a kind that others are told."""
    async with shop.database.transaction() as session:
        rows = await session.scalars(
            select(col(OutboxEvent.payload))
            .where(col(OutboxEvent.type) == kind)
            .order_by(col(OutboxEvent.id))
        )
        return list(rows)


async def audited(shop: Shop) -> list[tuple[str, str, list[str]]]:
    """Return what the audit trail says of reviews: who, what, which fields."""
    async with shop.database.transaction() as session:
        rows = await session.execute(
            select(AuditEntry)
            .where(col(AuditEntry.object_type) == "tier_review")
            .order_by(col(AuditEntry.id))
        )
        return [(str(one.actor_kind), str(one.action), one.fields) for (one,) in rows]
