"""index what erasures look for

Kept answers by whom they tell of, events of senders in test mode, and erasures by their day. On
tables that are in use: each index concurrently.

Revision ID: 0012
Revises: 0011
Created: 2026-11-28 09:34 UTC
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '5s'")
        op.execute("SET statement_timeout = '15min'")
        op.create_index(
            "ix_idempotency_key_mentions",
            "idempotency_key",
            ["mentions"],
            postgresql_concurrently=True,
            if_not_exists=True,
            postgresql_using="gin",
        )
        op.create_index(
            "ix_pos_event_test",
            "pos_event",
            ["received_at"],
            postgresql_concurrently=True,
            if_not_exists=True,
            postgresql_where=sa.text("status = 'test'"),
        )
        op.create_index(
            op.f("ix_erasure_due_on"),
            "erasure",
            ["due_on"],
            postgresql_concurrently=True,
            if_not_exists=True,
            postgresql_where=sa.text("status = 'deferred'"),
        )
        op.create_index(
            op.f("ix_erasure_ended_at"),
            "erasure",
            ["ended_at"],
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        op.execute("RESET statement_timeout")
        op.execute("RESET lock_timeout")


def downgrade() -> None:
    """Take it back."""
    with op.get_context().autocommit_block():
        for name, table in (
            ("ix_erasure_ended_at", "erasure"),
            ("ix_erasure_due_on", "erasure"),
            ("ix_pos_event_test", "pos_event"),
            ("ix_idempotency_key_mentions", "idempotency_key"),
        ):
            op.drop_index(name, table, postgresql_concurrently=True, if_exists=True)
