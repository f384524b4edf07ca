"""Customer cards, what finds them, and what was changed on them."""

from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.columns import (
    JSON_COLUMN,
    TEXTS,
    CodeColumn,
    Instant,
    InstantOrNone,
    Json,
    JsonOrNone,
    Text,
    TextOrNone,
    code_check,
    code_field,
    empty_field,
    optional_code_field,
)
from app.vocabulary import (
    ActorKind,
    BirthdayCalendar,
    ContactRole,
    CustomerKind,
    CustomerOrigin,
    CustomerStatus,
    Gender,
    IdentityKind,
    MaritalStatus,
    SizeBand,
)


class Customer(SQLModel, table=True):
    """One person or body that the chain knows.

    A birthday is kept as month and day in its own calendar, the year only when it is known.
    ``family`` is a list of ``{"relation", "name", "birthday", "note"}``; ``terms`` are an
    organization's trading terms; ``custom`` holds values by the code of their definition.
    ``completeness`` (0 to 100) is derived. A card that was merged into another keeps what it said,
    and names the other; it has no foreign key, since the two need not lie on one machine.
    """

    __tablename__ = "customer"
    __table_args__ = (
        sa.ForeignKeyConstraint(["home_store_id"], ["store.id"]),
        sa.ForeignKeyConstraint(["owner_staff_id"], ["staff.id"]),
        code_check("kind", CustomerKind),
        code_check("status", CustomerStatus),
        code_check("origin", CustomerOrigin),
        code_check("gender", Gender),
        code_check("marital_status", MaritalStatus),
        code_check("birthday_calendar", BirthdayCalendar),
        code_check("size_band", SizeBand),
        sa.CheckConstraint("version >= 1", name="version"),
        sa.CheckConstraint("birth_month BETWEEN 1 AND 12", name="birth_month"),
        sa.CheckConstraint("birth_day BETWEEN 1 AND 31", name="birth_day"),
        sa.CheckConstraint(
            "(birth_month IS NULL) = (birth_day IS NULL)"
            " AND (birth_month IS NULL) = (birthday_calendar IS NULL)"
            " AND (birth_year IS NULL OR birth_month IS NOT NULL)",
            name="birthday_whole",
        ),
        sa.CheckConstraint("(status = 'merged') = (merged_into_id IS NOT NULL)", name="merged"),
        sa.CheckConstraint("(status = 'erased') = (erased_at IS NOT NULL)", name="erased"),
        sa.CheckConstraint("completeness BETWEEN 0 AND 100", name="completeness"),
        sa.Index(None, "home_store_id", "id"),
        sa.Index(None, "owner_staff_id", "id"),
        sa.Index(None, "id", postgresql_include=["kind", "status"]),
        sa.Index(None, "name", "id"),
        sa.Index(None, "created_at", "id"),
        sa.Index(None, "updated_at", "id"),
        sa.Index(None, "verified_on", "id"),
        sa.Index(None, "completeness", "id"),
        sa.Index(None, "merged_into_id", postgresql_where=sa.text("merged_into_id IS NOT NULL")),
        sa.Index("ix_customer_tags", "tags", postgresql_using="gin"),
        sa.Index("ix_customer_interests", "interests", postgresql_using="gin"),
        sa.Index(
            "ix_customer_custom",
            "custom",
            postgresql_using="gin",
            postgresql_ops={"custom": "jsonb_path_ops"},
        ),
    )

    id: UUID = Field(primary_key=True)
    kind: CustomerKind = code_field(CustomerKind)
    status: CustomerStatus = code_field(CustomerStatus)
    name: Text
    gender: Gender | None = optional_code_field(Gender)
    birthday_calendar: BirthdayCalendar | None = optional_code_field(BirthdayCalendar)
    birth_year: int | None = None
    birth_month: int | None = None
    birth_day: int | None = None
    birth_month_is_leap: bool = False
    marital_status: MaritalStatus | None = optional_code_field(MaritalStatus)
    occupation: TextOrNone = None
    employer: TextOrNone = None
    job_title: TextOrNone = None
    industry: TextOrNone = None
    size_band: SizeBand | None = optional_code_field(SizeBand)
    region: TextOrNone = None
    address: TextOrNone = None
    origin: CustomerOrigin = code_field(CustomerOrigin)
    home_store_id: UUID | None = None
    owner_staff_id: UUID | None = None
    note: TextOrNone = None
    tags: list[str] = empty_field(TEXTS, "{}")
    interests: list[str] = empty_field(TEXTS, "{}")
    family: Any = empty_field(JSON_COLUMN, "[]")
    terms: JsonOrNone = None
    custom: Any = empty_field(JSON_COLUMN, "{}")
    completeness: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    verified_on: date | None = None
    verified_by_id: UUID | None = None
    registered_on: date
    archived_at: InstantOrNone = None
    merged_into_id: UUID | None = None
    erased_at: InstantOrNone = None
    version: int = 1
    created_at: Instant
    updated_at: Instant


class CustomerIdentity(SQLModel, table=True):
    """A card's own copy of what finds it; :class:`Identity` keeps it unique over the chain.

    ``system`` names the other system of an ``external`` identity and is empty otherwise.
    """

    __tablename__ = "customer_identity"
    __table_args__ = (
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.UniqueConstraint("customer_id", "kind", "system", "value"),
        code_check("kind", IdentityKind),
    )

    customer_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    kind: IdentityKind = code_field(IdentityKind)
    system: Text = Field(default="", sa_type=sa.Text)
    value: Text
    label: TextOrNone = None
    is_primary: bool = False
    added_at: Instant


class Identity(SQLModel, table=True):
    """Who a value belongs to, over the whole chain.

    ``customer_id`` is empty while sales wait for a card with this value: the row is then the
    place where the sale and the card's creation meet, whichever comes first.
    """

    __tablename__ = "identity"
    __table_args__ = (
        code_check("kind", IdentityKind),
        sa.Index(None, "customer_id", postgresql_where=sa.text("customer_id IS NOT NULL")),
    )

    kind: IdentityKind = Field(primary_key=True, sa_type=CodeColumn(IdentityKind))
    system: Text = Field(default="", primary_key=True, sa_type=sa.Text)
    value: Text = Field(primary_key=True, sa_type=sa.Text)
    customer_id: UUID | None = None
    created_at: Instant


class CustomerChange(SQLModel, table=True):
    """One change of a card: ``changes`` is ``{"field": ["from", "to"], …}`` as JSON values."""

    __tablename__ = "customer_change"
    __table_args__ = (
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        code_check("actor_kind", ActorKind),
        sa.UniqueConstraint("customer_id", "version"),
    )

    customer_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    version: int
    changed_at: Instant
    actor_kind: ActorKind = code_field(ActorKind)
    actor_id: UUID | None = None
    changes: Json


class CustomerContact(SQLModel, table=True):
    """A person at an organization: whom one speaks with, and who decides."""

    __tablename__ = "customer_contact"
    __table_args__ = (
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        code_check("role", ContactRole),
    )

    customer_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    name: Text
    title: TextOrNone = None
    role: ContactRole = code_field(ContactRole)
    decides: bool = False
    phone: TextOrNone = None
    email: TextOrNone = None
    note: TextOrNone = None
    created_at: Instant
    updated_at: Instant
