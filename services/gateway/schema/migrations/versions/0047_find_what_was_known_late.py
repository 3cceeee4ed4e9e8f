"""What became known long after it happened is found by an index: few rows, and none for what comes in time."""

from alembic import op

revision = "0047"
down_revision = "0046"

_NAME = "ix_processor_movements_late"


def upgrade() -> None:
    """Build the index while movements are recorded."""
    with op.get_context().autocommit_block():
        # One that was left half built by a lost connection is no index.
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {_NAME}")
        op.execute(
            f"CREATE INDEX CONCURRENTLY {_NAME} ON processor_movements (tenant_id, seen_at) "
            "WHERE is_booked AND seen_at - created_at > interval '1 day'"
        )
