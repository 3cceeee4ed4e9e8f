"""Our tables. Migrations create exactly these; hot statements in `store` are plain SQL over them.

Keys lead with the column that tells rows apart, not with the tenant: concurrent inserts then do not fight for one leaf
page, and a statement planned before there are statistics cannot walk through a whole tenant to find one row.
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from libs.common.db.partition_rules import rules_table
from libs.common.messaging import (
    inbox_table,
    operator_actions_table,
    outbox_refused_table,
    outbox_table,
    published_table,
)
from services.api.schema.columns import instant as _instant
from services.api.schema.columns import orders_table, stated
from services.api.schema.identity import (
    api_keys_table,
    identity_providers_table,
    policies_table,
    user_identities_table,
    users_table,
)
from services.api.schema.sealed import seal_tables

METADATA = sa.MetaData(schema=None)

tenants = sa.Table(
    "tenants",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True, comment="1 to 64 visible characters; a UUID for tenants of the suite."),
    sa.Column("name", sa.Text, nullable=False, comment="Its name, for people."),
    sa.Column("plan", sa.Text, nullable=False, comment="Plan as its source wrote it; compared normalised."),
    sa.Column("region", sa.Text, nullable=False, comment="Region as its source wrote it; compared normalised."),
    sa.Column("status", sa.Text, nullable=False, server_default="ACTIVE", comment="ACTIVE, SUSPENDED or DELETED."),
    sa.Column("origin", sa.Text, nullable=False, comment="Who reported it: seed, token or sync."),
    _instant("created_at", "When we first met it."),
    _instant("updated_at", "When it last changed."),
    *stated(),
    sa.CheckConstraint("length(id) BETWEEN 1 AND 64", name="ck_tenants_id"),
    sa.CheckConstraint("status IN ('ACTIVE', 'SUSPENDED', 'DELETED')", name="ck_tenants_status"),
    sa.CheckConstraint("origin IN ('seed', 'token', 'sync')", name="ck_tenants_origin"),
)

roles = sa.Table(
    "roles",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True, comment="The role: admin, ops, sales."),
    sa.Column("description", sa.Text, nullable=False, comment="Who has it, for people."),
)

permissions = sa.Table(
    "permissions",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True, comment="The permission: payments:write."),
    sa.Column("description", sa.Text, nullable=False, comment="What it allows, for people."),
)

role_permissions = sa.Table(
    "role_permissions",
    METADATA,
    sa.Column("role", sa.Text, sa.ForeignKey("roles.name"), primary_key=True, comment="The role."),
    sa.Column("permission", sa.Text, sa.ForeignKey("permissions.name"), primary_key=True, comment="What it may do."),
)

feature_flags = sa.Table(
    "feature_flags",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True, comment="The feature, as the code's registry calls it."),
    sa.Column(
        "tenant_id", sa.Text, primary_key=True, comment="For whom; empty: for all that have no row of their own."
    ),
    sa.Column("is_enabled", sa.Boolean, nullable=False, comment="Whether it may be used."),
    sa.Column("updated_by", sa.Text, nullable=False, comment="Subject of the operator who set it."),
    _instant("updated_at", "When it was set."),
    sa.CheckConstraint("length(name) BETWEEN 1 AND 64", name="ck_feature_flags_name"),
)

orders = orders_table(METADATA)
users, policies, api_keys = users_table(METADATA), policies_table(METADATA), api_keys_table(METADATA)
identity_providers, user_identities = identity_providers_table(METADATA), user_identities_table(METADATA)
payment_intents = sa.Table(
    "payment_intents",
    METADATA,
    # No foreign key to tenants: it would lock the tenant's one row for every payment; admission has checked the tenant.
    sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose it is."),
    sa.Column("id", pg.UUID, nullable=False, comment="UUIDv7, minted by the api."),
    sa.Column("amount_minor", sa.BigInteger, nullable=False, comment="Amount in minor units of the currency."),
    sa.Column("currency", sa.Text, nullable=False, comment="ISO 4217 code, upper case."),
    sa.Column("status", sa.Text, nullable=False, comment="The status that clients see."),
    sa.Column("customer_ref", sa.Text, nullable=False, comment="The merchant's reference of the customer."),
    sa.Column("description", sa.Text, comment="The merchant's words."),
    sa.Column("metadata", pg.JSONB, nullable=False, server_default="{}", comment="The merchant's own string pairs."),
    sa.Column("order_id", sa.Text, comment="The order that a charge request named."),
    sa.Column("gateway_ref", sa.Text, comment="The processor's reference, once authorized."),
    sa.Column(
        "captured_minor", sa.BigInteger, nullable=False, server_default="0", comment="Taken so far, in minor units."
    ),
    sa.Column(
        "capture_method",
        sa.Text,
        nullable=False,
        server_default="automatic",
        comment="automatic: taken once held; manual: when the merchant says so.",
    ),
    sa.Column("payment_method", sa.Text, nullable=False, server_default="", comment="What is charged, or empty."),
    sa.Column(
        "return_url",
        sa.Text,
        nullable=False,
        server_default="",
        comment="Where the customer comes back to, or empty.",
    ),
    sa.Column("payment_method_type", sa.Text, nullable=False, server_default="card", comment="How the customer pays."),
    sa.Column("billing_details", sa.Text, nullable=False, server_default="", comment="Who pays, as JSON, or empty."),
    sa.Column("customer_id", pg.UUID, comment="The customer whose payment it is, or NULL."),
    sa.Column("saved_method_id", pg.UUID, comment="The customer's saved payment method that is charged, or NULL."),
    sa.Column(
        "off_session",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="Whether the customer is not there to prove anything.",
    ),
    sa.Column("attempt", sa.SmallInteger, nullable=False, server_default="0", comment="Its authorization, from 0."),
    sa.Column("unsent_attempts", sa.SmallInteger, nullable=False, server_default="0", comment="Those never sent."),
    sa.Column("action_url", sa.Text, comment="Where the customer proves who they are, while that is required."),
    sa.Column("next_action", sa.Text, comment="What the customer has to do, as JSON, while that is required."),
    _instant("expires_at", "When held funds are released by themselves.", nullable=True),
    sa.Column(
        "capturing_minor",
        sa.BigInteger,
        nullable=False,
        server_default="0",
        comment="What the merchant's capture wants to take, in minor units.",
    ),
    sa.Column(
        "is_voiding",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="The processor is to release the funds and has not answered.",
    ),
    sa.Column(
        "refunding_minor", sa.BigInteger, nullable=False, server_default="0", comment="Pending refunds, in minor units."
    ),
    sa.Column(
        "refunded_minor", sa.BigInteger, nullable=False, server_default="0", comment="Given back, in minor units."
    ),
    sa.Column(
        "disputed_minor",
        sa.BigInteger,
        nullable=False,
        server_default="0",
        comment="Taken back by banks, in minor units.",
    ),
    sa.Column("failure_code", sa.Text, comment="Why it failed, as a stable snake_case word."),
    sa.Column("failure_message", sa.Text, comment="Why it failed, as a sentence for people."),
    sa.Column("decline_code", sa.Text, comment="The issuer's reason of a decline, in the processor's words."),
    sa.Column("advice_code", sa.Text, comment="What the processor advises to do about a decline."),
    sa.Column("network_decline_code", sa.Text, comment="The card network's own code of a decline."),
    sa.Column("network_advice_code", sa.Text, comment="The card network's advice about a decline."),
    sa.Column("version", sa.Integer, nullable=False, comment="Raised by every change; guards each of them."),
    _instant("created_at", "When the merchant created it."),
    _instant("updated_at", "When it last changed."),
    _instant("authorized_at", "When the issuer's promise reached us.", nullable=True),
    _instant("settled_at", "When the capture and its posting were both known.", nullable=True),
    sa.PrimaryKeyConstraint("id", "tenant_id"),
    sa.CheckConstraint("amount_minor BETWEEN 1 AND 1000000000000000", name="ck_payment_intents_amount"),
    sa.CheckConstraint("captured_minor BETWEEN 0 AND amount_minor", name="ck_payment_intents_captured"),
    # What a bank takes back is not up to us; what we give back is.
    sa.CheckConstraint(
        "refunding_minor >= 0 AND refunded_minor >= 0 AND refunding_minor + refunded_minor <= captured_minor",
        name="ck_payment_intents_refunded",
    ),
    sa.CheckConstraint("capturing_minor BETWEEN 0 AND amount_minor", name="ck_payment_intents_capturing"),
    sa.CheckConstraint("disputed_minor >= 0", name="ck_payment_intents_disputed"),
    sa.CheckConstraint("capture_method IN ('automatic', 'manual')", name="ck_payment_intents_capture_method"),
    sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="ck_payment_intents_currency"),
    sa.Index(
        "ix_payment_intents_waiting",
        "updated_at",
        postgresql_where=sa.text(
            "status = 'PROCESSING' OR (status = 'REQUIRES_ACTION' AND is_voiding) OR (status = 'AUTHORIZED' AND "
            "(capture_method = 'automatic' OR capturing_minor > 0 OR captured_minor > 0 OR is_voiding))"
        ),
    ),
    sa.Index(
        *("ix_payment_intents_customers", "updated_at"),
        postgresql_where=sa.text("status = 'REQUIRES_ACTION' AND NOT is_voiding"),
    ),
    # A tenant's payments in the order of their ids, for whoever compares all of them.
    sa.Index("ix_payment_intents_tenant", "tenant_id", "id"),
    # Lists are ordered by creation, newest first; each filter that people use has an index in that order.
    sa.Index("ix_payment_intents_created", "tenant_id", sa.text("created_at DESC"), sa.text("id DESC")),
    sa.Index("ix_payment_intents_status", "tenant_id", "status", sa.text("created_at DESC"), sa.text("id DESC")),
    # By bytes, so that it serves the beginning of a reference too.
    sa.Index(
        "ix_payment_intents_customer_ref",
        *("tenant_id", "customer_ref", sa.text("created_at DESC"), sa.text("id DESC")),
        postgresql_ops={"customer_ref": "text_pattern_ops"},
    ),
    sa.Index(
        "uq_payment_intents_order",
        *("tenant_id", "order_id"),
        unique=True,
        postgresql_where=sa.text("order_id IS NOT NULL"),
    ),
)

refunds = sa.Table(
    "refunds",
    METADATA,
    sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose it is."),
    sa.Column("id", pg.UUID, nullable=False, comment="UUIDv7, minted by the api."),
    sa.Column("payment_intent_id", pg.UUID, nullable=False, comment="The payment that it gives back."),
    sa.Column("amount_minor", sa.BigInteger, nullable=False, comment="Amount in minor units of the currency."),
    sa.Column("currency", sa.Text, nullable=False, comment="The intent's."),
    sa.Column("reason", sa.Text, comment="The merchant's words."),
    sa.Column("status", sa.Text, nullable=False, comment="PENDING, COMPLETED or FAILED."),
    sa.Column("gateway_ref", sa.Text, comment="The processor's reference, once it has given one."),
    sa.Column("failure_code", sa.Text, comment="Why it failed, as a stable snake_case word."),
    sa.Column("failure_message", sa.Text, comment="Why it failed, as a sentence for people."),
    _instant("created_at", "When it was requested."),
    _instant("updated_at", "When it last changed."),
    sa.PrimaryKeyConstraint("id", "tenant_id"),
    sa.CheckConstraint("amount_minor > 0", name="ck_refunds_amount"),
    sa.CheckConstraint("status IN ('PENDING', 'COMPLETED', 'FAILED')", name="ck_refunds_status"),
    sa.Index("ix_refunds_payment_intent", "payment_intent_id", "tenant_id", sa.text("created_at DESC")),
    sa.Index("ix_refunds_created", "tenant_id", sa.text("(created_at AT TIME ZONE 'UTC')")),
    sa.Index("ix_refunds_pending", "updated_at", postgresql_where=sa.text("status = 'PENDING'")),
)

sweeps = sa.Table(
    "sweeps",
    METADATA,
    sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose it is."),
    sa.Column("subject_id", pg.UUID, nullable=False, comment="The payment intent or the refund that waits."),
    sa.Column("version", sa.Integer, nullable=False, comment="The intent's when it was swept; 0 for a refund."),
    sa.Column("repeats", sa.Integer, nullable=False, comment="How often its command was published again."),
    _instant("next_at", "Not published again before this instant."),
    sa.PrimaryKeyConstraint("subject_id", "tenant_id"),
    sa.Index("ix_sweeps_next_at", "next_at"),
)

disputes = sa.Table(
    "disputes",
    METADATA,
    sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose it is."),
    sa.Column("id", pg.UUID, nullable=False, comment="The gateway's, derived from the processor's reference."),
    sa.Column("payment_intent_id", pg.UUID, nullable=False, comment="The payment that it is about."),
    sa.Column("amount_minor", sa.BigInteger, nullable=False, comment="The disputed amount in minor units."),
    sa.Column("currency", sa.Text, nullable=False, comment="The intent's."),
    sa.Column("reason", sa.Text, nullable=False, comment="The bank's reason, as a word."),
    sa.Column("status", sa.Text, nullable=False, comment="OPEN, WON, LOST, INQUIRY or INQUIRY_CLOSED."),
    sa.Column("gateway_ref", sa.Text, nullable=False, comment="The processor's reference."),
    _instant("evidence_due_at", "Until when the merchant may answer.", nullable=True),
    _instant("opened_at", "When, in the processor's words."),
    _instant("updated_at", "When it last changed."),
    sa.Column(
        "reversals",
        sa.SmallInteger,
        nullable=False,
        server_default=sa.text("0"),
        comment="How often the bank has reversed its decision.",
    ),
    sa.PrimaryKeyConstraint("id", "tenant_id"),
    sa.CheckConstraint("amount_minor > 0", name="ck_disputes_amount"),
    sa.CheckConstraint("status IN ('OPEN', 'WON', 'LOST', 'INQUIRY', 'INQUIRY_CLOSED')", name="ck_disputes_status"),
    sa.Index("ix_disputes_changed", "tenant_id", "updated_at"),
    sa.Index("ix_disputes_payment_intent", "payment_intent_id", "tenant_id", sa.text("opened_at DESC")),
)

customers = sa.Table(
    "customers",
    METADATA,
    sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose customer."),
    sa.Column("id", pg.UUID, nullable=False, comment="UUIDv7, minted by the api."),
    sa.Column("reference", sa.Text, nullable=False, comment="The merchant's own reference."),
    sa.Column("name", sa.Text, comment="A person's or a company's name; erased when deleted."),
    sa.Column("email", sa.Text, comment="Where to write to; erased when deleted."),
    sa.Column("metadata", pg.JSONB, nullable=False, server_default="{}", comment="The merchant's own string pairs."),
    _instant("created_at", "When the merchant created it."),
    _instant("updated_at", "When it last changed."),
    _instant("deleted_at", "When the merchant deleted it.", nullable=True),
    sa.PrimaryKeyConstraint("id", "tenant_id"),
    sa.CheckConstraint("length(reference) BETWEEN 1 AND 128", name="ck_customers_reference"),
    sa.Index(
        "uq_customers_reference",
        "tenant_id",
        "reference",
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    ),
    sa.Index("ix_customers_created", "tenant_id", sa.text("created_at DESC"), sa.text("id DESC")),
    sa.Index(
        "ix_customers_email",
        "tenant_id",
        "email",
        postgresql_where=sa.text("email IS NOT NULL"),
    ),
)

idempotency_keys = sa.Table(
    "idempotency_keys",
    METADATA,
    sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose key it is: the scope is the tenant, not the user."),
    sa.Column(
        "operation",
        sa.Text,
        nullable=False,
        comment="What was requested: create, or confirm:<intent id>, capture, void, refund.",
    ),
    sa.Column("key", sa.Text, nullable=False, comment="The client's key, 1 to 255 visible ASCII characters."),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False, comment="SHA-256 of what was requested."),
    sa.Column("status", sa.Text, nullable=False, comment="in_progress until there is an answer, then completed."),
    sa.Column("payment_intent_id", pg.UUID, nullable=False, comment="What it creates or changes: an intent, a refund."),
    sa.Column("response_status", sa.SmallInteger, comment="HTTP status of the answer."),
    sa.Column("response_body", sa.LargeBinary, comment="The answer, byte for byte."),
    _instant("lease_until", "Until then whoever began is taken to be at work."),
    _instant("created_at", "When it was first used."),
    _instant("completed_at", "When there was an answer.", nullable=True),
    _instant("expires_at", "From then on the key is free again."),
    sa.PrimaryKeyConstraint("key", "tenant_id", "operation"),
    sa.CheckConstraint(
        "CASE status WHEN 'in_progress' THEN response_body IS NULL "
        "WHEN 'completed' THEN response_status IS NOT NULL AND response_body IS NOT NULL ELSE false END",
        name="ck_idempotency_keys_status",
    ),
    sa.Index(
        "ix_idempotency_keys_in_progress",
        "payment_intent_id",
        "tenant_id",
        postgresql_where=sa.text("status = 'in_progress'"),
    ),
    sa.Index("ix_idempotency_keys_expires_at", "expires_at"),
)

audit_log = sa.Table(
    "audit_log",
    METADATA,
    sa.Column("tenant_id", sa.Text, nullable=False, comment="The tenant concerned; empty where none is proven."),
    sa.Column("id", pg.UUID, nullable=False, comment="UUIDv7: in the order of time."),
    sa.Column("actor", sa.Text, nullable=False, comment="Subject of the token, or the login name that was tried."),
    sa.Column("action", sa.Text, nullable=False, comment="What was done: payment_intent.create, authz.denied."),
    sa.Column("target", sa.Text, nullable=False, comment="To what: an id, a permission, a path."),
    sa.Column("outcome", sa.Text, nullable=False, comment="success, failed or denied."),
    sa.Column("detail", pg.JSONB, nullable=False, server_default="{}", comment="Whatever else explains it."),
    sa.Column("correlation_id", sa.Text, nullable=False, comment="The request it belongs to."),
    _instant("created_at", "When."),
    sa.PrimaryKeyConstraint("id", "tenant_id"),
    sa.Index("ix_audit_log_created", "tenant_id", sa.text("created_at DESC"), sa.text("id DESC")),
    postgresql_partition_by="RANGE (id)",
)

logged_requests = sa.Table(
    "logged_requests",
    METADATA,
    sa.Column("tenant_id", sa.Text, nullable=False, comment="For whom it was."),
    sa.Column("id", pg.UUID, nullable=False, comment="UUIDv7 of when it was answered."),
    _instant("answered_at", "When."),
    sa.Column("method", sa.Text, nullable=False, comment="The method."),
    sa.Column("route", sa.Text, nullable=False, comment="The path as it is documented; empty: no route was found."),
    sa.Column("path", sa.Text, nullable=False, comment="As it was sent, without its query, 256 characters at most."),
    sa.Column("status", sa.SmallInteger, nullable=False, comment="The HTTP status."),
    sa.Column("code", sa.Text, nullable=False, comment="Of a problem its code; empty: none."),
    sa.Column("duration_ms", sa.Integer, nullable=False, comment="From its headers to its answer."),
    sa.Column("actor", sa.Text, nullable=False, comment="The subject of its token, or its API key."),
    sa.Column("correlation_id", sa.Text, nullable=False, comment="The same on every log line and message."),
    sa.Column("idempotency_key", sa.Text, nullable=False, comment="As it was sent; empty: none."),
    sa.Column("address", sa.Text, nullable=False, comment="Where it came from."),
    sa.Column("user_agent", sa.Text, nullable=False, comment="As it was sent, 256 characters at most."),
    sa.PrimaryKeyConstraint("id", "tenant_id"),
    sa.Index("ix_logged_requests_tenant", "tenant_id", sa.text("answered_at DESC"), sa.text("id DESC")),
    sa.Index("ix_logged_requests_correlation", "tenant_id", "correlation_id"),
    postgresql_partition_by="RANGE (id)",
)

payment_intent_events = sa.Table(
    "payment_intent_events",
    METADATA,
    sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose intent it happened to."),
    sa.Column("payment_intent_id", pg.UUID, nullable=False, comment="The intent it happened to."),
    sa.Column("id", pg.UUID, nullable=False, comment="The id of the message that tells it; UUIDv7."),
    sa.Column("type", sa.Text, nullable=False, comment="What happened, as the message is called."),
    sa.Column("status", sa.Text, nullable=False, comment="The intent's status from then on."),
    sa.Column("actor", sa.Text, nullable=False, comment="Who made it happen: a subject, or a service of ours."),
    sa.Column("cause_id", pg.UUID, comment="The message that was received; none for a request."),
    sa.Column("correlation_id", sa.Text, nullable=False, comment="The request that set it in motion."),
    _instant("occurred_at", "When."),
    sa.PrimaryKeyConstraint("payment_intent_id", "id", "tenant_id"),
    # By the time of the intent, not of the event: a timeline is read from one partition and leaves as a whole.
    postgresql_partition_by="RANGE (payment_intent_id)",
)

outbox = outbox_table(METADATA)
outbox_refused = outbox_refused_table(METADATA)
outbox_published = published_table(METADATA)
operator_actions = operator_actions_table(METADATA)
inbox = inbox_table(METADATA)
partition_rules = rules_table(METADATA)
seal_tables(METADATA)
