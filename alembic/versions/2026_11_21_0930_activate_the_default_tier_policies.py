"""activate the default tier policies

Net spend of twelve months, main from 1000, ordinary from 300, small below: for individuals and for
organizations, each as version 1.

Revision ID: 0004
Revises: 0003
Created: 2026-11-21 09:30 UTC
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Fixed, so that every installation names its first policies alike.
POLICIES = {
    "individual": "01937e00-0000-7000-8000-000000000001",
    "organization": "01937e00-0000-7000-8000-000000000002",
}
BODY = {
    "metric": "net_spend",
    "window_days": 365,
    "levels": [
        {"level": "main", "at_least": "1000.00"},
        {"level": "ordinary", "at_least": "300.00"},
        {"level": "small", "at_least": "0.00"},
    ],
    "keep": {"factor": "0.90", "hold_days": 180, "notice_days": 30, "evaluation": "monthly"},
}


def upgrade() -> None:
    """Insert one active policy for each scope."""
    for scope, policy_id in POLICIES.items():
        op.execute(
            sa.text(
                "INSERT INTO tier_policy (id, scope, version, name, status, method, body,"
                " effective_on, created_at, activated_at)"
                f" VALUES ('{policy_id}', '{scope}', 1, 'Twelve months'' net spend', 'active',"
                f" 'threshold', CAST('{json.dumps(BODY)}' AS jsonb), DATE '2000-01-01',"
                " TIMESTAMPTZ '2000-01-01 00:00:00+00', TIMESTAMPTZ '2000-01-01 00:00:00+00')"
            ).execution_options(no_parameters=True)
        )


def downgrade() -> None:
    """Remove them; assignments that name them have to be gone."""
    for policy_id in POLICIES.values():
        op.execute(f"DELETE FROM tier_policy WHERE id = '{policy_id}'")
