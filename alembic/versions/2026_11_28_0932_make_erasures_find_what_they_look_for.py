"""make erasures find what they look for

When a deferred erasure is looked at again, and whom a kept answer tells of.

Revision ID: 0011
Revises: 0010
Created: 2026-11-28 09:32 UTC
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    # A migration that waits for a lock makes every request wait behind it: rather give up.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    op.add_column("erasure", sa.Column("due_on", sa.Date(), nullable=True))
    op.add_column(
        "idempotency_key",
        sa.Column(
            "mentions",
            postgresql.ARRAY(sa.Uuid()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
    )


def downgrade() -> None:
    """Take it back; data that the older schema has no place for is lost."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    op.drop_column("idempotency_key", "mentions")
    op.drop_column("erasure", "due_on")
