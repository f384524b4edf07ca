"""index what merges look for

A merge points a card's till events to the surviving card, and is read by its own id. On tables
that are in use: each index concurrently.

Revision ID: 0009
Revises: 0008
Created: 2026-11-28 09:20 UTC
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '5s'")
        op.execute("SET statement_timeout = '15min'")
        op.create_index(
            op.f("ix_pos_event_customer_id"),
            "pos_event",
            ["customer_id"],
            postgresql_concurrently=True,
            if_not_exists=True,
            postgresql_where=sa.text("customer_id IS NOT NULL"),
        )
        op.create_index(
            op.f("ix_customer_merge_id"),
            "customer_merge",
            ["id"],
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        op.execute("RESET statement_timeout")
        op.execute("RESET lock_timeout")


def downgrade() -> None:
    """Take it back."""
    with op.get_context().autocommit_block():
        op.drop_index(
            op.f("ix_customer_merge_id"),
            "customer_merge",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            op.f("ix_pos_event_customer_id"),
            "pos_event",
            postgresql_concurrently=True,
            if_exists=True,
        )
