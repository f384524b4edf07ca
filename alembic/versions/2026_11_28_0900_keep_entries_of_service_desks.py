"""keep entries of service desks

And when a next step was done.

Revision ID: 0007
Revises: 0006
Created: 2026-11-28 09:00 UTC
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    op.create_table(
        "interaction_entry",
        sa.Column("recorded_by_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.Text(), nullable=False),
        sa.Column("interaction_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("recorded_by_id", "entry_id", name=op.f("pk_interaction_entry")),
    )
    op.add_column(
        "interaction", sa.Column("next_step_done_at", sa.DateTime(timezone=True), nullable=True)
    )


def downgrade() -> None:
    """Take it back; what was done is open again."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    op.drop_column("interaction", "next_step_done_at")
    op.drop_table("interaction_entry")
