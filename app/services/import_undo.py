"""Take back what an import wrote, as a whole; what something depends on since is kept."""

from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.core.ids import new_id
from app.models import ImportJob
from app.queries import customer_service_stats, customer_stats, import_rows, outbox
from app.queries import import_undo as queries
from app.queries.imports import touched_cards
from app.rules.access import SYSTEM
from app.rules.tiering import Step
from app.services import completeness, search_keys, tier_reviews, tier_settlement
from app.services.import_card_changes import restored
from app.services.import_runs import count, end
from app.services.imports import OBJECT_TYPE, lock_import
from app.services.trail import announce, record_action
from app.vocabulary import Action, DomainEvent, ImportKind, ImportStatus, TierCause

ITEMS_AT_ONCE: Final = 10_000
CARDS_AT_ONCE: Final = 2_000


async def undo_portion(session: AsyncSession, settings: Settings, import_id: UUID) -> bool:
    """Take back the next portion, from the end; tell whether more is to do."""
    job = await lock_import(session, import_id)
    if job.status is not ImportStatus.UNDOING:
        return False
    connection = await raw_connection(session)
    if job.phase == "undo":
        first, items = await queries.fill(connection, job.id, job.position, ITEMS_AT_ONCE)
        if first is None:
            job.phase = "undo-settle"
        else:
            await _remove(session, settings, connection, job)
            told = await queries.note_kept(connection, job.id)
            count(job, {name: told[name] for name in ("removed", "restored", "kept")})
            job.position = first
            job.rows_done += items
    elif not await _settle(session, settings, connection, job):
        await queries.forget_items(connection, job.id)
        job.status = ImportStatus.UNDONE
        await end(session, job)
        await announce(
            session,
            DomainEvent.IMPORT_FINISHED,
            job.id,
            payload={"kind": str(job.kind), "status": str(job.status)},
        )
        await record_action(session, SYSTEM, Action.UNDONE, OBJECT_TYPE, job.id, ["status"])
        return False
    job.updated_at = clock.now()
    await session.flush()
    return True


async def _remove(
    session: AsyncSession, settings: Settings, connection: Any, job: ImportJob
) -> None:
    if job.kind is ImportKind.PURCHASES:
        assert job.source_id is not None
        await queries.remove_receipts(connection, job.source_id)
    elif job.kind is ImportKind.INTERACTIONS:
        await queries.remove_contacts(connection)
        cards = await queries.owners_now(connection)
        await customer_service_stats.refresh(connection, clock.today(settings.zone), cards)
    else:
        changed = await queries.remove_cards(connection, job.id)
        await _change_back(session, settings, connection, job, changed)


async def _change_back(
    session: AsyncSession, settings: Settings, connection: Any, job: ImportJob, changed: list[Any]
) -> None:
    """Write what changed cards said before as their next version: a version never comes twice."""
    if not changed:
        return
    now = clock.now()
    ids = [row["customer_id"] for row in changed]
    cards = await import_rows.lock_cards(connection, ids)
    rows, history, identities = [], [], []
    for item in changed:
        card = cards[item["customer_id"]]
        row, said = restored(card, item["before"]["values"])
        gone = item["before"]["identities"]
        identities += [(card["id"], kind, value) for kind, value in gone]
        if gone:
            said["identities"] = [[{"kind": kind, "value": value} for kind, value in gone], []]
        rows.append(row)
        history.append(
            {"customer_id": card["id"], "id": new_id(), "version": card["version"] + 1,
             "changes": said}
        )  # fmt: skip
    await queries.take_identities(connection, identities)
    await import_rows.change_cards(connection, now, rows)
    actor = (str(job.created_by_kind), job.created_by_id)
    await import_rows.write_history(connection, now, actor, history)
    await completeness.refresh_completeness(session, settings, ids)
    await search_keys.reindex(session, *ids)


async def _settle(
    session: AsyncSession, settings: Settings, connection: Any, job: ImportJob
) -> bool:
    """Bring figures and tiers of the next cards back; tell whether there were any."""
    if job.kind is not ImportKind.PURCHASES:
        return False
    cards = await touched_cards(connection, job.id, job.settled_to, CARDS_AT_ONCE)
    if not cards:
        return False
    await customer_stats.lock_cards(connection, cards)
    await customer_stats.rebuild(connection, clock.today(settings.zone), cards)
    standing = await queries.take_tiers_back(connection, job.id, cards)
    now = clock.now()
    await outbox.write(
        connection,
        now,
        [
            {"id": new_id(), "type": DomainEvent.TIER_CHANGED, "customer_id": row["customer_id"],
             "subject_id": row["id"],
             "payload": {"after": row["level"], "cause": str(TierCause.REVERSAL)}}
            for row in standing
        ],
    )  # fmt: skip
    # What a card was sold since may earn more than what stands again; nothing else would lift it
    # before the night.
    last = await queries.last_purchases(connection, [row["customer_id"] for row in standing])
    await tier_settlement.settle(
        session, settings, {card: [Step(sale, Decimal(0), None)] for card, sale in last.items()}
    )
    await tier_reviews.lapse_outdated_of(session, settings, cards)
    job.settled_to = cards[-1]
    return True
