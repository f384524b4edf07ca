"""The tier of a card that several become, and the tiers of cards that are taken apart again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.queries import merge_reading, tier_figures, tier_overrides
from app.queries import tiers as queries
from app.rules import tiering
from app.rules.tier_figures import Figures
from app.rules.tier_policies import Policy
from app.rules.tiering import Step
from app.services import tier_moves, tier_reviews, tier_settlement
from app.services.tier_moves import ByHand
from app.services.tier_policies_in_force import active_policies
from app.vocabulary import CustomerKind, PurchaseKind, PurchaseStatus, TierCause, TierLevel


@dataclass(frozen=True, slots=True)
class TierAfter:
    """What each card holds, and what the surviving one will: with the purchase that earned it."""

    policy: Policy
    before: Mapping[UUID, TierLevel]
    standing: Figures
    level: TierLevel
    purchase_id: UUID | None
    is_locked: bool
    ends_on: date | None
    by_hand: ByHand | None = None
    """What was promised by hand to a card that goes, if the surviving one takes it over."""

    @property
    def cause(self) -> TierCause:
        """Why the surviving card holds the level then."""
        return TierCause.OVERRIDE if self.is_locked else TierCause.MERGED


async def decide(
    session: AsyncSession, settings: Settings, survivor: UUID, losers: Sequence[UUID]
) -> TierAfter:
    """Decide the tier of the surviving card, from all receipts that it will have."""
    connection = await raw_connection(session)
    ids = [survivor, *losers]
    rows = await queries.held(connection, ids)
    policy = (await active_policies(session))[CustomerKind(rows[survivor]["kind"])]
    held = {one: tier_moves.held_now(rows[one], settings.zone, policy) for one in ids}
    standing = await _joint(connection, settings, policy, ids)
    in_order = [held[one] for one in ids]
    # Whose upgrade waits for a person, or would, does not get it by a merge: the night asks.
    may_rise = not any(row["has_review"] for row in rows.values())
    may_rise = may_rise and not tier_reviews.looks_hollow(policy, standing)
    level, purchase_id = tiering.joined(policy, in_order, policy.score(standing), may_rise=may_rise)
    before = {one: held[one].level for one in ids}
    heir_of = tiering.inherited(policy, in_order, level)
    row = None if heir_of is None else (await queries.current(connection, ids)).get(ids[heir_of])
    # A card that was merged already holds nothing, whatever its history says; its plan is shown.
    if heir_of is None or row is None:
        is_locked = held[survivor].is_locked
        ends_on = _ends_on(rows[survivor]) if is_locked else None
        return TierAfter(policy, before, standing, level, purchase_id, is_locked, ends_on)
    by_hand = ByHand(row["ends_on"], row["set_by_id"], row["reason"])
    level = in_order[heir_of].level
    return TierAfter(policy, before, standing, level, None, True, row["ends_on"], by_hand)


async def join(
    session: AsyncSession, at: datetime, survivor: UUID, losers: Sequence[UUID], after: TierAfter
) -> dict[str, Any]:
    """Give the surviving card the tier that was decided, and end those of the losers.

    Returns what :func:`part` has to know to put back what was.
    """
    connection = await raw_connection(session)
    current = await queries.current(connection, [survivor, *losers])
    await queries.close(connection, at, losers)
    made = None
    if after.level != after.before[survivor]:
        move = tier_moves.assignment_row(
            after.policy, after.standing, survivor, after.level, after.cause,
            after.purchase_id, after.standing.as_of, after.by_hand,
        )  # fmt: skip
        made = move["id"]
        await tier_moves.write_moves(session, at, [{**move, "before": after.before[survivor]}])
    return {
        "made": made and str(made),
        "current": {str(owner): str(row["id"]) for owner, row in current.items()},
        "levels": {str(owner): row["level"] for owner, row in current.items()},
    }


async def part(
    session: AsyncSession,
    settings: Settings,
    merged_at: datetime,
    survivor: UUID,
    losers: Sequence[UUID],
    was: Mapping[str, Any],
) -> None:
    """Put back the tiers that cards held before they were merged, then let follow what came since.

    Where nothing but the merge moved the surviving card's tier, its history is as if the merge had
    never been. Where receipts moved it since, that history stays, and goes on with what the card
    held before and earns by itself. The receipts have to be back, and the statistics right.
    """
    connection = await raw_connection(session)
    before, now = was["current"], await queries.current(connection, [survivor])
    made = was["made"] and UUID(was["made"])
    steps = await _steps_since(session, merged_at, [survivor, *losers])
    at = clock.now()
    reopened = [owner for owner in losers if str(owner) in before]
    for owner in reopened:
        await queries.reopen(connection, owner, UUID(before[str(owner)]))
    own = before.get(str(survivor))
    current = now.get(survivor)
    if own is not None and current is not None and current["id"] in {made, UUID(own)}:
        if made is not None:
            await queries.remove(connection, survivor, made)
            await queries.reopen(connection, survivor, UUID(own))
            await tier_moves.tell_moves(
                session,
                at,
                [
                    {
                        "customer_id": survivor,
                        "id": UUID(own),
                        "before": current["level"],
                        "level": was["levels"][str(survivor)],
                        "cause": TierCause.MERGED,
                    }
                ],
            )
        reopened.append(survivor)
    elif own is not None:
        goes_on = await _go_on(session, settings, merged_at, survivor, UUID(own), at)
        if not goes_on and made is not None:
            # What was set by hand since stays; what it goes back to is as if there was no merge.
            await queries.leave_out(connection, survivor, made, UUID(own))
    await tier_settlement.settle(
        session, settings, {owner: steps.get(owner, []) for owner in reopened}
    )


async def _joint(
    connection: "asyncpg.Connection[Any]",
    settings: Settings,
    policy: Policy,
    customer_ids: Sequence[UUID],
) -> Figures:
    return await tier_figures.joint(
        connection,
        policy.window_days,
        clock.today(settings.zone),
        customer_ids,
        policy.looks_at | tier_reviews.NEEDED,
    )


def _ends_on(row: Any) -> date | None:
    """Return the last day of what was set by hand, by a card's row of what it holds."""
    text = row["history"][-1]["ends_on"]
    return None if text is None else date.fromisoformat(text)


async def _go_on(
    session: AsyncSession,
    settings: Settings,
    merged_at: datetime,
    survivor: UUID,
    own: UUID,
    at: datetime,
) -> bool:
    """Go on from a history that receipts made since, with what the card holds by itself.

    That is what it held before, by its tier ``own``, or what it earns. What somebody had set by
    hand then has ended since, and what was taken back since earns nothing any more.

    False where its level is set by hand now: that stays.
    """
    connection = await raw_connection(session)
    row = (await queries.held(connection, [survivor]))[survivor]
    policy = (await active_policies(session))[CustomerKind(row["kind"])]
    held = tier_moves.held_now(row, settings.zone, policy)
    if held.is_locked:
        return False
    standing = await _joint(connection, settings, policy, [survivor])
    until = [entry["id"] for entry in row["history"]].index(str(own)) + 1
    base = tiering.kept_after_lock(
        policy,
        tier_moves.held_now({"history": row["history"][:until]}, settings.zone, policy),
        (await tier_overrides.taken_back(connection, {survivor: merged_at})).get(survivor, set()),
    )
    level = base
    if not tier_reviews.looks_hollow(policy, standing):
        level = max(base, policy.earned(policy.score(standing)).level, key=policy.rank)
    if level != held.level:
        move = tier_moves.assignment_row(
            policy, standing, survivor, level, TierCause.MERGED, None, standing.as_of
        )
        await tier_moves.write_moves(session, at, [{**move, "before": held.level}])
    return True


async def _steps_since(
    session: AsyncSession, since: datetime, customer_ids: Sequence[UUID]
) -> dict[UUID, list[Step]]:
    """Return what was bought, returned and voided since an instant, as steps in time order."""
    rows = await merge_reading.later_purchases(await raw_connection(session), customer_ids, since)
    steps: dict[UUID, list[tuple[datetime, UUID, Step]]] = {}
    for row in rows:
        step = _step(row, since)
        if step is not None:
            when = row["voided_at"] or row["occurred_at"]
            steps.setdefault(row["customer_id"], []).append((when, row["id"], step))
    return {
        owner: [step for *_, step in sorted(of_card, key=lambda one: one[:2])]
        for owner, of_card in steps.items()
    }


def _step(row: Any, since: datetime) -> Step | None:
    amount = row["amount"] if row["kind"] == PurchaseKind.SALE else -row["amount"]
    if row["status"] == PurchaseStatus.POSTED:
        return Step(row["id"], amount, row["refund_of_id"], row["business_day"])
    if row["recorded_at"] < since:
        return Step(row["refund_of_id"] or row["id"], -amount, row["id"], row["business_day"])
    return None
