"""Channels and what a contact by each costs."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from app.models import ChannelCost
from app.rules.access import Actor
from app.schemas.channels import ChannelChange, ChannelRead, Channels
from app.schemas.common import LabelledCode
from app.services import channels
from app.vocabulary import Channel, Permission
from app.web.answers import ON_CHANGING, ON_READING
from app.web.dependencies import Allow, SessionDep
from app.web.documentation import SIGNED_IN, problems
from app.web.preconditions import IfMatch, seen_version, set_etag
from app.web.route import HuikeRoute

router = APIRouter(prefix="/v1/channels", tags=["channels"], route_class=HuikeRoute)

Reader = Annotated[Actor, Depends(Allow(Permission.INTERACTIONS_READ))]
Administrator = Annotated[Actor, Depends(Allow(Permission.CHANNELS_WRITE))]
ChannelCode = Annotated[Channel, Path(description="The code of a channel.", examples=["phone"])]


@router.get(
    "",
    summary="List channels and their costs",
    responses=problems(*SIGNED_IN, "validation", "internal-error", "unavailable"),
)
async def list_channels(_: Reader, session: SessionDep) -> Channels:
    """Return what a contact by each channel costs; the cost to serve is made of these."""
    return Channels(items=[_read(row) for row in await channels.list_channels(session)])


@router.get("/{channel}", summary="Read a channel's cost", responses=problems(*ON_READING))
async def get_channel(
    channel: ChannelCode, _: Reader, session: SessionDep, response: Response
) -> ChannelRead:
    """Return a channel's prices; its ETag is needed to change them."""
    row = await channels.get_channel(session, channel)
    set_etag(response, row.version)
    return _read(row)


@router.patch("/{channel}", summary="Change a channel's cost", responses=problems(*ON_CHANGING))
async def update_channel(
    channel: ChannelCode,
    body: ChannelChange,
    actor: Administrator,
    session: SessionDep,
    response: Response,
    if_match: IfMatch = None,
) -> ChannelRead:
    """Change the prices for what is recorded from now on; what was recorded keeps its cost."""
    row = await channels.change_channel(session, actor, channel, seen_version(if_match), body)
    set_etag(response, row.version)
    return _read(row)


def _read(row: ChannelCost) -> ChannelRead:
    return ChannelRead(
        id=channels.CHANNEL_IDS[row.channel],
        channel=LabelledCode.of(row.channel),
        per_contact=row.per_contact,
        per_minute=row.per_minute,
        version=row.version,
        updated_at=row.updated_at,
    )
