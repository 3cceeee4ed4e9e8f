"""The entries of a tenant's payments are read in the order of the payments, past no other tenant's entries.

The index that begins with the tenant takes the place of the one that begins with the payment: whoever looks for one payment
names both, so nothing is written twice.
"""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Build the new index while entries are posted, then drop the one before."""
    with op.get_context().autocommit_block():
        # One that was left half built by a lost connection is no index.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_journal_entries_payment")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_journal_entries_payment ON journal_entries (tenant_id, payment_intent_id, id) "
            "WHERE payment_intent_id IS NOT NULL"
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_journal_entries_payment_intent_id")
