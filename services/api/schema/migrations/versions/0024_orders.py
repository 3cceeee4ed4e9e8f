"""Orders of the orders service: which payment collects each, and whether it was cancelled."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Make the table, empty: a payment that names its order is found by the index on payments."""
    op.create_table(
        "orders",
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose it is."),
        sa.Column("order_id", sa.Text, nullable=False, comment="The order, as the orders service names it."),
        sa.Column("payment_intent_id", pg.UUID, comment="The payment that collects it; NULL: none was requested."),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), comment="When its cancellation reached us; NULL: never."),
        sa.Column(
            "due_at",
            sa.DateTime(timezone=True),
            comment="When the payment is looked at again; NULL: nothing is left to cancel.",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When we first met it."),
        sa.PrimaryKeyConstraint("order_id", "tenant_id"),
    )
    op.create_index("ix_orders_due", "orders", ["due_at"], postgresql_where=sa.text("due_at IS NOT NULL"))
    op.execute("GRANT SELECT, INSERT, UPDATE ON orders TO api_app")
