"""let the night read cards from an index

The night makes profiles kind by kind, in the order of ids, and looks at nothing of a card but what
kind it is and whether it is in use.

Revision ID: 0021
Revises: 0020
Created: 2026-11-28 13:40 UTC
"""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '5s'")
        op.execute("SET statement_timeout = '15min'")
        op.create_index(
            "ix_customer_id", "customer", ["id"], postgresql_include=["kind", "status"],
            postgresql_concurrently=True, if_not_exists=True,
        )  # fmt: skip
        op.execute("RESET statement_timeout")
        op.execute("RESET lock_timeout")


def downgrade() -> None:
    """Take it back."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '5s'")
        op.execute("SET statement_timeout = '15min'")
        op.drop_index("ix_customer_id", "customer", postgresql_concurrently=True, if_exists=True)
        op.execute("RESET statement_timeout")
        op.execute("RESET lock_timeout")
