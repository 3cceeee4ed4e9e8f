"""The payments of a tenant are read in the order of their ids, past no other tenant's payments."""

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Build the index while payments are made."""
    with op.get_context().autocommit_block():
        # One that was left half built by a lost connection is no index.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_payment_intents_tenant")
        op.execute("CREATE INDEX CONCURRENTLY ix_payment_intents_tenant ON payment_intents (tenant_id, id)")
