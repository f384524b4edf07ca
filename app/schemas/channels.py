"""Channels and what they cost, as bodies."""

from datetime import datetime
from uuid import UUID

from pydantic import ConfigDict, Field

from app.schemas.common import LabelledCode, Output, example_code
from app.schemas.patch import Patch, omittable
from app.vocabulary import Channel, Money, NonNegativeMoney


class ChannelChange(Patch):
    """New prices of a channel; contacts that were recorded keep the cost they had."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"per_minute": "1.20"}]})

    per_contact: NonNegativeMoney = omittable()
    per_minute: NonNegativeMoney = omittable()


class ChannelRead(Output):
    """A channel and what a contact by it costs the chain."""

    id: UUID = Field(description="Names the channel in the audit trail.")
    channel: LabelledCode = Field(
        examples=[example_code(Channel.PHONE)],
    )
    per_contact: Money = Field(description="So much for each contact.", examples=["0.20"])
    per_minute: Money = Field(
        description="So much for each minute, counted to the second.", examples=["1.00"]
    )
    version: int = Field(examples=[1])
    updated_at: datetime


class Channels(Output):
    """Every channel, in the order of the vocabulary."""

    items: list[ChannelRead]
