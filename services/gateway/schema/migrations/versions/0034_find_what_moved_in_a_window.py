"""What moved for a tenant in a window is found by an index."""

from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    """Build the index while movements are recorded."""
    with op.get_context().autocommit_block():
        # One that was left half built by a lost connection is no index.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_processor_movements_window")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_processor_movements_window ON processor_movements (tenant_id, created_at)"
        )
