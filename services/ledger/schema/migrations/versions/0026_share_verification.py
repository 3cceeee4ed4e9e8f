"""Processes share what they verify once a minute: each invariant of the balances is looked at by one of them."""

from alembic import op

revision = "0026"
down_revision = "0028"


def upgrade() -> None:
    """Create the table, and let the runtime role write it."""
    op.execute("""
        CREATE TABLE invariant_checks (
            invariant text COLLATE "C" NOT NULL,
            checked_at timestamptz,
            result bigint NOT NULL DEFAULT 0,
            CONSTRAINT pk_invariant_checks PRIMARY KEY (invariant)
        )
    """)
    op.execute(
        "COMMENT ON TABLE invariant_checks IS 'When the verifier last looked at each invariant of the balances.'"
    )
    op.execute(
        "COMMENT ON COLUMN invariant_checks.invariant IS 'What should always be true: tenant_balanced, holds_pending.'"
    )
    op.execute(
        "COMMENT ON COLUMN invariant_checks.checked_at IS "
        "'When a process last looked, by the database''s clock; empty before the first time.'"
    )
    op.execute(
        "COMMENT ON COLUMN invariant_checks.result IS "
        "'How many findings it had then; of trial_balance the difference in minor units.'"
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON invariant_checks TO ledger_app")
