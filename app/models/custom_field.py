"""Definitions of the fields that a chain adds to its cards."""

from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.columns import (
    Instant,
    InstantOrNone,
    JsonOrNone,
    Text,
    TextOrNone,
    code_check,
    code_field,
)
from app.vocabulary import CustomerKind, FieldGroup, FieldType


class CustomField(SQLModel, table=True):
    """One field of the cards of one kind; a card keeps its value under ``code``.

    ``choices`` is a list of ``{"code", "en", "zh"}`` for choice and multi_choice. ``minimum`` and
    ``maximum`` bound numbers and dates as text, lengths of texts as whole numbers.
    """

    __tablename__ = "custom_field"
    __table_args__ = (
        sa.UniqueConstraint("scope", "code"),
        code_check("scope", CustomerKind),
        code_check("type", FieldType),
        code_check("section", FieldGroup),
        sa.CheckConstraint("version >= 1", name="version"),
        sa.CheckConstraint(
            "(type IN ('choice', 'multi_choice')) = (choices IS NOT NULL)", name="choices"
        ),
    )

    id: UUID = Field(primary_key=True)
    scope: CustomerKind = code_field(CustomerKind)
    code: Text
    label_en: Text
    label_zh: Text
    type: FieldType = code_field(FieldType)
    section: FieldGroup = code_field(FieldGroup)
    choices: JsonOrNone = None
    is_required: bool = False
    minimum: TextOrNone = None
    maximum: TextOrNone = None
    help_en: TextOrNone = None
    help_zh: TextOrNone = None
    position: int = 0
    archived_at: InstantOrNone = None
    version: int = 1
    created_at: Instant
    updated_at: Instant
