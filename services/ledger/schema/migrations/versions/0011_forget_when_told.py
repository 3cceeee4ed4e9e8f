"""Answers to requests by hand and holds that are over can be forgotten by age, where a setting says so.

Indexes are built beside the writers.

Revision ID: 0011
Revises: 0010
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_FORGET = """
CREATE OR REPLACE FUNCTION forget_{table}(before timestamptz, rows_max integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
    WITH gone AS (
        DELETE FROM {table} WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM {table} WHERE {age} < least(before, now() - interval '90 days') ORDER BY {age} LIMIT rows_max))
        RETURNING 1)
    SELECT count(*) FROM gone
$$
"""
_INDEXES = (
    ("ix_journal_requests_answered_at", "journal_requests (answered_at)"),
    ("ix_holds_resolved_at", "holds (resolved_at) WHERE resolved_at IS NOT NULL"),
)


def upgrade() -> None:
    for table, age in (("journal_requests", "answered_at"), ("holds", "resolved_at")):
        signature = f"forget_{table}(timestamptz, integer)"
        op.execute(_FORGET.format(table=table, age=age))
        op.execute(f"COMMENT ON FUNCTION {signature} IS 'Deletes the oldest rows, none younger than 90 days.'")
        op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO ledger_app")
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        for name, definition in _INDEXES:
            # What an interrupted run left behind is not valid.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {definition}")
        op.execute("RESET lock_timeout")


def downgrade() -> None:
    raise NotImplementedError("nothing is lost by keeping it; write a new migration")
