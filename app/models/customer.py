"""Customer cards, what finds them, and what was changed on them."""

from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.columns import (
    CodeColumn,
    Instant,
    InstantOrNone,
    Json,
    Text,
    TextOrNone,
    code_check,
    code_field,
    optional_code_field,
)
from app.vocabulary import (
    ActorKind,
    BirthdayCalendar,
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
        sa.Index(None, "home_store_id", "id"),
        sa.Index(None, "owner_staff_id", "id"),
        sa.Index(None, "name", "id"),
        sa.Index(None, "created_at", "id"),
        sa.Index(None, "updated_at", "id"),
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
    registered_on: date
    archived_at: InstantOrNone = None
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
