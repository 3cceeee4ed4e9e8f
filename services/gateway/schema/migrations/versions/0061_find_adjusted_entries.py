"""Entries of no payment that were adjusted by hand are found by an index, however many discrepancies are settled."""

from alembic import op

revision = "0061"
down_revision = "0060"


def upgrade() -> None:
    """Build the index while discrepancies are written."""
    with op.get_context().autocommit_block():
        # One that was left half built by a lost connection is no index.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_discrepancies_adjusted")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_discrepancies_adjusted ON discrepancies (tenant_id, id) "
            "WHERE reason = 'adjusted' AND type <> 'DUPLICATE' AND aspect = 'entry' AND payment_intent_id IS NULL"
        )
