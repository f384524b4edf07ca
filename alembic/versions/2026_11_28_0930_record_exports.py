"""record exports

Who took which list away.

Revision ID: 0010
Revises: 0009
Created: 2026-11-28 09:30 UTC
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    op.create_table(
        "export",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("columns", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("filters", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("unmask_reason", sa.Text(), nullable=True),
        sa.Column("rows", sa.Integer(), nullable=True),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_export")),
        sa.CheckConstraint(
            "kind IN ('customers', 'purchases', 'interactions', 'duplicates', 'pos_events', "
            "'audit')",
            name=op.f("ck_export_kind"),
        ),
        sa.CheckConstraint("format IN ('csv', 'xlsx')", name=op.f("ck_export_format")),
        sa.CheckConstraint(
            "actor_kind IN ('staff', 'api_client', 'source', 'system')",
            name=op.f("ck_export_actor_kind"),
        ),
        sa.CheckConstraint("rows >= 0", name=op.f("ck_export_rows")),
        sa.CheckConstraint("(rows IS NULL) = (ended_at IS NULL)", name=op.f("ck_export_ended")),
    )
    op.create_index(op.f("ix_export_requested_at_id"), "export", ["requested_at", "id"])


def downgrade() -> None:
    """Take it back; what is known of exports stands in the audit trail only."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    op.drop_table("export")
