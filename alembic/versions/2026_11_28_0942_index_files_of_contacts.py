"""index files of contacts

By day, of everybody and of a shop. On a table that is in use: each index concurrently.

Revision ID: 0017
Revises: 0016
Created: 2026-11-28 09:42 UTC
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

INDEXES = (
    ("ix_interaction_business_day_id", ["business_day", "id"]),
    ("ix_interaction_store_id_business_day_id", ["store_id", "business_day", "id"]),
)


def upgrade() -> None:
    """Bring the schema forward."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '5s'")
        op.execute("SET statement_timeout = '15min'")
        for name, columns in INDEXES:
            op.create_index(
                name, "interaction", columns, postgresql_concurrently=True, if_not_exists=True
            )
        op.execute("RESET statement_timeout")
        op.execute("RESET lock_timeout")


def downgrade() -> None:
    """Take it back."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '5s'")
        op.execute("SET statement_timeout = '15min'")
        for name, _ in INDEXES:
            op.drop_index(name, "interaction", postgresql_concurrently=True, if_exists=True)
        op.execute("RESET statement_timeout")
        op.execute("RESET lock_timeout")
