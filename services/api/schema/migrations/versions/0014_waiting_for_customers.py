"""Payments that wait for their customer are found by age: few at a time, whatever the table holds."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Build the index beside the writers."""
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_payment_intents_customers")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_payment_intents_customers ON payment_intents (updated_at) "
            "WHERE status = 'REQUIRES_ACTION' AND NOT is_voiding"
        )
