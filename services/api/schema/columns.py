"""Columns that tables have in common, and tables of what other teams state."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg


def instant(name: str, comment: str, *, nullable: bool = False) -> "sa.Column[datetime]":
    """Describe an instant."""
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, comment=comment)


def stated() -> "list[sa.Column[datetime]]":
    """Describe when the suite stated what of a tenant."""
    return [
        instant(f"{member}_stated_at", f"When the suite stated its {member}; NULL: never.", nullable=True)
        for member in ("name", "plan", "region", "status")
    ]


def orders_table(metadata: sa.MetaData) -> sa.Table:
    """Describe what is known of orders: who writes one holds its row, so that a charge and a cancellation never miss each other."""
    return sa.Table(
        "orders",
        metadata,
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose it is."),
        sa.Column("order_id", sa.Text, nullable=False, comment="The order, as the orders service names it."),
        sa.Column("payment_intent_id", pg.UUID, comment="The payment that collects it; NULL: none was requested."),
        instant("cancelled_at", "When its cancellation reached us; NULL: never.", nullable=True),
        instant("due_at", "When the payment is looked at again; NULL: nothing is left to cancel.", nullable=True),
        instant("created_at", "When we first met it."),
        sa.PrimaryKeyConstraint("order_id", "tenant_id"),
        sa.Index("ix_orders_due", "due_at", postgresql_where=sa.text("due_at IS NOT NULL")),
    )


def api_keys_table(metadata: sa.MetaData) -> sa.Table:
    """Describe keys of programs: of their secrets only digests are kept."""
    return sa.Table(
        "api_keys",
        metadata,
        sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id"), nullable=False, comment="Whose it is."),
        sa.Column("id", pg.UUID, nullable=False, comment="UUIDv7; audit lines name it as key:<id>."),
        sa.Column("name", sa.Text, nullable=False, comment="The tenant's own name of it."),
        sa.Column("mode", sa.Text, nullable=False, comment="test or live, as its prefix has it."),
        sa.Column("hint", sa.Text, nullable=False, comment="The last four characters of its secret."),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False, comment="SHA-256 of its secret."),
        sa.Column("scopes", pg.ARRAY(sa.Text), nullable=False, comment="Permissions that it has, sorted."),
        sa.Column("created_by", sa.Text, nullable=False, comment="Subject of whoever made it."),
        instant("created_at", "When it was made."),
        instant("expires_at", "Until when it is valid; NULL: until it is revoked.", nullable=True),
        instant("revoked_at", "When it was revoked.", nullable=True),
        instant("last_used_at", "When it was used last, a minute more or less.", nullable=True),
        sa.Column("rotated_to", pg.UUID, comment="The key that replaces it."),
        sa.PrimaryKeyConstraint("id", "tenant_id"),
        sa.CheckConstraint("mode IN ('test', 'live')", name="ck_api_keys_mode"),
        sa.Index("uq_api_keys_secret", "secret_hash", unique=True),
        sa.Index("ix_api_keys_created", "tenant_id", sa.text("created_at DESC"), sa.text("id DESC")),
    )
