"""Undo a merge: both cards are what they were, and what came since goes where the plan says."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.core.ids import new_id
from app.queries import customer_moves, customer_pointers, merge_reading
from app.queries import merges as queries
from app.rules import merging
from app.rules.access import Actor
from app.rules.consent import Said, Subject, later
from app.schemas.merges import MergeDone
from app.services import merge_plans, merge_tiers
from app.services.completeness import refresh_completeness
from app.services.customer_changes import check_store, get_customer, write_change
from app.services.identities import IdentityError, IdentityKey, normalise
from app.services.merge_plans import obstacles_read
from app.services.merges import (
    cannot_be_done,
    find_row,
    identities_in_history,
    load_cards,
    merge_of_row,
    undo_obstacles,
)
from app.services.rebuilding import rebuild_derived
from app.vocabulary import (
    Action,
    ConsentChannel,
    ConsentPurpose,
    ConsentState,
    CustomerStatus,
    DomainEvent,
    IdentityKind,
    PurchaseKind,
)


async def undo_merge(
    session: AsyncSession, actor: Actor, settings: Settings, merge_id: UUID
) -> MergeDone:
    """Give the cards of a merge back as they were; see the plan's ``on_undo`` for what came since.

    Raises:
        NotFoundError: no such merge.
        ForbiddenError: the home store of one of the cards is not among the actor's.
        ConflictError: it cannot be undone (409 ``conflict``, with the obstacles).
    """
    connection = await raw_connection(session)
    row = await find_row(session, merge_id)
    survivor, losers = row["customer_id"], [UUID(one) for one in row["loser_ids"]]
    ids = [survivor, *losers]
    await customer_pointers.lock_receipts(connection, [survivor])
    await merge_reading.lock_cards(connection, ids)
    row = await find_row(session, merge_id)
    cards = await merge_reading.cards(connection, ids)
    for card in cards.values():
        check_store(actor, card["home_store_id"] and UUID(card["home_store_id"]))
    obstacles = await undo_obstacles(session, row)
    if obstacles:
        raise cannot_be_done(obstacles_read(obstacles))
    before, merged_at, now = row["before"], row["merged_at"], clock.now()
    identities = await merge_reading.identities(connection, ids)
    await _note_later_sales(connection, settings, row, identities)
    said_since = await queries.statements_since(
        connection, survivor, merge_id, merged_at, _ids(before["statements_made"])
    )
    await _restore_primaries(connection, survivor, identities, before["primaries"])
    await queries.remove_statements(connection, survivor, _ids(before["statements_made"]))
    await customer_moves.move_back(connection, merge_id, survivor)
    await customer_pointers.point_back(connection, survivor, losers)
    await _restore_consents(connection, survivor, losers, before["consents"], said_since)
    await queries.reopen_pairs(
        connection, [(UUID(one), UUID(other)) for one, other in before["pairs"]], merged_at
    )
    await _write_cards(session, actor, row, cards, identities, now)
    await rebuild_derived(session, settings, ids)
    await merge_tiers.part(session, settings, merged_at, survivor, losers, before["tiers"])
    # Deciding tiers writes statistics for cards without receipts too, which have none.
    await rebuild_derived(session, settings, ids)
    await refresh_completeness(session, settings, ids)
    await queries.end_merge(connection, survivor, merge_id, now, actor.id)
    ended = merge_of_row(await find_row(session, merge_id))
    return MergeDone(**ended.model_dump(), customer=await get_customer(session, survivor))


def _ids(texts: Sequence[str]) -> list[UUID]:
    return [UUID(text) for text in texts]


async def _note_later_sales(
    connection: Any,
    settings: Settings,
    row: Mapping[str, Any],
    identities: Sequence[Mapping[str, Any]],
) -> None:
    """Add sales to the manifest that came since by the id, or an identity, of a card that returns.

    An event whose body was cleared says nothing, and its sale stays.
    """
    survivor, merge_id = row["customer_id"], row["id"]
    owners = {UUID(one): UUID(one) for one in row["loser_ids"]}
    for item in await queries.noted(connection, survivor, merge_id, "customer_identity"):
        owners[item["id"]] = item["from_customer_id"]
    keys = {
        IdentityKey(IdentityKind(one["kind"]), one["system"], one["value"]): owners[one["id"]]
        for one in identities
        if one["id"] in owners
    }
    sales = [
        one
        for one in await merge_reading.later_purchases(connection, [survivor], row["merged_at"])
        if one["kind"] == PurchaseKind.SALE and one["recorded_at"] >= row["merged_at"]
    ]
    named = await merge_reading.customers_named(
        connection, [(one["source_id"], one["event_id"]) for one in sales]
    )
    returning = []
    for sale in sales:
        customer = named.get((sale["source_id"], sale["event_id"]))
        owner = _owner(customer, owners, keys, settings) if customer else None
        if owner is not None:
            returning.append((sale["id"], owner))
    await customer_moves.note_later(connection, merge_id, survivor, "purchase", returning)


def _owner(
    customer: Mapping[str, Any],
    owners: Mapping[UUID, UUID],
    keys: Mapping[IdentityKey, UUID],
    settings: Settings,
) -> UUID | None:
    if customer.get("id"):
        return owners.get(UUID(customer["id"]))
    try:
        key = normalise(
            IdentityKind(customer["kind"]),
            customer.get("system"),
            customer["value"],
            settings.phone_region,
        )
    except (IdentityError, KeyError, ValueError):
        return None
    return keys.get(key)


async def _restore_primaries(
    connection: Any,
    survivor: UUID,
    identities: Sequence[Mapping[str, Any]],
    flags: Mapping[str, Sequence[bool]],
) -> None:
    """Put back which identities were primary, where nobody changed that since."""
    returning = {
        one["id"]: flags[str(one["id"])][0]
        for one in identities
        if str(one["id"]) in flags and one["is_primary"] == flags[str(one["id"])][1]
    }
    await queries.set_primaries(connection, survivor, returning)


async def _restore_consents(
    connection: Any,
    survivor: UUID,
    losers: Sequence[UUID],
    before: Sequence[Mapping[str, Any]],
    since: Sequence[Mapping[str, Any]],
) -> None:
    """Let stand what stood with each card, and what was stated since.

    A grant that came since is the surviving card's; a withdrawal counts for all of them, and is
    written into the history of each.
    """
    standings: dict[UUID, dict[Subject, Said]] = {one: {} for one in (survivor, *losers)}
    for row in before:
        subject = (ConsentPurpose(row["purpose"]), ConsentChannel(row["channel"]))
        standings[UUID(row["customer_id"])][subject] = Said(
            ConsentState(row["state"]),
            datetime.fromisoformat(row["since"]),
            UUID(row["record_id"]),
        )
    copies = []
    for row in since:
        subject = (ConsentPurpose(row["purpose"]), ConsentChannel(row["channel"]))
        state = ConsentState(row["state"])
        for owner in (survivor, *losers):
            record_id = row["id"]
            if owner != survivor:
                if state is not ConsentState.WITHDRAWN:
                    continue
                record_id = new_id()
                copies.append((owner, record_id, row["id"]))
            said = Said(state, row["stated_at"], record_id)
            known = standings[owner].get(subject)
            standings[owner][subject] = said if known is None else later(known, said)
    await queries.copy_statements(connection, survivor, copies)
    await queries.replace_consents(
        connection,
        [survivor, *losers],
        [
            {
                "customer_id": owner,
                "purpose": subject[0],
                "channel": subject[1],
                "state": said.state,
                "since": said.stated_at,
                "record_id": said.record_id,
            }
            for owner, standing in standings.items()
            for subject, said in standing.items()
        ],
    )


async def _write_cards(
    session: AsyncSession,
    actor: Actor,
    row: Mapping[str, Any],
    stands: Mapping[UUID, Mapping[str, Any]],
    identities: Sequence[Mapping[str, Any]],
    at: datetime,
) -> None:
    """Let each card say again what it said, with its history."""
    connection = await raw_connection(session)
    survivor, before = row["customer_id"], row["before"]
    losers = [UUID(one) for one in row["loser_ids"]]
    cards = await load_cards(session, [survivor, *losers])
    now = merge_plans.card_values(stands[survivor])
    was = merge_plans.card_values(before["cards"][str(survivor)])
    changed = merging.restored(
        {field: was.get(field) for field in before["after"]}, before["after"], now
    )
    changes: dict[str, tuple[Any, Any]] = {
        field: (now.get(field), value) for field, value in changed.items()
    }
    changes["merged_ids"] = (row["loser_ids"], [])
    had = identities_in_history(identities)
    have = identities_in_history(await merge_reading.identities(connection, [survivor, *losers]))
    if had.get(survivor, []) != have.get(survivor, []):
        changes["identities"] = (had.get(survivor, []), have.get(survivor, []))
    await write_change(
        session,
        actor,
        cards[survivor],
        merge_plans.card_columns(changed, stands[survivor]),
        changes,
        at=at,
        action=Action.UNMERGED,
        event=DomainEvent.CUSTOMER_UNMERGED,
        payload={"merge_id": str(row["id"]), "returned_ids": row["loser_ids"]},
    )
    for loser in losers:
        status = CustomerStatus(before["cards"][str(loser)]["status"])
        lost: dict[str, tuple[Any, Any]] = {
            "status": (CustomerStatus.MERGED.value, status.value),
            "merged_into_id": (str(survivor), None),
        }
        if loser in have:
            lost["identities"] = ([], have[loser])
        await write_change(
            session,
            actor,
            cards[loser],
            {"status": status, "merged_into_id": None},
            lost,
            at=at,
            action=Action.UNMERGED,
            payload={"merge_id": str(row["id"])},
        )
