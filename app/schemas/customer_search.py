"""Bodies of the search for customers."""

from typing import Annotated, Final
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt, StringConstraints

from app.schemas.common import Input, LabelledCode, Output, example_code
from app.vocabulary import CleanText, CustomerKind, CustomerStatus, MatchReason, TierLevel

MAXIMUM_HITS: Final = 50


class CustomerSearch(Input):
    """What is looked for."""

    query: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
        CleanText,
        Field(
            description=(
                "A name or a part of it, in characters, pinyin, initials or a mixture; the last "
                "four or more digits of a phone; a phone, member number, e-mail or other id."
            ),
            examples=["limin"],
        ),
    ]
    kind: CustomerKind | None = Field(default=None, description="People or organizations only.")
    store_id: UUID | None = Field(
        default=None,
        description=(
            "Whose customers come first; left out, those of the stores one is bound to do."
        ),
    )
    include_archived: StrictBool = Field(default=False, description="Archived cards as well.")
    limit: Annotated[StrictInt, Field(ge=1, le=MAXIMUM_HITS)] = Field(
        default=20, description="Hits at most."
    )


class SearchHit(Output):
    """A card that was found, and why."""

    id: UUID
    kind: CustomerKind
    status: CustomerStatus
    name: str = Field(examples=["李明朗"])
    tier: LabelledCode | None = Field(examples=[example_code(TierLevel.MAIN)])
    home_store_id: UUID | None
    owner_staff_id: UUID | None
    phone: str | None = Field(
        description="Masked: the one that was found, otherwise the card's first.",
        examples=["+86138****8000"],
    )
    is_own_store: bool = Field(description="Whether it is a customer of the preferred stores.")
    reasons: list[LabelledCode] = Field(
        description="The strongest first.", examples=[[example_code(MatchReason.INITIALS)]]
    )
    matched_reading: str | None = Field(
        description="How the name is read where it was found by pinyin or initials.",
        examples=["liminglang"],
    )


class SearchResult(Output):
    """The best hits, and whether there are others."""

    items: list[SearchHit]
    has_more: bool = Field(
        description="There may be more than these: type more of the name or the number."
    )
