"""A tenant's attempts without a known outcome are found by an index, however many wait for customers."""

from alembic import op

revision = "0065"
down_revision = "0064"


def upgrade() -> None:
    """Build the index while attempts are written."""
    with op.get_context().autocommit_block():
        # One that was left half built by a lost connection is no index.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_attempts_unknown")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_attempts_unknown ON attempts (tenant_id, created_at, id) WHERE status = 'UNKNOWN' "
            "OR (status IN ('PENDING', 'UNKNOWN', 'ACCEPTED', 'ACTION_REQUIRED') AND next_ask_at IS NULL)"
        )
