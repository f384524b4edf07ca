"""index refunds by their sale

A receipt that leaves a card is looked for among the refunds of the card, which was a walk over all
its receipts for each of them. On a table that is in use: the index concurrently.

Revision ID: 0013
Revises: 0012
Created: 2026-11-28 09:40 UTC
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '5s'")
        op.execute("SET statement_timeout = '15min'")
        op.create_index(
            op.f("ix_purchase_customer_id_refund_of_id"),
            "purchase",
            ["customer_id", "refund_of_id"],
            postgresql_concurrently=True,
            if_not_exists=True,
            postgresql_where=sa.text("refund_of_id IS NOT NULL"),
        )
        op.execute("RESET statement_timeout")
        op.execute("RESET lock_timeout")


def downgrade() -> None:
    """Take it back."""
    with op.get_context().autocommit_block():
        op.drop_index(
            op.f("ix_purchase_customer_id_refund_of_id"),
            "purchase",
            postgresql_concurrently=True,
            if_exists=True,
        )
