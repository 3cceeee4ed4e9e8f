"""The api's first schema: tenants and who may do what, payment intents, idempotency keys, audit log, outbox and inbox."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

RIGHTS = {
    # Tenants and intents are never deleted; the audit log is only ever added to.
    "tenants": "SELECT, INSERT, UPDATE",
    "users": "SELECT, INSERT, UPDATE",
    "roles": "SELECT, INSERT",
    "permissions": "SELECT, INSERT",
    "role_permissions": "SELECT, INSERT",
    "policies": "SELECT, INSERT, UPDATE",
    "payment_intents": "SELECT, INSERT, UPDATE",
    "idempotency_keys": "SELECT, INSERT, UPDATE, DELETE",
    "audit_log": "SELECT, INSERT",
    "outbox": "SELECT, INSERT, UPDATE, DELETE",
    "inbox": "SELECT, INSERT, DELETE",
}


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="The tenant concerned; empty where none is proven."),
        sa.Column("id", pg.UUID(), nullable=False, comment="UUIDv7: in the order of time."),
        sa.Column(
            "actor", sa.Text(), nullable=False, comment="Subject of the token, or the login name that was tried."
        ),
        sa.Column("action", sa.Text(), nullable=False, comment="What was done: payment_intent.create, authz.denied."),
        sa.Column("target", sa.Text(), nullable=False, comment="To what: an id, a permission, a path."),
        sa.Column("outcome", sa.Text(), nullable=False, comment="success, failed or denied."),
        sa.Column("detail", pg.JSONB(), server_default="{}", nullable=False, comment="Whatever else explains it."),
        sa.Column("correlation_id", sa.Text(), nullable=False, comment="The request it belongs to."),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When."),
        sa.PrimaryKeyConstraint("id", "tenant_id"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column(
            "tenant_id", sa.Text(), nullable=False, comment="Whose key it is: the scope is the tenant, not the user."
        ),
        sa.Column("operation", sa.Text(), nullable=False, comment="What was asked: create, or confirm:<intent id>."),
        sa.Column("key", sa.Text(), nullable=False, comment="The client's key, 1 to 255 visible ASCII characters."),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False, comment="SHA-256 of what was asked."),
        sa.Column("status", sa.Text(), nullable=False, comment="in_progress until there is an answer, then completed."),
        sa.Column("payment_intent_id", pg.UUID(), nullable=False, comment="The intent it created or confirms."),
        sa.Column("response_status", sa.SmallInteger(), nullable=True, comment="HTTP status of the answer."),
        sa.Column("response_body", sa.LargeBinary(), nullable=True, comment="The answer, byte for byte."),
        sa.Column(
            "lease_until",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Until then whoever began is believed to be at work.",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was first used."),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True, comment="When there was an answer."),
        sa.Column(
            "expires_at", sa.DateTime(timezone=True), nullable=False, comment="From then on the key is free again."
        ),
        sa.CheckConstraint(
            "CASE status WHEN 'in_progress' THEN response_body IS NULL WHEN 'completed' THEN response_status IS NOT NULL AND response_body IS NOT NULL ELSE false END",
            name="ck_idempotency_keys_status",
        ),
        sa.PrimaryKeyConstraint("key", "tenant_id", "operation"),
    )
    op.create_index(
        "ix_idempotency_keys_expires", "idempotency_keys", ["expires_at"], unique=False, postgresql_using="brin"
    )
    op.create_index(
        "ix_idempotency_keys_in_progress",
        "idempotency_keys",
        ["payment_intent_id", "tenant_id"],
        unique=False,
        postgresql_where=sa.text("status = 'in_progress'"),
    )
    op.create_table(
        "inbox",
        sa.Column("event_id", pg.UUID(), nullable=False, comment="The event."),
        sa.Column("queue", sa.Text(), nullable=False, comment="Where it was heard: one effect per consumer."),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it took effect.",
        ),
        sa.PrimaryKeyConstraint("event_id", "queue"),
    )
    op.create_index("ix_inbox_received_at", "inbox", ["received_at"], unique=False, postgresql_using="brin")
    op.create_table(
        "outbox",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Order of insertion."),
        sa.Column("event_id", pg.UUID(), nullable=False, comment="The message's id for ever."),
        sa.Column("contract", sa.Text(), nullable=False, comment="Which contract: <kind>:<owner>:<name>."),
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="The tenant it concerns; empty where there is none."),
        sa.Column("correlation_id", sa.Text(), nullable=False, comment="The cause it belongs to."),
        sa.Column("traceparent", sa.Text(), nullable=False, comment="W3C trace context of whoever said it."),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False, comment="When it happened."),
        sa.Column("body", sa.Text(), nullable=False, comment="The body as JSON, exactly as it will be sent."),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False, comment="Refusals by the broker."),
        sa.Column(
            "available_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Not sent before this instant.",
        ),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_table(
        "payment_intents",
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose it is."),
        sa.Column("id", pg.UUID(), nullable=False, comment="UUIDv7, minted by the api."),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False, comment="Amount in minor units of the currency."),
        sa.Column("currency", sa.Text(), nullable=False, comment="ISO 4217 code, upper case."),
        sa.Column("status", sa.Text(), nullable=False, comment="The status that clients see."),
        sa.Column("customer_ref", sa.Text(), nullable=False, comment="The merchant's reference of the customer."),
        sa.Column("description", sa.Text(), nullable=True, comment="The merchant's words."),
        sa.Column(
            "metadata", pg.JSONB(), server_default="{}", nullable=False, comment="The merchant's own string pairs."
        ),
        sa.Column("order_id", sa.Text(), nullable=True, comment="The order that a charge request named."),
        sa.Column("gateway_ref", sa.Text(), nullable=True, comment="The processor's reference, once authorized."),
        sa.Column(
            "captured_minor",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="Taken so far, in minor units.",
        ),
        sa.Column("failure_code", sa.Text(), nullable=True, comment="Why it failed, as a stable snake_case word."),
        sa.Column("failure_message", sa.Text(), nullable=True, comment="Why it failed, as a sentence for people."),
        sa.Column("version", sa.Integer(), nullable=False, comment="Raised by every change; guards each of them."),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When the merchant asked."),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, comment="When it last changed."),
        sa.Column(
            "authorized_at", sa.DateTime(timezone=True), nullable=True, comment="When the issuer's promise reached us."
        ),
        sa.Column(
            "settled_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the capture and its posting were both known.",
        ),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="ck_payment_intents_currency"),
        sa.CheckConstraint("amount_minor BETWEEN 1 AND 1000000000000000", name="ck_payment_intents_amount"),
        sa.CheckConstraint("captured_minor BETWEEN 0 AND amount_minor", name="ck_payment_intents_captured"),
        sa.PrimaryKeyConstraint("id", "tenant_id"),
    )
    op.create_index(
        "ix_payment_intents_created",
        "payment_intents",
        ["tenant_id", sa.text("created_at DESC"), sa.text("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_payment_intents_customer",
        "payment_intents",
        ["tenant_id", "customer_ref", sa.text("created_at DESC"), sa.text("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_payment_intents_status",
        "payment_intents",
        ["tenant_id", "status", sa.text("created_at DESC"), sa.text("id DESC")],
        unique=False,
    )
    op.create_index(
        "uq_payment_intents_order",
        "payment_intents",
        ["tenant_id", "order_id"],
        unique=True,
        postgresql_where=sa.text("order_id IS NOT NULL"),
    )
    op.create_table(
        "permissions",
        sa.Column("name", sa.Text(), nullable=False, comment="The permission: payments:write."),
        sa.Column("description", sa.Text(), nullable=False, comment="What it allows, for people."),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "roles",
        sa.Column("name", sa.Text(), nullable=False, comment="The role: admin, ops, sales."),
        sa.Column("description", sa.Text(), nullable=False, comment="Who has it, for people."),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "tenants",
        sa.Column(
            "id", sa.Text(), nullable=False, comment="1 to 64 visible characters; a UUID for tenants of the suite."
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="Its name, for people."),
        sa.Column("plan", sa.Text(), nullable=False, comment="Plan as its source wrote it; compared normalised."),
        sa.Column("region", sa.Text(), nullable=False, comment="Region as its source wrote it; compared normalised."),
        sa.Column(
            "status", sa.Text(), server_default="ACTIVE", nullable=False, comment="ACTIVE, SUSPENDED or DELETED."
        ),
        sa.Column("origin", sa.Text(), nullable=False, comment="Who told us: seed, token or sync."),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When we first met it."),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, comment="When it last changed."),
        sa.CheckConstraint("origin IN ('seed', 'token', 'sync')", name="ck_tenants_origin"),
        sa.CheckConstraint("status IN ('ACTIVE', 'SUSPENDED', 'DELETED')", name="ck_tenants_status"),
        sa.CheckConstraint("length(id) BETWEEN 1 AND 64", name="ck_tenants_id"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "policies",
        sa.Column(
            "permission",
            sa.Text(),
            nullable=False,
            comment="The permission that this narrows; without a policy it is denied.",
        ),
        sa.Column("effect", sa.Text(), nullable=False, comment="allow or deny."),
        sa.Column(
            "allowed_plans", pg.ARRAY(sa.Text()), nullable=False, comment="Plans, each admitting higher ones; {}: all."
        ),
        sa.Column("allowed_regions", pg.ARRAY(sa.Text()), nullable=False, comment="Regions; {}: all."),
        sa.CheckConstraint("effect IN ('allow', 'deny')", name="ck_policies_effect"),
        sa.ForeignKeyConstraint(["permission"], ["permissions.name"]),
        sa.PrimaryKeyConstraint("permission"),
    )
    op.create_table(
        "role_permissions",
        sa.Column("role", sa.Text(), nullable=False, comment="The role."),
        sa.Column("permission", sa.Text(), nullable=False, comment="What it may do."),
        sa.ForeignKeyConstraint(["permission"], ["permissions.name"]),
        sa.ForeignKeyConstraint(["role"], ["roles.name"]),
        sa.PrimaryKeyConstraint("role", "permission"),
    )
    op.create_table(
        "users",
        sa.Column("id", pg.UUID(), nullable=False, comment="UUIDv7; the first half of every token's jti."),
        sa.Column("email", sa.Text(), nullable=False, comment="Login name, lower case."),
        sa.Column("password_hash", sa.Text(), nullable=False, comment="argon2id in PHC string format."),
        sa.Column("tenant_id", sa.Text(), nullable=True, comment="Its tenant; none for a global admin."),
        sa.Column("roles", pg.ARRAY(sa.Text()), nullable=False, comment="Names of its roles."),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was made."),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("email"),
    )
    for table, rights in RIGHTS.items():
        op.execute(f"GRANT {rights} ON {table} TO api_app")


def downgrade() -> None:
    for table in (
        "users",
        "role_permissions",
        "policies",
        "roles",
        "permissions",
        "tenants",
        "payment_intents",
        "idempotency_keys",
        "audit_log",
        "outbox",
        "inbox",
    ):
        op.drop_table(table)
