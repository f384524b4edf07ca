"""What lets people and machines in: access tokens, API clients and keys, sign-in throttle."""

from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.columns import Instant, InstantOrNone, Text, Texts


class AccessToken(SQLModel, table=True):
    """An opaque token of a signed-in member of staff; only its SHA-256 is kept."""

    __tablename__ = "access_token"
    __table_args__ = (
        sa.UniqueConstraint("token_hash"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], ondelete="CASCADE"),
        sa.Index(None, "staff_id"),
    )

    id: UUID = Field(primary_key=True)
    token_hash: Text
    staff_id: UUID
    created_at: Instant
    last_used_at: Instant
    expires_at: Instant
    revoked_at: InstantOrNone = None


class ApiClient(SQLModel, table=True):
    """A machine that calls the API with keys of its own; ``scopes`` are permissions."""

    __tablename__ = "api_client"
    __table_args__ = (
        sa.UniqueConstraint("name"),
        sa.CheckConstraint("version >= 1", name="version"),
    )

    id: UUID = Field(primary_key=True)
    name: Text
    scopes: Texts
    disabled_at: InstantOrNone = None
    version: int = 1
    created_at: Instant
    updated_at: Instant


class ApiKey(SQLModel, table=True):
    """A key of an API client; at most two live ones, so that they can be rotated."""

    __tablename__ = "api_key"
    __table_args__ = (
        sa.UniqueConstraint("key_hash"),
        sa.ForeignKeyConstraint(["client_id"], ["api_client.id"], ondelete="CASCADE"),
        sa.CheckConstraint("slot IN (1, 2)", name="slot"),
        sa.Index(
            "uq_api_key_live_slot",
            "client_id",
            "slot",
            unique=True,
            postgresql_where=sa.text("revoked_at IS NULL"),
        ),
    )

    id: UUID = Field(primary_key=True)
    client_id: UUID
    slot: int
    prefix: Text
    key_hash: Text
    created_at: Instant
    expires_at: InstantOrNone = None
    last_used_at: InstantOrNone = None
    revoked_at: InstantOrNone = None


class SignInThrottle(SQLModel, table=True):
    """Failed attempts to sign in within a window: of a name, an address, or both (all hashed)."""

    __tablename__ = "sign_in_throttle"

    key: Text = Field(primary_key=True, sa_type=sa.Text)
    window_starts_at: Instant
    attempts: int
