"""Merging cards: the plan, what was done by it, and its end."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints, field_validator
from pydantic_core import PydanticCustomError

from app.schemas.common import BilingualText, Input, LabelledCode, Output, example_code
from app.schemas.customers import Card
from app.schemas.purchases import CustomerStatistics
from app.vocabulary import (
    ActorKind,
    ConsentChannel,
    ConsentPurpose,
    ConsentState,
    DuplicateState,
    IdentityKind,
    Instant,
    MergeObstacle,
    MergeRule,
    MergeStatus,
    ShortText,
    TierLevel,
)

MAXIMUM_LOSERS = 10
_SURVIVOR = "0193a1c2-d3e4-7f00-8000-00000000c00b"
_FINGERPRINT = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_LOSER = "0193a1c2-d3e4-7f00-8000-00000000c009"

FieldName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z_]{1,40}$|^custom\.[A-Za-z0-9_.-]{1,64}$"),
]


class MergeRequest(Input):
    """Which cards become one, and where somebody chose whose value stands."""

    surviving_id: UUID = Field(
        description="The card that goes on; the ids of the others will lead to it.",
        examples=[_SURVIVOR],
    )
    loser_ids: Annotated[list[UUID], Field(min_length=1, max_length=MAXIMUM_LOSERS)] = Field(
        description="The cards that are merged into it.", examples=[[_LOSER]]
    )
    choices: Annotated[dict[FieldName, UUID], Field(max_length=200)] = Field(
        default_factory=dict,
        description="For a field of the plan, the card whose value shall stand.",
        examples=[{"name": _LOSER}],
    )

    @field_validator("loser_ids")
    @classmethod
    def _each_once(cls, given: list[UUID]) -> list[UUID]:
        if len(set(given)) < len(given):
            raise PydanticCustomError("duplicate", "Each card should be named once")
        return given


class MergeExecute(MergeRequest):
    """A plan that somebody has looked at."""

    fingerprint: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="The plan's; if anything has changed since, nothing is merged.",
        examples=[_FINGERPRINT],
    )
    reason: ShortText | None = Field(
        default=None, description="Why they are one customer.", examples=["Same phone and name."]
    )


class MergeObstacleRead(Output):
    """Why it cannot be done, and what stands in the way."""

    code: LabelledCode = Field(
        description="Of the vocabulary `merge_obstacle`.",
        examples=[example_code(MergeObstacle.DIFFERENT_KINDS)],
    )
    subject_id: UUID = Field(description="The card; for `later_merge` the merge.")


class SaidByCard(Output):
    """What one card says."""

    customer_id: UUID
    value: Any = Field(description="Null where it says nothing.", examples=["上海市徐汇区"])


class MergeField(Output):
    """A field in which some card says something."""

    field: str = Field(description="`custom.<code>` for custom fields.", examples=["address"])
    values: list[SaidByCard] = Field(description="The surviving card first.")
    value: Any = Field(description="What the surviving card will say.", examples=["上海市徐汇区"])
    customer_id: UUID | None = Field(
        description="Whose value that is; null for values of several cards."
    )
    rule: LabelledCode = Field(description="Why.", examples=[example_code(MergeRule.SURVIVOR)])
    is_conflict: bool = Field(description="Whether cards contradict each other: worth a look.")


class MergeIdentity(Output):
    """An identity that the surviving card will have; its value stands on the card."""

    id: UUID
    customer_id: UUID = Field(description="The card that has it now.")
    kind: IdentityKind
    was_primary: bool
    is_primary: bool = Field(description="After the merge: of each kind the first card's.")


class MergeMove(Output):
    """How many rows move from the losers to the surviving card."""

    table: str = Field(examples=["purchase"])
    rows: int = Field(examples=[12])


class ConsentOfCard(Output):
    """What one card says of consent."""

    customer_id: UUID
    state: ConsentState | None = Field(description="Null where it was never asked.")


class MergeConsent(Output):
    """What the cards say for one purpose and channel, and what will stand."""

    purpose: ConsentPurpose
    channel: ConsentChannel
    cards: list[ConsentOfCard]
    state: ConsentState = Field(
        description="Withdrawn if any card says so; granted if one grants and the others are "
        "silent."
    )
    is_recorded_anew: bool = Field(
        description="Whether the merge states it itself, with `merge` as its proof."
    )


class MergePair(Output):
    """A pair of possible duplicates that names one of the cards."""

    first_id: UUID
    second_id: UUID
    state: DuplicateState
    state_after: DuplicateState = Field(description="Open pairs of the merged cards are settled.")


class TierOfCard(Output):
    """The tier a card holds now."""

    customer_id: UUID
    level: TierLevel


class MergeTier(Output):
    """The tiers now, and the one that the surviving card will hold."""

    cards: list[TierOfCard]
    level: TierLevel
    changes: bool = Field(description="Whether the surviving card moves.")
    sentences: BilingualText


class MergePlan(Output):
    """What a merge would do. Making it changes nothing."""

    surviving_id: UUID
    loser_ids: list[UUID]
    can_be_done: bool
    obstacles: list[MergeObstacleRead] = Field(description="Why it cannot be done.")
    fields: list[MergeField]
    conflicts: list[str] = Field(
        description="Fields in which cards contradict each other.", examples=[["address"]]
    )
    identities: list[MergeIdentity]
    moves: list[MergeMove]
    consents: list[MergeConsent]
    duplicate_pairs: list[MergePair]
    tier: MergeTier
    statistics: CustomerStatistics = Field(description="Of the surviving card afterwards.")
    on_undo: list[BilingualText] = Field(
        description="What would become of later changes and additions if it were undone."
    )
    fingerprint: str = Field(
        description="Send it to carry out this plan and no other.", examples=[_FINGERPRINT]
    )


class Merge(Output):
    """A merge that was carried out."""

    id: UUID
    surviving_id: UUID
    loser_ids: list[UUID]
    status: MergeStatus
    reason: str | None
    merged_at: Instant
    actor_kind: ActorKind
    actor_id: UUID | None
    undone_at: Instant | None
    undone_by_id: UUID | None
    moves: list[MergeMove]


class MergeDetail(Merge):
    """A merge with its plan, and whether it can be undone."""

    plan: MergePlan | None = Field(description="As it was carried out; null once it was erased.")
    can_be_undone: bool
    obstacles: list[MergeObstacleRead] = Field(description="Why it cannot be undone.")


class MergeDone(Merge):
    """A merge that has just been carried out or undone, and the card that it made."""

    customer: Card = Field(description="The surviving card as it is now.")
