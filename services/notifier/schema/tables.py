"""The notifier's tables. Every key begins with the tenant, so that rows can be distributed by it.

`messages`, `deliveries` and `attempts` are partitioned by `event_id`: event ids are UUIDv7, whose order is the order of
time, so a range of ids is a range of time and old history leaves by dropping partitions. For the same reason the history
of an endpoint is read newest first along its primary key. The three tables have no foreign keys between them: their
rows are written by one statement from the same ids, and a partition must be able to leave on its own.
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

METADATA = sa.MetaData(schema=None)

ENDPOINTS = sa.Table(
    "webhook_endpoints",
    METADATA,
    sa.Column("tenant_id", sa.Text, nullable=False, comment="The tenant."),
    sa.Column("id", pg.UUID, nullable=False, comment="The endpoint."),
    sa.Column("url", sa.Text, nullable=False, comment="Where events are sent."),
    sa.Column("events", pg.ARRAY(sa.Text), nullable=False, comment="Names, prefixes such as payment.*, or *."),
    sa.Column("is_active", sa.Boolean, nullable=False, comment="Whether deliveries are made."),
    sa.Column("disabled_reason", sa.Text, comment="Why deliveries are not made, as a snake_case word."),
    sa.Column(
        "secret_sealed", sa.LargeBinary, nullable=False, comment="Signing secret: version, key id, nonce, ciphertext."
    ),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was registered."),
    sa.Column("deleted_at", sa.DateTime(timezone=True), comment="When it was deleted; its history stays."),
    sa.Column("description", sa.Text, nullable=False, server_default="", comment="What it is for, for people."),
    sa.Column("is_ordered", sa.Boolean, nullable=False, server_default="false", comment="In order per payment."),
    sa.Column(
        "rate_limit_per_second", sa.Integer, comment="Attempts per second at most, over all processes; NULL: any."
    ),
    sa.Column("headers_sealed", sa.LargeBinary, comment="The tenant's own headers as JSON, sealed as secrets are."),
    sa.Column(
        "header_names",
        pg.ARRAY(sa.Text),
        nullable=False,
        server_default="{}",
        comment="Names of the tenant's own headers.",
    ),
    sa.Column("public_key", sa.Text, comment="Verifies its v1a signatures: whpk_ and base64; NULL without them."),
    sa.Column(
        "secrets_retired",
        pg.ARRAY(sa.LargeBinary),
        nullable=False,
        server_default="{}",
        comment="Earlier secrets, sealed, the newest first.",
    ),
    sa.Column(
        "secrets_retired_until",
        pg.ARRAY(sa.DateTime(timezone=True)),
        nullable=False,
        server_default="{}",
        comment="Until when each earlier secret signs too.",
    ),
    sa.Column(
        "disabled_at", sa.DateTime(timezone=True), comment="When deliveries ceased to be made; NULL while they are."
    ),
    sa.PrimaryKeyConstraint("tenant_id", "id"),
    sa.CheckConstraint("rate_limit_per_second > 0", name="ck_webhook_endpoints_rate"),
    sa.CheckConstraint(
        "cardinality(secrets_retired) = cardinality(secrets_retired_until)", name="ck_webhook_endpoints_retired"
    ),
    sa.CheckConstraint("cardinality(events) > 0", name="ck_webhook_endpoints_events"),
    sa.CheckConstraint("length(url) BETWEEN 1 AND 2048", name="ck_webhook_endpoints_url"),
    sa.CheckConstraint("is_active = (disabled_reason IS NULL)", name="ck_webhook_endpoints_disabled"),
    comment="Where tenants receive events of their payments.",
)

MESSAGES = sa.Table(
    "messages",
    METADATA,
    sa.Column("tenant_id", sa.Text, nullable=False, comment="The tenant."),
    sa.Column("event_id", pg.UUID, nullable=False, comment="The event; the webhook-id of every request about it."),
    sa.Column("type", sa.Text, nullable=False, comment="The event's name."),
    sa.Column("payment_intent_id", pg.UUID, comment="The payment it is about, where it is about one."),
    sa.Column("body", sa.Text, nullable=False, comment="The JSON exactly as it is sent, the same on every attempt."),
    sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False, comment="When it happened."),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was received."),
    sa.Column(
        "correlation_id", sa.Text, nullable=False, server_default="", comment="The cause it belongs to; empty: unknown."
    ),
    sa.Column(
        "traceparent",
        sa.Text,
        nullable=False,
        server_default="",
        comment="W3C trace context under which it was received; empty where nothing is traced.",
    ),
    sa.PrimaryKeyConstraint("tenant_id", "event_id"),
    comment="Events as merchants receive them; only those that some endpoint of the tenant wants.",
    postgresql_partition_by="RANGE (event_id)",
)

DELIVERIES = sa.Table(
    "deliveries",
    METADATA,
    sa.Column("tenant_id", sa.Text, nullable=False, comment="The tenant."),
    sa.Column("endpoint_id", pg.UUID, nullable=False, comment="The endpoint."),
    sa.Column("event_id", pg.UUID, nullable=False, comment="The event."),
    sa.Column("id", pg.UUID, nullable=False, comment="Derived from event and endpoint; X-Webhook-Delivery-Id."),
    sa.Column("event_type", sa.Text, nullable=False, comment="The event's name."),
    sa.Column("status", sa.Text, nullable=False, comment="PENDING, DELIVERED or FAILED."),
    sa.Column("attempts", sa.SmallInteger, nullable=False, comment="Attempts recorded."),
    sa.Column(
        "next_attempt_at",
        sa.DateTime(timezone=True),
        comment="When it may be claimed: the next attempt, or the end of the lease of whoever holds it. NULL when over.",
    ),
    sa.Column(
        "fence", sa.BigInteger, nullable=False, comment="Raised by every claim and outcome; an outcome must carry it."
    ),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was scheduled."),
    sa.Column("ended_at", sa.DateTime(timezone=True), comment="When it was over."),
    sa.Column("end_reason", sa.Text, comment="Why it is over, as a snake_case word."),
    sa.Column("ordering_key", pg.UUID, comment="The payment whose events wait for each other; NULL: none waits."),
    sa.Column("sequence", sa.Integer, nullable=False, server_default="0", comment="Order among one payment's events."),
    sa.Column("replays", sa.SmallInteger, nullable=False, server_default="0", comment="How often it was replayed."),
    sa.Column(
        "attempts_before",
        sa.SmallInteger,
        nullable=False,
        server_default="0",
        comment="Attempts made before the latest replay; the retry schedule counts from there.",
    ),
    sa.PrimaryKeyConstraint("tenant_id", "endpoint_id", "event_id"),
    sa.CheckConstraint("status IN ('PENDING', 'DELIVERED', 'FAILED')", name="ck_deliveries_status"),
    sa.CheckConstraint(
        "(status = 'PENDING') = (next_attempt_at IS NOT NULL)"
        " AND (status = 'PENDING') = (ended_at IS NULL)"
        " AND (status = 'PENDING') = (end_reason IS NULL)",
        name="ck_deliveries_end",
    ),
    # The queue: the worker visits one endpoint after the other and takes what is due, oldest first.
    sa.Index(
        "ix_deliveries_due",
        "tenant_id",
        "endpoint_id",
        "next_attempt_at",
        "event_id",
        postgresql_where=sa.text("status = 'PENDING'"),
    ),
    # Whether an earlier event of the same payment still waits; only rows of endpoints that want order are in it.
    sa.Index(
        "ix_deliveries_ordered",
        "tenant_id",
        "endpoint_id",
        "ordering_key",
        "sequence",
        "event_id",
        postgresql_where=sa.text("status = 'PENDING' AND ordering_key IS NOT NULL"),
    ),
    # The rare ones among millions, for the history and for replays.
    sa.Index(
        "ix_deliveries_failed",
        "tenant_id",
        "endpoint_id",
        "event_id",
        postgresql_where=sa.text("status = 'FAILED'"),
    ),
    comment="One event for one endpoint: the queue of the delivery worker, and its history.",
    postgresql_partition_by="RANGE (event_id)",
)

ATTEMPTS = sa.Table(
    "attempts",
    METADATA,
    sa.Column("tenant_id", sa.Text, nullable=False, comment="The tenant."),
    sa.Column("endpoint_id", pg.UUID, nullable=False, comment="The endpoint."),
    sa.Column("event_id", pg.UUID, nullable=False, comment="The event."),
    sa.Column("number", sa.SmallInteger, nullable=False, comment="From 1."),
    sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=False, comment="When it began."),
    sa.Column("duration_ms", sa.Integer, nullable=False, comment="How long the exchange took."),
    sa.Column("status_code", sa.SmallInteger, comment="HTTP status; NULL when there was none."),
    sa.Column("error", sa.Text, comment="Why there is no complete answer, as a snake_case word."),
    sa.Column("response_excerpt", sa.Text, nullable=False, comment="The beginning of the answer's body."),
    sa.PrimaryKeyConstraint("tenant_id", "endpoint_id", "event_id", "number"),
    comment="Every attempt at a delivery; append-only.",
    postgresql_partition_by="RANGE (event_id)",
)

GATES = sa.Table(
    "endpoint_gates",
    METADATA,
    sa.Column("tenant_id", sa.Text, nullable=False, comment="The tenant."),
    sa.Column("endpoint_id", pg.UUID, nullable=False, comment="The endpoint."),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0", comment="Failed attempts since a success."),
    sa.Column(
        "failing_since",
        sa.DateTime(timezone=True),
        comment="The first of them; NULL when the latest attempt succeeded.",
    ),
    sa.Column("last_error", sa.Text, comment="What the latest failed attempt met: status_503, timeout."),
    sa.Column("warnings", sa.SmallInteger, nullable=False, server_default="0", comment="Warnings given since then."),
    sa.Column("warned_at", sa.DateTime(timezone=True), comment="When the latest warning was given."),
    sa.Column("pauses", sa.Integer, nullable=False, server_default="0", comment="Times in a row that it was paused."),
    sa.Column(
        "paused_until",
        sa.DateTime(timezone=True),
        comment="No attempt before; from then on one at a time, until one succeeds.",
    ),
    sa.Column("pause_began_at", sa.DateTime(timezone=True), comment="When the present pause began."),
    sa.Column("rate_limit_per_second", sa.Integer, comment="The endpoint's own rate limit, here for the claim."),
    sa.Column("paced_until", sa.DateTime(timezone=True), comment="The instant up to which the rate limit is used up."),
    sa.PrimaryKeyConstraint("tenant_id", "endpoint_id"),
    comment="What holds deliveries back: the breaker and the rate limit of the endpoints that need one.",
)

REPLAYS = sa.Table(
    "replays",
    METADATA,
    sa.Column("tenant_id", sa.Text, nullable=False, comment="The tenant."),
    sa.Column("id", pg.UUID, nullable=False, comment="The replay, derived from its idempotency key."),
    sa.Column("endpoint_id", pg.UUID, nullable=False, comment="The endpoint that receives again."),
    sa.Column("selection", sa.Text, nullable=False, comment="What is replayed, as canonical JSON."),
    sa.Column("status", sa.Text, nullable=False, comment="RUNNING, DONE or CANCELLED."),
    sa.Column("total", sa.Integer, nullable=False, comment="Deliveries that the selection had at the beginning."),
    sa.Column("scheduled", sa.Integer, nullable=False, comment="Deliveries scheduled so far."),
    sa.Column("position", pg.UUID, nullable=False, comment="The last event looked at; the replay goes on after it."),
    sa.Column("until", pg.UUID, nullable=False, comment="The last event to look at."),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was requested."),
    sa.Column(
        "ended_at", sa.DateTime(timezone=True), comment="When everything was scheduled, or when it was cancelled."
    ),
    sa.PrimaryKeyConstraint("tenant_id", "id"),
    sa.CheckConstraint("status IN ('RUNNING', 'DONE', 'CANCELLED')", name="ck_replays_status"),
    sa.CheckConstraint("(status = 'RUNNING') = (ended_at IS NULL)", name="ck_replays_end"),
    sa.Index("ix_replays_running", "created_at", postgresql_where=sa.text("status = 'RUNNING'")),
    sa.Index("ix_replays_ended", "ended_at", postgresql_where=sa.text("status <> 'RUNNING'")),
    comment="Wishes to have deliveries made again, and how far each is.",
)

OUTBOX = outbox_table(METADATA)
OUTBOX_REFUSED = outbox_refused_table(METADATA)
OUTBOX_PUBLISHED = published_table(METADATA)
OPERATOR_ACTIONS = operator_actions_table(METADATA)
INBOX = inbox_table(METADATA)
PARTITION_RULES = rules_table(METADATA)
