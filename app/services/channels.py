"""Administer what contacts by each channel cost the chain."""

from collections.abc import Mapping
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core import clock
from app.models import ChannelCost
from app.rules.access import Actor
from app.rules.service_cost import ChannelPrice
from app.schemas.channels import ChannelChange
from app.services import changes
from app.services.trail import record_action
from app.vocabulary import Action, Channel

OBJECT_TYPE = "channel"
CHANNEL_IDS: Final[Mapping[Channel, UUID]] = {
    channel: uuid5(NAMESPACE_URL, f"huike:channel:{channel}") for channel in Channel
}
"""Channels are known by their codes; the audit trail names objects by ids."""


async def list_channels(session: AsyncSession) -> list[ChannelCost]:
    """Return every channel with its cost, in the order of the vocabulary."""
    rows = {row.channel: row for row in await session.scalars(select(ChannelCost))}
    return [rows[channel] for channel in Channel]


async def prices(session: AsyncSession) -> Mapping[Channel, ChannelPrice]:
    """Return what a contact by each channel costs now."""
    return {
        row.channel: ChannelPrice(row.per_contact, row.per_minute)
        for row in await list_channels(session)
    }


async def get_channel(session: AsyncSession, channel: Channel) -> ChannelCost:
    """Return a channel with its cost."""
    row = await session.get(ChannelCost, channel, populate_existing=True)
    assert row is not None  # The migration that made the table filled it.
    return row


async def change_channel(
    session: AsyncSession, actor: Actor, channel: Channel, seen: int, body: ChannelChange
) -> ChannelCost:
    """Change what contacts by a channel cost from now on.

    Raises:
        PreconditionFailedError: somebody changed it since version ``seen``.
    """
    row = await session.scalar(
        select(ChannelCost)
        .where(col(ChannelCost.channel) == channel)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    assert row is not None
    channel_id = CHANNEL_IDS[channel]
    await changes.check_version(session, OBJECT_TYPE, channel_id, current=row.version, seen=seen)
    different = {
        name: value for name, value in body.changes().items() if getattr(row, name) != value
    }
    if different:
        await session.execute(
            update(ChannelCost)
            .where(col(ChannelCost.channel) == channel)
            .values(version=row.version + 1, updated_at=clock.now(), **different)
            .execution_options(synchronize_session=False)
        )
        await record_action(session, actor, Action.CHANGED, OBJECT_TYPE, channel_id, different)
    return await get_channel(session, channel)
