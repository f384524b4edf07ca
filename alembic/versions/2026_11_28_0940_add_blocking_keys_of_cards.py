"""add blocking keys of cards

What duplicates are found by. Both tables are empty at first: the next scan fills them.

Revision ID: 0015
Revises: 0014
Created: 2026-11-28 09:40 UTC
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    # A migration that waits for a lock makes every request wait behind it: rather give up.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    op.create_table(
        "duplicate_card",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("is_compared", sa.Boolean(), nullable=False),
        sa.Column("is_bulk", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_duplicate_card")),
    )
    op.create_index(
        op.f("ix_duplicate_card_customer_id"),
        "duplicate_card",
        ["customer_id"],
        unique=False,
        postgresql_where=sa.text("NOT is_compared"),
    )
    op.create_index(
        "ix_duplicate_card_bulk",
        "duplicate_card",
        ["customer_id"],
        unique=False,
        postgresql_where=sa.text("is_bulk AND is_compared"),
    )
    op.create_table(
        "duplicate_key",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column("refinement", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("customer_id", "key", name=op.f("pk_duplicate_key")),
    )
    op.create_index(
        op.f("ix_duplicate_key_key_refinement_customer_id"),
        "duplicate_key",
        ["key", "refinement", "customer_id"],
        unique=False,
    )
    op.create_foreign_key(
        op.f("fk_duplicate_card_customer_id_customer"),
        "duplicate_card",
        "customer",
        ["customer_id"],
        ["id"],
    )


def downgrade() -> None:
    """Take it back; pairs and decisions stay, keys are made anew by the next scan."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    op.drop_table("duplicate_key")
    op.drop_table("duplicate_card")
