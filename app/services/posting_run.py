"""What posting a till's events works with: the sender, the event, its fate, the run's notes."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from app.core import clock
from app.core.config import Settings
from app.core.errors import RetryTransactionError
from app.core.ids import new_id
from app.queries import purchase_ingest
from app.rules import purchases
from app.rules.purchases import Fault
from app.rules.tiering import Step, StepOutcome
from app.schemas.pos_events import TillEvent, VoidEvent
from app.services.identities import IdentityKey
from app.services.tier_settlement import Settled
from app.vocabulary import (
    Action,
    ActorKind,
    DomainEvent,
    EventStatus,
    PurchaseKind,
    ReceiptRule,
    SourceMode,
)

ReceiptKey = tuple[UUID, str]
"""A source and what makes a receipt unique there."""
_stored_event: TypeAdapter[TillEvent] = TypeAdapter(TillEvent)


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What posting has to know of a sender."""

    id: UUID
    code: str
    store_id: UUID
    store_code: str
    mode: SourceMode
    receipt_rule: ReceiptRule
    currency: str


@dataclass(frozen=True, slots=True, eq=False)
class PendingEvent:
    """An event to post, with who sent it. Equal only to itself."""

    source: SourceFacts
    event: TillEvent

    @property
    def event_id(self) -> str:
        """The sender's id of the event."""
        return self.event.event_id


@dataclass(slots=True, eq=False)
class Posted:
    """What became of an event. Equal only to itself, so that it can be a key."""

    pending: PendingEvent
    decided: EventStatus | None = None
    fault: Fault | None = None
    awaits: ReceiptKey | None = None
    purchase_id: UUID | None = None
    customer_id: UUID | None = None
    settled: Settled | None = None
    outcome: StepOutcome | None = None

    @property
    def status(self) -> EventStatus:
        """What was decided; asking before that is a mistake of ours."""
        if self.decided is None:
            raise AssertionError(f"nothing was decided about a {self.pending.event.type}")
        return self.decided

    def hold(self, fault: Fault) -> None:
        """Keep the event for inspection, without any effect."""
        self.decided, self.fault = EventStatus.HELD, fault
        self.purchase_id = self.customer_id = self.awaits = None


@dataclass(slots=True)
class Run:
    """One posting: its transaction, its instant, and what it has gathered and decided so far."""

    connection: Any
    settings: Settings
    now: datetime
    cards: dict[UUID, Any] = field(default_factory=dict)
    steps: dict[UUID, list[tuple[datetime, Posted, Step]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    purchases: list[dict[str, Any]] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    unattached: list[dict[str, Any]] = field(default_factory=list)
    announcements: list[dict[str, Any]] = field(default_factory=list)
    actions: list[dict[str, Any]] = field(default_factory=list)

    def day_of(self, instant: datetime) -> date:
        """Return the business day of an instant."""
        return clock.business_day(instant, self.settings.zone)

    async def lock_cards(self, customer_ids: Sequence[UUID]) -> None:
        """Lock cards that are not locked yet, in the order of ids.

        Raises:
            RetryTransactionError: one of them was merged between two of our statements; what led
                to it leads to the surviving card now.
        """
        wanted = sorted(set(customer_ids) - self.cards.keys())
        locked = await purchase_ingest.lock_cards(self.connection, wanted)
        if any(card["merged_into_id"] is not None for card in locked.values()):
            raise RetryTransactionError
        self.cards |= locked

    async def flush(self) -> None:
        """Write the receipts decided so far, so that the next kind of event finds them."""
        await purchase_ingest.write_purchases(
            self.connection, self.now, self.purchases, self.lines, self.unattached
        )
        self.purchases, self.lines, self.unattached = [], [], []

    def add_step(
        self,
        posted: Posted,
        customer_id: UUID,
        adds: Decimal,
        day: date,
        *,
        earned_by: UUID,
        undoes: UUID | None = None,
    ) -> None:
        """Note what an event of a day does to a card.

        ``earned_by`` is the purchase to which a higher tier would be due.
        """
        self.steps[customer_id].append(
            (posted.pending.event.occurred_at, posted, Step(earned_by, adds, undoes, day))
        )

    def announce(self, event: DomainEvent, posted: Posted, amount: Decimal) -> None:
        """Tell others, with ids and figures only, and put it into the audit trail."""
        self.actions.append(
            {
                "id": new_id(),
                "actor_kind": ActorKind.SOURCE,
                "actor_id": posted.pending.source.id,
                "action": Action.CHANGED
                if event is DomainEvent.PURCHASE_VOIDED
                else Action.CREATED,
                "object_type": "purchase",
                "object_id": posted.purchase_id,
                "fields": ["status"] if event is DomainEvent.PURCHASE_VOIDED else [],
            }
        )
        self.announcements.append(
            {
                "id": new_id(),
                "type": event,
                "customer_id": posted.customer_id,
                "subject_id": posted.purchase_id,
                "payload": {
                    "source": posted.pending.source.code,
                    "store_id": str(posted.pending.source.store_id),
                    "amount": str(amount),
                },
            }
        )


def write_receipt(
    run: Run,
    posted: Posted,
    receipt: ReceiptKey,
    amount: Decimal,
    lines: list[dict[str, Any]],
    awaits: IdentityKey | None,
    refund_of_id: UUID | None,
) -> None:
    """Note a receipt with its lines: of the card, or without one, awaited or nobody's."""
    event, source = posted.pending.event, posted.pending.source
    assert not isinstance(event, VoidEvent)
    costed, cost = purchases.known_cost(
        [(line["quantity"], line["amount"], line["unit_cost"]) for line in lines]
    )
    row = {
        "id": posted.purchase_id,
        "kind": PurchaseKind(event.type),
        "occurred_at": event.occurred_at,
        "business_day": run.day_of(event.occurred_at),
        "store_id": source.store_id,
        "source_id": source.id,
        "event_id": event.event_id,
        "receipt_key": receipt[1],
        "receipt_number": event.receipt_number,
        "refund_of_id": refund_of_id,
        "currency": event.currency,
        "amount": amount,
        "costed_amount": costed,
        "cost": cost,
        "cashier": event.cashier,
    }
    if posted.customer_id is not None:
        owner = {"customer_id": posted.customer_id, "purchase_id": posted.purchase_id}
        run.purchases.append({**row, "customer_id": posted.customer_id})
        run.lines += [{**owner, **line} for line in lines]
    else:
        run.unattached.append(
            {
                **row,
                "awaits_kind": awaits.kind if awaits else None,
                "awaits_system": awaits.system if awaits else None,
                "awaits_value": awaits.value if awaits else None,
                "lines": lines,
            }
        )


def source_facts(row: Any) -> SourceFacts:
    """Return what posting has to know of a source's row."""
    return SourceFacts(
        id=row["source_id"],
        code=row["code"],
        store_id=row["store_id"],
        store_code=row["store_code"],
        mode=SourceMode(row["mode"]),
        receipt_rule=ReceiptRule(row["receipt_rule"]),
        currency=row["currency"],
    )


def pending_of(row: Any) -> PendingEvent:
    """Return a stored event with its sender, to be posted again in the mode it came in."""
    return PendingEvent(source_facts(row), _stored_event.validate_python(row["body"]))


def fine(results: Sequence[Posted]) -> list[Posted]:
    """Return those that nothing speaks against so far."""
    return [one for one in results if one.fault is None]
