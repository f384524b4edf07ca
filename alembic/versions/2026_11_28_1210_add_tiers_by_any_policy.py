"""add tiers by any policy

Policies are written, tried out and published; upgrades may be held for review, falls are told
before; figures say what they say about each customer.

Revision ID: 0019
Revises: 0018
Created: 2026-11-28 12:10 UTC
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

LEVELS = ("main", "ordinary", "small", "key", "important", "general", "maintenance")
SEGMENTS = (
    "prospects", "champions", "loyal", "new", "promising", "active", "needs_attention",
    "previously_loyal", "at_risk", "almost_lost", "dormant",
)  # fmt: skip
# Table, column, all codes it may have, those of them that are new.
WIDER = (
    ("audit_entry", "action", """
        created changed archived restored disabled enabled password_reset signed_in
        signed_out revoked handed_over replayed attached verified decided merged unmerged
        imported undone cancelled exported disclosed copied erased deferred published
        retired simulated
    """, "published retired simulated"),
    ("outbox_event", "type", """
        customer.created customer.updated customer.archived customer.restored
        customer.merged customer.unmerged customer.erased consent.changed
        interaction.recorded interaction.changed import.finished purchase.recorded
        purchase.refunded purchase.voided purchase.attached tier.changed tier.notice_given
        tier.review_opened tier_policy.activated report.finished
    """, "report.finished tier.notice_given tier.review_opened tier_policy.activated"),
    ("tier_assignment", "cause", """
        initial upgrade reversal carried reconciled merged evaluation policy reviewed
        override override_ended
    """, "evaluation override override_ended policy reviewed"),
    ("tier_policy", "status", """
        draft scheduled active retired
    """, "scheduled"),
    ("tier_policy", "method", """
        threshold share composite
    """, "composite share"),
)  # fmt: skip


def _codes(column: str, codes: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(code) for code in codes)})"


def upgrade() -> None:
    """Bring the schema forward."""
    # A migration that waits for a lock makes every request wait behind it: rather give up.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    op.create_table(
        "tier_evaluation",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("evaluated_on", sa.Date(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_customer_id", sa.Uuid(), nullable=True),
        sa.Column("noticed", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "scope IN ('individual', 'organization')", name=op.f("ck_tier_evaluation_scope")
        ),
        sa.PrimaryKeyConstraint("scope", "evaluated_on", name=op.f("pk_tier_evaluation")),
    )
    op.create_table(
        "customer_profile",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("recency_score", sa.Integer(), nullable=True),
        sa.Column("frequency_score", sa.Integer(), nullable=True),
        sa.Column("monetary_score", sa.Integer(), nullable=True),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("customer_group", sa.Text(), nullable=False),
        sa.Column("growth", sa.Numeric(precision=4, scale=3), nullable=True),
        sa.Column("contribution", sa.Numeric(precision=28, scale=2), nullable=True),
        sa.Column("pace", sa.Numeric(precision=28, scale=2), nullable=False),
        sa.Column("next_level", sa.Text(), nullable=True),
        sa.Column("missing", sa.Numeric(precision=28, scale=2), nullable=True),
        sa.Column("has_potential", sa.Boolean(), nullable=False),
        sa.Column("is_hollow", sa.Boolean(), nullable=False),
        sa.Column("is_severe", sa.Boolean(), nullable=False),
        sa.Column("hollow_signs", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("is_pruning_candidate", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "customer_group IN ('over_served', 'prospective', 'value', 'potential', 'other')",
            name=op.f("ck_customer_profile_customer_group"),
        ),
        sa.CheckConstraint(
            _codes("next_level", LEVELS),
            name=op.f("ck_customer_profile_next_level"),
        ),
        sa.CheckConstraint(
            _codes("segment", SEGMENTS),
            name=op.f("ck_customer_profile_segment"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_customer_profile_customer_id_customer")
        ),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_customer_profile")),
        postgresql_with={"fillfactor": 80},
    )
    op.create_index(
        op.f("ix_customer_profile_customer_group_customer_id"),
        "customer_profile",
        ["customer_group", "customer_id"],
        unique=False,
    )
    op.create_index(
        "ix_customer_profile_hollow",
        "customer_profile",
        ["is_severe", "customer_id"],
        unique=False,
        postgresql_where=sa.text("is_hollow"),
    )
    op.create_index(
        "ix_customer_profile_potential",
        "customer_profile",
        ["missing", "customer_id"],
        unique=False,
        postgresql_where=sa.text("has_potential"),
    )
    op.create_index(
        "ix_customer_profile_pruning",
        "customer_profile",
        ["contribution", "customer_id"],
        unique=False,
        postgresql_where=sa.text("is_pruning_candidate"),
    )
    op.create_index(
        op.f("ix_customer_profile_segment_customer_id"),
        "customer_profile",
        ["segment", "customer_id"],
        unique=False,
    )
    op.create_table(
        "report",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("parameters", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("policy_id", sa.Uuid(), nullable=True),
        sa.Column("fingerprint", sa.Text(), nullable=True),
        sa.Column("progress", sa.Integer(), nullable=False),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("problem", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("requested_by_kind", sa.Text(), nullable=False),
        sa.Column("requested_by_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(status = 'done') = (result IS NOT NULL)", name=op.f("ck_report_result")
        ),
        sa.CheckConstraint(
            "kind IN ('tier_simulation', 'tier_distribution', 'tier_flows', 'concentration')",
            name=op.f("ck_report_kind"),
        ),
        sa.CheckConstraint(
            "requested_by_kind IN ('staff', 'api_client', 'source', 'system')",
            name=op.f("ck_report_requested_by_kind"),
        ),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'done', 'failed')", name=op.f("ck_report_status")
        ),
        sa.CheckConstraint("progress BETWEEN 0 AND 100", name=op.f("ck_report_progress")),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["tier_policy.id"], name=op.f("fk_report_policy_id_tier_policy")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report")),
    )
    op.create_index(op.f("ix_report_created_at_id"), "report", ["created_at", "id"], unique=False)
    op.create_index(op.f("ix_report_expires_at"), "report", ["expires_at"], unique=False)
    op.create_index(
        op.f("ix_report_policy_id_created_at"), "report", ["policy_id", "created_at"], unique=False
    )
    op.create_table(
        "tier_calibration",
        sa.Column("policy_id", sa.Uuid(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("customers", sa.Integer(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["policy_id"],
            ["tier_policy.id"],
            name=op.f("fk_tier_calibration_policy_id_tier_policy"),
        ),
        sa.PrimaryKeyConstraint("policy_id", name=op.f("pk_tier_calibration")),
    )
    op.create_table(
        "tier_notice",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("policy_id", sa.Uuid(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("next_level", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("noticed_on", sa.Date(), nullable=False),
        sa.Column("falls_on", sa.Date(), nullable=False),
        sa.Column("explanation", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status = 'open') = (closed_at IS NULL)", name=op.f("ck_tier_notice_closed")
        ),
        sa.CheckConstraint(
            _codes("level", LEVELS),
            name=op.f("ck_tier_notice_level"),
        ),
        sa.CheckConstraint(
            _codes("next_level", LEVELS),
            name=op.f("ck_tier_notice_next_level"),
        ),
        sa.CheckConstraint(
            "status IN ('open', 'fallen', 'lapsed')", name=op.f("ck_tier_notice_status")
        ),
        sa.CheckConstraint("noticed_on < falls_on", name=op.f("ck_tier_notice_period")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_tier_notice_customer_id_customer")
        ),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["tier_policy.id"], name=op.f("fk_tier_notice_policy_id_tier_policy")
        ),
        sa.PrimaryKeyConstraint("customer_id", "id", name=op.f("pk_tier_notice")),
    )
    op.create_index(
        "ix_tier_notice_due",
        "tier_notice",
        ["falls_on", "customer_id"],
        unique=False,
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_index(
        op.f("ix_tier_notice_noticed_on_id"), "tier_notice", ["noticed_on", "id"], unique=False
    )
    op.create_index(
        "uq_tier_notice_open",
        "tier_notice",
        ["customer_id"],
        unique=True,
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_table(
        "tier_review",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("policy_id", sa.Uuid(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("next_level", sa.Text(), nullable=False),
        sa.Column("purchase_id", sa.Uuid(), nullable=True),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("is_severe", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(status = 'open') = (decided_at IS NULL)", name=op.f("ck_tier_review_decided")
        ),
        sa.CheckConstraint(
            _codes("level", LEVELS),
            name=op.f("ck_tier_review_level"),
        ),
        sa.CheckConstraint(
            _codes("next_level", LEVELS),
            name=op.f("ck_tier_review_next_level"),
        ),
        sa.CheckConstraint(
            "status IN ('open', 'accepted', 'refused', 'lapsed')",
            name=op.f("ck_tier_review_status"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_tier_review_customer_id_customer")
        ),
        sa.ForeignKeyConstraint(
            ["decided_by_id"], ["staff.id"], name=op.f("fk_tier_review_decided_by_id_staff")
        ),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["tier_policy.id"], name=op.f("fk_tier_review_policy_id_tier_policy")
        ),
        sa.PrimaryKeyConstraint("customer_id", "id", name=op.f("pk_tier_review")),
    )
    op.create_index(
        op.f("ix_tier_review_opened_at_id"), "tier_review", ["opened_at", "id"], unique=False
    )
    op.create_index(
        "uq_tier_review_open",
        "tier_review",
        ["customer_id"],
        unique=True,
        postgresql_where=sa.text("status = 'open'"),
    )
    op.add_column(
        "customer_stats",
        sa.Column(
            "largest_365",
            sa.Numeric(precision=28, scale=2),
            server_default=sa.text("'0'"),
            nullable=False,
        ),
    )
    op.add_column(
        "customer_stats",
        sa.Column(
            "net_180",
            sa.Numeric(precision=28, scale=2),
            server_default=sa.text("'0'"),
            nullable=False,
        ),
    )
    op.add_column(
        "customer_stats",
        sa.Column(
            "net_prior_180",
            sa.Numeric(precision=28, scale=2),
            server_default=sa.text("'0'"),
            nullable=False,
        ),
    )
    op.add_column("tier_assignment", sa.Column("ends_on", sa.Date(), nullable=True))
    op.add_column("tier_assignment", sa.Column("set_by_id", sa.Uuid(), nullable=True))
    op.add_column("tier_assignment", sa.Column("reason", sa.Text(), nullable=True))
    # Looked at for new rows only until the next revision has looked at the old ones.
    op.create_foreign_key(
        op.f("fk_tier_assignment_set_by_id_staff"), "tier_assignment", "staff", ["set_by_id"],
        ["id"], postgresql_not_valid=True,
    )  # fmt: skip
    op.add_column(
        "tier_policy",
        sa.Column("revision", sa.Integer(), server_default=sa.text("'1'"), nullable=False),
    )
    op.add_column("tier_policy", sa.Column("note", sa.Text(), nullable=True))
    op.add_column("tier_policy", sa.Column("created_by_id", sa.Uuid(), nullable=True))
    op.add_column("tier_policy", sa.Column("approved_by_id", sa.Uuid(), nullable=True))
    op.add_column(
        "tier_policy", sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True)
    )
    for column in ("approved_by_id", "created_by_id"):
        op.create_foreign_key(
            op.f(f"fk_tier_policy_{column}_staff"), "tier_policy", "staff", [column], ["id"],
            postgresql_not_valid=True,
        )  # fmt: skip
    # The rows satisfy the shorter list, so they satisfy the longer one: nothing to look at.
    for table, column, codes, _ in WIDER:
        name = f"ck_{table}_{column}"
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        check = _codes(column, tuple(codes.split()))
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({check}) NOT VALID")
    op.execute(
        "ALTER TABLE tier_assignment ADD CONSTRAINT ck_tier_assignment_override"
        " CHECK ((cause = 'override') = (ends_on IS NOT NULL)) NOT VALID"
    )


def downgrade() -> None:
    """Take it back; data that the older schema has no place for is lost."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    op.execute("ALTER TABLE tier_assignment DROP CONSTRAINT ck_tier_assignment_override")
    # Rows with a word that the older lists don't have stay: the CHECK is not looked at for them.
    for table, column, codes, new in WIDER:
        name = f"ck_{table}_{column}"
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        check = _codes(column, tuple(code for code in codes.split() if code not in new.split()))
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({check}) NOT VALID")
    op.drop_constraint(
        op.f("fk_tier_policy_created_by_id_staff"), "tier_policy", type_="foreignkey"
    )
    op.drop_constraint(
        op.f("fk_tier_policy_approved_by_id_staff"), "tier_policy", type_="foreignkey"
    )
    op.drop_column("tier_policy", "approved_at")
    op.drop_column("tier_policy", "approved_by_id")
    op.drop_column("tier_policy", "created_by_id")
    op.drop_column("tier_policy", "note")
    op.drop_column("tier_policy", "revision")
    op.drop_constraint(
        op.f("fk_tier_assignment_set_by_id_staff"), "tier_assignment", type_="foreignkey"
    )
    op.drop_column("tier_assignment", "reason")
    op.drop_column("tier_assignment", "set_by_id")
    op.drop_column("tier_assignment", "ends_on")
    op.drop_column("customer_stats", "net_prior_180")
    op.drop_column("customer_stats", "net_180")
    op.drop_column("customer_stats", "largest_365")
    op.drop_table("tier_review")
    op.drop_table("tier_notice")
    op.drop_table("tier_calibration")
    op.drop_table("report")
    op.drop_table("customer_profile")
    op.drop_table("tier_evaluation")
