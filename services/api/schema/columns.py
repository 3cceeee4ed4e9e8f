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
        sa.Index("ix_orders_created", "created_at"),
    )
