"""find contacts by their id

Who kept the id of a caller's contact is led to the card that it has joined. On a table that is in
use: concurrently.

Revision ID: 0018
Revises: 0017
Created: 2026-11-28 10:40 UTC
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '5s'")
        op.execute("SET statement_timeout = '15min'")
        op.create_index(
            "ix_interaction_id", "interaction", ["id"],
            postgresql_concurrently=True, if_not_exists=True,
        )  # fmt: skip
        op.execute("RESET statement_timeout")
        op.execute("RESET lock_timeout")


def downgrade() -> None:
    """Take it back."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '5s'")
        op.execute("SET statement_timeout = '15min'")
        op.drop_index(
            "ix_interaction_id", "interaction", postgresql_concurrently=True, if_exists=True
        )
        op.execute("RESET statement_timeout")
        op.execute("RESET lock_timeout")
