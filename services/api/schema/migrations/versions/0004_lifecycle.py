"""The whole lifecycle: manual capture, voids, refunds, disputes and the end of a hold."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_CHECKS = {
    "ck_payment_intents_refunded": (
        "refunding_minor >= 0 AND refunded_minor >= 0 AND refunding_minor + refunded_minor <= captured_minor"
    ),
    "ck_payment_intents_capturing": "capturing_minor BETWEEN 0 AND amount_minor",
    "ck_payment_intents_disputed": "disputed_minor >= 0",
    "ck_payment_intents_capture_method": "capture_method IN ('automatic', 'manual')",
}


def _amount(name: str, comment: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default="0", comment=comment)


def _instant(name: str, comment: str, *, nullable: bool = False) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, comment=comment)


def upgrade() -> None:
    for column in (
        sa.Column(
            "capture_method",
            sa.Text(),
            nullable=False,
            server_default="automatic",
            comment="automatic: taken once held; manual: when the merchant says so.",
        ),
        sa.Column("payment_method", sa.Text(), nullable=False, server_default="", comment="What is charged, or empty."),
        sa.Column("action_url", sa.Text(), comment="Where the customer proves who they are, while that is required."),
        _instant("expires_at", "When held funds are released by themselves.", nullable=True),
        _amount("capturing_minor", "What the merchant's capture wants to take, in minor units."),
        sa.Column(
            "is_voiding",
            sa.Boolean(),
            nullable=False,
            server_default=sa.false(),
            comment="The processor is asked to release the funds and has not answered.",
        ),
        _amount("refunding_minor", "On its way back, in minor units."),
        _amount("refunded_minor", "Given back, in minor units."),
        _amount("disputed_minor", "Taken back by banks, in minor units."),
    ):
        op.add_column("payment_intents", column)
    for name, check in _CHECKS.items():
        op.create_check_constraint(name, "payment_intents", check)
    op.alter_column(
        "idempotency_keys",
        "payment_intent_id",
        existing_type=pg.UUID(),
        comment="What it creates or changes: an intent, a refund.",
    )
    op.alter_column(
        "idempotency_keys",
        "operation",
        existing_type=sa.Text(),
        comment="What was asked: create, or confirm:<intent id>, capture, void, refund.",
    )
    op.create_table(
        "refunds",
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose it is."),
        sa.Column("id", pg.UUID(), nullable=False, comment="UUIDv7, minted by the api."),
        sa.Column("payment_intent_id", pg.UUID(), nullable=False, comment="The payment that it gives back."),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False, comment="Amount in minor units of the currency."),
        sa.Column("currency", sa.Text(), nullable=False, comment="The intent's."),
        sa.Column("reason", sa.Text(), comment="The merchant's words."),
        sa.Column("status", sa.Text(), nullable=False, comment="PENDING, COMPLETED or FAILED."),
        sa.Column("gateway_ref", sa.Text(), comment="The processor's reference, once it has given one."),
        sa.Column("failure_code", sa.Text(), comment="Why it failed, as a stable snake_case word."),
        sa.Column("failure_message", sa.Text(), comment="Why it failed, as a sentence for people."),
        _instant("created_at", "When it was asked for."),
        _instant("updated_at", "When it last changed."),
        sa.PrimaryKeyConstraint("id", "tenant_id"),
        sa.CheckConstraint("amount_minor > 0", name="ck_refunds_amount"),
        sa.CheckConstraint("status IN ('PENDING', 'COMPLETED', 'FAILED')", name="ck_refunds_status"),
    )
    op.create_index(
        "ix_refunds_payment_intent", "refunds", ["payment_intent_id", "tenant_id", sa.text("created_at DESC")]
    )
    op.create_table(
        "disputes",
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose it is."),
        sa.Column("id", pg.UUID(), nullable=False, comment="The gateway's, derived from the processor's reference."),
        sa.Column("payment_intent_id", pg.UUID(), nullable=False, comment="The payment that it is about."),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False, comment="The disputed amount in minor units."),
        sa.Column("currency", sa.Text(), nullable=False, comment="The intent's."),
        sa.Column("reason", sa.Text(), nullable=False, comment="The bank's reason, as a word."),
        sa.Column("status", sa.Text(), nullable=False, comment="OPEN, WON or LOST."),
        sa.Column("gateway_ref", sa.Text(), nullable=False, comment="The processor's reference."),
        _instant("evidence_due_at", "Until when the merchant may answer.", nullable=True),
        _instant("opened_at", "When, in the processor's words."),
        _instant("updated_at", "When it last changed."),
        sa.PrimaryKeyConstraint("id", "tenant_id"),
        sa.CheckConstraint("amount_minor > 0", name="ck_disputes_amount"),
        sa.CheckConstraint("status IN ('OPEN', 'WON', 'LOST')", name="ck_disputes_status"),
    )
    op.create_index(
        "ix_disputes_payment_intent", "disputes", ["payment_intent_id", "tenant_id", sa.text("opened_at DESC")]
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON refunds, disputes TO api_app")


def downgrade() -> None:
    op.drop_table("disputes")
    op.drop_table("refunds")
    for name in _CHECKS:
        op.drop_constraint(name, "payment_intents")
    for column in (
        "disputed_minor",
        "refunded_minor",
        "refunding_minor",
        "is_voiding",
        "capturing_minor",
        "expires_at",
        "action_url",
        "payment_method",
        "capture_method",
    ):
        op.drop_column("payment_intents", column)
