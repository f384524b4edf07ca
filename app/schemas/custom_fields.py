"""Bodies of custom fields' definitions."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from pydantic import ConfigDict, Field, JsonValue, StrictBool, StrictInt, StringConstraints

from app.schemas.card_parts import FieldCode
from app.schemas.common import Input, Output
from app.schemas.patch import Patch, omittable
from app.vocabulary import (
    CleanText,
    CodeText,
    CustomerKind,
    FieldGroup,
    FieldType,
    LongText,
    ShortText,
)

_CHOICES: list[JsonValue] = [
    {"code": "chinese", "en": "Chinese", "zh": "中文"},
    {"code": "english", "en": "English", "zh": "英文"},
]
MAXIMUM_CHOICES: Final = 100
Bound = Annotated[str, StringConstraints(min_length=1, max_length=30), CleanText]
Position = Annotated[StrictInt, Field(ge=0, le=10_000)]


class ChoiceInput(Input):
    """One of the values that a field can have."""

    code: CodeText = Field(examples=["english"])
    en: ShortText = Field(description="English label.", examples=["English"])
    zh: ShortText = Field(description="Chinese label.", examples=["英文"])


class ChoiceRead(Output):
    """One of the values that a field can have."""

    code: str = Field(examples=["english"])
    en: str = Field(examples=["English"])
    zh: str = Field(examples=["英文"])


Choices = Annotated[list[ChoiceInput], Field(min_length=1, max_length=MAXIMUM_CHOICES)]
_BOUND = "Of the value for number and date, of the length for text; both bounds are included."


class CustomFieldCreate(Input):
    """A new field for the cards of a kind."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "individual",
                    "code": "reads_in",
                    "label_en": "Reads in",
                    "label_zh": "阅读语言",
                    "type": "multi_choice",
                    "section": "education",
                    "choices": _CHOICES,
                }
            ]
        }
    )

    kind: CustomerKind = Field(description="Whose cards have it.")
    code: FieldCode = Field(
        description="What cards keep its value under; it stays for ever.", examples=["reads_in"]
    )
    label_en: ShortText
    label_zh: ShortText
    type: FieldType = Field(description="It stays for ever.")
    section: FieldGroup = Field(
        default=FieldGroup.BASICS, description="The part of the form that it stands in."
    )
    choices: Choices | None = Field(default=None, description="For choice and multi_choice.")
    is_required: StrictBool = Field(
        default=False, description="New cards need it; imports and old cards are left as they are."
    )
    minimum: Bound | None = Field(default=None, description=_BOUND)
    maximum: Bound | None = Field(default=None, description=_BOUND)
    help_en: LongText | None = None
    help_zh: LongText | None = None
    position: Position = Field(default=0, description="Smaller ones come first in the form.")


class CustomFieldChange(Patch):
    """What may be changed of a field; values that cards have already stay as they are."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"label_en": "Reads books in"}]})

    label_en: ShortText = omittable()
    label_zh: ShortText = omittable()
    section: FieldGroup = omittable()
    choices: Choices = omittable(
        description="All of them. One that a card has can be relabelled, and not left out."
    )
    is_required: StrictBool = omittable()
    minimum: Bound | None = None
    maximum: Bound | None = None
    help_en: LongText | None = None
    help_zh: LongText | None = None
    position: Position = omittable()


class CustomFieldRead(Output):
    """A field of the cards of a kind."""

    # Shown field by field: FastAPI leaves nulls out of an example of the whole.
    id: UUID = Field(examples=["0193a1c2-d3e4-7f00-8000-000000000009"])
    kind: CustomerKind
    code: str = Field(examples=["reads_in"])
    label_en: str = Field(examples=["Reads in"])
    label_zh: str = Field(examples=["阅读语言"])
    type: FieldType = Field(examples=["multi_choice"])
    section: FieldGroup = Field(examples=["education"])
    choices: list[ChoiceRead] | None = Field(examples=[_CHOICES])
    is_required: bool
    minimum: str | None
    maximum: str | None
    help_en: str | None
    help_zh: str | None
    position: int = Field(examples=[0])
    archived_at: datetime | None = Field(description="Since when it is out of use.")
    version: int = Field(examples=[1])
    created_at: datetime
    updated_at: datetime
