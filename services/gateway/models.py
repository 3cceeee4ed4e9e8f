"""Our tables: attempts at the processor, and the outbox. Every command is idempotent by its attempt."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from libs.common.messaging import inbox_table, outbox_table

METADATA = sa.MetaData()

OPEN = sa.text("status IN ('PENDING', 'UNKNOWN')")
"""Attempts whose outcome is not known."""

ATTEMPTS = sa.Table(
    "attempts",
    METADATA,
    sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose payment it is."),
    sa.Column(
        "id",
        pg.UUID,
        nullable=False,
        comment="Derived from the tenant, the subject and the operation; as text, the processor's idempotency key.",
    ),
    sa.Column("payment_intent_id", pg.UUID, nullable=False, comment="The intent that the operation serves."),
    sa.Column("operation", sa.Text, nullable=False, comment="What the processor is asked: authorize, capture."),
    sa.Column("processor", sa.Text, nullable=False, comment="Which processor is asked: only that one knows the key."),
    sa.Column("status", sa.Text, nullable=False, comment="What we know: PENDING, UNKNOWN, APPROVED, DECLINED."),
    sa.Column("amount_minor", sa.BigInteger, nullable=False, comment="Amount in minor units, above zero."),
    sa.Column("currency", sa.Text, nullable=False, comment="ISO 4217 code, upper case."),
    sa.Column("customer_ref", sa.Text, nullable=False, comment="The merchant's reference of the customer, or empty."),
    sa.Column(
        "gateway_ref",
        sa.Text,
        nullable=False,
        comment="The processor's reference: of the authorization a capture builds on, or of an approved authorization.",
    ),
    sa.Column("reason", sa.Text, nullable=False, server_default="", comment="Why declined or unknown, as a word."),
    sa.Column("detail", sa.Text, nullable=False, server_default="", comment="Why declined, as a sentence."),
    sa.Column("asks", sa.Integer, nullable=False, server_default="0", comment="How often the processor was asked."),
    sa.Column(
        "asked_at",
        sa.DateTime(timezone=True),
        comment="When the processor may first have heard the key; NULL when it certainly has not.",
    ),
    sa.Column(
        "next_ask_at",
        sa.DateTime(timezone=True),
        comment="From when on anybody may ask again; NULL once decided, or left to a person.",
    ),
    sa.Column("decided_at", sa.DateTime(timezone=True), comment="When the processor did or refused it, in its words."),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was written down."),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, comment="When it last changed."),
    sa.Column("correlation_id", sa.Text, nullable=False, comment="The cause it belongs to."),
    sa.Column("traceparent", sa.Text, nullable=False, comment="W3C trace context of whoever asked for it."),
    sa.PrimaryKeyConstraint("id", "tenant_id"),
    sa.CheckConstraint("amount_minor > 0", name="ck_attempts_amount_above_zero"),
    sa.CheckConstraint("status IN ('PENDING', 'UNKNOWN', 'APPROVED', 'DECLINED')", name="ck_attempts_status_is_known"),
    sa.Index("ix_attempts_payment_intent", "payment_intent_id", "tenant_id"),
    sa.Index("ix_attempts_open", "next_ask_at", postgresql_where=OPEN),
    # Every attempt is updated once, soon after its insert: room on the page keeps the new version near the old one.
    postgresql_with={"fillfactor": "85"},
)

OUTBOX = outbox_table(METADATA)
INBOX = inbox_table(METADATA)
