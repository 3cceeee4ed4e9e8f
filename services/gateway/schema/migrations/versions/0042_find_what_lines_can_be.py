"""What lines of statements can be is found by indexes: payouts by arrival and amount, movements by reference, lines by import."""

from alembic import op

revision = "0042"
down_revision = "0041"

_INDEXES = {
    "ix_processor_payouts_arrival": "processor_payouts (tenant_id, arrives_at, payout_id)",
    "ix_processor_payouts_amount": "processor_payouts (tenant_id, currency, amount_minor, arrives_at)",
    "ix_processor_movements_own": "processor_movements (tenant_id, id)",
    "ix_statement_lines_tenant": "statement_lines (tenant_id, id)",
}


def upgrade() -> None:
    """Build the indexes while movements are recorded and files are imported."""
    with op.get_context().autocommit_block():
        for name, columns in _INDEXES.items():
            # One that was left half built by a lost connection is no index.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {columns}")
