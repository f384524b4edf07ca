"""What the figures say of every card: made anew by the night, and kept till the next one."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core.database import raw_connection
from app.models import NightStep
from app.queries import customer_profiles
from app.services import nights
from app.services.tier_policies_in_force import active_policies

STEP: Final = "profiles"
CHUNK: Final = 50_000
"""A portion is one statement over a range of cards, which it does not lock."""


async def refresh_profiles(session: AsyncSession, as_of: date) -> Mapping[str, int]:
    """Write what differs of the next portion of profiles, and remove those of cards not in use.

    Call it, each time in a transaction of its own, until ``remaining`` is 0: the record of the
    night keeps the place. The statistics have to be brought up to the day before. Receipts do not
    touch profiles. A kind of customer whose policy has no cut points yet has none.
    """
    after = await nights.place_of(session, as_of, STEP)
    portion = await customer_profiles.refresh_next(
        await raw_connection(session), as_of, await active_policies(session), after, CHUNK
    )
    if portion.last_id is not None:
        await nights.keep_place(session, as_of, STEP, portion.last_id)
    return {
        "checked": portion.cards,
        "written": portion.written,
        "removed": portion.removed,
        "remaining": int(portion.cards == CHUNK),
    }


def last_night() -> Select[date]:
    """Return the statement of the day that profiles are of: that of the step that ended last."""
    return (
        select(col(NightStep.as_of))
        .where(col(NightStep.step) == STEP, col(NightStep.finished_at).is_not(None))
        .order_by(col(NightStep.finished_at).desc())
        .limit(1)
    )


async def profiles_as_of(session: AsyncSession) -> date | None:
    """Return the day that profiles are of; None before the first night."""
    day: date | None = await session.scalar(last_night())
    return day


async def rebuild_profiles(session: AsyncSession, customer_ids: Sequence[UUID]) -> None:
    """Make the profiles of these locked cards anew, as of the night that made all the others.

    Before the first night there are none.
    """
    as_of = await profiles_as_of(session)
    if as_of is not None:
        await customer_profiles.refresh(
            await raw_connection(session), as_of, await active_policies(session), customer_ids
        )
