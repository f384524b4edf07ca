"""Turn events of tills into receipts, statistics and tiers: any number of events, one code path.

Gather what the events refer to, decide about each, write back what changed. Sales come first, then
refunds with those that waited for one of the sales, then voids likewise. A sale and its card, a
refund and its sale meet on a row with a unique key, so that neither is missed, whichever comes
first (docs/adr/0005).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.core.errors import RetryTransactionError
from app.core.logging import request_id
from app.queries import outbox, pos_events, trail
from app.rules import purchases
from app.rules.purchases import Fault
from app.schemas.pos_events import RefundEvent, SaleEvent, VoidEvent
from app.services import tier_settlement
from app.services.posting_refunds import find_originals, post_refunds, post_voids
from app.services.posting_run import PendingEvent, Posted, ReceiptKey, Run, fine, pending_of
from app.services.posting_sales import claim_sales, write_sales
from app.vocabulary import CustomerStatus

FUTURE_TOLERANCE = timedelta(minutes=10)


async def post_events(
    session: AsyncSession, settings: Settings, pending: Sequence[PendingEvent]
) -> tuple[Run, list[Posted]]:
    """Post events that are stored already; return what became of each, in their order.

    Parked events that waited for one of these receipts are posted too and follow in the list.

    Raises:
        RetryTransactionError: a receipt moved to its card, or a card was erased, at this very
            moment; run it again.
    """
    run = Run(await raw_connection(session), settings, clock.now())
    results = [Posted(one) for one in pending]
    for posted in results:
        _check(run, posted)
    sales = [one for one in fine(results) if isinstance(one.pending.event, SaleEvent)]
    others = [one for one in fine(results) if not isinstance(one.pending.event, SaleEvent)]
    claimed, awaited = await claim_sales(run, sales)
    known = await find_originals(run, others)
    owners = {posted.customer_id for posted in claimed if posted.customer_id}
    await run.lock_cards([*owners, *(owner for _, owner in known.values() if owner)])
    if any(run.cards[owner]["status"] == CustomerStatus.ERASED for owner in owners):
        # Its person was erased between two of our statements; the identity finds nobody now.
        raise RetryTransactionError
    await write_sales(run, claimed)
    results += await _released(run, awaited)
    refunds = [one for one in fine(results) if isinstance(one.pending.event, RefundEvent)]
    while refunds:
        # A refund's own receipt may be what another one waited for, if only to be told so.
        released = await _released(run, await post_refunds(run, refunds))
        results += released
        refunds = [one for one in released if isinstance(one.pending.event, RefundEvent)]
    await post_voids(
        run, [one for one in fine(results) if isinstance(one.pending.event, VoidEvent)]
    )
    await _settle(session, run, set(results[: len(pending)]))
    await outbox.write(run.connection, run.now, run.announcements)
    await trail.write(run.connection, run.now, request_id(), run.actions)
    return run, results


def _check(run: Run, posted: Posted) -> None:
    """Hold what is wrong in itself, whatever is stored."""
    source, event = posted.pending.source, posted.pending.event
    if event.store != source.store_code:
        posted.hold(Fault.WRONG_STORE)
    elif event.occurred_at > run.now + FUTURE_TOLERANCE:
        posted.hold(Fault.OCCURRED_IN_FUTURE)
    elif isinstance(event, VoidEvent):
        return
    elif event.currency != source.currency:
        posted.hold(Fault.WRONG_CURRENCY)
    elif len({line.line_number for line in event.lines or ()}) != len(event.lines or ()):
        posted.hold(Fault.LINE_REPEATED)
    elif isinstance(event, SaleEvent):
        amounts = [
            (line.quantity, line.unit_price, line.discount or Decimal(0), line.amount)
            for line in event.lines
        ]
        if not purchases.sale_adds_up(amounts, event.total):
            posted.hold(Fault.SUMS_MISMATCH)
    elif event.lines and event.total != sum((line.amount for line in event.lines), Decimal(0)):
        posted.hold(Fault.SUMS_MISMATCH)


async def _released(run: Run, receipts: Sequence[ReceiptKey]) -> list[Posted]:
    """Return the parked events that waited for these receipts; their turn is now."""
    rows = await pos_events.parked_for(run.connection, sorted(receipts))
    return [Posted(pending_of(row)) for row in rows]


async def _settle(session: AsyncSession, run: Run, asked: set[Posted]) -> None:
    """Re-aggregate every card that was touched, move its tier, and note it with the events.

    What events that had waited do to a card is told with the last event that was asked about: the
    till learns how the card stands when the transaction ends.
    """
    in_order = {
        customer_id: sorted(steps, key=lambda step: step[0])
        for customer_id, steps in run.steps.items()
    }
    settled = await tier_settlement.settle(
        session,
        run.settings,
        {owner: [step for *_, step in steps] for owner, steps in in_order.items()},
    )
    customer_id: UUID
    for customer_id, steps in in_order.items():
        result = settled[customer_id]
        for (_, posted, _), outcome in zip(steps, result.outcomes, strict=True):
            posted.settled, posted.outcome = result, outcome
        last_asked = next((one for _, one, _ in reversed(steps) if one in asked), None)
        has_waited = any(one not in asked for _, one, _ in steps)
        if has_waited and last_asked is not None and last_asked.outcome is not None:
            end = result.outcomes[-1]
            is_lifted = end.after != last_asked.outcome.before
            last_asked.outcome = replace(
                last_asked.outcome,
                held=end.held,
                score=end.score,
                cause=last_asked.outcome.cause if is_lifted else None,
            )
