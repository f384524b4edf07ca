"""Bodies of contacts with customers: known ones, and callers who are not known (yet)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import (
    ConfigDict,
    Field,
    StrictInt,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from app.schemas.common import DAY_SCHEMA, BilingualText, Day, Input, Output
from app.schemas.customers import IdentityReference
from app.schemas.patch import Patch, omittable
from app.vocabulary import (
    ActorKind,
    Channel,
    CustomerKind,
    Direction,
    IdentityKind,
    Instant,
    InteractionOutcome,
    LongText,
    Money,
    ShortText,
)

MAXIMUM_ENTRIES: Final = 200
"""Of one batch."""
MAXIMUM_DURATION_SECONDS: Final = 7 * 24 * 60 * 60

Duration = Annotated[
    StrictInt,
    Field(ge=0, le=MAXIMUM_DURATION_SECONDS, description="In seconds.", examples=[180]),
]
Subject = Annotated[ShortText, Field(examples=["询问教辅到货"])]
Told = Annotated[
    LongText, Field(description="What was said.", examples=["下周三到货，到时电话通知。"])
]
NextStep = Annotated[
    LongText, Field(description="What is to be done.", examples=["到货后电话通知"])
]
NextStepDay = Annotated[
    Day,
    DAY_SCHEMA,
    Field(description="By which day; not before the contact.", examples=["2026-12-02"]),
]
EntryId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_:-]{0,127}$"),
    Field(
        description="The desk's own id of an entry: letters, digits, `_ : -`.",
        examples=["desk-1-20261128-0007"],
    ),
]
_WHEN = "Now when left out; not in the future, not before 1990."
_WHO = "The caller when left out; nobody for API clients."
_WHERE = "The caller's only shop when left out."


class _Contact(Input):
    """What is told of a contact, whoever it was with."""

    channel: Channel = Field(examples=["phone"])
    direction: Direction = Field(examples=["inbound"])
    subject: Subject
    text: Told | None = None
    occurred_at: Instant | None = Field(default=None, description=_WHEN)
    duration_seconds: Duration | None = None
    outcome: InteractionOutcome | None = Field(default=None, examples=["follow_up"])
    next_step: NextStep | None = None
    next_step_on: NextStepDay | None = None
    store_id: UUID | None = Field(default=None, description=_WHERE)
    staff_id: UUID | None = Field(default=None, description=_WHO)


class InteractionCreate(_Contact):
    """A contact with a known customer."""

    contact_id: UUID | None = Field(default=None, description="A person of this organization.")
    purchase_id: UUID | None = Field(default=None, description="A receipt of this customer.")


class CallerContactCreate(_Contact):
    """A contact with somebody who is known by an identity, or not at all."""

    identity: IdentityReference | None = Field(
        default=None, description="What the caller is known by; left out for nobody in particular."
    )


class InteractionEntry(_Contact):
    """A contact as a service desk enters it: of a card, of an identity, or of neither."""

    entry_id: EntryId
    customer_id: UUID | None = None
    identity: IdentityReference | None = Field(
        default=None, description="Instead of `customer_id`."
    )
    contact_id: UUID | None = None
    purchase_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class UnreadableEntry:
    """An entry that is not in the format: its id if it has one, and what is wrong with it."""

    entry_id: str
    errors: tuple[Mapping[str, Any], ...]


_ENTRY_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_:-]{0,127}")


def _read_or_refuse(value: Any, _: ValidatorFunctionWrapHandler) -> Any:
    # One entry's fault does not touch the others, so it may not fail the body.
    try:
        return InteractionEntry.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        given = value.get("entry_id") if isinstance(value, dict) else None
        entry_id = given if isinstance(given, str) and _ENTRY_ID.fullmatch(given) else ""
        return UnreadableEntry(entry_id, tuple(found))


class InteractionBatch(Input):
    """What a service desk entered, each entry with an id of the desk's own."""

    entries: list[Annotated[InteractionEntry, WrapValidator(_read_or_refuse)]] = Field(
        min_length=1, max_length=MAXIMUM_ENTRIES
    )

    def read(self) -> Sequence[InteractionEntry | UnreadableEntry]:
        """Return the entries as they are: some may not be in the format."""
        return self.entries


class InteractionUpdate(Patch):
    """A correction: what is left out stays, null empties."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"outcome": "resolved"}]})

    channel: Channel = omittable()
    direction: Direction = omittable()
    subject: Subject = omittable()
    text: Told | None = None
    occurred_at: Instant = omittable()
    duration_seconds: Duration | None = None
    outcome: InteractionOutcome | None = None
    next_step: NextStep | None = None
    next_step_on: NextStepDay | None = None
    store_id: UUID | None = None
    staff_id: UUID | None = None
    contact_id: UUID | None = None
    purchase_id: UUID | None = None


class _Recorded(Output):
    """A contact as it was recorded."""

    id: UUID
    channel: Channel
    direction: Direction
    occurred_at: Instant
    business_day: date
    duration_seconds: int | None
    subject: str = Field(examples=["询问教辅到货"])
    text: str | None
    outcome: InteractionOutcome | None
    next_step: str | None
    next_step_on: date | None
    store_id: UUID | None
    staff_id: UUID | None
    cost: Money = Field(description="By the channel's prices when it was recorded.")
    recorded_at: Instant
    recorded_by_kind: ActorKind
    recorded_by_id: UUID | None


class InteractionRead(_Recorded):
    """A contact with a customer."""

    customer_id: UUID
    contact_id: UUID | None
    purchase_id: UUID | None
    next_step_done_at: Instant | None
    version: int = Field(description="The same as in the `ETag`.", examples=[1])
    updated_at: Instant


class KnownCaller(Output):
    """Whose card it is."""

    id: UUID
    kind: CustomerKind
    name: str = Field(examples=["王小明"])


class AwaitedIdentity(Output):
    """The identity whose card is awaited."""

    kind: IdentityKind
    system: str | None
    value: str = Field(examples=["+86138****8000"])


class CallerContact(_Recorded):
    """A contact that came without a card: with its customer once there is one."""

    customer: KnownCaller | None = Field(
        description="Null while nobody is known, and for callers who may not read cards."
    )
    customer_id: UUID | None
    awaits: AwaitedIdentity | None = Field(description="It joins the card that gets this identity.")


class AttachRequest(Input):
    """Whose contact it was."""

    customer_id: UUID = Field(examples=["0193a1c2-d3e4-7f00-8000-00000000c001"])


class EntryFieldProblem(Output):
    """One thing wrong with one part of an entry."""

    pointer: str = Field(description="JSON pointer into the entry.", examples=["/occurred_at"])
    code: str = Field(examples=["in-the-future"])
    detail: BilingualText


class EntryProblem(Output):
    """Why an entry was not recorded."""

    type: str = Field(examples=["/problems/validation"])
    title: BilingualText
    detail: BilingualText
    errors: list[EntryFieldProblem]


class EntryResult(Output):
    """What became of an entry. One that was recorded before gets its first result again."""

    entry_id: str = Field(examples=["desk-1-20261128-0007"])
    status: Literal["stored", "refused"]
    interaction_id: UUID | None
    customer_id: UUID | None = Field(description="Null for a caller who is not known.")
    problem: EntryProblem | None


class InteractionBatchResult(Output):
    """The results of a batch, in the order of its entries."""

    results: list[EntryResult]


class InteractionChangeRead(Output):
    """One correction of a contact."""

    version: int = Field(description="The version that the change made.", examples=[2])
    changed_at: Instant
    actor_kind: ActorKind
    actor_id: UUID | None
    changes: dict[str, Annotated[list[Any], Field(min_length=2, max_length=2)]] = Field(
        description="For each field what it was and what it became.",
        examples=[{"outcome": ["follow_up", "resolved"]}],
    )
