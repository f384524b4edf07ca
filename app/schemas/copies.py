"""Bodies of copies: everything about a person, for that person."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ConfigDict, Field

from app.schemas.common import BilingualText, Input, Output
from app.schemas.disclosures import Reason


class CopyRequest(Input):
    """Why a person's data are copied out."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "本人书面申请"}]})

    reason: Reason


class CopiedRows(Output):
    """All rows of one table that are the person's."""

    table: str = Field(examples=["customer_identity"])
    title: BilingualText = Field(
        examples=[{"en": "Phones, addresses and numbers", "zh": "客户身份"}]
    )
    columns: dict[str, BilingualText] = Field(
        description="What each column is called.", examples=[{"value": {"en": "value", "zh": "值"}}]
    )
    rows: list[dict[str, Any]] = Field(
        description="As they are stored, nothing masked.", examples=[[{"value": "+8613800138000"}]]
    )


class PersonCopy(Output):
    """Everything that is stored about a person."""

    id: UUID = Field(description="Of the record that says who made it and why.")
    customer_id: UUID
    made_at: datetime
    cards: list[UUID] = Field(description="The card, and those that were merged into it.")
    tables: list[CopiedRows]
