"""Receipts and contacts that waited for a card join it when the card appears."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.core.ids import new_id
from app.queries import customer_stats, interactions, outbox, waiting_purchases
from app.rules.access import Actor
from app.rules.tiering import Step
from app.services import tier_settlement, unattached_interactions
from app.services.identities import IdentityKey
from app.services.trail import record_action
from app.vocabulary import Action, DomainEvent, PurchaseKind, PurchaseStatus


async def attach_purchases(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    customer_id: UUID,
    claimed: Sequence[IdentityKey],
) -> int:
    """Move the receipts that wait for one of these identities to the card; return how many.

    The identities have to be the card's by now, in this transaction: a sale that comes at the same
    moment then waits for it. Statistics and tier follow at once; the tier as if the receipts had
    come in the order of their time.
    """
    if not claimed:
        return 0
    await session.flush()
    connection = await raw_connection(session)
    keys = [(str(key.kind), key.system, key.value) for key in claimed]
    rows = await waiting_purchases.awaiting(connection, keys)
    if not rows:
        return 0
    await customer_stats.lock_cards(connection, [customer_id])
    now = clock.now()
    await waiting_purchases.move_to_card(connection, now, customer_id, rows)
    steps = [
        Step(
            row["id"],
            row["amount"] if row["kind"] == PurchaseKind.SALE else -row["amount"],
            row["refund_of_id"],
            row["business_day"],
        )
        for row in sorted(rows, key=lambda row: (row["occurred_at"], row["id"]))
        if row["status"] == PurchaseStatus.POSTED
    ]
    await tier_settlement.settle(session, settings, {customer_id: steps})
    await outbox.write(
        connection,
        now,
        [
            {
                "id": new_id(),
                "type": DomainEvent.PURCHASE_ATTACHED,
                "customer_id": customer_id,
                "subject_id": row["id"],
                "payload": {},
            }
            for row in rows
        ],
    )
    await record_action(
        session, actor, Action.ATTACHED, "customer", customer_id, fields=["purchases"]
    )
    return len(rows)


async def attach_interactions(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    customer_id: UUID,
    claimed: Sequence[IdentityKey],
) -> int:
    """Move the contacts that wait for one of these identities to the card; return how many.

    As for receipts, the identities have to be the card's by now, in this transaction; which holds
    the card, having written it.
    """
    if not claimed:
        return 0
    await session.flush()
    connection = await raw_connection(session)
    keys = [(str(key.kind), key.system, key.value) for key in claimed]
    waiting = await interactions.awaiting(connection, keys)
    if waiting:
        await unattached_interactions.move_to_card(session, actor, settings, customer_id, waiting)
    return len(waiting)
