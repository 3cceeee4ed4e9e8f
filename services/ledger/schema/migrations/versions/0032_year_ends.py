"""The entries that ended years are found without passing over all others of a tenant."""

from alembic import op

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    """Build the index while entries are posted."""
    with op.get_context().autocommit_block():
        # One that was left half built by a lost connection is no index.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_journal_entries_year_ends")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_journal_entries_year_ends ON journal_entries (tenant_id, effective_at) "
            "WHERE kind = 'year_end'"
        )
