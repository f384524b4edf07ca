"""index the new columns of cards

On a table that is in use: each index concurrently, and the wider CHECKs looked at without stopping
anybody.

Revision ID: 0006
Revises: 0005
Created: 2026-11-28 08:40 UTC
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

CHECKS = (
    ("customer", "ck_customer_status"),
    ("customer", "ck_customer_merged"),
    ("customer", "ck_customer_erased"),
    ("customer", "ck_customer_completeness"),
    ("audit_entry", "ck_audit_entry_action"),
    ("outbox_event", "ck_outbox_event_type"),
    ("tier_assignment", "ck_tier_assignment_cause"),
)
INDEXES = (
    "ix_customer_completeness_id",
    "ix_customer_custom",
    "ix_customer_interests",
    "ix_customer_merged_into_id",
    "ix_customer_tags",
    "ix_customer_verified_on_id",
)


def upgrade() -> None:
    """Bring the schema forward."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    # Looking at every old row takes as long as there are rows, and stops nobody meanwhile.
    op.execute("SET LOCAL statement_timeout = '15min'")
    for table, name in CHECKS:
        op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '5s'")
        op.create_index(
            op.f("ix_customer_completeness_id"),
            "customer",
            ["completeness", "id"],
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        op.create_index(
            "ix_customer_custom",
            "customer",
            ["custom"],
            postgresql_concurrently=True,
            if_not_exists=True,
            postgresql_using="gin",
            postgresql_ops={"custom": "jsonb_path_ops"},
        )
        op.create_index(
            "ix_customer_interests",
            "customer",
            ["interests"],
            postgresql_concurrently=True,
            if_not_exists=True,
            postgresql_using="gin",
        )
        op.create_index(
            op.f("ix_customer_merged_into_id"),
            "customer",
            ["merged_into_id"],
            postgresql_concurrently=True,
            if_not_exists=True,
            postgresql_where=sa.text("merged_into_id IS NOT NULL"),
        )
        op.create_index(
            "ix_customer_tags",
            "customer",
            ["tags"],
            postgresql_concurrently=True,
            if_not_exists=True,
            postgresql_using="gin",
        )
        op.create_index(
            op.f("ix_customer_verified_on_id"),
            "customer",
            ["verified_on", "id"],
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        op.execute("RESET lock_timeout")


def downgrade() -> None:
    """Take it back."""
    with op.get_context().autocommit_block():
        for name in INDEXES:
            op.drop_index(name, "customer", postgresql_concurrently=True, if_exists=True)
