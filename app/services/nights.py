"""The record of the nights: which step ran for which day, how long, with what counts."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.models import NightStep

_PLACE: Final = "after"


async def begin_step(session: AsyncSession, as_of: date, step: str, at: datetime) -> None:
    """Record that a step begins; one that had ended counts as unfinished until it ends again."""
    begun = {"started_at": at, "finished_at": None, "duration_ms": None, "counts": None}
    statement = insert(NightStep).values(as_of=as_of, step=step, **begun)
    await session.execute(
        statement.on_conflict_do_update(index_elements=["as_of", "step"], set_=begun)
    )


async def finish_step(
    session: AsyncSession,
    as_of: date,
    step: str,
    at: datetime,
    duration_ms: int,
    counts: Mapping[str, int],
) -> None:
    """Record that a step has ended, with its duration and what it counted."""
    await session.execute(
        update(NightStep)
        .where(col(NightStep.as_of) == as_of, col(NightStep.step) == step)
        .values(finished_at=at, duration_ms=duration_ms, counts=dict(counts))
    )


async def place_of(session: AsyncSession, as_of: date, step: str) -> UUID | None:
    """Return the card that the portions of a step so far ended with; None at the beginning."""
    counts = await session.scalar(
        select(col(NightStep.counts)).where(
            col(NightStep.as_of) == as_of, col(NightStep.step) == step
        )
    )
    return UUID(counts[_PLACE]) if counts else None


async def keep_place(session: AsyncSession, as_of: date, step: str, after: UUID) -> None:
    """Keep the card that a portion ended with, where the counts stand once the step has ended.

    Raises:
        LookupError: the step was not begun.
    """
    kept = await session.scalar(
        update(NightStep)
        .where(
            col(NightStep.as_of) == as_of,
            col(NightStep.step) == step,
            col(NightStep.finished_at).is_(None),
        )
        .values(counts={_PLACE: str(after)})
        .returning(col(NightStep.step))
    )
    if kept is None:
        raise LookupError(f"the night's step {step} was not begun")


async def finished_steps(session: AsyncSession, as_of: date) -> frozenset[str]:
    """Return the names of the steps that have ended for a day."""
    found = await session.scalars(
        select(col(NightStep.step)).where(
            col(NightStep.as_of) == as_of, col(NightStep.finished_at).is_not(None)
        )
    )
    return frozenset(found)
