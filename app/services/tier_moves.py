"""Give cards a tier, and tell whom it concerns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.core.ids import new_id
from app.core.logging import request_id
from app.queries import outbox, tiers, trail
from app.rules import tier_explanations, tiering
from app.rules.access import Actor
from app.rules.tier_figures import Figures
from app.rules.tier_policies import Policy
from app.rules.tiering import Assigned, Held
from app.services.tier_policies_in_force import active_policies
from app.vocabulary import (
    Action,
    ActorKind,
    CustomerKind,
    DomainEvent,
    TierCause,
    TierLevel,
)


@dataclass(frozen=True, slots=True)
class ByHand:
    """Who set a level by hand, or ended that, and why; ``ends_on`` is the last day it holds."""

    ends_on: date | None
    set_by_id: UUID | None
    reason: str | None


async def assign_initial(
    session: AsyncSession, settings: Settings, customer_id: UUID, kind: CustomerKind
) -> None:
    """Give a new card the lowest level of the policy in force, and say why."""
    await assign_initial_to(session, settings, {customer_id: kind})


async def assign_initial_to(
    session: AsyncSession, settings: Settings, cards: Mapping[UUID, CustomerKind]
) -> None:
    """Give new cards the lowest level of the policy in force for their kind, and say why."""
    policies = await active_policies(session)
    today = clock.today(settings.zone)
    nothing = Figures(as_of=today, net_spend=Decimal(0), purchases=0, refunded=Decimal(0))
    rows = []
    for customer_id, kind in cards.items():
        policy = policies[kind]
        level = policy.earned(Decimal(0)).level
        rows.append(
            assignment_row(policy, nothing, customer_id, level, TierCause.INITIAL, None, today)
        )
    await session.flush()
    await tiers.assign(await raw_connection(session), clock.now(), rows)


def assignment_row(
    policy: Policy,
    standing: Figures,
    customer_id: UUID,
    level: TierLevel,
    cause: TierCause,
    purchase_id: UUID | None,
    since: date,
    by_hand: ByHand | None = None,
) -> dict[str, Any]:
    """Return a new assignment, with the reason that is stored with it."""
    ends_on = None if by_hand is None else by_hand.ends_on
    return {
        "customer_id": customer_id,
        "id": new_id(),
        "level": level,
        "cause": cause,
        "policy_id": policy.id,
        "policy_version": policy.version,
        "purchase_id": purchase_id,
        "explanation": tier_explanations.explain(
            policy, standing, level, cause, since, ends_on=ends_on
        ),
        "ends_on": ends_on,
        "set_by_id": None if by_hand is None else by_hand.set_by_id,
        "reason": None if by_hand is None else by_hand.reason,
    }


def held_now(row: Any, zone: ZoneInfo, policy: Policy) -> Held:
    """Return what a card holds, by its row of :func:`app.queries.tiers.held`."""
    history = [
        Assigned(
            level=TierLevel(entry["level"]),
            since=clock.business_day(datetime.fromisoformat(entry["valid_from"]), zone),
            cause=TierCause(entry["cause"]),
            purchase_id=UUID(entry["purchase_id"]) if entry["purchase_id"] else None,
        )
        for entry in row["history"] or ()
    ]
    held = tiering.held_of(policy, history)
    return held or Held(policy.levels[-1].level, clock.today(zone))


async def write_moves(
    session: AsyncSession,
    at: datetime,
    moves: Sequence[dict[str, Any]],
    actor: Actor | None = None,
) -> None:
    """Assign tiers, in place of the current ones, and tell whom it concerns.

    A move is an assignment with ``before``, the level that was held. Without an ``actor`` the
    service did it by itself.
    """
    if moves:
        await tiers.assign(await raw_connection(session), at, moves)
        await tell_moves(session, at, moves, actor)


async def tell_moves(
    session: AsyncSession,
    at: datetime,
    moves: Sequence[Mapping[str, Any]],
    actor: Actor | None = None,
) -> None:
    """Write moves that changed a level into audit trail and outbox; what somebody did, always."""
    connection = await raw_connection(session)
    # A tier that is carried by other purchases from now on has not changed for anybody else.
    changed = [move for move in moves if move["before"] != move["level"]]
    await trail.write(
        connection,
        at,
        request_id(),
        [
            {
                "id": new_id(),
                "actor_kind": actor.kind if actor else ActorKind.SYSTEM,
                "actor_id": actor.id if actor else None,
                "action": Action.CHANGED,
                "object_type": "customer",
                "object_id": move["customer_id"],
                "fields": ["tier"],
            }
            for move in (moves if actor else changed)
        ],
    )
    await outbox.write(
        connection,
        at,
        [
            {
                "id": new_id(),
                "type": DomainEvent.TIER_CHANGED,
                "customer_id": move["customer_id"],
                "subject_id": move["id"],
                "payload": {
                    "before": move["before"],
                    "after": move["level"],
                    "cause": move["cause"],
                },
            }
            for move in changed
        ],
    )
