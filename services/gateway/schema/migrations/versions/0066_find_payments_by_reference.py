"""What the processor calls a refund, a dispute or a charge leads to its payment by an index."""

from alembic import op

revision = "0066"
down_revision = "0065"

_INDEXES = {
    "ix_attempts_refund_ref": "attempts (tenant_id, result_ref) WHERE operation = 'refund' AND result_ref <> ''",
    "ix_disputes_gateway_ref": "disputes (tenant_id, gateway_ref)",
    "ix_processor_movements_source": "processor_movements (tenant_id, source_ref) "
    "WHERE source_ref <> '' AND payment_intent_id IS NOT NULL",
}


def upgrade() -> None:
    """Build the indexes while their tables are written."""
    with op.get_context().autocommit_block():
        for name, place in _INDEXES.items():
            # One that was left half built by a lost connection is no index.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {place}")
