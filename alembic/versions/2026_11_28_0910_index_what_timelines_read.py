"""index what timelines read

And the cost to serve, and steps that are open. On tables that are in use: each index concurrently.

Revision ID: 0008
Revises: 0007
Created: 2026-11-28 09:10 UTC
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

OPEN_STEP = "next_step IS NOT NULL AND next_step_on IS NOT NULL AND next_step_done_at IS NULL"
INDEXES: tuple[tuple[str, str, list[str], dict[str, Any]], ...] = (
    (
        "ix_interaction_statistics",
        "interaction",
        ["customer_id", "business_day"],
        {"postgresql_include": ["direction", "cost", "occurred_at"]},
    ),
    (
        "ix_interaction_next_step",
        "interaction",
        ["next_step_on", "id"],
        {"postgresql_where": sa.text(OPEN_STEP)},
    ),
    (
        "ix_interaction_next_step_staff",
        "interaction",
        ["staff_id", "next_step_on", "id"],
        {"postgresql_where": sa.text(OPEN_STEP)},
    ),
    (
        "ix_interaction_next_step_store",
        "interaction",
        ["store_id", "next_step_on", "id"],
        {"postgresql_where": sa.text(OPEN_STEP)},
    ),
    (
        "ix_unattached_interaction_store_id_occurred_at_id",
        "unattached_interaction",
        ["store_id", "occurred_at", "id"],
        {},
    ),
    (
        "ix_tier_assignment_customer_id_valid_from_id",
        "tier_assignment",
        ["customer_id", "valid_from", "id"],
        {},
    ),
    (
        "ix_customer_merge_customer_id_merged_at_id",
        "customer_merge",
        ["customer_id", "merged_at", "id"],
        {},
    ),
)
REPLACED: tuple[tuple[str, str, list[str], dict[str, Any]], ...] = (
    (
        "ix_interaction_next_step_on",
        "interaction",
        ["next_step_on"],
        {"postgresql_where": sa.text("next_step_on IS NOT NULL")},
    ),
    (
        "ix_tier_assignment_customer_id_valid_from",
        "tier_assignment",
        ["customer_id", "valid_from"],
        {},
    ),
)


def upgrade() -> None:
    """Bring the schema forward."""
    _change(create=INDEXES, drop=REPLACED)


def downgrade() -> None:
    """Take it back."""
    _change(create=REPLACED, drop=INDEXES)


def _change(
    *,
    create: tuple[tuple[str, str, list[str], dict[str, Any]], ...],
    drop: tuple[tuple[str, str, list[str], dict[str, Any]], ...],
) -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '5s'")
        op.execute("SET statement_timeout = '15min'")
        for name, table, columns, about in create:
            op.create_index(
                name, table, columns, postgresql_concurrently=True, if_not_exists=True, **about
            )
        for name, table, _, _ in drop:
            op.drop_index(name, table, postgresql_concurrently=True, if_exists=True)
        op.execute("RESET statement_timeout")
        op.execute("RESET lock_timeout")
