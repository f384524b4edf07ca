"""Bodies of consent: what customers say, what stands, what may be done."""

from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from app.schemas.common import Input, LabelledCode, Output, example_code
from app.vocabulary import (
    ActorKind,
    ConsentChannel,
    ConsentProof,
    ConsentPurpose,
    ConsentReason,
    ConsentState,
    Instant,
    LongText,
    ShortText,
)

MAXIMUM_STATEMENTS: Final = 100

GivenProof = Annotated[
    Literal[
        ConsentProof.FORM,
        ConsentProof.WEB,
        ConsentProof.MESSAGE,
        ConsentProof.SPOKEN,
        ConsentProof.IMPORT,
    ],
    Field(description="How it is known; `merge` is the service's own.", examples=["form"]),
]


class Proven(Input):
    """How it is known what a customer wants, and since when."""

    proof: GivenProof
    proof_reference: ShortText | None = Field(
        default=None,
        description="Where the proof is kept: the number of a form, of a message, of a recording.",
        examples=["F-2026-00817"],
    )
    wording: LongText | None = Field(
        default=None,
        description="The words that the customer agreed to, as they were shown.",
        examples=["我同意通过短信接收新书和活动信息，可随时撤回。"],
    )
    stated_at: Instant | None = Field(
        default=None, description="When the customer said so; now when left out."
    )


class ConsentStatement(Proven):
    """One statement of a customer, for one purpose by one channel."""

    purpose: ConsentPurpose = Field(
        description="`profiling` and `sharing` reach nobody, and are said for `any` only.",
        examples=["marketing"],
    )
    channel: ConsentChannel = Field(description="`any` stands for every channel.", examples=["sms"])
    state: ConsentState = Field(examples=["granted"])


class ConsentsStated(Input):
    """What a customer says, one statement or several."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "statements": [
                        {
                            "purpose": "marketing",
                            "channel": "sms",
                            "state": "granted",
                            "proof": "form",
                            "proof_reference": "F-2026-00817",
                        },
                        {
                            "purpose": "sharing",
                            "channel": "any",
                            "state": "withdrawn",
                            "proof": "form",
                            "proof_reference": "F-2026-00817",
                        },
                    ]
                }
            ]
        }
    )

    statements: Annotated[
        list[ConsentStatement], Field(min_length=1, max_length=MAXIMUM_STATEMENTS)
    ]


class ConsentsWithdrawn(Proven):
    """A customer takes back everything: “don't contact me any more”."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"proof": "spoken"}]})


class ConsentRead(Output):
    """What was said last for one purpose and channel."""

    purpose: ConsentPurpose
    channel: ConsentChannel
    state: ConsentState
    is_in_force: bool = Field(
        description="False for what was granted for a channel before the purpose was withdrawn "
        "for `any`: it is not allowed any more.",
        examples=[True],
    )
    since: Instant = Field(description="When the customer said so.")
    record_id: UUID = Field(description="The statement in the history.")


class Consents(Output):
    """What a customer agrees to and refuses now; what is not here was never asked."""

    customer_id: UUID
    standing: list[ConsentRead] = Field(description="By purpose, then by channel.")


class ConsentRecordRead(Output):
    """One statement of the history, with its proof."""

    id: UUID
    purpose: ConsentPurpose
    channel: ConsentChannel
    state: ConsentState
    proof: ConsentProof
    proof_reference: str | None
    wording: str | None
    stated_at: Instant
    recorded_at: Instant
    actor_kind: ActorKind
    actor_id: UUID | None = Field(description="Who wrote it down; null for the service itself.")


class ConsentCheck(Output):
    """Whether the chain may act for a purpose by a channel now, and why."""

    purpose: ConsentPurpose
    channel: ConsentChannel
    is_allowed: bool
    reason: LabelledCode = Field(
        description="Of the vocabulary `consent_reason`.",
        examples=[example_code(ConsentReason.CHANNEL_GRANTED)],
    )
    decided_by: ConsentRead | None = Field(
        description="The statement that decides; null where the customer was never asked."
    )
