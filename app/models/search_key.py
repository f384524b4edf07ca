"""What customers are found by: derived from their cards, kept for the search alone."""

from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.models.columns import Instant, InstantOrNone

# Stretches of an index are prefixes only where text is compared byte by byte.
_BYTES = sa.Text(collation="C")


def _probed(column: str) -> tuple[sa.Index, sa.Index]:
    """Return the indexes of a column: of the whole chain, and store by store.

    Each ends with the card, so that equal keys have an order and a page is read without sorting.
    """
    return (
        sa.Index(
            f"ix_customer_search_key_{column}",
            "place",
            column,
            "customer_id",
            postgresql_where=sa.text(f"{column} IS NOT NULL"),
        ),
        sa.Index(
            f"ix_customer_search_key_store_{column}",
            "home_store_id",
            "place",
            column,
            "customer_id",
            postgresql_where=sa.text(f"{column} IS NOT NULL AND home_store_id IS NOT NULL"),
        ),
    )


class CustomerSearchKey(SQLModel, table=True):
    """One way to find one card: a beginning of its name in one reading, or an identity.

    ``place`` says what the key is made of, and of which kind of card: see
    :mod:`app.rules.search_places`. ``characters`` is the folded name from there on, ``letters`` its
    pinyin (of an identity: its value), ``initials`` the first letters of the syllables.
    ``home_store_id`` is the card's.
    """

    __tablename__ = "customer_search_key"
    __table_args__ = (
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        *_probed("characters"),
        *_probed("letters"),
        *_probed("initials"),
    )

    customer_id: UUID = Field(primary_key=True)
    place: int = Field(primary_key=True, sa_type=sa.SmallInteger)
    number: int = Field(primary_key=True, sa_type=sa.SmallInteger)
    characters: str | None = Field(default=None, sa_type=_BYTES)
    letters: str | None = Field(default=None, sa_type=_BYTES)
    initials: str | None = Field(default=None, sa_type=_BYTES)
    home_store_id: UUID | None = None


class SearchBuild(SQLModel, table=True):
    """How far the keys of all cards have been made by one version of the rule that makes them."""

    __tablename__ = "search_build"

    rule: int = Field(
        primary_key=True, sa_type=sa.SmallInteger, sa_column_kwargs={"autoincrement": False}
    )
    after_id: UUID | None = None
    started_at: Instant
    finished_at: InstantOrNone = None
