"""Attempts at the processor, the outbox and the inbox."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_OPEN = sa.text("status IN ('PENDING', 'UNKNOWN')")


def upgrade() -> None:
    op.create_table(
        "attempts",
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose payment it is."),
        sa.Column(
            "id",
            pg.UUID,
            nullable=False,
            comment="Derived from the tenant, the subject and the operation; as text, the processor's idempotency key.",
        ),
        sa.Column("payment_intent_id", pg.UUID, nullable=False, comment="The intent that the operation serves."),
        sa.Column("operation", sa.Text, nullable=False, comment="What the processor is asked: authorize, capture."),
        sa.Column(
            "processor", sa.Text, nullable=False, comment="Which processor is asked: only that one knows the key."
        ),
        sa.Column("status", sa.Text, nullable=False, comment="What we know: PENDING, UNKNOWN, APPROVED, DECLINED."),
        sa.Column("amount_minor", sa.BigInteger, nullable=False, comment="Amount in minor units, above zero."),
        sa.Column("currency", sa.Text, nullable=False, comment="ISO 4217 code, upper case."),
        sa.Column(
            "customer_ref", sa.Text, nullable=False, comment="The merchant's reference of the customer, or empty."
        ),
        sa.Column(
            "gateway_ref",
            sa.Text,
            nullable=False,
            comment=(
                "The processor's reference: of the authorization a capture builds on, or of an approved authorization."
            ),
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
        sa.Column(
            "decided_at", sa.DateTime(timezone=True), comment="When the processor did or refused it, in its words."
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was written down."),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, comment="When it last changed."),
        sa.Column("correlation_id", sa.Text, nullable=False, comment="The cause it belongs to."),
        sa.Column("traceparent", sa.Text, nullable=False, comment="W3C trace context of whoever asked for it."),
        sa.PrimaryKeyConstraint("id", "tenant_id", name="attempts_pkey"),
        sa.CheckConstraint("amount_minor > 0", name="ck_attempts_amount_above_zero"),
        sa.CheckConstraint(
            "status IN ('PENDING', 'UNKNOWN', 'APPROVED', 'DECLINED')", name="ck_attempts_status_is_known"
        ),
        postgresql_with={"fillfactor": "85"},
        comment="One operation on one payment intent, written down before the processor is asked.",
    )
    op.create_index("ix_attempts_payment_intent", "attempts", ["payment_intent_id", "tenant_id"])
    op.create_index("ix_attempts_open", "attempts", ["next_ask_at"], postgresql_where=_OPEN)
    op.create_table(
        "outbox",
        sa.Column("seq", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Order of insertion."),
        sa.Column("event_id", pg.UUID, nullable=False, comment="The message's id for ever."),
        sa.Column("contract", sa.Text, nullable=False, comment="Which contract: <kind>:<owner>:<name>."),
        sa.Column("tenant_id", sa.Text, nullable=False, comment="The tenant it concerns; empty where there is none."),
        sa.Column("correlation_id", sa.Text, nullable=False, comment="The cause it belongs to."),
        sa.Column("traceparent", sa.Text, nullable=False, comment="W3C trace context of whoever said it."),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False, comment="When it happened."),
        sa.Column("body", sa.Text, nullable=False, comment="The body as JSON, exactly as it will be sent."),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0", comment="Refusals by the broker."),
        sa.Column(
            "available_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
            comment="Not sent before this instant.",
        ),
        comment="What was decided and is still to be said.",
    )
    op.create_table(
        "inbox",
        sa.Column("event_id", pg.UUID, nullable=False, comment="The event."),
        sa.Column("queue", sa.Text, nullable=False, comment="Where it was heard: one effect per consumer."),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
            comment="When it took effect.",
        ),
        sa.PrimaryKeyConstraint("event_id", "queue"),
        comment="Events that have taken effect.",
    )
    op.create_index("ix_inbox_received_at", "inbox", ["received_at"], postgresql_using="brin")
    op.execute("GRANT SELECT, INSERT, UPDATE ON attempts TO gateway_app")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON outbox TO gateway_app")
    op.execute("GRANT SELECT, INSERT, DELETE ON inbox TO gateway_app")


def downgrade() -> None:
    op.drop_table("inbox")
    op.drop_table("outbox")
    op.drop_table("attempts")
