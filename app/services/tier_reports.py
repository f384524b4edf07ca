"""Tell how customers are spread over the levels."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.core.errors import FieldError, InvalidInputError
from app.models import TierPolicy
from app.queries import tiers
from app.rules.access import Actor
from app.rules.tier_policies import Policy
from app.vocabulary import (
    CustomerKind,
    PolicyStatus,
    TierLevel,
)


@dataclass(frozen=True, slots=True)
class LevelShare:
    """One row of the distribution table; shares in percent, one decimal, of the column's total."""

    level: TierLevel
    customers: int
    customers_share: Decimal
    amount: Decimal
    amount_share: Decimal


@dataclass(frozen=True, slots=True)
class Distribution:
    """The published table: who bought within the window, by the tier they held at its end."""

    as_of: date
    window_from: date
    customers: int
    amount: Decimal
    levels: tuple[LevelShare, ...]


async def get_distribution(
    session: AsyncSession, settings: Settings, actor: Actor, kind: CustomerKind, as_of: date | None
) -> Distribution:
    """Return the distribution table of a day, today's if none is named.

    Counted are customers of the kind who bought inside the window that ends with the day; for
    somebody bound to stores, those whose home store is theirs.

    Raises:
        InvalidInputError: a day after today.
    """
    today = clock.today(settings.zone)
    day = as_of or today
    if day > today:
        raise InvalidInputError(
            "The day lies ahead.",
            [
                FieldError(
                    "/query/as_of", "in-the-future", "The day lies ahead.", "这一天尚未到来。"
                )
            ],
            detail_zh="该日期尚未到来。",
        )
    policy = await session.scalar(
        select(TierPolicy).where(
            col(TierPolicy.scope) == kind, col(TierPolicy.status) == PolicyStatus.ACTIVE
        )
    )
    assert policy is not None
    rules = Policy.of(policy.id, policy.version, policy.name, policy.method, policy.body)
    end_of_day = datetime.combine(day + timedelta(days=1), time(), settings.zone)
    stores = None if actor.store_ids is None else sorted(actor.store_ids)
    connection = await raw_connection(session)
    if day == today and await tiers.statistics_are_of(connection, day):
        found = await tiers.distribution_now(connection, str(kind), end_of_day, stores)
    else:
        found = await tiers.distribution(
            connection, str(kind), day, rules.window_days, end_of_day, stores
        )
    rows = {TierLevel(row["level"]): row for row in found}
    order = [rule.level for rule in rules.levels]
    order += [level for level in rows if level not in order]
    customers = sum(row["customers"] for row in rows.values())
    amount = sum((row["amount"] for row in rows.values()), Decimal("0.00"))
    levels = []
    for level in order:
        row = rows.get(level)
        count = row["customers"] if row else 0
        net = row["amount"] if row else Decimal("0.00")
        levels.append(
            LevelShare(level, count, _percent(Decimal(count), Decimal(customers)), net,
                       _percent(net, amount))
        )  # fmt: skip
    return Distribution(
        day, day - timedelta(days=rules.window_days - 1), customers, amount, tuple(levels)
    )


def _percent(part: Decimal, whole: Decimal) -> Decimal:
    return (part / whole * 100).quantize(Decimal("0.1")) if whole else Decimal("0.0")
