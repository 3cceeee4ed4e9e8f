"""Row-level security: a request of a tenant runs as a role of its own, which sees the rows of that tenant and no others."""

from alembic import op

revision = "0064"
down_revision = "0063"

_SHOWN = (
    *("attempts", "bank_statements", "carried_balances", "discrepancies", "discrepancy_changes", "discrepancy_repairs"),
    *("disputes", "file_imports", "gateway_configs", "import_pieces", "import_sources", "line_match_parts"),
    *("line_matches", "matching_rules", "payment_setups", "processor_accounts", "processor_customers"),
    *("processor_movements", "processor_openings", "processor_payouts", "reconciliation_matches"),
    *("reconciliation_periods", "reconciliation_runs", "reconciliation_seals", "reconciliation_turns"),
    *("saved_methods", "statement_lines", "stripe_accounts", "stripe_events"),
)
_HIDDEN = ("import_rows", "outbox", "outbox_published", "outbox_refused", "reconciliation_posted")
"""What no request reads or writes."""
_RIGHTS = {
    # Two have no tenant: they are about accounts, which have one.
    "SELECT": ", ".join((*_SHOWN, "processor_balances", "processor_readings")),
    "INSERT": (
        "carried_balances, discrepancy_changes, discrepancy_repairs, file_imports, import_pieces, import_sources, "
        "line_match_parts, line_matches, matching_rules, payment_setups, processor_customers, reconciliation_periods, "
        "reconciliation_runs, reconciliation_seals, saved_methods"
    ),
    "UPDATE": (
        "discrepancies, discrepancy_repairs, file_imports, gateway_configs, import_pieces, import_sources, payment_setups, "
        "processor_customers, saved_methods"
    ),
    "UPDATE (is_active)": "line_match_parts",
    "UPDATE (unmatched_at, unmatched_by, unmatch_reason)": "line_matches",
    "UPDATE (month, sha256, months)": "reconciliation_seals",
    "DELETE": "import_pieces",
}


def upgrade() -> None:
    """Add the policies of each table, then have them obeyed, its owner included; the runtime role stays unlimited.

    Each statement is a transaction of its own, so that no two tables are locked together. Where that is interrupted, it
    begins again; nobody is `gateway_requests` before the version that comes with it.
    """
    with op.get_context().autocommit_block():
        for right, tables in _RIGHTS.items():
            op.execute(f"GRANT {right} ON {tables} TO gateway_requests")
        for table in (*_SHOWN, *_HIDDEN):
            op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
            op.execute(f"DROP POLICY IF EXISTS service ON {table}")
            op.execute(f"DROP POLICY IF EXISTS tenant ON {table}")
            op.execute(f"CREATE POLICY service ON {table} TO gateway_owner, gateway_app USING (true)")
            op.execute(
                f"CREATE POLICY tenant ON {table} TO gateway_requests USING (tenant_id = current_setting('app.tenant', true))"
            )
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
