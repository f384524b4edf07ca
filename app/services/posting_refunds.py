"""Refunds and voids: what they take back, and whether it is there to be taken back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.core.errors import RetryTransactionError
from app.core.ids import new_id
from app.queries import original_receipts, pos_events, purchase_ingest
from app.rules import purchases
from app.rules.purchases import Fault, ReturnedLine, SoldLine
from app.schemas.pos_events import RefundEvent, SaleEvent
from app.services.identities import IdentityKey
from app.services.posting_run import Posted, ReceiptKey, Run, fine, write_receipt
from app.vocabulary import (
    DomainEvent,
    EventStatus,
    IdentityKind,
    PurchaseKind,
    PurchaseStatus,
    ReceiptRule,
)

_NOTHING = (Decimal(0), Decimal(0))


@dataclass(slots=True)
class Original:
    """A receipt that is refunded or voided, as it stands with what this run decided already.

    ``taken`` holds quantity and amount that refunds took back, by line.
    """

    id: UUID
    customer_id: UUID | None
    awaits: IdentityKey | None
    kind: PurchaseKind
    is_voided: bool
    amount: Decimal
    business_day: date
    refund_of_id: UUID | None
    lines: dict[int, dict[str, Any]]
    taken: dict[int, tuple[Decimal, Decimal]] = field(default_factory=dict)

    @property
    def is_refunded(self) -> bool:
        """Tell whether anything of it was taken back."""
        return any(quantity > 0 for quantity, _ in self.taken.values())

    def sold(self) -> list[SoldLine]:
        """Return its lines with what is left of each."""
        return [
            SoldLine(
                line_number=number,
                quantity_left=_number(line["quantity"]) - self.taken.get(number, _NOTHING)[0],
                amount_left=_number(line["amount"]) - self.taken.get(number, _NOTHING)[1],
                unit_cost=None if line["unit_cost"] is None else _number(line["unit_cost"]),
            )
            for number, line in sorted(self.lines.items())
        ]

    def take(self, line_number: int, quantity: Decimal, amount: Decimal) -> None:
        """Note that a refund took a part of a line back."""
        before = self.taken.get(line_number, _NOTHING)
        self.taken[line_number] = (before[0] + quantity, before[1] + amount)

    def give_back(self, refund: "Original") -> None:
        """Note that a refund of it was voided."""
        for line in refund.lines.values():
            self.take(
                line["refunds_line_number"], -_number(line["quantity"]), -_number(line["amount"])
            )


async def find_originals(
    run: Run, named: Sequence[Posted]
) -> dict[ReceiptKey, tuple[UUID | None, UUID | None]]:
    """Return (purchase, customer) of what refunds and voids refer to; note whose key each awaits.

    What is not there is awaited from now on: its sale will find that out when it claims the number.
    """
    originals = [
        posted.pending.event.original
        for posted in named
        if not isinstance(posted.pending.event, SaleEvent)
    ]
    codes = sorted({original.source for original in originals if original.source})
    others = await pos_events.sources_by_code(run.connection, codes) if codes else {}
    for posted in named:
        _note_original(run, posted, others)
    keys = sorted({one.awaits for one in named if one.awaits is not None})
    return await purchase_ingest.find_receipts(run.connection, keys, run.now)


def _note_original(run: Run, posted: Posted, others: Mapping[str, Any]) -> None:
    event, source = posted.pending.event, posted.pending.source
    assert not isinstance(event, SaleEvent)
    original = event.original
    source_id, rule = source.id, source.receipt_rule
    if original.source is not None and original.source != source.code:
        other = others.get(original.source)
        if other is None:
            posted.hold(Fault.SOURCE_UNKNOWN)
            return
        source_id, rule = other["id"], ReceiptRule(other["receipt_rule"])
    day = original.business_day or run.day_of(event.occurred_at)
    posted.awaits = (source_id, purchases.receipt_key(rule, day, original.receipt_number))


async def post_refunds(run: Run, refunds: Sequence[Posted]) -> list[ReceiptKey]:
    """Decide and write refunds; return their receipts that a void waits for.

    Raises:
        RetryTransactionError: somebody took a receipt number at this very moment.
    """
    if not refunds:
        return []
    originals = await _load_originals(run, refunds)
    numbers = {posted: _own_receipt(run, posted) for posted in fine(refunds)}
    # Asked before anything is decided: a refund that is held takes nothing from the others.
    taken = await purchase_ingest.used_receipts(run.connection, sorted(set(numbers.values())))
    decided: dict[Posted, tuple[Original, tuple[ReturnedLine, ...], ReceiptKey]] = {}
    for posted in fine(refunds):
        original = originals.get(posted)
        if original is None:
            continue
        receipt = numbers[posted]
        if receipt in taken:
            posted.hold(Fault.RECEIPT_NUMBER_USED)
            continue
        returned = _decide_refund(posted, original)
        if isinstance(returned, Fault):
            posted.hold(returned)
            continue
        taken.add(receipt)
        for line in returned:
            original.take(line.refunds_line, line.quantity, line.amount)
        posted.purchase_id, posted.customer_id = new_id(), original.customer_id
        decided[posted] = (original, returned, receipt)
    claimed = await purchase_ingest.claim_receipts(
        run.connection,
        [
            {
                "source_id": receipt[0],
                "receipt_key": receipt[1],
                "purchase_id": posted.purchase_id,
                "customer_id": posted.customer_id,
            }
            for posted, (_, _, receipt) in decided.items()
        ],
        run.now,
    )
    for posted, (original, returned, receipt) in decided.items():
        if receipt not in claimed:
            raise RetryTransactionError
        _write_refund(run, posted, original, returned, receipt)
    await run.flush()
    return [receipt for receipt, was_awaited in claimed.items() if was_awaited]


def _own_receipt(run: Run, posted: Posted) -> ReceiptKey:
    event, source = posted.pending.event, posted.pending.source
    assert isinstance(event, RefundEvent)
    day = run.day_of(event.occurred_at)
    return source.id, purchases.receipt_key(source.receipt_rule, day, event.receipt_number)


def _decide_refund(posted: Posted, original: Original) -> tuple[ReturnedLine, ...] | Fault:
    event = posted.pending.event
    assert isinstance(event, RefundEvent)
    if original.kind is not PurchaseKind.SALE:
        return Fault.NOT_A_SALE
    if original.is_voided:
        return Fault.ALREADY_VOIDED
    sold = original.sold()
    if event.lines:
        wanted = [
            (line.line_number, line.refunds_line, line.quantity, line.amount)
            for line in event.lines
        ]
        return purchases.by_line(sold, wanted)
    rest = purchases.whole_rest(sold)
    amount = sum((line.amount for line in rest), Decimal(0))
    if not rest or event.total > amount:
        return Fault.REFUND_EXCEEDS_SALE
    return rest if event.total == amount else Fault.SUMS_MISMATCH


def _write_refund(
    run: Run,
    posted: Posted,
    original: Original,
    returned: Sequence[ReturnedLine],
    receipt: ReceiptKey,
) -> None:
    event = posted.pending.event
    assert isinstance(event, RefundEvent)
    lines = []
    for line in returned:
        sold = original.lines[line.refunds_line]
        lines.append(
            {
                **{name: sold[name] for name in ("sku", "isbn", "title", "category")},
                "line_number": line.line_number,
                "quantity": line.quantity,
                "unit_price": sold["unit_price"],
                "amount": line.amount,
                "unit_cost": line.unit_cost,
                "refunds_line_number": line.refunds_line,
            }
        )
    posted.awaits = None
    posted.decided = EventStatus.APPLIED
    if original.customer_id is None and original.awaits is not None:
        posted.decided = EventStatus.AWAITING_CUSTOMER
    write_receipt(run, posted, receipt, event.total, lines, original.awaits, original.id)
    if original.customer_id is not None:
        day = run.day_of(event.occurred_at)
        run.add_step(
            posted,
            original.customer_id,
            -event.total,
            day,
            earned_by=original.id,
            undoes=original.id,
        )
    run.announce(DomainEvent.PURCHASE_REFUNDED, posted, event.total)


async def post_voids(run: Run, voids: Sequence[Posted]) -> None:
    """Decide voids and mark their receipts; a voided receipt counts as if it had never been."""
    if not voids:
        return
    originals = await _load_originals(run, voids)
    loaded: dict[UUID | None, Original] = {one.id: one for one in originals.values()}
    owned: list[tuple[UUID, UUID]] = []
    unattached: list[UUID] = []
    for posted in fine(voids):
        original = originals.get(posted)
        if original is None:
            continue
        if original.is_voided:
            posted.hold(Fault.ALREADY_VOIDED)
            continue
        if original.is_refunded:
            posted.hold(Fault.HAS_REFUNDS)
            continue
        original.is_voided = True
        if original.refund_of_id in loaded:
            loaded[original.refund_of_id].give_back(original)
        posted.awaits, posted.decided = None, EventStatus.APPLIED
        posted.purchase_id, posted.customer_id = original.id, original.customer_id
        if original.customer_id is None:
            unattached.append(original.id)
        else:
            owned.append((original.customer_id, original.id))
            gives = original.amount if original.kind is PurchaseKind.REFUND else -original.amount
            # Where a refund is voided, it is the sale behind it that counts again.
            run.add_step(
                posted,
                original.customer_id,
                gives,
                original.business_day,
                earned_by=original.refund_of_id or original.id,
                undoes=original.id,
            )
        run.announce(DomainEvent.PURCHASE_VOIDED, posted, original.amount)
    await original_receipts.void(run.connection, run.now, owned, unattached)


async def _load_originals(run: Run, wanted: Sequence[Posted]) -> dict[Posted, Original]:
    """Park what refers to a receipt that is not there; return the locked originals of the rest.

    Raises:
        RetryTransactionError: a receipt moved to its card between two of our statements.
    """
    receipts = await find_originals(run, wanted)
    places: dict[Posted, tuple[UUID, UUID | None]] = {}
    for posted in fine(wanted):
        assert posted.awaits is not None
        purchase_id, customer_id = receipts[posted.awaits]
        if purchase_id is None:
            posted.decided = EventStatus.PARKED
        else:
            places[posted] = (purchase_id, customer_id)
    owned = sorted({(owner, key) for key, owner in places.values() if owner is not None})
    loose = sorted({key for key, owner in places.values() if owner is None})
    await run.lock_cards([owner for owner, _ in owned])
    found: dict[UUID, Original] = {}
    for row in (await original_receipts.owned_originals(run.connection, owned)).values():
        original = _original(row, row["customer_id"], None)
        for part in row["refunded"] or []:
            original.take(part["line"], _number(part["quantity"]), _number(part["amount"]))
        found[original.id] = original
    for row in (await original_receipts.unattached_originals(run.connection, loose)).values():
        awaits = row["awaits_kind"] and IdentityKey(
            IdentityKind(row["awaits_kind"]), row["awaits_system"], row["awaits_value"]
        )
        found[row["id"]] = _original(row, None, awaits or None)
    for part in await original_receipts.unattached_refunds(run.connection, loose):
        found[part["refund_of_id"]].take(
            int(part["line"]), Decimal(part["quantity"]), Decimal(part["amount"])
        )
    if any(key not in found for key, _ in places.values()):
        raise RetryTransactionError
    return {posted: found[key] for posted, (key, _) in places.items()}


def _original(row: Any, customer_id: UUID | None, awaits: IdentityKey | None) -> Original:
    lines = row["lines"] or []
    return Original(
        id=row["id"],
        customer_id=customer_id,
        awaits=awaits,
        kind=PurchaseKind(row["kind"]),
        is_voided=PurchaseStatus(row["status"]) is PurchaseStatus.VOIDED,
        amount=row["amount"],
        business_day=row["business_day"],
        refund_of_id=row["refund_of_id"],
        lines={line["line_number"]: line for line in lines},
    )


def _number(value: Any) -> Decimal:
    return Decimal(str(value))
