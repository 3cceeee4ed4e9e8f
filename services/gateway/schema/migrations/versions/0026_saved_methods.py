"""What processors keep of customers: references, setups, saved payment methods; and no number of any card."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Make the tables; nothing is removed from them."""
    op.create_table(
        "processor_customers",
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose customer."),
        sa.Column("customer_id", pg.UUID, nullable=False, comment="The api's id of the customer."),
        sa.Column(
            "processor", sa.Text, nullable=False, comment="The account; empty in the row that says only: was deleted."
        ),
        sa.Column(
            "customer_ref", sa.Text, nullable=False, server_default="", comment="The processor's reference, or empty."
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was first to be made there."
        ),
        sa.Column("deleted_at", sa.DateTime(timezone=True), comment="When the merchant deleted the customer."),
        sa.Column(
            "forget_at",
            sa.DateTime(timezone=True),
            comment="When the processor is called to forget the customer; NULL: not, or it has.",
        ),
        sa.PrimaryKeyConstraint("customer_id", "processor", "tenant_id"),
    )
    op.create_table(
        "payment_setups",
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose customer it is for."),
        sa.Column("id", pg.UUID, nullable=False, comment="Minted by the api; as text, the idempotency key."),
        sa.Column("customer_id", pg.UUID, nullable=False, comment="Whose payment method is saved."),
        sa.Column("processor", sa.Text, nullable=False, comment="The account that it is saved at."),
        sa.Column(
            "setup_ref", sa.Text, nullable=False, server_default="", comment="The processor's reference, or empty."
        ),
        sa.Column("status", sa.Text, nullable=False, comment="How far it is, as far as we know."),
        sa.Column("method_id", pg.UUID, comment="What was saved."),
        sa.Column(
            "failure_code", sa.Text, nullable=False, server_default="", comment="Why the last try failed, or empty."
        ),
        sa.Column(
            "failure_message", sa.Text, nullable=False, server_default="", comment="The same as a sentence, or empty."
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was begun."),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, comment="When it last changed."),
        sa.PrimaryKeyConstraint("id", "tenant_id"),
        sa.CheckConstraint(
            "status IN ('REQUIRES_PAYMENT_METHOD', 'REQUIRES_ACTION', 'PROCESSING', 'SUCCEEDED', 'CANCELED')",
            name="ck_payment_setups_status",
        ),
    )
    op.create_table(
        "saved_methods",
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose customer's."),
        sa.Column("id", pg.UUID, nullable=False, comment="Derived from the tenant, the account and the reference."),
        sa.Column("customer_id", pg.UUID, nullable=False, comment="Whose it is."),
        sa.Column("processor", sa.Text, nullable=False, comment="The account that has it."),
        sa.Column("method_ref", sa.Text, nullable=False, comment="The processor's reference."),
        sa.Column("type", sa.Text, nullable=False, comment="card."),
        sa.Column("brand", sa.Text, nullable=False, comment="The card's network."),
        sa.Column("last4", sa.Text, nullable=False, comment="The end of its number; no more of it is kept."),
        sa.Column("exp_month", sa.Integer, nullable=False, comment="The last month in which it is valid."),
        sa.Column("exp_year", sa.Integer, nullable=False, comment="And its year."),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was saved."),
        sa.Column("detached_at", sa.DateTime(timezone=True), comment="From when on it is charged no more."),
        sa.Column(
            "release_at",
            sa.DateTime(timezone=True),
            comment="When the processor is called to forget it; NULL: not, or it has.",
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id"),
        sa.CheckConstraint("length(last4) <= 4", name="ck_saved_methods_last4"),
    )
    op.create_index(
        "ix_processor_customers_forget",
        "processor_customers",
        ["forget_at"],
        postgresql_where=sa.text("forget_at IS NOT NULL"),
    )
    op.create_index("ix_saved_methods_customer", "saved_methods", ["customer_id", "tenant_id", "created_at"])
    op.create_index("ix_saved_methods_ref", "saved_methods", ["processor", "method_ref"])
    op.create_index(
        "ix_saved_methods_release", "saved_methods", ["release_at"], postgresql_where=sa.text("release_at IS NOT NULL")
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON processor_customers, payment_setups, saved_methods TO gateway_app")
