"""Write a checked import, portion by portion: what is written and how far it is, in one commit."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.models import ImportJob
from app.queries import imports as queries
from app.rules.access import SYSTEM
from app.services import import_cards, import_interactions, import_purchases
from app.services.imports import OBJECT_TYPE, lock_import, save
from app.services.trail import announce, record_action
from app.vocabulary import Action, DomainEvent, ImportKind, ImportStatus

Write = Callable[
    [AsyncSession, Settings, ImportJob], Awaitable[tuple[int | None, Mapping[str, int]]]
]
"""Writes a portion behind ``job.position``; returns where it ended (None: there was none)."""
Settle = Callable[
    [AsyncSession, Settings, ImportJob], Awaitable[tuple[UUID | None, Mapping[str, int]]]
]

_WRITES: Final[Mapping[ImportKind, Write]] = {
    ImportKind.CARDS: import_cards.write_portion,
    ImportKind.PURCHASES: import_purchases.write_portion,
    ImportKind.INTERACTIONS: import_interactions.write_portion,
}
_SETTLES: Final[Mapping[ImportKind, Settle]] = {
    ImportKind.CARDS: import_cards.settle_portion,
    ImportKind.PURCHASES: import_purchases.settle_portion,
    ImportKind.INTERACTIONS: import_interactions.settle_portion,
}


async def is_staged(session: AsyncSession, import_id: UUID) -> bool:
    """Tell whether the rows of a run are there: after a crash of the server they are not."""
    job = await lock_import(session, import_id)
    if job.phase != "write" or job.is_cancelling:
        return True
    table = "import_line" if job.kind is ImportKind.PURCHASES else "import_row"
    return await queries.staged(await raw_connection(session), table, job.id) == job.staged


async def run_portion(session: AsyncSession, settings: Settings, import_id: UUID) -> bool:
    """Write the next portion and move the pointer with it; tell whether more is to do."""
    job = await lock_import(session, import_id)
    if job.status is not ImportStatus.RUNNING:
        return False
    if job.phase == "write":
        if job.is_cancelling:
            job.phase = "settle"
        else:
            position, counts = await _WRITES[job.kind](session, settings, job)
            count(job, counts)
            job.rows_done += counts.get("rows_seen", 0)
            if position is None:
                job.phase = "settle"
            else:
                job.position = position
    elif job.phase == "settle":
        settled_to, counts = await _SETTLES[job.kind](session, settings, job)
        count(job, counts)
        job.settled_to = settled_to
        if settled_to is None:
            await _finish(session, job)
            return False
    job.updated_at = clock.now()
    await session.flush()
    return True


def count(job: ImportJob, counts: Mapping[str, int]) -> None:
    """Add to what running has counted."""
    run = dict(job.counts.get("run", {}))
    for name, number in counts.items():
        if name != "rows_seen" and number:
            run[name] = run.get(name, 0) + number
    job.counts = {**job.counts, "run": run}


async def _finish(session: AsyncSession, job: ImportJob) -> None:
    was_cancelled = job.is_cancelling
    job.status = ImportStatus.CANCELLED if was_cancelled else ImportStatus.DONE
    await end(session, job)
    await announce(
        session,
        DomainEvent.IMPORT_FINISHED,
        job.id,
        payload={"kind": str(job.kind), "status": str(job.status)},
    )
    await record_action(session, SYSTEM, Action.IMPORTED, OBJECT_TYPE, job.id, ["status"])


async def count_lookalikes(session: AsyncSession, import_id: UUID) -> None:
    """Count the pairs of the work list that have a card of the import in them."""
    job = await lock_import(session, import_id)
    found = await queries.lookalikes(await raw_connection(session), import_id)
    count(job, {"possible_duplicates": found})


async def end(session: AsyncSession, job: ImportJob) -> None:
    """Note that an import has ended; its file and what was read of it are forgotten."""
    job.finished_at, job.sample = clock.now(), []
    job.is_cancelling = False
    await queries.forget(await raw_connection(session), job.id, "file", "rows", "lines")
    await save(session, job)
