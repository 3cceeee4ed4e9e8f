"""Tenants take turns in reconciliation, and what is older than it is kept is deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"

_INSTANT = sa.DateTime(timezone=True)
# Each kind by its primary key, the oldest first: ids are in the order of time.
_FORGET = """
CREATE FUNCTION gateway.forget_reconciliation(before timestamp with time zone, at_most integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path TO 'gateway', 'pg_temp' AS $$
    WITH until AS (
        SELECT least(before, now() - interval '90 days') AS at
    ), runs AS (
        DELETE FROM reconciliation_runs WHERE ctid = ANY (ARRAY(
            SELECT r.ctid FROM reconciliation_runs r, until
             WHERE r.id < first_id(until.at) AND r.ended_at < until.at AND r.next_at IS NULL ORDER BY r.id LIMIT at_most))
        RETURNING 1
    ), matches AS (
        DELETE FROM reconciliation_matches WHERE ctid = ANY (ARRAY(
            SELECT m.ctid FROM reconciliation_matches m, until
             WHERE m.movement_id < first_id(until.at) AND m.matched_at < until.at ORDER BY m.movement_id LIMIT at_most))
        RETURNING 1
    ), settled AS (
        SELECT d.id, d.tenant_id FROM discrepancies d, until
         WHERE d.id < first_id(until.at) AND d.settled_at < until.at ORDER BY d.id LIMIT at_most FOR UPDATE OF d SKIP LOCKED
    ), gone AS (
        DELETE FROM discrepancies d USING settled s WHERE (d.id, d.tenant_id) = (s.id, s.tenant_id) RETURNING 1
    ), changes AS (
        DELETE FROM discrepancy_changes c USING settled s WHERE (c.discrepancy_id, c.tenant_id) = (s.id, s.tenant_id)
    ), repairs AS (
        DELETE FROM discrepancy_repairs r USING settled s WHERE (r.discrepancy_id, r.tenant_id) = (s.id, s.tenant_id)
    )
    SELECT greatest((SELECT count(*) FROM runs), (SELECT count(*) FROM matches), (SELECT count(*) FROM gone))
$$
"""


def upgrade() -> None:
    """Add the table and the function."""
    op.create_table(
        "reconciliation_turns",
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose."),
        sa.Column("served_at", _INSTANT, nullable=False, comment="When one of its runs was last gone on with."),
        sa.Column("busy_until", _INSTANT, nullable=False, comment="Until when one of them belongs to a process."),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_reconciliation_turns"),
        comment="Each tenant that had runs, with its turn: one run of a tenant at a time, and all tenants in turn.",
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON reconciliation_turns TO gateway_app")
    op.execute(_FORGET)
    op.execute("REVOKE ALL ON FUNCTION gateway.forget_reconciliation FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION gateway.forget_reconciliation TO gateway_app")
