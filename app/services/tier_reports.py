"""Tell how customers are spread over the levels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.models import TierPolicy
from app.queries import tiers
from app.rules.tier_figures import WINDOW_DAYS
from app.rules.tier_flows import order_of
from app.schemas.common import LabelledCode
from app.schemas.tiers import DistributionLevel, TierDistribution
from app.services.changes import unacceptable
from app.services.reports import Progress
from app.vocabulary import CustomerKind, TierLevel


def day_asked_for(settings: Settings, name: str, day: date | None) -> date:
    """Return the day that a parameter of this name says, today if it was left out.

    Raises:
        InvalidInputError: a day after today.
    """
    today = clock.today(settings.zone)
    if day is not None and day > today:
        raise unacceptable(
            f"/query/{name}", "in-the-future", "The day lies ahead.", "这一天尚未到来。"
        )
    return day or today


def first_instant_after(settings: Settings, day: date) -> datetime:
    """Return when the day after a business day begins."""
    return datetime.combine(day + timedelta(days=1), time(), settings.zone)


def stores_of(parameters: Mapping[str, Any]) -> list[UUID] | None:
    """Return the stores whose customers a report is about, None for the whole chain."""
    stores = parameters["store_ids"]
    return None if stores is None else [UUID(store) for store in stores]


@dataclass(frozen=True, slots=True)
class InForce:
    """What reports need of a policy: its window, and its levels from the highest to the lowest."""

    window_days: int
    order: Sequence[TierLevel]


async def policy_in_force(session: AsyncSession, kind: CustomerKind, until: datetime) -> InForce:
    """Return the policy that was in force just before an instant; the first one before any was."""
    activated, retired = col(TierPolicy.activated_at), col(TierPolicy.retired_at)
    was_in_force = (activated < until) & or_(retired.is_(None), retired >= until)
    body = (
        await session.scalars(
            select(col(TierPolicy.body))
            .where(col(TierPolicy.scope) == kind, activated.is_not(None))
            .order_by(was_in_force.desc(), activated, col(TierPolicy.version))
            .limit(1)
        )
    ).one()
    return InForce(int(body["window_days"]), order_of(body))


def distribution_question(
    settings: Settings, kind: CustomerKind, as_of: date | None
) -> dict[str, Any]:
    """Return the parameters of the distribution table of a day, today's if none is named.

    Raises:
        InvalidInputError: a day after today.
    """
    return {"kind": str(kind), "as_of": day_asked_for(settings, "as_of", as_of).isoformat()}


async def make_distribution(
    session: AsyncSession, settings: Settings, parameters: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """Return the distribution table of a day by the policy that was in force at its end.

    Counted are customers of the kind who bought inside the window that ends with the day; for
    somebody bound to stores, those whose home store is theirs.
    """
    kind, day = CustomerKind(parameters["kind"]), date.fromisoformat(parameters["as_of"])
    end_of_day, stores = first_instant_after(settings, day), stores_of(parameters)
    policy = await policy_in_force(session, kind, end_of_day)
    connection = await raw_connection(session)
    if (
        day == clock.today(settings.zone)
        and policy.window_days == WINDOW_DAYS
        and await tiers.statistics_are_of(connection, day)
    ):
        found = await tiers.distribution_now(connection, str(kind), end_of_day, stores)
    else:
        await progress(10)
        found = await tiers.distribution(
            connection, str(kind), day, policy.window_days, end_of_day, stores
        )
    rows = {TierLevel(row["level"]): (row["customers"], row["amount"]) for row in found}
    order = [*policy.order]
    order += [level for level in TierLevel if level in rows and level not in order]
    customers = sum(count for count, _ in rows.values())
    amount = sum((net for _, net in rows.values()), Decimal("0.00"))
    nobody = (0, Decimal("0.00"))
    return TierDistribution(
        as_of=day,
        window_from=day - timedelta(days=policy.window_days - 1),
        kind=kind,
        customers=customers,
        amount=amount,
        levels=[
            DistributionLevel(
                level=LabelledCode.of(level),
                customers=count,
                customers_share=_percent(Decimal(count), Decimal(customers)),
                amount=net,
                amount_share=_percent(net, amount),
            )
            for level, (count, net) in ((level, rows.get(level, nobody)) for level in order)
        ],
    ).model_dump(mode="json")


def _percent(part: Decimal, whole: Decimal) -> Decimal:
    return (part / whole * 100).quantize(Decimal("0.1")) if whole else Decimal("0.0")
