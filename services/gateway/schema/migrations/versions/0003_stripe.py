"""Processor accounts of tenants with their sealed keys, and what processors tell unasked, as it came."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gateway_configs",
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Who charges this way."),
        sa.Column(
            "id", pg.UUID, nullable=False, comment="The configuration; part of the processor's name in attempts."
        ),
        sa.Column("processor", sa.Text, nullable=False, comment="stripe or sandbox."),
        sa.Column(
            "currencies", pg.ARRAY(sa.Text), nullable=False, comment="ISO 4217 codes that go this way; empty: all."
        ),
        sa.Column("sealed_key", pg.BYTEA, nullable=False, comment="The secret key, sealed; empty for the sandbox."),
        sa.Column("key_last4", sa.Text, nullable=False, comment="The end of the secret key, to be shown."),
        sa.Column(
            "sealed_webhook_secrets",
            pg.ARRAY(pg.BYTEA),
            nullable=False,
            comment="What webhooks are signed with, sealed: the current secret, then the one before it.",
        ),
        sa.Column(
            "webhook_last4", sa.Text, nullable=False, comment="The end of the current webhook secret, to be shown."
        ),
        sa.Column("payment_method", sa.Text, nullable=False, comment="What is charged where a payment names nothing."),
        sa.Column(
            "return_url", sa.Text, nullable=False, comment="Where customers come back to after proving who they are."
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was added."),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, comment="When it last changed."),
        sa.Column(
            "deleted_at",
            sa.DateTime(timezone=True),
            comment="From when on no new payment goes this way; payments that did are still captured and refunded by it.",
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name="gateway_configs_pkey"),
        sa.CheckConstraint("processor IN ('stripe', 'sandbox')", name="ck_gateway_configs_processor"),
        comment="Through which processor account a tenant charges.",
    )
    op.create_index("ix_gateway_configs_tenant", "gateway_configs", ["tenant_id", "created_at"])
    op.create_table(
        "stripe_events",
        sa.Column(
            "tenant_id", sa.Text, nullable=False, comment="Whose account sent it; the platform's own for its own."
        ),
        sa.Column("processor", sa.Text, nullable=False, comment="The account: stripe, or stripe:<configuration>."),
        sa.Column("id", sa.Text, nullable=False, comment="Stripe's id of the event."),
        sa.Column("type", sa.Text, nullable=False, comment="Stripe's name for what happened."),
        sa.Column(
            "status",
            sa.Text,
            nullable=False,
            comment="RECEIVED, HANDLED, IGNORED, UNMATCHED, CONTRADICTED or FAILED.",
        ),
        sa.Column(
            "reason", sa.Text, nullable=False, server_default="", comment="Why it was not simply handled, as a word."
        ),
        sa.Column("payment_intent_id", pg.UUID, comment="The payment that it is about, where we know it."),
        sa.Column("body", sa.Text, nullable=False, comment="The event exactly as it came, signature verified."),
        sa.Column("tries", sa.Integer, nullable=False, server_default="0", comment="How often it was worked on."),
        sa.Column(
            "next_try_at", sa.DateTime(timezone=True), comment="From when on it may be worked on; NULL once done."
        ),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False, comment="When, in Stripe's words."),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False, comment="When it first came."),
        sa.Column("handled_at", sa.DateTime(timezone=True), comment="When it was last worked on."),
        sa.PrimaryKeyConstraint("id", "processor", "tenant_id", name="stripe_events_pkey"),
        sa.CheckConstraint(
            "status IN ('RECEIVED', 'HANDLED', 'IGNORED', 'UNMATCHED', 'CONTRADICTED', 'FAILED')",
            name="ck_stripe_events_status",
        ),
        postgresql_with={"fillfactor": "85"},
        comment="What Stripe told unasked.",
    )
    op.create_index(
        "ix_stripe_events_due", "stripe_events", ["next_try_at"], postgresql_where=sa.text("next_try_at IS NOT NULL")
    )
    op.create_index("ix_stripe_events_tenant", "stripe_events", ["tenant_id", "received_at"])
    op.create_index("ix_stripe_events_received", "stripe_events", ["received_at"], postgresql_using="brin")
    op.execute("GRANT SELECT, INSERT, UPDATE ON gateway_configs TO gateway_app")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON stripe_events TO gateway_app")


def downgrade() -> None:
    op.drop_table("stripe_events")
    op.drop_table("gateway_configs")
