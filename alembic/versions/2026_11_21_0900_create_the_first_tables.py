"""create the first tables

Revision ID: 0001
Revises:
Created: 2026-11-21 09:00 UTC
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    # A migration that waits for a lock makes every request wait behind it: rather give up.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    # Tables first and named foreign keys after, one constraint an ALTER: so they also run on a
    # server that distributes the tables.
    op.create_table(
        "api_client",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_api_client_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_client")),
        sa.UniqueConstraint("name", name=op.f("uq_api_client_name")),
    )
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("object_type", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Uuid(), nullable=False),
        sa.Column("fields", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "action IN ('created', 'changed', 'archived', 'restored', 'disabled', 'enabled', "
            "'password_reset', 'signed_in', 'signed_out', 'revoked', 'handed_over', "
            "'replayed', 'attached')",
            name=op.f("ck_audit_entry_action"),
        ),
        sa.CheckConstraint(
            "actor_kind IN ('staff', 'api_client', 'source', 'system')",
            name=op.f("ck_audit_entry_actor_kind"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
    )
    op.create_index(
        op.f("ix_audit_entry_action_at_id"), "audit_entry", ["action", "at", "id"], unique=False
    )
    op.create_index(
        op.f("ix_audit_entry_actor_id_at_id"), "audit_entry", ["actor_id", "at", "id"], unique=False
    )
    op.create_index(op.f("ix_audit_entry_at_id"), "audit_entry", ["at", "id"], unique=False)
    op.create_index(
        op.f("ix_audit_entry_object_type_at_id"),
        "audit_entry",
        ["object_type", "at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_audit_entry_object_type_object_id_at_id"),
        "audit_entry",
        ["object_type", "object_id", "at", "id"],
        unique=False,
    )
    op.create_table(
        "idempotency_key",
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("principal_id", "key", name=op.f("pk_idempotency_key")),
    )
    op.create_index(
        op.f("ix_idempotency_key_expires_at"), "idempotency_key", ["expires_at"], unique=False
    )
    op.create_table(
        "identity",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('phone', 'email', 'member_number', 'wechat', 'external')",
            name=op.f("ck_identity_kind"),
        ),
        sa.PrimaryKeyConstraint("kind", "system", "value", name=op.f("pk_identity")),
    )
    op.create_index(
        op.f("ix_identity_customer_id"),
        "identity",
        ["customer_id"],
        unique=False,
        postgresql_where=sa.text("customer_id IS NOT NULL"),
    )
    op.create_table(
        "night_step",
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("counts", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("as_of", "step", name=op.f("pk_night_step")),
    )
    op.create_table(
        "outbox_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "type IN ('customer.created', 'customer.updated', 'customer.archived', "
            "'customer.restored', 'purchase.recorded', 'purchase.refunded', "
            "'purchase.voided', 'purchase.attached', 'tier.changed')",
            name=op.f("ck_outbox_event_type"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_event")),
    )
    op.create_index(
        op.f("ix_outbox_event_id"),
        "outbox_event",
        ["id"],
        unique=False,
        postgresql_where=sa.text("delivered_at IS NULL"),
    )
    op.create_table(
        "pos_event",
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body_hash", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("awaits_source_id", sa.Uuid(), nullable=True),
        sa.Column("awaits_receipt_key", sa.Text(), nullable=True),
        sa.Column("problem_code", sa.Text(), nullable=True),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("answer_status", sa.Integer(), nullable=True),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("purchase_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("kind IN ('sale', 'refund', 'void')", name=op.f("ck_pos_event_kind")),
        sa.CheckConstraint("mode IN ('live', 'test')", name=op.f("ck_pos_event_mode")),
        sa.CheckConstraint(
            "status IN ('applied', 'awaiting_customer', 'parked', 'held', 'test')",
            name=op.f("ck_pos_event_status"),
        ),
        sa.PrimaryKeyConstraint("source_id", "event_id", name=op.f("pk_pos_event")),
        postgresql_with={"fillfactor": 60},
    )
    op.create_index(
        "ix_pos_event_awaits_receipt",
        "pos_event",
        ["awaits_source_id", "awaits_receipt_key"],
        unique=False,
        postgresql_where=sa.text("status = 'parked'"),
    )
    op.create_index(
        op.f("ix_pos_event_received_at_source_id_event_id"),
        "pos_event",
        ["received_at", "source_id", "event_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_pos_event_source_id_received_at_event_id"),
        "pos_event",
        ["source_id", "received_at", "event_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_pos_event_status_received_at_source_id_event_id"),
        "pos_event",
        ["status", "received_at", "source_id", "event_id"],
        unique=False,
        postgresql_where=sa.text("status IN ('held', 'parked', 'awaiting_customer')"),
    )
    op.create_table(
        "product",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("isbn", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("list_price", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("unit_cost", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("list_price >= 0", name=op.f("ck_product_list_price")),
        sa.CheckConstraint("unit_cost >= 0", name=op.f("ck_product_unit_cost")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_product_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product")),
        sa.UniqueConstraint("isbn", name=op.f("uq_product_isbn")),
        sa.UniqueConstraint("sku", name=op.f("uq_product_sku")),
    )
    op.create_table(
        "receipt",
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("receipt_key", sa.Text(), nullable=False),
        sa.Column("purchase_id", sa.Uuid(), nullable=True),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "receipt_key", name=op.f("pk_receipt")),
    )
    op.create_table(
        "sign_in_throttle",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("window_starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_sign_in_throttle")),
    )
    op.create_table(
        "staff",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("password_changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role IN ('admin', 'manager', 'store_manager', 'clerk', 'service', 'marketing', "
            "'auditor')",
            name=op.f("ck_staff_role"),
        ),
        sa.CheckConstraint("username = lower(username)", name=op.f("ck_staff_username_lower")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_staff_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("username", name=op.f("uq_staff_username")),
    )
    op.create_table(
        "store",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("opening_hours", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_store_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_store")),
        sa.UniqueConstraint("code", name=op.f("uq_store_code")),
    )
    op.create_table(
        "tier_policy",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("method IN ('threshold')", name=op.f("ck_tier_policy_method")),
        sa.CheckConstraint(
            "scope IN ('individual', 'organization')", name=op.f("ck_tier_policy_scope")
        ),
        sa.CheckConstraint(
            "status IN ('draft', 'active', 'retired')", name=op.f("ck_tier_policy_status")
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_tier_policy_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tier_policy")),
        sa.UniqueConstraint("scope", "version", name=op.f("uq_tier_policy_scope_version")),
    )
    op.create_index(
        "uq_tier_policy_active_scope",
        "tier_policy",
        ["scope"],
        unique=True,
        postgresql_where=sa.text("status = 'active'"),
    )
    op.create_table(
        "access_token",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_token")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_access_token_token_hash")),
    )
    op.create_index(op.f("ix_access_token_staff_id"), "access_token", ["staff_id"], unique=False)
    op.create_table(
        "api_key",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("slot IN (1, 2)", name=op.f("ck_api_key_slot")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_key_key_hash")),
    )
    op.create_index(
        "uq_api_key_live_slot",
        "api_key",
        ["client_id", "slot"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "customer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("gender", sa.Text(), nullable=True),
        sa.Column("birthday_calendar", sa.Text(), nullable=True),
        sa.Column("birth_year", sa.Integer(), nullable=True),
        sa.Column("birth_month", sa.Integer(), nullable=True),
        sa.Column("birth_day", sa.Integer(), nullable=True),
        sa.Column("birth_month_is_leap", sa.Boolean(), nullable=False),
        sa.Column("marital_status", sa.Text(), nullable=True),
        sa.Column("occupation", sa.Text(), nullable=True),
        sa.Column("employer", sa.Text(), nullable=True),
        sa.Column("job_title", sa.Text(), nullable=True),
        sa.Column("industry", sa.Text(), nullable=True),
        sa.Column("size_band", sa.Text(), nullable=True),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("home_store_id", sa.Uuid(), nullable=True),
        sa.Column("owner_staff_id", sa.Uuid(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("registered_on", sa.Date(), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "birthday_calendar IN ('solar', 'lunar')", name=op.f("ck_customer_birthday_calendar")
        ),
        sa.CheckConstraint(
            "gender IN ('female', 'male', 'other')", name=op.f("ck_customer_gender")
        ),
        sa.CheckConstraint("kind IN ('individual', 'organization')", name=op.f("ck_customer_kind")),
        sa.CheckConstraint(
            "marital_status IN ('single', 'married', 'other')",
            name=op.f("ck_customer_marital_status"),
        ),
        sa.CheckConstraint(
            "origin IN ('store', 'web_shop', 'event', 'referral', 'import', 'other')",
            name=op.f("ck_customer_origin"),
        ),
        sa.CheckConstraint(
            "size_band IN ('micro', 'small', 'medium', 'large')", name=op.f("ck_customer_size_band")
        ),
        sa.CheckConstraint("status IN ('active', 'archived')", name=op.f("ck_customer_status")),
        sa.CheckConstraint(
            "(birth_month IS NULL) = (birth_day IS NULL) AND (birth_month IS NULL) = "
            "(birthday_calendar IS NULL) AND (birth_year IS NULL OR birth_month IS NOT NULL)",
            name=op.f("ck_customer_birthday_whole"),
        ),
        sa.CheckConstraint("birth_day BETWEEN 1 AND 31", name=op.f("ck_customer_birth_day")),
        sa.CheckConstraint("birth_month BETWEEN 1 AND 12", name=op.f("ck_customer_birth_month")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_customer_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
    )
    op.create_index(
        op.f("ix_customer_created_at_id"), "customer", ["created_at", "id"], unique=False
    )
    op.create_index(
        op.f("ix_customer_home_store_id_id"), "customer", ["home_store_id", "id"], unique=False
    )
    op.create_index(op.f("ix_customer_name_id"), "customer", ["name", "id"], unique=False)
    op.create_index(
        op.f("ix_customer_owner_staff_id_id"), "customer", ["owner_staff_id", "id"], unique=False
    )
    op.create_index(
        op.f("ix_customer_updated_at_id"), "customer", ["updated_at", "id"], unique=False
    )
    op.create_table(
        "source",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("store_id", sa.Uuid(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("receipt_rule", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('till', 'web_shop')", name=op.f("ck_source_kind")),
        sa.CheckConstraint("mode IN ('live', 'test')", name=op.f("ck_source_mode")),
        sa.CheckConstraint(
            "receipt_rule IN ('ever', 'yearly', 'daily')", name=op.f("ck_source_receipt_rule")
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_source_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source")),
        sa.UniqueConstraint("code", name=op.f("uq_source_code")),
    )
    op.create_table(
        "staff_absence",
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "reason IN ('leave', 'sick', 'training', 'other')", name=op.f("ck_staff_absence_reason")
        ),
        sa.CheckConstraint("starts_on <= ends_on", name=op.f("ck_staff_absence_days")),
        sa.PrimaryKeyConstraint("staff_id", "id", name=op.f("pk_staff_absence")),
    )
    op.create_table(
        "staff_store",
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("store_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("staff_id", "store_id", name=op.f("pk_staff_store")),
    )
    op.create_index(op.f("ix_staff_store_store_id"), "staff_store", ["store_id"], unique=False)
    op.create_table(
        "customer_change",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("changes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint(
            "actor_kind IN ('staff', 'api_client', 'source', 'system')",
            name=op.f("ck_customer_change_actor_kind"),
        ),
        sa.PrimaryKeyConstraint("customer_id", "id", name=op.f("pk_customer_change")),
        sa.UniqueConstraint(
            "customer_id", "version", name=op.f("uq_customer_change_customer_id_version")
        ),
    )
    op.create_table(
        "customer_identity",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('phone', 'email', 'member_number', 'wechat', 'external')",
            name=op.f("ck_customer_identity_kind"),
        ),
        sa.PrimaryKeyConstraint("customer_id", "id", name=op.f("pk_customer_identity")),
        sa.UniqueConstraint(
            "customer_id",
            "kind",
            "system",
            "value",
            name=op.f("uq_customer_identity_customer_id_kind_system_value"),
        ),
    )
    op.create_table(
        "customer_stats",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("first_purchase_on", sa.Date(), nullable=True),
        sa.Column("last_purchase_on", sa.Date(), nullable=True),
        sa.Column("repeat_purchase_days", sa.Integer(), nullable=False),
        sa.Column("purchases", sa.Integer(), nullable=False),
        sa.Column("refunds", sa.Integer(), nullable=False),
        sa.Column("gross", sa.Numeric(precision=28, scale=2), nullable=False),
        sa.Column("refunded", sa.Numeric(precision=28, scale=2), nullable=False),
        sa.Column("net", sa.Numeric(precision=28, scale=2), nullable=False),
        sa.Column("costed", sa.Numeric(precision=28, scale=2), nullable=False),
        sa.Column("margin", sa.Numeric(precision=28, scale=2), nullable=False),
        sa.Column("purchases_365", sa.Integer(), nullable=False),
        sa.Column("purchase_days_365", sa.Integer(), nullable=False),
        sa.Column("gross_365", sa.Numeric(precision=28, scale=2), nullable=False),
        sa.Column("refunded_365", sa.Numeric(precision=28, scale=2), nullable=False),
        sa.Column("net_365", sa.Numeric(precision=28, scale=2), nullable=False),
        sa.Column("costed_365", sa.Numeric(precision=28, scale=2), nullable=False),
        sa.Column("margin_365", sa.Numeric(precision=28, scale=2), nullable=False),
        sa.Column("window_changes_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_customer_stats")),
        postgresql_with={"fillfactor": 80},
    )
    op.create_index(
        op.f("ix_customer_stats_window_changes_on"),
        "customer_stats",
        ["window_changes_on"],
        unique=False,
        postgresql_where=sa.text("window_changes_on IS NOT NULL"),
    )
    op.create_table(
        "purchase",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("business_day", sa.Date(), nullable=False),
        sa.Column("store_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("receipt_key", sa.Text(), nullable=False),
        sa.Column("receipt_number", sa.Text(), nullable=False),
        sa.Column("refund_of_id", sa.Uuid(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("costed_amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("cost", sa.Numeric(precision=28, scale=2), nullable=False),
        sa.Column("cashier", sa.Text(), nullable=True),
        sa.Column("voided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(status = 'voided') = (voided_at IS NOT NULL)", name=op.f("ck_purchase_voided")
        ),
        sa.CheckConstraint(
            "kind = 'refund' OR refund_of_id IS NULL", name=op.f("ck_purchase_refund_of")
        ),
        sa.CheckConstraint("kind IN ('sale', 'refund')", name=op.f("ck_purchase_kind")),
        sa.CheckConstraint("status IN ('posted', 'voided')", name=op.f("ck_purchase_status")),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_purchase_amount")),
        sa.PrimaryKeyConstraint("customer_id", "id", name=op.f("pk_purchase")),
    )
    op.create_index(
        op.f("ix_purchase_customer_id_occurred_at_id"),
        "purchase",
        ["customer_id", "occurred_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_purchase_statistics",
        "purchase",
        ["customer_id", "business_day"],
        unique=False,
        postgresql_include=["kind", "amount", "costed_amount", "cost"],
        postgresql_where=sa.text("status = 'posted'"),
    )
    op.create_index(
        op.f("ix_purchase_store_id_business_day"),
        "purchase",
        ["store_id", "business_day"],
        unique=False,
    )
    op.create_table(
        "source_secret",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("slot IN (1, 2)", name=op.f("ck_source_secret_slot")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_secret")),
    )
    op.create_index(
        "uq_source_secret_live_slot",
        "source_secret",
        ["source_id", "slot"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "tier_assignment",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("policy_id", sa.Uuid(), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("purchase_id", sa.Uuid(), nullable=True),
        sa.Column("explanation", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint(
            "cause IN ('initial', 'upgrade', 'reversal', 'carried', 'reconciled')",
            name=op.f("ck_tier_assignment_cause"),
        ),
        sa.CheckConstraint(
            "level IN ('main', 'ordinary', 'small', 'key', 'important', 'general', 'maintenance')",
            name=op.f("ck_tier_assignment_level"),
        ),
        sa.CheckConstraint("valid_from <= valid_to", name=op.f("ck_tier_assignment_period")),
        sa.PrimaryKeyConstraint("customer_id", "id", name=op.f("pk_tier_assignment")),
    )
    op.create_index(
        op.f("ix_tier_assignment_customer_id_valid_from"),
        "tier_assignment",
        ["customer_id", "valid_from"],
        unique=False,
    )
    op.create_index(
        "uq_tier_assignment_current",
        "tier_assignment",
        ["customer_id"],
        unique=True,
        postgresql_where=sa.text("valid_to IS NULL"),
        postgresql_include=["level"],
    )
    op.create_table(
        "unattached_purchase",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("awaits_kind", sa.Text(), nullable=True),
        sa.Column("awaits_system", sa.Text(), nullable=True),
        sa.Column("awaits_value", sa.Text(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("business_day", sa.Date(), nullable=False),
        sa.Column("store_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("receipt_key", sa.Text(), nullable=False),
        sa.Column("receipt_number", sa.Text(), nullable=False),
        sa.Column("refund_of_id", sa.Uuid(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("costed_amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("cost", sa.Numeric(precision=28, scale=2), nullable=False),
        sa.Column("cashier", sa.Text(), nullable=True),
        sa.Column("voided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("kind IN ('sale', 'refund')", name=op.f("ck_unattached_purchase_kind")),
        sa.CheckConstraint(
            "status IN ('posted', 'voided')", name=op.f("ck_unattached_purchase_status")
        ),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_unattached_purchase_amount")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unattached_purchase")),
    )
    op.create_index(
        "ix_unattached_purchase_awaits",
        "unattached_purchase",
        ["awaits_kind", "awaits_system", "awaits_value"],
        unique=False,
        postgresql_where=sa.text("awaits_kind IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_unattached_purchase_refund_of_id"),
        "unattached_purchase",
        ["refund_of_id"],
        unique=False,
        postgresql_where=sa.text("refund_of_id IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_unattached_purchase_store_id_business_day"),
        "unattached_purchase",
        ["store_id", "business_day"],
        unique=False,
    )
    op.create_table(
        "purchase_line",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("purchase_id", sa.Uuid(), nullable=False),
        sa.Column("line_number", sa.Integer(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=True),
        sa.Column("isbn", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("quantity", sa.Numeric(precision=10, scale=3), nullable=False),
        sa.Column("unit_price", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("unit_cost", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("refunds_line_number", sa.Integer(), nullable=True),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_purchase_line_amount")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_purchase_line_quantity")),
        sa.PrimaryKeyConstraint(
            "customer_id", "purchase_id", "line_number", name=op.f("pk_purchase_line")
        ),
    )
    op.create_foreign_key(
        op.f("fk_access_token_staff_id_staff"),
        "access_token",
        "staff",
        ["staff_id"],
        ["id"],
        ondelete="CASCADE",
    )
    op.create_foreign_key(
        op.f("fk_api_key_client_id_api_client"),
        "api_key",
        "api_client",
        ["client_id"],
        ["id"],
        ondelete="CASCADE",
    )
    op.create_foreign_key(
        op.f("fk_customer_home_store_id_store"), "customer", "store", ["home_store_id"], ["id"]
    )
    op.create_foreign_key(
        op.f("fk_customer_owner_staff_id_staff"), "customer", "staff", ["owner_staff_id"], ["id"]
    )
    op.create_foreign_key(op.f("fk_source_store_id_store"), "source", "store", ["store_id"], ["id"])
    op.create_foreign_key(
        op.f("fk_staff_absence_staff_id_staff"),
        "staff_absence",
        "staff",
        ["staff_id"],
        ["id"],
        ondelete="CASCADE",
    )
    op.create_foreign_key(
        op.f("fk_staff_store_staff_id_staff"),
        "staff_store",
        "staff",
        ["staff_id"],
        ["id"],
        ondelete="CASCADE",
    )
    op.create_foreign_key(
        op.f("fk_staff_store_store_id_store"), "staff_store", "store", ["store_id"], ["id"]
    )
    op.create_foreign_key(
        op.f("fk_customer_change_customer_id_customer"),
        "customer_change",
        "customer",
        ["customer_id"],
        ["id"],
    )
    op.create_foreign_key(
        op.f("fk_customer_identity_customer_id_customer"),
        "customer_identity",
        "customer",
        ["customer_id"],
        ["id"],
    )
    op.create_foreign_key(
        op.f("fk_customer_stats_customer_id_customer"),
        "customer_stats",
        "customer",
        ["customer_id"],
        ["id"],
    )
    op.create_foreign_key(
        op.f("fk_purchase_customer_id_refund_of_id_purchase"),
        "purchase",
        "purchase",
        ["customer_id", "refund_of_id"],
        ["customer_id", "id"],
    )
    op.create_foreign_key(
        op.f("fk_purchase_customer_id_customer"), "purchase", "customer", ["customer_id"], ["id"]
    )
    op.create_foreign_key(
        op.f("fk_purchase_source_id_source"), "purchase", "source", ["source_id"], ["id"]
    )
    op.create_foreign_key(
        op.f("fk_purchase_store_id_store"), "purchase", "store", ["store_id"], ["id"]
    )
    op.create_foreign_key(
        op.f("fk_source_secret_source_id_source"),
        "source_secret",
        "source",
        ["source_id"],
        ["id"],
        ondelete="CASCADE",
    )
    op.create_foreign_key(
        op.f("fk_tier_assignment_customer_id_customer"),
        "tier_assignment",
        "customer",
        ["customer_id"],
        ["id"],
    )
    op.create_foreign_key(
        op.f("fk_tier_assignment_policy_id_tier_policy"),
        "tier_assignment",
        "tier_policy",
        ["policy_id"],
        ["id"],
    )
    op.create_foreign_key(
        op.f("fk_unattached_purchase_source_id_source"),
        "unattached_purchase",
        "source",
        ["source_id"],
        ["id"],
    )
    op.create_foreign_key(
        op.f("fk_unattached_purchase_store_id_store"),
        "unattached_purchase",
        "store",
        ["store_id"],
        ["id"],
    )
    op.create_foreign_key(
        op.f("fk_purchase_line_customer_id_purchase_id_purchase"),
        "purchase_line",
        "purchase",
        ["customer_id", "purchase_id"],
        ["customer_id", "id"],
    )


def downgrade() -> None:
    """Take it back; data that the older schema has no place for is lost."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    op.drop_constraint(op.f("fk_access_token_staff_id_staff"), "access_token", type_="foreignkey")
    op.drop_constraint(op.f("fk_api_key_client_id_api_client"), "api_key", type_="foreignkey")
    op.drop_constraint(op.f("fk_customer_home_store_id_store"), "customer", type_="foreignkey")
    op.drop_constraint(op.f("fk_customer_owner_staff_id_staff"), "customer", type_="foreignkey")
    op.drop_constraint(op.f("fk_source_store_id_store"), "source", type_="foreignkey")
    op.drop_constraint(op.f("fk_staff_absence_staff_id_staff"), "staff_absence", type_="foreignkey")
    op.drop_constraint(op.f("fk_staff_store_staff_id_staff"), "staff_store", type_="foreignkey")
    op.drop_constraint(op.f("fk_staff_store_store_id_store"), "staff_store", type_="foreignkey")
    op.drop_constraint(
        op.f("fk_customer_change_customer_id_customer"), "customer_change", type_="foreignkey"
    )
    op.drop_constraint(
        op.f("fk_customer_identity_customer_id_customer"), "customer_identity", type_="foreignkey"
    )
    op.drop_constraint(
        op.f("fk_customer_stats_customer_id_customer"), "customer_stats", type_="foreignkey"
    )
    op.drop_constraint(
        op.f("fk_purchase_customer_id_refund_of_id_purchase"), "purchase", type_="foreignkey"
    )
    op.drop_constraint(op.f("fk_purchase_customer_id_customer"), "purchase", type_="foreignkey")
    op.drop_constraint(op.f("fk_purchase_source_id_source"), "purchase", type_="foreignkey")
    op.drop_constraint(op.f("fk_purchase_store_id_store"), "purchase", type_="foreignkey")
    op.drop_constraint(
        op.f("fk_source_secret_source_id_source"), "source_secret", type_="foreignkey"
    )
    op.drop_constraint(
        op.f("fk_tier_assignment_customer_id_customer"), "tier_assignment", type_="foreignkey"
    )
    op.drop_constraint(
        op.f("fk_tier_assignment_policy_id_tier_policy"), "tier_assignment", type_="foreignkey"
    )
    op.drop_constraint(
        op.f("fk_unattached_purchase_source_id_source"), "unattached_purchase", type_="foreignkey"
    )
    op.drop_constraint(
        op.f("fk_unattached_purchase_store_id_store"), "unattached_purchase", type_="foreignkey"
    )
    op.drop_constraint(
        op.f("fk_purchase_line_customer_id_purchase_id_purchase"),
        "purchase_line",
        type_="foreignkey",
    )
    op.drop_table("purchase_line")
    op.drop_index(
        op.f("ix_unattached_purchase_store_id_business_day"), table_name="unattached_purchase"
    )
    op.drop_index(
        op.f("ix_unattached_purchase_refund_of_id"),
        table_name="unattached_purchase",
        postgresql_where=sa.text("refund_of_id IS NOT NULL"),
    )
    op.drop_index(
        "ix_unattached_purchase_awaits",
        table_name="unattached_purchase",
        postgresql_where=sa.text("awaits_kind IS NOT NULL"),
    )
    op.drop_table("unattached_purchase")
    op.drop_index(
        "uq_tier_assignment_current",
        table_name="tier_assignment",
        postgresql_where=sa.text("valid_to IS NULL"),
        postgresql_include=["level"],
    )
    op.drop_index(op.f("ix_tier_assignment_customer_id_valid_from"), table_name="tier_assignment")
    op.drop_table("tier_assignment")
    op.drop_index(
        "uq_source_secret_live_slot",
        table_name="source_secret",
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.drop_table("source_secret")
    op.drop_index(op.f("ix_purchase_store_id_business_day"), table_name="purchase")
    op.drop_index(
        "ix_purchase_statistics",
        table_name="purchase",
        postgresql_include=["kind", "amount", "costed_amount", "cost"],
        postgresql_where=sa.text("status = 'posted'"),
    )
    op.drop_index(op.f("ix_purchase_customer_id_occurred_at_id"), table_name="purchase")
    op.drop_table("purchase")
    op.drop_index(
        op.f("ix_customer_stats_window_changes_on"),
        table_name="customer_stats",
        postgresql_where=sa.text("window_changes_on IS NOT NULL"),
    )
    op.drop_table("customer_stats")
    op.drop_table("customer_identity")
    op.drop_table("customer_change")
    op.drop_index(op.f("ix_staff_store_store_id"), table_name="staff_store")
    op.drop_table("staff_store")
    op.drop_table("staff_absence")
    op.drop_table("source")
    op.drop_index(op.f("ix_customer_updated_at_id"), table_name="customer")
    op.drop_index(op.f("ix_customer_owner_staff_id_id"), table_name="customer")
    op.drop_index(op.f("ix_customer_name_id"), table_name="customer")
    op.drop_index(op.f("ix_customer_home_store_id_id"), table_name="customer")
    op.drop_index(op.f("ix_customer_created_at_id"), table_name="customer")
    op.drop_table("customer")
    op.drop_index(
        "uq_api_key_live_slot", table_name="api_key", postgresql_where=sa.text("revoked_at IS NULL")
    )
    op.drop_table("api_key")
    op.drop_index(op.f("ix_access_token_staff_id"), table_name="access_token")
    op.drop_table("access_token")
    op.drop_index(
        "uq_tier_policy_active_scope",
        table_name="tier_policy",
        postgresql_where=sa.text("status = 'active'"),
    )
    op.drop_table("tier_policy")
    op.drop_table("store")
    op.drop_table("staff")
    op.drop_table("sign_in_throttle")
    op.drop_table("receipt")
    op.drop_table("product")
    op.drop_index(
        op.f("ix_pos_event_status_received_at_source_id_event_id"),
        table_name="pos_event",
        postgresql_where=sa.text("status IN ('held', 'parked', 'awaiting_customer')"),
    )
    op.drop_index(op.f("ix_pos_event_source_id_received_at_event_id"), table_name="pos_event")
    op.drop_index(op.f("ix_pos_event_received_at_source_id_event_id"), table_name="pos_event")
    op.drop_index(
        "ix_pos_event_awaits_receipt",
        table_name="pos_event",
        postgresql_where=sa.text("status = 'parked'"),
    )
    op.drop_table("pos_event")
    op.drop_index(
        op.f("ix_outbox_event_id"),
        table_name="outbox_event",
        postgresql_where=sa.text("delivered_at IS NULL"),
    )
    op.drop_table("outbox_event")
    op.drop_table("night_step")
    op.drop_index(
        op.f("ix_identity_customer_id"),
        table_name="identity",
        postgresql_where=sa.text("customer_id IS NOT NULL"),
    )
    op.drop_table("identity")
    op.drop_index(op.f("ix_idempotency_key_expires_at"), table_name="idempotency_key")
    op.drop_table("idempotency_key")
    op.drop_index(op.f("ix_audit_entry_object_type_object_id_at_id"), table_name="audit_entry")
    op.drop_index(op.f("ix_audit_entry_object_type_at_id"), table_name="audit_entry")
    op.drop_index(op.f("ix_audit_entry_at_id"), table_name="audit_entry")
    op.drop_index(op.f("ix_audit_entry_actor_id_at_id"), table_name="audit_entry")
    op.drop_index(op.f("ix_audit_entry_action_at_id"), table_name="audit_entry")
    op.drop_table("audit_entry")
    op.drop_table("api_client")
