"""What was recorded of an account since its balance was read is found by an index."""

from alembic import op

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    """Build the index while movements are recorded."""
    with op.get_context().autocommit_block():
        # One that was left half built by a lost connection is no index.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_processor_movements_changed")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_processor_movements_changed ON processor_movements (account_id, is_live, updated_at)"
        )
