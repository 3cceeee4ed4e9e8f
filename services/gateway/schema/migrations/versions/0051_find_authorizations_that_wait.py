"""Authorizations that wait for an earlier one of their payment are found by an index, however many attempts are due."""

from alembic import op

revision = "0051"
down_revision = "0050"


def upgrade() -> None:
    """Build the index while attempts are written."""
    with op.get_context().autocommit_block():
        # One that was left half built by a lost connection is no index.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_attempts_again")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_attempts_again ON attempts (next_ask_at) "
            "WHERE operation = 'authorize' AND number > 0 AND status = 'PENDING'"
        )
