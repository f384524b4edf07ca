"""add the keys of the search

Cards that are there already get their keys from the worker, portion by portion: making them takes
pinyin, which the database has none of.

Revision ID: 0016
Revises: 0015
Created: 2026-11-28 09:50 UTC
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    # A migration that waits for a lock makes every request wait behind it: rather give up.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    op.create_table(
        "customer_search_key",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.SmallInteger(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("characters", sa.Text(collation="C"), nullable=True),
        sa.Column("letters", sa.Text(collation="C"), nullable=True),
        sa.Column("initials", sa.Text(collation="C"), nullable=True),
        sa.Column("home_store_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint(
            "customer_id", "place", "number", name=op.f("pk_customer_search_key")
        ),
    )
    op.create_foreign_key(
        op.f("fk_customer_search_key_customer_id_customer"),
        "customer_search_key",
        "customer",
        ["customer_id"],
        ["id"],
    )
    for column in ("characters", "letters", "initials"):
        op.create_index(
            f"ix_customer_search_key_{column}",
            "customer_search_key",
            ["place", column, "customer_id"],
            postgresql_where=sa.text(f"{column} IS NOT NULL"),
        )
        op.create_index(
            f"ix_customer_search_key_store_{column}",
            "customer_search_key",
            ["home_store_id", "place", column, "customer_id"],
            postgresql_where=sa.text(f"{column} IS NOT NULL AND home_store_id IS NOT NULL"),
        )
    op.create_table(
        "search_build",
        sa.Column("rule", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("after_id", sa.Uuid(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("rule", name=op.f("pk_search_build")),
    )


def downgrade() -> None:
    """Take it back; the keys can be made anew from the cards."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    op.drop_table("search_build")
    op.drop_table("customer_search_key")
