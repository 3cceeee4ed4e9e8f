"""What the sandbox remembers."""

import sqlalchemy as sa


def sandbox_payments_table(metadata: sa.MetaData) -> sa.Table:
    """Payments of the sandbox."""
    return sa.Table(
        "sandbox_payments",
        metadata,
        sa.Column("ref", sa.Text, primary_key=True, comment="The sandbox's reference of the payment."),
        sa.Column("body", sa.Text, nullable=False, comment="The payment as the sandbox remembers it, as JSON."),
        sa.Column("due_at", sa.DateTime(timezone=True), comment="When something is to happen to it by itself."),
        sa.Index("ix_sandbox_payments_due", "due_at", postgresql_where=sa.text("due_at IS NOT NULL")),
        # Every payment is changed once or twice, soon after its insert.
        postgresql_with={"fillfactor": "70"},
    )
