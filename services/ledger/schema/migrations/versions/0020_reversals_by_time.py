"""Which entries were reversed in some days is read without passing over all others that were posted in them."""

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Build the index while entries are posted."""
    with op.get_context().autocommit_block():
        # One that was left half built by a lost connection is no index.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_journal_entries_reversals")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_journal_entries_reversals ON journal_entries (tenant_id, posted_at) "
            "WHERE reverses IS NOT NULL"
        )
