"""Set a level by hand, with a reason and an end: until then nothing else moves the card."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.core.errors import ConflictError, FieldError
from app.models import Customer
from app.queries import customer_stats, tier_figures, tier_overrides, tiers
from app.rules import tiering
from app.rules.access import Actor
from app.rules.tier_figures import Figures
from app.rules.tier_policies import Policy
from app.rules.tier_reviews import Rise
from app.schemas.tiers import TierOverrideCreate, TierOverrideEnd
from app.services import tier_reviews
from app.services.changes import not_acceptable
from app.services.customer_changes import check_active, check_store, get_standing
from app.services.tier_moves import ByHand, assignment_row, held_now, write_moves
from app.services.tier_policies_in_force import active_policies
from app.vocabulary import ActorKind, CustomerKind, TierCause, TierLevel

CHUNK: Final = 2_000


async def set_override(
    session: AsyncSession,
    settings: Settings,
    actor: Actor,
    customer_id: UUID,
    given: TierOverrideCreate,
) -> None:
    """Set a card's level by hand, in place of what it holds, set by hand or not.

    What was announced or waits for this card, a fall or an upgrade, is no longer called for.

    Raises:
        NotFoundError, GoneError: no such card, or nobody's any more.
        ConflictError: it was merged into another (409 ``card-merged``), or is archived (409
            ``invalid-transition``).
        ForbiddenError: its home store is not among the actor's.
        InvalidInputError: the policy in force has no such level, or the day is out of reach.
    """
    customer = await _lock(session, actor, customer_id)
    check_active(customer)
    policy = (await active_policies(session))[customer.kind]
    now = clock.now()
    today = clock.business_day(now, settings.zone)
    _check(policy, given, today)
    connection = await raw_connection(session)
    held = held_now(
        (await tiers.held(connection, [customer_id]))[customer_id], settings.zone, policy
    )
    figures = await _figures(connection, policy, today, [customer_id])
    by_hand = ByHand(given.ends_on, _staff(actor), given.reason)
    move = assignment_row(
        policy, figures[customer_id], customer_id, given.level, TierCause.OVERRIDE, None, today,
        by_hand,
    )  # fmt: skip
    await write_moves(session, now, [{**move, "before": held.level}], actor)
    await tier_overrides.lapse_notices(connection, now, [customer_id])
    await tier_reviews.lapse_all(session, [customer_id])


async def end_override(
    session: AsyncSession,
    settings: Settings,
    actor: Actor,
    customer_id: UUID,
    given: TierOverrideEnd,
) -> None:
    """End a level set by hand before its time: the card gets what it would get at the end.

    Raises:
        NotFoundError, GoneError: no such card, or nobody's any more.
        ConflictError: it was merged into another (409 ``card-merged``), or nobody has set its level
            (409 ``invalid-transition``).
        ForbiddenError: its home store is not among the actor's.
    """
    customer = await _lock(session, actor, customer_id)
    connection = await raw_connection(session)
    if not await tier_overrides.running(connection, [customer_id]):
        raise ConflictError(
            "Nobody has set this card's tier by hand.",
            code="invalid-transition",
            detail_zh="该客户卡的层级并非人工指定。",
        )
    policy = (await active_policies(session))[customer.kind]
    today = clock.today(settings.zone)
    by_hand = ByHand(None, _staff(actor), given.reason)
    await _release(session, settings, policy, today, [customer_id], by_hand, actor)


async def end_overrides(
    session: AsyncSession, settings: Settings, as_of: date
) -> Mapping[str, int]:
    """Let a portion of the cards go on by themselves whose level was set until before a day.

    Each gets the better of what it earns and what it held before. Call it, each time in a
    transaction of its own, until ``remaining`` is 0.
    """
    connection = await raw_connection(session)
    found = await tier_overrides.ended(connection, as_of, CHUNK + 1)
    portion = found[:CHUNK]
    if not portion:
        return {"ended": 0, "remaining": 0}
    await customer_stats.lock_cards(connection, portion)
    # Somebody may have set it anew, or ended it, while we waited for the card.
    running = await tier_overrides.running(connection, portion)
    due = [one for one in portion if one in running and running[one] < as_of]
    kinds = {
        owner: CustomerKind(row["kind"])
        for owner, row in (await tiers.held(connection, due)).items()
    }
    for kind, policy in (await active_policies(session)).items():
        owners = [owner for owner in due if kinds[owner] is kind]
        if owners:
            await _release(session, settings, policy, as_of, owners)
    return {"ended": len(due), "remaining": len(found) - len(portion)}


async def _release(
    session: AsyncSession,
    settings: Settings,
    policy: Policy,
    as_of: date,
    customer_ids: Sequence[UUID],
    by_hand: ByHand | None = None,
    actor: Actor | None = None,
) -> None:
    """Give these locked cards of one kind the better of what they earn and what they held before.

    Who looks hollow keeps what was held before: somebody has to look at the rise first.
    """
    connection = await raw_connection(session)
    now = clock.now()
    today = clock.business_day(now, settings.zone)
    rows = await tiers.held(connection, customer_ids)
    held = {owner: held_now(row, settings.zone, policy) for owner, row in rows.items()}
    figures = await _figures(connection, policy, as_of, customer_ids)
    taken_back = await tier_overrides.taken_back(
        connection, {owner: _locked_since(row["history"]) for owner, row in rows.items()}
    )
    levels: dict[UUID, TierLevel] = {}
    rises = []
    for owner in customer_ids:
        kept = tiering.kept_after_lock(policy, held[owner], taken_back.get(owner, set()))
        earned = policy.earned(policy.score(figures[owner])).level
        levels[owner] = max(kept, earned, key=policy.rank)
        if levels[owner] is not kept:
            rises.append(Rise(owner, policy, kept, earned))
    if rises:
        if as_of == today:
            await customer_stats.refresh(connection, today, [rise.customer_id for rise in rises])
        for owner in await tier_reviews.hold(session, settings, as_of, rises):
            levels[owner] = next(rise.level for rise in rises if rise.customer_id == owner)
    moves = [
        {
            **assignment_row(
                policy, figures[owner], owner, levels[owner], TierCause.OVERRIDE_ENDED, None,
                today, by_hand,
            ),
            "before": held[owner].level,
        }
        for owner in customer_ids
    ]  # fmt: skip
    await write_moves(session, now, moves, actor)


async def _lock(session: AsyncSession, actor: Actor, customer_id: UUID) -> Customer:
    """Lock a card and return it, if the actor may set its tier."""
    await customer_stats.lock_cards(await raw_connection(session), [customer_id])
    customer = await get_standing(session, customer_id)
    check_store(actor, customer.home_store_id)
    return customer


def _check(policy: Policy, given: TierOverrideCreate, today: date) -> None:
    found = []
    if policy.rule_of(given.level) is None:
        found.append(
            FieldError(
                "/level",
                "unknown",
                "The policy in force has no such level.",
                "现行政策没有该层级。",
            )
        )
    if not today <= given.ends_on <= tiering.latest_end(today):
        found.append(
            FieldError(
                "/ends_on",
                "out-of-range",
                "It ends today at the earliest, and in two years at the latest.",
                "最早为今天，最晚为两年后的今天。",
            )
        )
    if found:
        raise not_acceptable(found)


async def _figures(
    connection: "asyncpg.Connection[Any]",
    policy: Policy,
    as_of: date,
    customer_ids: Sequence[UUID],
) -> dict[UUID, Figures]:
    return await tier_figures.of_cards(
        connection, policy.window_days, as_of, customer_ids, policy.looks_at, is_current=False
    )


def _locked_since(history: Sequence[Mapping[str, Any]]) -> datetime:
    """Return since when a card's level has been set by hand, one override after the other."""
    began = datetime.fromisoformat(history[-1]["valid_from"])
    for entry in reversed(history):
        if entry["cause"] != TierCause.OVERRIDE:
            break
        began = datetime.fromisoformat(entry["valid_from"])
    return began


def _staff(actor: Actor) -> UUID | None:
    return actor.id if actor.kind is ActorKind.STAFF else None
