"""What lines name, and which lines a payout can be, is found by indexes, however many lines and payouts there are."""

from alembic import op

revision = "0050"
down_revision = "0049"

_INDEXES = {
    "ix_processor_payouts_plain": "processor_payouts (tenant_id, plain_reference(id))",
    "ix_processor_payouts_plain_trace": "processor_payouts (tenant_id, plain_reference(trace_id)) WHERE trace_id <> ''",
    "ix_statement_lines_amount": "statement_lines (tenant_id, source_id, currency, amount_minor, booked_on)",
    "ix_statement_lines_net": (
        "statement_lines (tenant_id, source_id, currency, (amount_minor - fee_minor), booked_on) WHERE fee_minor <> 0"
    ),
    "ix_statement_lines_words": ("statement_lines USING gin (words_of_line(bank_id, refs, counterparty, description))"),
}


def upgrade() -> None:
    """Build the indexes while movements are recorded and files are imported."""
    with op.get_context().autocommit_block():
        for name, definition in _INDEXES.items():
            # One that was left half built by a lost connection is no index.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {definition}")
