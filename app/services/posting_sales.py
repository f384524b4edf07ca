"""Sales: whose they are, whether their receipt number is free, what the catalogue adds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.core.ids import new_id
from app.queries import purchase_ingest
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
    skus = {
        line.sku
        for posted in claimed
        if isinstance(posted.pending.event, SaleEvent)
        for line in posted.pending.event.lines
        if line.sku
    }
    products = await purchase_ingest.products_by_sku(run.connection, sorted(skus))
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
            owner = found[(str(key.kind), key.system, key.value)]
            if owner is not None:
                owners[posted] = owner
            else:
                posted.status = EventStatus.AWAITING_CUSTOMER
    if by_id:
        cards = await purchase_ingest.lock_cards(run.connection, sorted(set(by_id.values())))
        for posted in fine(sales):
            wanted = by_id.get(posted)
            if wanted is not None and wanted not in cards:
                posted.hold(Fault.CARD_UNKNOWN)
            elif wanted is not None:
                owners[posted] = wanted
    return owners, identities


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
        product = products.get(line.sku) if line.sku else None
        known: Mapping[str, Any] = product if product is not None else {}
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
    write_receipt(run, posted, receipt, event.total, lines, identity, None)
    if posted.customer_id is not None:
        day = run.day_of(event.occurred_at)
        assert posted.purchase_id is not None
        run.add_step(posted, posted.customer_id, event.total, day, earned_by=posted.purchase_id)
    run.announce(DomainEvent.PURCHASE_RECORDED, posted, event.total)
