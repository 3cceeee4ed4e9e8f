"""The reports' sums are a table to which each refresh adds what was posted since, instead of a view of all history."""

from pathlib import Path

from alembic import op

from libs.common.db.migrate import run_script

revision = "0031"
down_revision = "0030"

_TABLE = """
CREATE TABLE ledger.account_turnover_table (
    tenant_id text NOT NULL COLLATE pg_catalog."C",
    account_id uuid NOT NULL,
    currency character(3) NOT NULL COLLATE pg_catalog."C",
    quarter_at timestamp with time zone NOT NULL,
    debits_minor bigint NOT NULL,
    credits_minor bigint NOT NULL,
    debits_after_minor bigint NOT NULL,
    credits_after_minor bigint NOT NULL,
    posted_last_at timestamp with time zone NOT NULL,
    CONSTRAINT pk_account_turnover PRIMARY KEY (tenant_id, account_id, currency, quarter_at)
)
"""
_COMMENTS = {
    "tenant_id": "Whose account.",
    "account_id": "The account.",
    "currency": "ISO 4217 code.",
    "quarter_at": "When the quarter of an hour begins, in UTC.",
    "debits_minor": "Debits recorded in it, in minor units.",
    "credits_minor": "Credits recorded in it, in minor units.",
    "debits_after_minor": "Sum of all debits at its end, in minor units.",
    "credits_after_minor": "Sum of all credits at its end, in minor units.",
    "posted_last_at": "When its last posting was recorded: the next refresh adds what is later.",
}


def upgrade() -> None:
    """Begin with what the view has: of each account, all of its postings up to one of them."""
    op.execute(_TABLE)
    op.execute(
        "COMMENT ON TABLE ledger.account_turnover_table IS "
        "'What each account turned over in each quarter of an hour (UTC), and what it held at its end.'"
    )
    for column, comment in _COMMENTS.items():
        op.execute(f"COMMENT ON COLUMN ledger.account_turnover_table.{column} IS '{comment}'")
    op.execute("GRANT SELECT ON TABLE ledger.account_turnover_table TO ledger_app")
    op.execute(
        "INSERT INTO ledger.account_turnover_table SELECT tenant_id, account_id, currency, quarter_at, debits_minor, "
        "credits_minor, debits_after_minor, credits_after_minor, posted_last_at FROM ledger.account_turnover"
    )
    # Readers wait from here on, and only for this.
    op.execute("DROP MATERIALIZED VIEW ledger.account_turnover")
    op.execute("ALTER TABLE ledger.account_turnover_table RENAME TO account_turnover")
    run_script(Path(__file__).parents[1] / "functions_0031.sql")
    # The view may have been refreshed meanwhile, and its readers know its age.
    op.execute("SELECT ledger.refresh_reports(interval '0')")
