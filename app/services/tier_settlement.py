"""Move cards by what their receipts add, in the transaction that posts them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.queries import customer_stats, tiers
from app.rules import tiering
from app.rules.tier_policies import Figures, Policy
from app.rules.tiering import Step, StepOutcome
from app.services.tier_moves import assignment_row, held_now, write_moves
from app.services.tier_policies_in_force import active_policies
from app.vocabulary import (
    CustomerKind,
    TierCause,
)


@dataclass(frozen=True, slots=True)
class Settled:
    """What a card's receipts did to its tier, and its figures afterwards."""

    policy: Policy
    standing: Figures
    outcomes: tuple[StepOutcome, ...]


async def settle(
    session: AsyncSession, settings: Settings, steps: Mapping[UUID, Sequence[Step]]
) -> dict[UUID, Settled]:
    """Re-aggregate these locked cards and move their tiers by what their receipts add.

    ``steps`` holds each card's receipts in time order; a receipt outside the window adds nothing.
    The cards have to be locked (``customer_stats.lock_cards``).
    """
    if not steps:
        return {}
    connection = await raw_connection(session)
    now = clock.now()
    today = clock.business_day(now, settings.zone)
    fresh = await customer_stats.refresh(connection, today, list(steps))
    policies = await active_policies(session)
    held = await tiers.held(connection, list(steps))
    settled: dict[UUID, Settled] = {}
    moves: list[dict[str, Any]] = []
    for customer_id, added in steps.items():
        row, figures = held[customer_id], fresh[customer_id]
        policy = policies[CustomerKind(row["kind"])]
        standing = Figures(
            as_of=today,
            net_spend=figures["net_365"],
            purchases=figures["purchases_365"],
            refunded=figures["refunded_365"],
        )
        before = held_now(row, settings.zone, policy)
        net_before = standing.net_spend - sum((step.adds for step in added), Decimal(0))
        outcomes = tuple(tiering.follow(policy, net_before, before, added))
        moves += _moves(policy, standing, customer_id, outcomes)
        settled[customer_id] = Settled(policy, standing, outcomes)
    await write_moves(session, now, moves)
    return settled


def _moves(
    policy: Policy,
    standing: Figures,
    customer_id: UUID,
    outcomes: Sequence[StepOutcome],
) -> list[dict[str, Any]]:
    """Return a row for each receipt that moved the card; all but the last one pass at once.

    Each is kept, so that taking back one of several receipts that came together unwinds as if
    they had come one by one.
    """
    moved = [outcome for outcome in outcomes if outcome.cause is not None]
    rows = []
    for outcome in moved:
        assert outcome.cause is not None
        earned_by = outcome.held.purchase_id if outcome.cause is TierCause.UPGRADE else None
        at_that_point = replace(standing, net_spend=outcome.net_spend)
        row = assignment_row(
            policy, at_that_point, customer_id, outcome.after, outcome.cause, earned_by,
            standing.as_of,
        )  # fmt: skip
        rows.append({**row, "before": outcome.before, "is_passing": outcome is not moved[-1]})
    return rows
