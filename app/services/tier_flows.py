"""Tell how customers flowed between the levels in a period."""

from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core.config import Settings
from app.core.database import raw_connection
from app.models import TierPolicy
from app.queries import tier_reports as queries
from app.rules.tier_flows import Moved, flows, order_of
from app.schemas.common import LabelledCode
from app.schemas.tier_reports import TierFlow, TierFlows, TierTransition
from app.services.changes import unacceptable
from app.services.reports import Progress
from app.services.tier_reports import (
    day_asked_for,
    first_instant_after,
    policy_in_force,
    stores_of,
)
from app.vocabulary import CustomerKind, TierLevel


def flows_question(
    settings: Settings, kind: CustomerKind, from_day: date, to_day: date | None
) -> dict[str, Any]:
    """Return the parameters of the flows of a period; it ends today if no end is named.

    Raises:
        InvalidInputError: a day after today, or the period ends before it begins.
    """
    day_asked_for(settings, "from", from_day)
    last = day_asked_for(settings, "to", to_day)
    if last < from_day:
        raise unacceptable(
            "/query/to",
            "before-from",
            "The period ends before it begins.",
            "结束日期早于开始日期。",
        )
    return {"kind": str(kind), "from": from_day.isoformat(), "to": last.isoformat()}


async def make_flows(
    session: AsyncSession, settings: Settings, parameters: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """Return what came to and went from each level, and the matrix from opening to closing.

    The history of tiers says it: a card that was merged into another ends there, one whose person
    was erased or that is archived goes on counting. Whose store a card is, is as of today.
    """
    kind = CustomerKind(parameters["kind"])
    first, last = date.fromisoformat(parameters["from"]), date.fromisoformat(parameters["to"])
    opens, closes = (
        first_instant_after(settings, day) for day in (first - timedelta(days=1), last)
    )
    rows = await queries.flows(
        await raw_connection(session), str(kind), opens, closes, stores_of(parameters)
    )
    await progress(90)
    orders = await _orders(session, {row["policy_id"] for row in rows} - {None})
    cards = Counter[tuple[TierLevel | None, TierLevel | None]]()
    moved = []
    for row in rows:
        before, after = _level(row["before"]), _level(row["after"])
        if row["what"] == "card":
            cards[before, after] += row["count"]
        else:
            moved.append(Moved(before, after, orders[row["policy_id"]], row["count"]))
    opening = Counter[TierLevel]()
    for (before, _), count in cards.items():
        if before is not None:
            opening[before] += count
    table = flows(opening, moved, (await policy_in_force(session, kind, closes)).order)
    levels = [one.level for one in table]
    return TierFlows(
        from_day=first,
        to_day=last,
        kind=kind,
        opening=sum(one.opening for one in table),
        new=sum(one.new for one in table),
        gone=sum(one.gone for one in table),
        closing=sum(one.closing for one in table),
        levels=[
            TierFlow(
                level=LabelledCode.of(one.level),
                opening=one.opening,
                new=one.new,
                up_in=one.up_in,
                down_in=one.down_in,
                other_in=one.other_in,
                up_out=one.up_out,
                down_out=one.down_out,
                other_out=one.other_out,
                gone=one.gone,
                closing=one.closing,
            )
            for one in table
        ],
        matrix=[
            TierTransition(opening=before, closing=after, customers=cards[before, after])
            for before in (*levels, None)
            for after in (*levels, None)
            if (before, after) in cards and (before, after) != (None, None)
        ],
    ).model_dump(mode="json")


def _level(code: str | None) -> TierLevel | None:
    return None if code is None else TierLevel(code)


async def _orders(session: AsyncSession, policy_ids: set[UUID]) -> dict[UUID, list[TierLevel]]:
    """Return the levels of policies, from the highest to the lowest."""
    found = await session.execute(
        select(col(TierPolicy.id), col(TierPolicy.body)).where(col(TierPolicy.id).in_(policy_ids))
    )
    return {policy_id: order_of(body) for policy_id, body in found}
