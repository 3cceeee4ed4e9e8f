"""Webhooks: endpoints, messages, deliveries, attempts, and the outbox and inbox.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _create_endpoints()
    _create_messages()
    _create_deliveries()
    _create_attempts()
    _create_outbox()
    _create_inbox()
    _grant()


def _create_endpoints() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("tenant_id", sa.Text, nullable=False, comment="The tenant."),
        sa.Column("id", pg.UUID, nullable=False, comment="The endpoint."),
        sa.Column("url", sa.Text, nullable=False, comment="Where events are sent."),
        sa.Column("events", pg.ARRAY(sa.Text), nullable=False, comment="Names, prefixes such as payment.*, or *."),
        sa.Column("is_active", sa.Boolean, nullable=False, comment="Whether deliveries are made."),
        sa.Column("disabled_reason", sa.Text, comment="Why deliveries are not made, as a snake_case word."),
        sa.Column(
            "secret_sealed",
            sa.LargeBinary,
            nullable=False,
            comment="Signing secret: version, key id, nonce, ciphertext.",
        ),
        sa.Column("created_at", _INSTANT, nullable=False, comment="When it was registered."),
        sa.Column("deleted_at", _INSTANT, comment="When it was deleted; its history stays."),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        sa.CheckConstraint("cardinality(events) > 0", name="ck_webhook_endpoints_events"),
        sa.CheckConstraint("length(url) BETWEEN 1 AND 2048", name="ck_webhook_endpoints_url"),
        sa.CheckConstraint("is_active = (disabled_reason IS NULL)", name="ck_webhook_endpoints_disabled"),
        comment="Where tenants want to hear about their payments.",
    )


def _create_messages() -> None:
    op.create_table(
        "messages",
        sa.Column("tenant_id", sa.Text, nullable=False, comment="The tenant."),
        sa.Column("event_id", pg.UUID, nullable=False, comment="The event; the webhook-id of every request about it."),
        sa.Column("type", sa.Text, nullable=False, comment="The event's name."),
        sa.Column("payment_intent_id", pg.UUID, comment="The payment it is about, where it is about one."),
        sa.Column(
            "body", sa.Text, nullable=False, comment="The JSON exactly as it is sent, the same on every attempt."
        ),
        sa.Column("occurred_at", _INSTANT, nullable=False, comment="When it happened."),
        sa.Column("created_at", _INSTANT, nullable=False, comment="When we heard of it."),
        sa.PrimaryKeyConstraint("tenant_id", "event_id"),
        comment="Events as merchants are told about them; only those that some endpoint of the tenant wants.",
        postgresql_partition_by="RANGE (event_id)",
    )
    op.execute("CREATE TABLE messages_default PARTITION OF messages DEFAULT")


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("tenant_id", sa.Text, nullable=False, comment="The tenant."),
        sa.Column("endpoint_id", pg.UUID, nullable=False, comment="The endpoint."),
        sa.Column("event_id", pg.UUID, nullable=False, comment="The event."),
        sa.Column("id", pg.UUID, nullable=False, comment="Derived from event and endpoint; X-Webhook-Delivery-Id."),
        sa.Column("event_type", sa.Text, nullable=False, comment="The event's name."),
        sa.Column("status", sa.Text, nullable=False, comment="PENDING, DELIVERED or FAILED."),
        sa.Column("attempts", sa.SmallInteger, nullable=False, comment="Attempts recorded."),
        sa.Column(
            "next_attempt_at",
            _INSTANT,
            comment="When it may be claimed: the next attempt, or the end of the lease of whoever holds it. NULL when over.",
        ),
        sa.Column(
            "fence",
            sa.BigInteger,
            nullable=False,
            comment="Raised by every claim and outcome; an outcome must carry it.",
        ),
        sa.Column("created_at", _INSTANT, nullable=False, comment="When it was scheduled."),
        sa.Column("ended_at", _INSTANT, comment="When it was over."),
        sa.Column("end_reason", sa.Text, comment="Why it is over, as a snake_case word."),
        sa.PrimaryKeyConstraint("tenant_id", "endpoint_id", "event_id"),
        sa.CheckConstraint("status IN ('PENDING', 'DELIVERED', 'FAILED')", name="ck_deliveries_status"),
        sa.CheckConstraint(
            "(status = 'PENDING') = (next_attempt_at IS NOT NULL)"
            " AND (status = 'PENDING') = (ended_at IS NULL)"
            " AND (status = 'PENDING') = (end_reason IS NULL)",
            name="ck_deliveries_end",
        ),
        comment="One event on its way to one endpoint: the queue of the delivery worker, and its history.",
        postgresql_partition_by="RANGE (event_id)",
    )
    op.create_index(
        "ix_deliveries_due",
        "deliveries",
        ["tenant_id", "endpoint_id", "next_attempt_at", "event_id"],
        postgresql_where=sa.text("status = 'PENDING'"),
    )
    # Each row is written three times within seconds: room on its page, and a vacuum that comes before the queue's index
    # is full of entries that lead nowhere.
    op.execute(
        "CREATE TABLE deliveries_default PARTITION OF deliveries DEFAULT "
        "WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000, "
        "autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0)"
    )


def _create_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("tenant_id", sa.Text, nullable=False, comment="The tenant."),
        sa.Column("endpoint_id", pg.UUID, nullable=False, comment="The endpoint."),
        sa.Column("event_id", pg.UUID, nullable=False, comment="The event."),
        sa.Column("number", sa.SmallInteger, nullable=False, comment="From 1."),
        sa.Column("attempted_at", _INSTANT, nullable=False, comment="When it began."),
        sa.Column("duration_ms", sa.Integer, nullable=False, comment="How long the exchange took."),
        sa.Column("status_code", sa.SmallInteger, comment="HTTP status; NULL when there was none."),
        sa.Column("error", sa.Text, comment="Why there is no complete answer, as a snake_case word."),
        sa.Column("response_excerpt", sa.Text, nullable=False, comment="The beginning of the answer's body."),
        sa.PrimaryKeyConstraint("tenant_id", "endpoint_id", "event_id", "number"),
        comment="Every attempt at a delivery; append-only.",
        postgresql_partition_by="RANGE (event_id)",
    )
    op.execute("CREATE TABLE attempts_default PARTITION OF attempts DEFAULT")


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("seq", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Order of insertion."),
        sa.Column("event_id", pg.UUID, nullable=False, comment="The message's id for ever."),
        sa.Column("contract", sa.Text, nullable=False, comment="Which contract: <kind>:<owner>:<name>."),
        sa.Column("tenant_id", sa.Text, nullable=False, comment="The tenant it concerns; empty where there is none."),
        sa.Column("correlation_id", sa.Text, nullable=False, comment="The cause it belongs to."),
        sa.Column("traceparent", sa.Text, nullable=False, comment="W3C trace context of whoever said it."),
        sa.Column("occurred_at", _INSTANT, nullable=False, comment="When it happened."),
        sa.Column("body", sa.Text, nullable=False, comment="The body as JSON, exactly as it will be sent."),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0", comment="Refusals by the broker."),
        sa.Column(
            "available_at",
            _INSTANT,
            nullable=False,
            server_default=sa.func.now(),
            comment="Not sent before this instant.",
        ),
    )


def _create_inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("event_id", pg.UUID, nullable=False, comment="The event."),
        sa.Column("queue", sa.Text, nullable=False, comment="Where it was heard: one effect per consumer."),
        sa.Column(
            "received_at", _INSTANT, nullable=False, server_default=sa.func.now(), comment="When it took effect."
        ),
        sa.PrimaryKeyConstraint("event_id", "queue"),
    )
    op.create_index("ix_inbox_received_at", "inbox", ["received_at"], postgresql_using="brin")


def _grant() -> None:
    # The app adds and closes, and never takes history away: retention is the owner's, by partition.
    op.execute("GRANT SELECT, INSERT, UPDATE ON webhook_endpoints, deliveries TO notifier_app")
    op.execute("GRANT SELECT, INSERT ON messages, attempts TO notifier_app")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON outbox, inbox TO notifier_app")


def downgrade() -> None:
    raise NotImplementedError("history is not taken back; write a new migration")
