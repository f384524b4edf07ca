"""Lift the cards that earn more than they hold, by night."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.queries import customer_stats, tiers
from app.rules.tier_policies import Figures
from app.services.tier_moves import assignment_row, held_now, write_moves
from app.services.tier_policies_in_force import active_policies
from app.vocabulary import (
    CustomerKind,
    TierCause,
)

CHUNK = 2_000


async def reconcile(session: AsyncSession, settings: Settings, as_of: date) -> Mapping[str, int]:
    """Lift a portion of the cards whose figures earn more than they hold.

    Receipts lift their card themselves; what is found here came by another way, such as a new
    policy. Call it, each time in a transaction of its own, until ``remaining`` is 0. Nobody falls
    here: that takes an evaluation with its notice.

    For a day in the past what came later is left out, and the statistics stay as they are: they
    are today's. A card is lifted when both today's figures and those of the day say so.
    """
    connection = await raw_connection(session)
    policies = await active_policies(session)
    rules = [
        {
            "scope": str(scope),
            "level": str(rule.level),
            "rank": policy.rank(rule.level),
            "at_least": str(rule.at_least),
        }
        for scope, policy in policies.items()
        for rule in policy.levels
    ]
    found = await tiers.below_what_they_earn(connection, as_of, rules, CHUNK + 1)
    portion = found[:CHUNK]
    await customer_stats.lock_cards(connection, portion)
    of_the_day = await tiers.figures(connection, as_of, portion)
    held = await tiers.held(connection, portion)
    now = clock.now()
    today = clock.business_day(now, settings.zone)
    moves: list[dict[str, Any]] = []
    for customer_id in portion:
        row, figures = held[customer_id], of_the_day[customer_id]
        policy = policies[CustomerKind(row["kind"])]
        standing = Figures(as_of, figures["net"], figures["purchases"], figures["refunded"])
        before = held_now(row, settings.zone, policy)
        earned = policy.earned(standing.net_spend).level
        if policy.rank(earned) > policy.rank(before.level):
            move = assignment_row(
                policy, standing, customer_id, earned, TierCause.RECONCILED, None, today
            )
            moves.append({**move, "before": before.level})
    await write_moves(session, now, moves)
    return {"moved": len(moves), "remaining": len(found) - len(portion)}
