"""look at what was promised of tiers

Constraints that were added for new rows only are looked at for the old ones, which takes no lock
that anybody waits for; overrides are found by their end; figures of the half years, which old rows
don't have yet, are made by the next night. On tables that are in use.

Revision ID: 0020
Revises: 0019
Created: 2026-11-28 12:12 UTC
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

PROMISED = (
    ("audit_entry", "ck_audit_entry_action"),
    ("outbox_event", "ck_outbox_event_type"),
    ("tier_assignment", "ck_tier_assignment_cause"),
    ("tier_assignment", "ck_tier_assignment_override"),
    ("tier_assignment", "fk_tier_assignment_set_by_id_staff"),
    ("tier_policy", "ck_tier_policy_method"),
    ("tier_policy", "ck_tier_policy_status"),
    ("tier_policy", "fk_tier_policy_approved_by_id_staff"),
    ("tier_policy", "fk_tier_policy_created_by_id_staff"),
)


def upgrade() -> None:
    """Bring the schema forward."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '5s'")
        op.execute("SET statement_timeout = '15min'")
        for table, name in PROMISED:
            op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
        op.create_index(
            "ix_tier_assignment_override", "tier_assignment", ["ends_on", "customer_id"],
            postgresql_where=sa.text("valid_to IS NULL AND ends_on IS NOT NULL"),
            postgresql_concurrently=True, if_not_exists=True,
        )  # fmt: skip
        op.create_index(
            "uq_tier_policy_scheduled_scope", "tier_policy", ["scope"], unique=True,
            postgresql_where=sa.text("status = 'scheduled'"),
            postgresql_concurrently=True, if_not_exists=True,
        )  # fmt: skip
        # A row whose window has changed is made anew by the night, from the receipts.
        op.execute(
            "UPDATE customer_stats SET window_changes_on = last_purchase_on"
            " WHERE last_purchase_on IS NOT NULL AND window_changes_on IS NOT NULL"
        )
        op.execute("RESET statement_timeout")
        op.execute("RESET lock_timeout")


def downgrade() -> None:
    """Take it back."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '5s'")
        op.execute("SET statement_timeout = '15min'")
        op.drop_index(
            "uq_tier_policy_scheduled_scope", "tier_policy",
            postgresql_concurrently=True, if_exists=True,
        )  # fmt: skip
        op.drop_index(
            "ix_tier_assignment_override", "tier_assignment",
            postgresql_concurrently=True, if_exists=True,
        )  # fmt: skip
        op.execute("RESET statement_timeout")
        op.execute("RESET lock_timeout")
