"""What moved for a range of a tenant's payments, and what belongs to none, is found by indexes that begin with the tenant."""

from alembic import op

revision = "0035"
down_revision = "0034"

_INDEXES = {
    "ix_processor_movements_range": "(tenant_id, payment_intent_id) WHERE payment_intent_id IS NOT NULL",
    "ix_processor_movements_loose": "(tenant_id, movement_id) WHERE payment_intent_id IS NULL",
}


def upgrade() -> None:
    """Build the indexes while movements are recorded."""
    with op.get_context().autocommit_block():
        for name, columns in _INDEXES.items():
            # One that was left half built by a lost connection is no index.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON processor_movements {columns}")
