"""The ids that stand in addresses, each described once for the API document."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query
from pydantic import Field, StringConstraints

from app.vocabulary import CleanText


def _id(description: str, example: str) -> object:
    return Path(description=description, examples=[example])


CustomerId = Annotated[
    UUID, _id("The id of a customer's card.", "0193a1c2-d3e4-7f00-8000-00000000c001")
]
IdentityId = Annotated[
    UUID, _id("The id of an identity of the card.", "0193a1c2-d3e4-7f00-8000-00000000c002")
]
ErasureId = Annotated[
    UUID, _id("The id of an erasure of the card.", "0193a1c2-d3e4-7f00-8000-00000000c003")
]
ContactId = Annotated[
    UUID, _id("The id of a contact person of the card.", "0193a1c2-d3e4-7f00-8000-00000000c004")
]
FieldId = Annotated[UUID, _id("The id of a custom field.", "0193a1c2-d3e4-7f00-8000-000000000009")]
PairedCardId = Annotated[
    UUID, _id("The id of one of two cards that look alike.", "0193a1c2-d3e4-7f00-8000-00000000c001")
]
PurchaseId = Annotated[
    UUID, _id("The id of a receipt of the card.", "0193a1c2-d3e4-7f00-8000-00000000b001")
]
InteractionId = Annotated[UUID, _id("The id of a contact.", "0193a1c2-d3e4-7f00-8000-00000000d001")]
UnattachedInteractionId = Annotated[
    UUID, _id("The id of a contact without a card.", "0193a1c2-d3e4-7f00-8000-00000000d002")
]
AttachedInteractionId = Annotated[
    UUID, _id("The id of a contact without a card.", "0193a1c2-d3e4-7f00-8000-00000000d003")
]
MergeId = Annotated[UUID, _id("The id of a merge.", "0193a1c2-d3e4-7f00-8000-00000000c00a")]
StoreId = Annotated[UUID, _id("The id of a shop.", "0193a1c2-d3e4-7f00-8000-000000000001")]
StaffId = Annotated[
    UUID, _id("The id of a member of staff.", "0193a1c2-d3e4-7f00-8000-000000000002")
]
AbsenceId = Annotated[
    UUID, _id("The id of an absence of theirs.", "0193a1c2-d3e4-7f00-8000-000000000003")
]
SourceId = Annotated[
    UUID, _id("The id of a till or web shop.", "0193a1c2-d3e4-7f00-8000-000000000004")
]
SecretId = Annotated[
    UUID, _id("The id of a signing secret of it.", "0193a1c2-d3e4-7f00-8000-000000000005")
]
ProductId = Annotated[
    UUID, _id("The id of a title or article.", "0193a1c2-d3e4-7f00-8000-000000000006")
]
ClientId = Annotated[UUID, _id("The id of an API client.", "0193a1c2-d3e4-7f00-8000-000000000007")]
ImportId = Annotated[UUID, _id("The id of an import.", "0193a1c2-d3e4-7f00-8000-000000000019")]
CheckedImportId = Annotated[
    UUID, _id("The id of an import that was checked.", "0193a1c2-d3e4-7f00-8000-00000000001a")
]
OpenImportId = Annotated[
    UUID, _id("The id of an import that has not ended.", "0193a1c2-d3e4-7f00-8000-00000000001b")
]
EndedImportId = Annotated[
    UUID, _id("The id of an import that has run.", "0193a1c2-d3e4-7f00-8000-00000000001c")
]
ReportId = Annotated[UUID, _id("The id of a report.", "0193a1c2-d3e4-7f00-8000-00000000001d")]
PolicyId = Annotated[
    UUID, _id("The id of a version of a tier policy.", "0193a1c2-d3e4-7f00-8000-00000000e001")
]
DraftId = Annotated[
    UUID, _id("The id of a draft of a tier policy.", "0193a1c2-d3e4-7f00-8000-00000000e002")
]
TriedDraftId = Annotated[
    UUID, _id("The id of a draft that was simulated.", "0193a1c2-d3e4-7f00-8000-00000000e003")
]
WaitingPolicyId = Annotated[
    UUID, _id("The id of a version that waits.", "0193a1c2-d3e4-7f00-8000-00000000e004")
]
KeyId = Annotated[UUID, _id("The id of a key of it.", "0193a1c2-d3e4-7f00-8000-000000000008")]

HeldCardId = Annotated[
    UUID, _id("The id of a card whose upgrade is held.", "0193a1c2-d3e4-7f00-8000-00000000c00c")
]
ReviewId = Annotated[
    UUID, _id("The id of a review of the card.", "0193a1c2-d3e4-7f00-8000-00000000c00d")
]
RefusedCardId = Annotated[
    UUID, _id("The id of a card whose upgrade is held.", "0193a1c2-d3e4-7f00-8000-00000000c00e")
]
RefusedReviewId = Annotated[
    UUID, _id("The id of a review of the card.", "0193a1c2-d3e4-7f00-8000-00000000c00f")
]

OnlyActive = Annotated[
    bool | None, Query(description="True: only those in use; false: only those that are not.")
]
OnlyDisabled = Annotated[
    bool | None, Query(description="True: only those that may not sign in; false: the others.")
]
FilterWords = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=600), CleanText]],
    Field(max_length=10),
]
"""Words that a list is narrowed to, each given as a parameter of its own."""
