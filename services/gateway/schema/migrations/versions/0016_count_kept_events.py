"""Events that a person has to look at are counted by an index of their own, not by reading all events."""

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Build the index while events go on coming."""
    with op.get_context().autocommit_block():
        # One that was left half built by a lost connection is no index.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_stripe_events_kept")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_stripe_events_kept ON stripe_events (status) "
            "WHERE status IN ('UNMATCHED', 'CONTRADICTED', 'FAILED')"
        )
