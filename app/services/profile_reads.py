"""Read what the figures say of one card."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.core.config import Settings
from app.core.database import raw_connection
from app.models import CustomerProfile
from app.queries.profile_facts import standings
from app.rules.customer_profiles import can_profile, profile_of
from app.schemas.common import LabelledCode
from app.schemas.customer_profiles import CustomerProfileRead, ListedProfile
from app.services.customer_changes import card_not_found
from app.services.customer_profiles import last_night, profiles_as_of
from app.services.profile_answers import profile_read
from app.services.tier_policies_in_force import active_policies


async def find_listed(session: AsyncSession, customer_id: UUID) -> ListedProfile | None:
    """Return what lists and reports have of a card, in one statement; None before its night."""
    found = (
        await session.execute(
            select(
                col(CustomerProfile.segment),
                col(CustomerProfile.customer_group),
                last_night().scalar_subquery(),
            ).where(col(CustomerProfile.customer_id) == customer_id)
        )
    ).one_or_none()
    if found is None:
        return None
    segment, group, as_of = found
    return ListedProfile(
        as_of=as_of, segment=LabelledCode.of(segment), group=LabelledCode.of(group)
    )


async def get_profile(
    session: AsyncSession, settings: Settings, customer_id: UUID
) -> CustomerProfileRead:
    """Return what a card's figures say, as of the last night, and what lists have of it.

    The figures are those of this moment: a receipt since the night is among them, so that each
    number fits what is said of it.

    Raises:
        NotFoundError: no such card.
    """
    as_of = await profiles_as_of(session) or clock.today(settings.zone)
    policies = await active_policies(session)
    found = await standings(await raw_connection(session), as_of, policies, [customer_id])
    if customer_id not in found:
        raise card_not_found()
    card = found[customer_id]
    policy = policies[card.kind]
    return profile_read(
        customer_id,
        as_of,
        policy,
        card.level,
        profile_of(card.standing, policy) if can_profile(policy) else None,
        await find_listed(session, customer_id),
    )
