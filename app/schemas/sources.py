"""Bodies of tills and web shops, and of their signing secrets."""

from datetime import datetime
from uuid import UUID

from pydantic import ConfigDict, Field

from app.schemas.common import Input, Output
from app.schemas.patch import Patch, omittable
from app.vocabulary import CodeText, ReceiptRule, ShortText, SourceKind, SourceMode

_STORE = "0193a1c2-d3e4-7f00-8000-000000000001"


class SourceCreate(Input):
    """A new sender of sales."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "code": "S01-T1",
                    "name": "明湖路店 1 号收银机",
                    "kind": "till",
                    "store_id": _STORE,
                    "mode": "test",
                    "receipt_rule": "daily",
                }
            ]
        }
    )

    code: CodeText = Field(description="Stands in the address that events are sent to.")
    name: ShortText
    kind: SourceKind
    store_id: UUID = Field(description="The shop its sales belong to.", examples=[_STORE])
    mode: SourceMode = Field(description="In test mode events are checked and have no effect.")
    receipt_rule: ReceiptRule = Field(description="When its receipt numbers start over.")


class SourceChange(Patch):
    """What may be changed of a sender of sales."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"mode": "live"}]})

    name: ShortText = omittable()
    store_id: UUID = omittable(
        description="Only while no receipt of it was applied.", examples=[_STORE]
    )
    mode: SourceMode = omittable(description="Going live deletes what was sent as a test.")
    receipt_rule: ReceiptRule = omittable(description="Only while no receipt of it was applied.")
    is_active: bool = omittable(description="An inactive source's events are refused.")


class SecretRead(Output):
    """A live signing secret, without the secret."""

    id: UUID
    created_at: datetime


class SecretCreated(SecretRead):
    """A new signing secret (Standard Webhooks)."""

    secret: str | None = Field(
        description="Shown once: null when this answer is repeated.", examples=["whsec_MfKQ9r8G…"]
    )


class SourceRead(Output):
    """A sender of sales."""

    id: UUID
    code: str = Field(examples=["S01-T1"])
    name: str = Field(examples=["明湖路店 1 号收银机"])
    kind: SourceKind
    store_id: UUID
    mode: SourceMode
    receipt_rule: ReceiptRule
    currency: str = Field(description="Of its receipts: the chain's.", examples=["CNY"])
    is_active: bool
    secrets: list[SecretRead] = Field(description="The live ones, at most two.")
    version: int = Field(examples=[1])
    created_at: datetime
    updated_at: datetime


class SourceCreated(SourceRead):
    """A new sender of sales with its first signing secret."""

    secret: str | None = Field(
        description="Shown once: null when this answer is repeated.", examples=["whsec_MfKQ9r8G…"]
    )
