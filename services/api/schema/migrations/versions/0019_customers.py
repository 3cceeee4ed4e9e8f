"""Customers of a tenant, who pay more than once."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Make the table; the runtime role erases what names a person, and removes no row."""
    op.create_table(
        "customers",
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose customer."),
        sa.Column("id", pg.UUID, nullable=False, comment="UUIDv7, minted by the api."),
        sa.Column("reference", sa.Text, nullable=False, comment="The merchant's own reference."),
        sa.Column("name", sa.Text, comment="A person's or a company's name; erased when deleted."),
        sa.Column("email", sa.Text, comment="Where to write to; erased when deleted."),
        sa.Column(
            "metadata", pg.JSONB, nullable=False, server_default="{}", comment="The merchant's own string pairs."
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When the merchant created it."),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, comment="When it last changed."),
        sa.Column("deleted_at", sa.DateTime(timezone=True), comment="When the merchant deleted it."),
        sa.PrimaryKeyConstraint("id", "tenant_id"),
        sa.CheckConstraint("length(reference) BETWEEN 1 AND 128", name="ck_customers_reference"),
    )
    op.create_index(
        "uq_customers_reference",
        "customers",
        ["tenant_id", "reference"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index("ix_customers_created", "customers", ["tenant_id", sa.text("created_at DESC"), sa.text("id DESC")])
    op.create_index(
        "ix_customers_email", "customers", ["tenant_id", "email"], postgresql_where=sa.text("email IS NOT NULL")
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON customers TO api_app")
