"""Cards of a file: new ones with all that a card is created with, and known ones by the policy."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.core.errors import RetryTransactionError
from app.core.ids import new_id
from app.models import ImportJob
from app.queries import import_rows as queries
from app.queries import imports, interactions, outbox
from app.rules.access import SYSTEM
from app.rules.tiering import Step
from app.services import (
    completeness,
    search_keys,
    tier_moves,
    tier_settlement,
    unattached_interactions,
)
from app.services.import_card_changes import change_cards, in_history, stored
from app.vocabulary import (
    CustomerKind,
    DomainEvent,
    OnExisting,
    PurchaseKind,
    PurchaseStatus,
)

ROWS_AT_ONCE: Final = 5_000


@dataclass(slots=True)
class _Portion:
    """The rows of a portion by what becomes of them."""

    new: list[tuple[int, Mapping[str, Any]]] = field(default_factory=list)
    known: list[tuple[int, Mapping[str, Any], UUID]] = field(default_factory=list)
    findings: list[tuple[int, str, int]] = field(default_factory=list)


async def write_portion(
    session: AsyncSession, settings: Settings, job: ImportJob
) -> tuple[int | None, Mapping[str, int]]:
    """Write the next cards: identities, first tier, history, completeness, what waited for them.

    Raises:
        RetryTransactionError: somebody else gave a card one of the identities meanwhile.
    """
    connection = await raw_connection(session)
    rows = await queries.next_rows(connection, job.id, job.position, ROWS_AT_ONCE)
    if not rows:
        return None, {}
    portion = await _sorted_out(connection, job, rows)
    now = clock.now()
    actor = (str(job.created_by_kind), job.created_by_id)
    created, claimed = await _create(session, settings, job, portion.new, now)
    changed = await change_cards(connection, job.id, actor, portion.known, now)
    claimed += changed.claimed
    portion.findings += [(row, "card-left", 0) for row in changed.left]
    attached = await _attach(session, settings, claimed, now)
    touched = sorted({*changed.cards, *created})
    await completeness.refresh_completeness(session, settings, touched)
    await search_keys.reindex(session, *touched)
    await imports.add_findings(connection, job.id, portion.findings)
    counts: dict[str, int] = defaultdict(int)
    for _, code, _ in portion.findings:
        counts[code] += 1
        counts["refused"] += code in {"two-cards", "card-exists"}
    return rows[-1]["row_number"], {
        **counts,
        "rows": len(portion.new) + len(changed.cards),
        "rows_seen": len(rows),
        "cards_created": len(portion.new),
        "cards_updated": len(changed.cards),
        "attached": attached,
    }


async def settle_portion(
    session: AsyncSession, settings: Settings, job: ImportJob
) -> tuple[UUID | None, Mapping[str, int]]:
    """Do nothing: cards are whole when they are written."""
    del session, settings, job
    return None, {}


async def _sorted_out(connection: Any, job: ImportJob, rows: Sequence[Any]) -> _Portion:
    keys = [(kind, value) for row in rows for kind, value, _ in row["body"]["identities"]]
    owners = await queries.owners(connection, keys)
    portion = _Portion()
    taken: set[UUID] = set()
    for row in rows:
        number, body = row["row_number"], row["body"]
        cards = {owners.get((kind, value)) for kind, value, _ in body["identities"]} - {None}
        if not cards:
            portion.new.append((number, body))
        elif len(cards) > 1:
            portion.findings.append((number, "two-cards", 0))
        elif job.on_existing is OnExisting.ERROR:
            portion.findings.append((number, "card-exists", 0))
        else:
            (card,) = cards
            assert card is not None
            if job.on_existing is OnExisting.SKIP or card in taken:
                portion.findings.append((number, "card-left", 0))
            else:
                taken.add(card)
                portion.known.append((number, body, card))
    return portion


async def _create(
    session: AsyncSession,
    settings: Settings,
    job: ImportJob,
    new: Sequence[tuple[int, Mapping[str, Any]]],
    now: datetime,
) -> tuple[list[UUID], list[tuple[str, str, UUID]]]:
    """Write new cards; return them, and the identities that something awaited."""
    if not new:
        return [], []
    connection = await raw_connection(session)
    today = clock.business_day(now, settings.zone).isoformat()
    cards, identities, changes, items = [], [], [], []
    for number, body in new:
        customer_id = new_id()
        values = {"kind": CustomerKind.INDIVIDUAL, "registered_on": today, **body["values"]}
        own = [
            {"customer_id": customer_id, "id": new_id(), "kind": kind, "value": value,
             "is_primary": is_primary}
            for kind, value, is_primary in body["identities"]
        ]  # fmt: skip
        said: dict[str, Any] = {name: [None, value] for name, value in values.items()}
        said["origin"] = [None, "import"]
        if own:
            said["identities"] = [[], [in_history(one) for one in own]]
        cards.append({"id": customer_id, **stored(values)})
        identities += own
        changes.append({"customer_id": customer_id, "id": new_id(), "version": 1, "changes": said})
        items.append(
            {"position": number, "object_id": customer_id, "customer_id": customer_id,
             "key": None, "before": None}
        )  # fmt: skip
    await queries.write_cards(connection, now, cards)
    claimed = await queries.claim(connection, now, identities)
    if len(claimed) < len(identities):
        raise RetryTransactionError
    await queries.write_identities(connection, now, identities)
    await queries.write_history(
        connection, now, (str(job.created_by_kind), job.created_by_id), changes
    )
    await queries.write_items(connection, job.id, items)
    await tier_moves.assign_initial_to(
        session, settings, {card["id"]: CustomerKind(card["kind"]) for card in cards}
    )
    awaited = [
        (row["kind"], row["value"], row["customer_id"]) for row in claimed if row["was_awaited"]
    ]
    return [card["id"] for card in cards], awaited


async def _attach(
    session: AsyncSession,
    settings: Settings,
    claimed: Sequence[tuple[str, str, UUID]],
    now: datetime,
) -> int:
    """Let the receipts and contacts that waited join their cards; return how many receipts."""
    if not claimed:
        return 0
    connection = await raw_connection(session)
    rows = await queries.attach_purchases(connection, now, claimed)
    steps: dict[UUID, list[Step]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row["occurred_at"], row["id"])):
        signed = row["amount"] if row["kind"] == PurchaseKind.SALE else -row["amount"]
        if row["status"] == PurchaseStatus.POSTED:
            steps[row["customer_id"]].append(
                Step(row["id"], signed, row["refund_of_id"], row["business_day"])
            )
        else:
            steps.setdefault(row["customer_id"], [])
    await tier_settlement.settle(session, settings, steps)
    await outbox.write(
        connection,
        now,
        [
            {"id": new_id(), "type": DomainEvent.PURCHASE_ATTACHED, "payload": {},
             "customer_id": row["customer_id"], "subject_id": row["id"]}
            for row in rows
        ],
    )  # fmt: skip
    for kind, value, card in claimed:
        waiting = await interactions.awaiting(connection, [(kind, "", value)])
        if waiting:
            await unattached_interactions.move_to_card(session, SYSTEM, settings, card, waiting)
    return len(rows)
