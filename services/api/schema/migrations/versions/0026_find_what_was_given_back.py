"""What was given back lately is found by indexes, however old the payment is: refunds by their ids, disputes by their last change."""

from alembic import op

revision = "0026"
down_revision = "0025"

_INDEXES = {"ix_refunds_tenant": "refunds (tenant_id, id)", "ix_disputes_changed": "disputes (tenant_id, updated_at)"}


def upgrade() -> None:
    """Build the indexes while payments are made."""
    with op.get_context().autocommit_block():
        for name, columns in _INDEXES.items():
            # One that was left half built by a lost connection is no index.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {columns}")
