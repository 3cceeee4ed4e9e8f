"""Which discrepancies a proposal stands for is found by an index."""

from alembic import op

revision = "0048"
down_revision = "0047"

_NAME = "ix_discrepancy_repairs_proposal"


def upgrade() -> None:
    """Build the index while discrepancies are repaired."""
    with op.get_context().autocommit_block():
        # One that was left half built by a lost connection is no index.
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {_NAME}")
        op.execute(
            f"CREATE INDEX CONCURRENTLY {_NAME} ON discrepancy_repairs (proposal_id, tenant_id) WHERE proposal_id IS NOT NULL"
        )
