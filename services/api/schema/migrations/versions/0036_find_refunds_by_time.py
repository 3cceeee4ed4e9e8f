"""Refunds made in a window are found by when they were made: their ids are derived, and have the time of their payments."""

from alembic import op

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    """Build the index while refunds are made, then drop the one by ids, which nothing reads any more."""
    with op.get_context().autocommit_block():
        # By an expression, so that nobody reads all refunds of a tenant in its order for those of one payment.
        # One that was left half built by a lost connection is no index.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_refunds_created")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_refunds_created ON refunds (tenant_id, (created_at AT TIME ZONE 'UTC'))"
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_refunds_tenant")
