"""List cards that are about to earn more, and cards that cost more than they bring."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Uuid, and_, false, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.models import Customer, CustomerProfile, TierAssignment
from app.models.columns import TOTAL
from app.queries.profile_facts import CardStanding, standings
from app.rules.access import Actor
from app.rules.customer_profiles import can_profile, profile_of
from app.rules.tier_figures import HALF_DAYS, WINDOW_DAYS
from app.rules.tier_policies import Policy
from app.schemas.common import BilingualText, LabelledCode
from app.schemas.customer_profiles import (
    ProfiledCard,
    PruningCandidateRead,
    UpgradePotentialRead,
)
from app.services.changes import page_of
from app.services.customer_profiles import profiles_as_of
from app.services.profile_answers import pruning_read
from app.services.tier_policies_in_force import active_policies
from app.vocabulary import CustomerKind, CustomerStatus, TierLevel, money_text

Found = tuple[CustomerProfile, Customer, TierLevel | None]
Listed = Select[CustomerProfile, Customer, TierLevel]


def _cards(actor: Actor, kind: CustomerKind | None) -> Listed:
    """Return the statement of profiles of cards in use, with the tiers that they hold now."""
    query = (
        select(CustomerProfile, Customer, col(TierAssignment.level))
        .join(Customer, col(Customer.id) == col(CustomerProfile.customer_id))
        .outerjoin(
            TierAssignment,
            and_(
                col(TierAssignment.customer_id) == col(CustomerProfile.customer_id),
                col(TierAssignment.valid_to).is_(None),
            ),
        )
        .where(col(Customer.status).in_((CustomerStatus.ACTIVE, CustomerStatus.ARCHIVED)))
    )
    if kind is not None:
        query = query.where(col(Customer.kind) == kind)
    if actor.store_ids is not None:
        store = col(Customer.home_store_id)
        query = query.where(or_(store.is_(None), store.in_(actor.store_ids)))
    return query


async def _page(
    session: AsyncSession,
    query: Listed,
    column: Any,
    after: Sequence[Any] | None,
    limit: int,
) -> tuple[list[Found], list[Any] | None]:
    """Return a page in the order of an amount, then of ids, and where the next one begins."""
    place = (column, col(CustomerProfile.customer_id))
    if after is not None:
        query = query.where(
            tuple_(*place)
            > tuple_(literal(Decimal(after[0]), TOTAL), literal(UUID(after[1]), Uuid()))
        )
    rows = (await session.execute(query.order_by(*place).limit(limit + 1))).all()
    found: list[Found] = [(profile, customer, level) for profile, customer, level in rows]
    return page_of(found, limit, lambda row: [getattr(row[0], column.key), row[0].customer_id])


async def list_upgrade_potential(
    session: AsyncSession,
    actor: Actor,
    kind: CustomerKind,
    *,
    limit: int,
    after: Sequence[Any] | None,
) -> tuple[Policy, list[UpgradePotentialRead], list[Any] | None]:
    """Return a page of cards with potential, those that miss least first, by their policy.

    Who holds the level already, or a higher one, is left out: it is theirs to keep.
    """
    policy = (await active_policies(session))[kind]
    query = _cards(actor, kind).where(col(CustomerProfile.has_potential), _is_above_held(policy))
    page, position = await _page(session, query, col(CustomerProfile.missing), after, limit)
    return policy, [_potential(policy, *row) for row in page], position


def _is_above_held(policy: Policy) -> ColumnElement[bool]:
    held, wanted = col(TierAssignment.level), col(CustomerProfile.next_level)
    return or_(
        false(),
        *(
            and_(
                wanted == rule.level,
                or_(
                    held.is_(None),
                    held.not_in(
                        [
                            other.level
                            for other in policy.levels
                            if policy.rank(other.level) >= policy.rank(rule.level)
                        ]
                    ),
                ),
            )
            for rule in policy.levels
        ),
    )


def _potential(
    policy: Policy, profile: CustomerProfile, customer: Customer, level: TierLevel | None
) -> UpgradePotentialRead:
    # Cards with potential have all of these, and the statement finds no others.
    assert profile.next_level is not None
    assert profile.missing is not None
    above = policy.rule_of(profile.next_level)
    assert above is not None
    label, missing, pace = above.level.label, str(profile.missing), money_text(profile.pace)
    return UpgradePotentialRead(
        customer=_card(customer),
        level=None if level is None else LabelledCode.of(level),
        next_level=LabelledCode.of(above.level),
        at_least=str(above.at_least),
        missing=missing,
        growth=None if profile.growth is None else str(profile.growth),
        pace=profile.pace,
        group=LabelledCode.of(profile.customer_group),
        sentences=BilingualText(
            en=f"{label.en} begins at {above.at_least}: {missing} is missing. Growth is"
            f" {profile.growth}; at the pace of the last {HALF_DAYS} days, {WINDOW_DAYS} days"
            f" bring {pace}.",
            zh=f"{label.zh}从 {above.at_least} 起，还差 {missing}。增长为 {profile.growth}；"
            f"按近 {HALF_DAYS} 天的速度，{WINDOW_DAYS} 天消费 {pace}。",
        ),
    )


async def list_pruning_candidates(
    session: AsyncSession,
    settings: Settings,
    actor: Actor,
    *,
    limit: int,
    after: Sequence[Any] | None,
) -> tuple[list[PruningCandidateRead], list[Any] | None]:
    """Return a page of candidates, those that cost most first, each with its reasons of now.

    Whom nothing speaks against any more, or whose account is being reviewed, is left out, so that
    a page may be shorter than it could be.
    """
    query = _cards(actor, None).where(col(CustomerProfile.is_pruning_candidate))
    page, position = await _page(session, query, col(CustomerProfile.contribution), after, limit)
    if not page:
        return [], None
    policies = await active_policies(session)
    as_of = await profiles_as_of(session) or clock.today(settings.zone)
    found = await standings(
        await raw_connection(session), as_of, policies, [customer.id for _, customer, _ in page]
    )
    read = (_candidate(*row, found[row[1].id], policies[row[1].kind]) for row in page)
    return [candidate for candidate in read if candidate.reasons], position


def _candidate(
    profile: CustomerProfile,
    customer: Customer,
    level: TierLevel | None,
    card: CardStanding,
    policy: Policy,
) -> PruningCandidateRead:
    pruning = profile_of(card.standing, policy).pruning if can_profile(policy) else ()
    return PruningCandidateRead(
        customer=_card(customer),
        level=None if level is None else LabelledCode.of(level),
        group=LabelledCode.of(profile.customer_group),
        contribution=profile.contribution,
        reasons=[pruning_read(one) for one in pruning],
    )


def _card(customer: Customer) -> ProfiledCard:
    return ProfiledCard(
        id=customer.id,
        kind=customer.kind,
        name=customer.name,
        home_store_id=customer.home_store_id,
    )
