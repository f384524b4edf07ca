"""Move cards by what their receipts add, in the transaction that posts them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.queries import customer_stats, tier_figures, tiers
from app.rules import tiering
from app.rules.tier_figures import WINDOW_DAYS, Figures
from app.rules.tier_policies import Policy
from app.rules.tier_reviews import Rise
from app.rules.tiering import Held, Step, StepOutcome
from app.services import tier_reviews
from app.services.tier_moves import assignment_row, held_now, write_moves
from app.services.tier_policies_in_force import active_policies
from app.services.tier_reviews import HeldUpgrade, Standing
from app.vocabulary import CustomerKind, Indicator, TierCause, TierLevel

_NOT_IN_STATISTICS: Final = frozenset(
    {Indicator.BREADTH, Indicator.INTERACTION, Indicator.SERVICE_COST}
)
"""What the row of a card's receipts does not hold."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What a card's receipts did to its tier, and its figures afterwards."""

    policy: Policy
    standing: Figures
    outcomes: tuple[StepOutcome, ...]
    held_upgrade: HeldUpgrade | None


@dataclass(frozen=True, slots=True)
class _Card:
    """A card with its receipts, before anything is decided about its tier."""

    policy: Policy
    figures: Figures
    held: Held
    steps: Sequence[Step]

    def moved(self, *, may_rise: bool = True) -> tuple[StepOutcome, ...]:
        """Return what the receipts do to the tier."""
        score = self.policy.score(self.figures)
        return tuple(tiering.moved_by(self.policy, score, self.held, self.steps, may_rise=may_rise))

    @property
    def earned(self) -> TierLevel:
        """The level that the score reaches."""
        return self.policy.earned(self.policy.score(self.figures)).level

    def rise(self, customer_id: UUID, outcomes: Sequence[StepOutcome]) -> Rise | None:
        """Return how the card is about to rise, None where its receipts leave it no higher."""
        if not any(outcome.cause is TierCause.UPGRADE for outcome in outcomes):
            return None
        rank, end = self.policy.rank, outcomes[-1]
        level = self.moved(may_rise=False)[-1].after
        next_level = min(end.after, self.earned, key=rank)
        if rank(next_level) <= rank(level):
            return None
        return Rise(customer_id, self.policy, level, next_level, end.held.purchase_id)


async def settle(
    session: AsyncSession, settings: Settings, steps: Mapping[UUID, Sequence[Step]]
) -> dict[UUID, Settled]:
    """Re-aggregate these locked cards and move their tiers by what their receipts add.

    ``steps`` holds each card's receipts in time order; a receipt outside the policy's window adds
    nothing. The cards have to be locked (``customer_stats.lock_cards``). Who looks hollow does not
    rise: a review of theirs is opened instead.
    """
    if not steps:
        return {}
    connection = await raw_connection(session)
    now = clock.now()
    today = clock.business_day(now, settings.zone)
    fresh = await customer_stats.refresh(connection, today, list(steps))
    policies = await active_policies(session)
    rows = await tiers.held(connection, list(steps))
    kinds = {owner: CustomerKind(row["kind"]) for owner, row in rows.items()}
    figures = await _figures(connection, today, policies, kinds, fresh)
    cards = {
        owner: _Card(
            policies[kinds[owner]],
            figures[owner],
            held_now(rows[owner], settings.zone, policies[kinds[owner]]),
            tiering.counted(policies[kinds[owner]], today, added),
        )
        for owner, added in steps.items()
    }
    outcomes = {owner: card.moved() for owner, card in cards.items()}
    rises = [
        rise
        for owner, card in cards.items()
        if (rise := card.rise(owner, outcomes[owner])) is not None
    ]
    held_upgrades = await tier_reviews.hold(session, settings, today, rises)
    outcomes |= {owner: cards[owner].moved(may_rise=False) for owner in held_upgrades}
    await tier_reviews.lapse_unearned(session, _still_waiting(rows, cards, outcomes, rises))
    moves = [
        move
        for owner, card in cards.items()
        for move in _moves(card.policy, card.figures, owner, outcomes[owner])
    ]
    await write_moves(session, now, moves)
    return {
        owner: Settled(card.policy, card.figures, outcomes[owner], held_upgrades.get(owner))
        for owner, card in cards.items()
    }


def _still_waiting(
    rows: Mapping[UUID, "asyncpg.Record"],
    cards: Mapping[UUID, _Card],
    outcomes: Mapping[UUID, Sequence[StepOutcome]],
    rises: Sequence[Rise],
) -> list[Standing]:
    """Return how the cards stand whose upgrade waits, but for those that were asked about now."""
    asked = {rise.customer_id for rise in rises}
    return [
        Standing(
            owner,
            card.policy,
            outcomes[owner][-1].after if outcomes[owner] else card.held.level,
            card.earned,
        )
        for owner, card in cards.items()
        if rows[owner]["has_review"] and owner not in asked
    ]


async def _figures(
    connection: "asyncpg.Connection[Any]",
    today: date,
    policies: Mapping[CustomerKind, Policy],
    kinds: Mapping[UUID, CustomerKind],
    fresh: Mapping[UUID, "asyncpg.Record"],
) -> dict[UUID, Figures]:
    """Return each card's figures as its policy looks at them.

    From the statistics that were just refreshed, which cost nothing more; only where the policy
    looks at anything else, one more statement asks for it.
    """
    figures = {owner: _of_statistics(row, today) for owner, row in fresh.items()}
    for kind in sorted(set(kinds.values())):
        policy = policies[kind]
        if policy.window_days == WINDOW_DAYS and _NOT_IN_STATISTICS.isdisjoint(policy.looks_at):
            continue
        owners = [owner for owner, its in kinds.items() if its is kind]
        figures |= await tier_figures.of_cards(
            connection, policy.window_days, today, owners, policy.looks_at, is_current=True
        )
    return figures


def _of_statistics(row: "asyncpg.Record", today: date) -> Figures:
    return Figures(
        as_of=today,
        net_spend=row["net_365"],
        purchases=row["purchases_365"],
        refunded=row["refunded_365"],
        gross_spend=row["gross_365"],
        costed=row["costed_365"],
        margin=row["margin_365"],
        purchase_days=row["purchase_days_365"],
        largest=row["largest_365"],
        last_purchase_on=row["last_purchase_on"],
        net_180=row["net_180"],
        net_prior_180=row["net_prior_180"],
    )


def _moves(
    policy: Policy, standing: Figures, customer_id: UUID, outcomes: Sequence[StepOutcome]
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
        row = assignment_row(
            policy, tiering.figures_with(policy, standing, outcome), customer_id, outcome.after,
            outcome.cause, earned_by, standing.as_of,
        )  # fmt: skip
        rows.append({**row, "before": outcome.before, "is_passing": outcome is not moved[-1]})
    return rows
