"""The whole lifecycle: voids, refunds, what the processor says later or unasked, disputes, and the sandbox's memory."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_OPEN = sa.text("status IN ('PENDING', 'UNKNOWN', 'ACCEPTED', 'ACTION_REQUIRED')")

# The runtime role may not delete an attempt, except through this: what is decided, whole payments at a time, and never what
# is younger than the longest time in which a processor, a bank or a customer may still speak of it.
_FORGET = """
CREATE FUNCTION forget_attempts(before timestamptz, at_most integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = gateway AS $$
    WITH gone AS (
        DELETE FROM attempts WHERE ctid = ANY (ARRAY(
            SELECT old.ctid FROM attempts old
            WHERE old.updated_at < least(before, now() - interval '180 days')
              AND NOT EXISTS (
                SELECT 1 FROM attempts kept
                WHERE kept.payment_intent_id = old.payment_intent_id AND kept.tenant_id = old.tenant_id
                  AND (kept.updated_at >= least(before, now() - interval '180 days')
                       OR kept.status NOT IN ('APPROVED', 'DECLINED', 'REVERSED')))
            LIMIT at_most))
        RETURNING 1)
    SELECT count(*) FROM gone
$$
"""


def upgrade() -> None:
    op.add_column(
        "attempts",
        sa.Column("refund_id", pg.UUID, comment="The refund that it gives back; NULL where it is about the payment."),
    )
    for name, default, comment in (
        ("payment_method", "", "The processor's token of what is charged, or empty."),
        ("capture_method", "automatic", "manual where the end of the hold is watched."),
        ("note", "", "The merchant's words about a refund."),
        ("result_ref", "", "The processor's reference of what came of it; empty until it has told one."),
        ("action_url", "", "Where the customer proves who they are, or empty."),
    ):
        op.add_column("attempts", sa.Column(name, sa.Text, nullable=False, server_default=default, comment=comment))
    op.add_column(
        "attempts",
        sa.Column(
            "expires_at",
            sa.DateTime(timezone=True),
            comment="When the hold ends by itself; NULL where that is not, or no longer, watched.",
        ),
    )
    op.alter_column(
        "attempts",
        "operation",
        comment="What is asked: authorize, capture, void, expire, refund.",
        existing_type=sa.Text,
    )
    op.alter_column(
        "attempts",
        "status",
        comment="What we know: PENDING, UNKNOWN, ACCEPTED, ACTION_REQUIRED, APPROVED, DECLINED, REVERSED.",
        existing_type=sa.Text,
    )
    op.drop_constraint("ck_attempts_status_is_known", "attempts")
    op.create_check_constraint(
        "ck_attempts_status_is_known",
        "attempts",
        "status IN ('PENDING', 'UNKNOWN', 'ACCEPTED', 'ACTION_REQUIRED', 'APPROVED', 'DECLINED', 'REVERSED')",
    )
    op.create_check_constraint("ck_attempts_refund", "attempts", "(operation = 'refund') = (refund_id IS NOT NULL)")
    op.drop_index("ix_attempts_open", table_name="attempts")
    op.create_index("ix_attempts_open", "attempts", ["next_ask_at"], postgresql_where=_OPEN)
    op.create_index(
        "ix_attempts_expires", "attempts", ["expires_at"], postgresql_where=sa.text("expires_at IS NOT NULL")
    )
    op.create_index(
        "ix_attempts_gateway_ref",
        "attempts",
        ["gateway_ref"],
        postgresql_where=sa.text("operation = 'authorize' AND processor <> 'sandbox'"),
    )
    op.create_index("ix_attempts_updated", "attempts", ["updated_at"], postgresql_using="brin")
    op.create_table(
        "disputes",
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose payment it is."),
        sa.Column("id", pg.UUID, nullable=False, comment="Derived from the processor's reference of the dispute."),
        sa.Column("payment_intent_id", pg.UUID, nullable=False, comment="The disputed payment."),
        sa.Column("processor", sa.Text, nullable=False, comment="Who told us."),
        sa.Column("gateway_ref", sa.Text, nullable=False, comment="The processor's reference of the dispute."),
        sa.Column("state", sa.Text, nullable=False, comment="How far it is: open, won, lost."),
        sa.Column("amount_minor", sa.BigInteger, nullable=False, comment="The disputed amount in minor units."),
        sa.Column("currency", sa.Text, nullable=False, comment="ISO 4217 code, upper case."),
        sa.Column("reason", sa.Text, nullable=False, comment="The bank's reason, as a word."),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False, comment="When, in the processor's words."),
        sa.Column("evidence_due_at", sa.DateTime(timezone=True), comment="Until when the merchant may answer."),
        sa.Column("decided_at", sa.DateTime(timezone=True), comment="When it was won or lost; NULL while it is open."),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, comment="When it last changed."),
        sa.PrimaryKeyConstraint("id", "tenant_id", name="disputes_pkey"),
        sa.CheckConstraint("amount_minor > 0", name="ck_disputes_amount_above_zero"),
        sa.CheckConstraint("state IN ('open', 'won', 'lost')", name="ck_disputes_state"),
        comment="Disputes of payments, as the processor told them.",
    )
    op.create_index("ix_disputes_payment_intent", "disputes", ["payment_intent_id", "tenant_id"])
    op.create_table(
        "sandbox_payments",
        sa.Column("ref", sa.Text, primary_key=True, comment="The sandbox's reference of the payment."),
        sa.Column("body", sa.Text, nullable=False, comment="The payment as the sandbox remembers it, as JSON."),
        sa.Column("due_at", sa.DateTime(timezone=True), comment="When something is to happen to it by itself."),
        postgresql_with={"fillfactor": "70"},
        comment="The sandbox's own memory; nothing else reads it.",
    )
    op.create_index(
        "ix_sandbox_payments_due", "sandbox_payments", ["due_at"], postgresql_where=sa.text("due_at IS NOT NULL")
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON disputes TO gateway_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON sandbox_payments TO gateway_app")
    op.execute(_FORGET)
    op.execute("REVOKE ALL ON FUNCTION forget_attempts(timestamptz, integer) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION forget_attempts(timestamptz, integer) TO gateway_app")


def downgrade() -> None:
    op.execute("DROP FUNCTION forget_attempts(timestamptz, integer)")
    op.drop_table("sandbox_payments")
    op.drop_table("disputes")
    for index in ("ix_attempts_updated", "ix_attempts_gateway_ref", "ix_attempts_expires", "ix_attempts_open"):
        op.drop_index(index, table_name="attempts")
    op.drop_constraint("ck_attempts_refund", "attempts")
    op.drop_constraint("ck_attempts_status_is_known", "attempts")
    # What only this version knows has no words in the one before.
    op.execute("DELETE FROM attempts WHERE operation NOT IN ('authorize', 'capture')")
    op.execute("UPDATE attempts SET status = 'UNKNOWN' WHERE status IN ('ACCEPTED', 'ACTION_REQUIRED')")
    op.create_check_constraint(
        "ck_attempts_status_is_known", "attempts", "status IN ('PENDING', 'UNKNOWN', 'APPROVED', 'DECLINED')"
    )
    op.create_index(
        "ix_attempts_open", "attempts", ["next_ask_at"], postgresql_where=sa.text("status IN ('PENDING', 'UNKNOWN')")
    )
    for column in (
        "expires_at",
        "action_url",
        "result_ref",
        "note",
        "capture_method",
        "payment_method",
        "refund_id",
    ):
        op.drop_column("attempts", column)
    op.alter_column("attempts", "operation", comment="What the processor is asked: authorize, capture.")
    op.alter_column("attempts", "status", comment="What we know: PENDING, UNKNOWN, APPROVED, DECLINED.")
