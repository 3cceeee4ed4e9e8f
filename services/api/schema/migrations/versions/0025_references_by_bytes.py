"""Payments are found by the beginning of the customer's reference, from the index that finds the whole reference."""

from alembic import op

revision = "0025"
down_revision = "0024"

_COLUMNS = "tenant_id, customer_ref text_pattern_ops, created_at DESC, id DESC"


def upgrade() -> None:
    """Build the index while payments are made, and only then drop the one that it replaces."""
    with op.get_context().autocommit_block():
        # One that was left half built by a lost connection is no index.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_payment_intents_customer_ref")
        op.execute(f"CREATE INDEX CONCURRENTLY ix_payment_intents_customer_ref ON payment_intents ({_COLUMNS})")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_payment_intents_customer")
