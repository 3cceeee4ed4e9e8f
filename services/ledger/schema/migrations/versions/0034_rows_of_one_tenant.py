"""Row-level security: a request of a tenant runs as a role of its own, which sees the rows of that tenant and no others."""

from alembic import op

revision = "0034"
down_revision = "0033"

_OWN = "tenant_id = current_setting('app.tenant', true)"
_SHOWN = (
    *("account_turnover", "accounts", "approval_policies", "approval_rules", "balances", "calendars"),
    *("closings_under_way", "conversions", "effective_folds", "effective_totals", "exchange_rates"),
    *(
        "finding_resolutions",
        "findings",
        "holds",
        "journal_entries",
        "journal_policies",
        "journal_requests",
        "manual_entries",
        "period_seals",
        "periods",
    ),
    *("policy_changes", "postings", "proposals", "role_changes"),
)
_HIDDEN = ("claims", "outbox", "outbox_published", "outbox_refused", "sealed_changes")
"""What no request reads or writes."""
_RIGHTS = {
    # Four have no tenant: how far all books were verified, summed up and recorded.
    "SELECT": ", ".join((*_SHOWN, "chain_checks", "chains", "report_refreshes", "role_accounts", "watermark")),
    "INSERT": (
        "accounts, approval_policies, approval_rules, calendars, closings_under_way, conversions, exchange_rates, "
        "journal_requests, manual_entries, period_seals, periods, policy_changes, proposals, role_changes"
    ),
    "UPDATE (status, decided_by, decided_at, decision_reason)": "policy_changes, proposals",
    "DELETE": "closings_under_way",
    # As the schema's owner they write what the books have; of which tenant is in each entry.
    "EXECUTE": "FUNCTION begin_balances, lock_group, post_group",
}


def upgrade() -> None:
    """Add the policies of each table, then have them obeyed, its owner included; the runtime role stays unlimited.

    Each statement is a transaction of its own, so that no two tables are locked together. Where that is interrupted, it
    begins again; nobody is `ledger_requests` before the version that comes with it.
    """
    with op.get_context().autocommit_block():
        # With the rights of who reads it, so that the policies hold for what is behind it.
        op.execute("ALTER VIEW role_accounts SET (security_invoker = true)")
        for right, names in _RIGHTS.items():
            op.execute(f"GRANT {right} ON {names} TO ledger_requests")
        for table in (*_SHOWN, *_HIDDEN):
            # Findings without a tenant concern the books of all.
            own = f"tenant_id = '' OR {_OWN}" if table in {"finding_resolutions", "findings"} else _OWN
            op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
            op.execute(f"DROP POLICY IF EXISTS service ON {table}")
            op.execute(f"DROP POLICY IF EXISTS tenant ON {table}")
            op.execute(f"CREATE POLICY service ON {table} TO ledger_owner, ledger_app USING (true)")
            op.execute(f"CREATE POLICY tenant ON {table} TO ledger_requests USING ({own})")
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
