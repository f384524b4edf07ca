"""Sales: whose they are, whether their receipt number is free, what the catalogue adds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.core.errors import RetryTransactionError
from app.core.ids import new_id
from app.queries import purchase_ingest, survivors
from app.rules import purchases
from app.rules.purchases import Fault
from app.schemas.pos_events import SaleEvent
from app.services.identities import IdentityError, IdentityKey, normalise
from app.services.posting_run import Posted, ReceiptKey, Run, fine, write_receipt
from app.vocabulary import DomainEvent, EventStatus


@dataclass(frozen=True, slots=True)
class ClaimedSale:
    """A sale's receipt, and the identity it was sold to, if any."""

    receipt: ReceiptKey
    identity: IdentityKey | None


async def claim_sales(
    run: Run, sales: Sequence[Posted]
) -> tuple[dict[Posted, ClaimedSale], list[ReceiptKey]]:
    """Claim the sales' receipt numbers for their customers.

    Returns the sales whose number was free, and the receipts that a refund or void waits for.
    """
    owners, identities = await _resolve_customers(run, sales)
    claims = []
    keys: dict[Posted, ReceiptKey] = {}
    taken: set[ReceiptKey] = set()
    for posted in fine(sales):
        event = posted.pending.event
        assert isinstance(event, SaleEvent)
        key = purchases.receipt_key(
            posted.pending.source.receipt_rule, run.day_of(event.occurred_at), event.receipt_number
        )
        receipt = (posted.pending.source.id, key)
        if receipt in taken:
            posted.hold(Fault.RECEIPT_NUMBER_USED)
            continue
        taken.add(receipt)
        posted.purchase_id, posted.customer_id = new_id(), owners.get(posted)
        keys[posted] = receipt
        claims.append(
            {
                "source_id": posted.pending.source.id,
                "receipt_key": key,
                "purchase_id": posted.purchase_id,
                "customer_id": posted.customer_id,
            }
        )
    claimed = await purchase_ingest.claim_receipts(run.connection, claims, run.now)
    free: dict[Posted, ClaimedSale] = {}
    for posted, receipt in keys.items():
        if receipt in claimed:
            free[posted] = ClaimedSale(receipt, identities.get(posted))
        else:
            posted.hold(Fault.RECEIPT_NUMBER_USED)
    return free, [receipt for receipt, was_awaited in claimed.items() if was_awaited]


async def write_sales(run: Run, claimed: Mapping[Posted, ClaimedSale]) -> None:
    """Write claimed sales with what the catalogue knows of their lines; their cards are locked."""
    lines = [
        line
        for posted in claimed
        if isinstance(posted.pending.event, SaleEvent)
        for line in posted.pending.event.lines
    ]
    products = await purchase_ingest.products_by_code(
        run.connection,
        sorted({line.sku for line in lines if line.sku}),
        sorted({line.isbn for line in lines if line.isbn}),
    )
    for posted, claim in claimed.items():
        _write_sale(run, posted, claim.receipt, products, claim.identity)
    await run.flush()


async def _resolve_customers(
    run: Run, sales: Sequence[Posted]
) -> tuple[dict[Posted, UUID], dict[Posted, IdentityKey]]:
    """Return whose each sale is, and the identity that is awaited where no card has it."""
    owners: dict[Posted, UUID] = {}
    identities: dict[Posted, IdentityKey] = {}
    by_id: dict[Posted, UUID] = {}
    for posted in sales:
        event = posted.pending.event
        assert isinstance(event, SaleEvent)
        customer = event.customer
        if customer is None:
            continue
        if customer.id is not None:
            by_id[posted] = customer.id
            continue
        assert customer.kind is not None
        assert customer.value is not None
        try:
            identities[posted] = normalise(
                customer.kind, customer.system, customer.value, run.settings.phone_region
            )
        except IdentityError:
            posted.hold(Fault.CUSTOMER_UNREADABLE)
    found = await purchase_ingest.resolve_identities(
        run.connection,
        sorted({(str(key.kind), key.system, key.value) for key in identities.values()}),
        run.now,
    )
    for posted in fine(sales):
        key = identities.get(posted)
        if key is not None:
            place = (str(key.kind), key.system, key.value)
            if place not in found:
                # It was taken off its card between two of our statements.
                raise RetryTransactionError
            owner = found[place]
            if owner is not None:
                owners[posted] = owner
    await _resolve_cards(run, sales, by_id, owners)
    return owners, identities


async def _resolve_cards(
    run: Run,
    sales: Sequence[Posted],
    by_id: Mapping[Posted, UUID],
    owners: dict[Posted, UUID],
) -> None:
    """Add whose the sales are that name a card by its id; hold those whose card is not there.

    The id of a merged card leads to the surviving one.
    """
    if not by_id:
        return
    leads_to = await survivors.survivors_of(run.connection, sorted(set(by_id.values())))
    await run.lock_cards(list(leads_to.values()))
    for posted in fine(sales):
        wanted = by_id.get(posted)
        if wanted is not None and wanted not in leads_to:
            posted.hold(Fault.CARD_UNKNOWN)
        elif wanted is not None:
            owners[posted] = leads_to[wanted]


def _write_sale(
    run: Run,
    posted: Posted,
    receipt: ReceiptKey,
    products: Mapping[str, Any],
    identity: IdentityKey | None,
) -> None:
    event = posted.pending.event
    assert isinstance(event, SaleEvent)
    lines = []
    for line in event.lines:
        known = products.get(line.sku or "") or products.get(line.isbn or "") or {}
        unit_cost = line.unit_cost if line.unit_cost is not None else known.get("unit_cost")
        lines.append(
            {
                "line_number": line.line_number,
                "sku": line.sku,
                "isbn": line.isbn or known.get("isbn"),
                "title": line.title or known.get("title"),
                "category": line.category or known.get("category"),
                "quantity": line.quantity,
                "unit_price": line.unit_price,
                "amount": line.amount,
                "unit_cost": unit_cost,
                "refunds_line_number": None,
            }
        )
    is_awaiting = posted.customer_id is None and identity is not None
    posted.decided = EventStatus.AWAITING_CUSTOMER if is_awaiting else EventStatus.APPLIED
    write_receipt(run, posted, receipt, event.total, lines, identity, None)
    if posted.customer_id is not None:
        day = run.day_of(event.occurred_at)
        assert posted.purchase_id is not None
        run.add_step(posted, posted.customer_id, event.total, day, earned_by=posted.purchase_id)
    run.announce(DomainEvent.PURCHASE_RECORDED, posted, event.total)
