"""A closed period keeps a checksum of its balances, so that a statement of it can be tied to what was closed."""

from alembic import op

revision = "0029"
down_revision = "0022"

_TABLE = """
CREATE TABLE ledger.period_seals (
    tenant_id text NOT NULL COLLATE pg_catalog."C",
    ends_before timestamp with time zone NOT NULL,
    sha256 bytea NOT NULL,
    sealed_at timestamp with time zone NOT NULL,
    CONSTRAINT pk_period_seals PRIMARY KEY (tenant_id, ends_before),
    CONSTRAINT ck_period_seals_sha256 CHECK (octet_length(sha256) = 32)
)
"""
_COMMENTS = {
    "tenant_id": "Whose books.",
    "ends_before": "The period''s.",
    "sha256": "Of a line for each account and currency: code, currency, debits and credits effective before the end.",
    "sealed_at": "When no group was left that could post into the period.",
}


def upgrade() -> None:
    """Make the table; what it has is never changed or removed."""
    op.execute(_TABLE)
    op.execute(
        "COMMENT ON TABLE ledger.period_seals IS "
        "'What the books showed when a period was closed, as a checksum. Never changed or removed.'"
    )
    for column, comment in _COMMENTS.items():
        op.execute(f"COMMENT ON COLUMN ledger.period_seals.{column} IS '{comment}'")
    op.execute(
        "CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.period_seals "
        "FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()"
    )
    op.execute("GRANT SELECT, INSERT ON TABLE ledger.period_seals TO ledger_app")
