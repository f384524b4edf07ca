"""Contacts are recorded: with cards, with callers who are not known yet, one or many at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.core.errors import ConflictError, HuikeError, RetryTransactionError
from app.core.ids import new_id
from app.queries import customer_service_stats, outbox, purchase_ingest, trail
from app.queries import interactions as queries
from app.rules.access import Actor
from app.rules.service_cost import ChannelPrice, service_cost
from app.services import channels, interaction_checks
from app.services.changes import not_acceptable
from app.services.identities import IdentityKey
from app.services.interaction_checks import Facts
from app.vocabulary import Action, ActorKind, Channel, CustomerKind, DomainEvent


@dataclass(frozen=True, slots=True)
class Entry:
    """A service desk's own id of a contact, and a keyed hash of what it sent under it."""

    id: str
    body_hash: str


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """A contact to record, its fields by the names of the columns. Equal only to itself."""

    values: Mapping[str, Any]
    customer_id: UUID | None = None
    identity: IdentityKey | None = None
    entry: Entry | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who somebody turned out to be."""

    id: UUID
    kind: CustomerKind
    name: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recorded contact: ``row`` is empty where it is the first answer given again."""

    id: UUID
    customer_id: UUID | None
    caller: Caller | None = None
    row: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Run:
    """One recording: its transaction, its instant, and what it has gathered so far."""

    connection: Any
    settings: Settings
    actor: Actor
    now: datetime
    prices: Mapping[Channel, ChannelPrice]
    owners: dict[Draft, UUID] = field(default_factory=dict)
    cards: Mapping[UUID, Any] = field(default_factory=dict)
    twins: dict[Draft, Draft] = field(default_factory=dict)
    outcomes: dict[Draft, Recorded | HuikeError] = field(default_factory=dict)


async def record_contact(
    session: AsyncSession, actor: Actor, settings: Settings, draft: Draft
) -> Recorded:
    """Record one contact.

    Raises:
        HuikeError: why it cannot be recorded.
    """
    (outcome,) = await record_contacts(session, actor, settings, [draft])
    if isinstance(outcome, HuikeError):
        raise outcome
    return outcome


async def record_contacts(
    session: AsyncSession, actor: Actor, settings: Settings, drafts: Sequence[Draft]
) -> list[Recorded | HuikeError]:
    """Record contacts in a fixed number of statements; each is recorded or refused for itself.

    A draft with an identity that no card has waits for the card that gets it. A draft with an
    entry is recorded once, and answered with its first result ever after.

    Raises:
        RetryTransactionError: somebody changed a card or sent an entry between two statements.
    """
    connection = await raw_connection(session)
    run = _Run(connection, settings, actor, clock.now(), await channels.prices(session))
    await _answer_known(run, drafts)
    await _resolve(run, _open(run, drafts))
    rows = await _checked(run, _open(run, drafts))
    rows = await _claimed(run, rows)
    await _write(run, rows)
    return [run.outcomes[run.twins.get(draft, draft)] for draft in drafts]


def _open(run: _Run, drafts: Sequence[Draft]) -> list[Draft]:
    return [draft for draft in drafts if draft not in run.outcomes and draft not in run.twins]


async def _answer_known(run: _Run, drafts: Sequence[Draft]) -> None:
    """Answer entries that were recorded before, and those that repeat another of the batch."""
    by_id: dict[str, Draft] = {}
    for draft in drafts:
        if draft.entry is None:
            continue
        first = by_id.setdefault(draft.entry.id, draft)
        if first is draft:
            continue
        if first.entry == draft.entry:
            run.twins[draft] = first
        else:
            run.outcomes[draft] = _id_used()
    await _answer_from_entries(run, list(by_id.values()))


async def _answer_from_entries(run: _Run, drafts: Sequence[Draft]) -> None:
    entries = {draft.entry.id: draft for draft in drafts if draft.entry}
    if not entries:
        return
    assert run.actor.id is not None
    known = await queries.known_entries(run.connection, run.actor.id, list(entries))
    for entry_id, row in known.items():
        draft = entries[entry_id]
        assert draft.entry is not None
        if row["body_hash"] == draft.entry.body_hash:
            run.outcomes[draft] = Recorded(row["interaction_id"], row["customer_id"])
        else:
            run.outcomes[draft] = _id_used()


def _id_used() -> ConflictError:
    return ConflictError(
        "The entry's id was used for another contact.", detail_zh="该条目编号已用于另一条互动。"
    )


async def _resolve(run: _Run, drafts: Sequence[Draft]) -> None:
    """Find whose the contacts are, and lock the cards; identities of nobody are awaited."""
    wanted = {draft: draft.identity for draft in drafts if draft.identity is not None}
    found = await purchase_ingest.resolve_identities(
        run.connection,
        sorted({(str(key.kind), key.system, key.value) for key in wanted.values()}),
        run.now,
    )
    for draft, key in wanted.items():
        place = (str(key.kind), key.system, key.value)
        if place not in found:
            # It was taken off its card between two of our statements.
            raise RetryTransactionError
        owner = found[place]
        if owner is not None:
            run.owners[draft] = UUID(str(owner))
    named = {draft: draft.customer_id for draft in drafts if draft.customer_id is not None}
    everybody = {*run.owners.values(), *named.values()}
    run.cards = await queries.lock_cards(run.connection, sorted(everybody))
    for owner in run.owners.values():
        if interaction_checks.refusal_of_card(run.cards.get(owner)):
            # Its card was merged or erased between two of our statements.
            raise RetryTransactionError
    for draft, customer_id in named.items():
        refusal = interaction_checks.refusal_of_card(run.cards.get(customer_id))
        if refusal is None:
            run.owners[draft] = customer_id
        else:
            run.outcomes[draft] = refusal


async def _checked(run: _Run, drafts: Sequence[Draft]) -> dict[Draft, dict[str, Any]]:
    """Return the rows of those contacts that nothing speaks against; refuse the others."""
    rows = {draft: _with_defaults(run, draft.values) for draft in drafts}
    known = await interaction_checks.known_references(
        run.connection,
        [
            reference
            for draft, row in rows.items()
            for reference in interaction_checks.references_of(run.owners.get(draft), row)
        ],
    )
    facts = Facts(run.now, known)
    for draft, row in list(rows.items()):
        found = interaction_checks.findings(run.settings, facts, run.owners.get(draft), row)
        try:
            if found:
                raise not_acceptable(found)
            interaction_checks.check_contact_store(run.actor, row["store_id"])
        except HuikeError as refusal:
            run.outcomes[draft] = refusal
            del rows[draft]
    return rows


def _with_defaults(run: _Run, values: Mapping[str, Any]) -> dict[str, Any]:
    row = {"contact_id": None, "purchase_id": None, **values}
    if row["occurred_at"] is None:
        row["occurred_at"] = run.now
    if row["store_id"] is None:
        row["store_id"] = interaction_checks.default_store(run.actor)
    if row["staff_id"] is None and run.actor.kind is ActorKind.STAFF:
        row["staff_id"] = run.actor.id
    return row | {
        "id": new_id(),
        "business_day": clock.business_day(row["occurred_at"], run.settings.zone),
        "cost": service_cost(run.prices[row["channel"]], row["duration_seconds"]),
        "version": 1,
        "recorded_at": run.now,
        "recorded_by_kind": run.actor.kind,
        "recorded_by_id": run.actor.id,
        "updated_at": run.now,
    }


async def _claimed(run: _Run, rows: dict[Draft, dict[str, Any]]) -> dict[Draft, dict[str, Any]]:
    """Claim the entries' ids; what somebody else claimed at the same moment is answered as that."""
    entries = {
        draft: {
            "entry_id": draft.entry.id,
            "body_hash": draft.entry.body_hash,
            "interaction_id": row["id"],
            "customer_id": run.owners.get(draft),
        }
        for draft, row in rows.items()
        if draft.entry
    }
    if not entries:
        return rows
    assert run.actor.id is not None
    ours = await queries.claim_entries(
        run.connection, run.actor.id, run.now, list(entries.values())
    )
    lost = [draft for draft, row in entries.items() if row["entry_id"] not in ours]
    await _answer_from_entries(run, lost)
    if _open(run, lost):
        # Whoever claimed it gave it up again.
        raise RetryTransactionError
    return {draft: row for draft, row in rows.items() if draft not in lost}


async def _write(run: _Run, rows: Mapping[Draft, dict[str, Any]]) -> None:
    """Write the contacts, what they cost their customers, and tell who must know."""
    attached, unattached = [], []
    for draft, row in rows.items():
        owner = run.owners.get(draft)
        if owner is not None:
            attached.append({**row, "customer_id": owner})
        else:
            unattached.append(_unattached(draft.identity, row))
        run.outcomes[draft] = Recorded(row["id"], owner, _caller(run, owner), row)
    await queries.write(run.connection, attached, unattached)
    served = sorted({row["customer_id"] for row in attached})
    if served:
        today = clock.business_day(run.now, run.settings.zone)
        await customer_service_stats.refresh(run.connection, today, served)
    await tell(
        run.connection, run.actor, run.now, DomainEvent.INTERACTION_RECORDED, Action.CREATED,
        [(row["id"], run.owners.get(draft), row) for draft, row in rows.items()],
    )  # fmt: skip


def _unattached(awaits: IdentityKey | None, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "awaits_kind": awaits.kind if awaits else None,
        "awaits_system": awaits.system if awaits else None,
        "awaits_value": awaits.value if awaits else None,
        "occurred_at": row["occurred_at"],
        "store_id": row["store_id"],
        "recorded_at": row["recorded_at"],
        "body": {name: value for name, value in row.items() if name != "id"},
    }


def _caller(run: _Run, owner: UUID | None) -> Caller | None:
    if owner is None:
        return None
    card = run.cards[owner]
    return Caller(owner, CustomerKind(card["kind"]), card["name"])


async def tell(
    connection: Any,
    actor: Actor,
    at: datetime,
    event: DomainEvent,
    action: Action,
    contacts: Sequence[tuple[UUID, UUID | None, Mapping[str, Any]]],
    fields: Sequence[str] = (),
) -> None:
    """Write outbox and audit trail of contacts (id, customer, row): ids and codes, names only."""
    await outbox.write(
        connection,
        at,
        [
            {
                "id": new_id(),
                "type": event,
                "customer_id": customer_id,
                "subject_id": interaction_id,
                "payload": {name: row[name] for name in ("channel", "direction") if name in row}
                | ({"fields": list(fields)} if fields else {}),
            }
            for interaction_id, customer_id, row in contacts
        ],
    )
    await trail.write(
        connection,
        at,
        actor.request_id,
        [
            {
                "id": new_id(),
                "actor_kind": actor.kind,
                "actor_id": actor.id,
                "action": action,
                "object_type": "interaction",
                "object_id": interaction_id,
                "fields": sorted(fields),
            }
            for interaction_id, _, _ in contacts
        ],
    )
