"""A run that a closed month names is kept, and a month is closed with a reason though no discrepancy was open for too long."""

from alembic import op

revision = "0045"
down_revision = "0044"

_NAME = "ck_reconciliation_periods_overridden"
# As before, but for the runs of closed months.
_FORGET = """
CREATE OR REPLACE FUNCTION gateway.forget_reconciliation(before timestamp with time zone, at_most integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path TO 'gateway', 'pg_temp' AS $$
    WITH until AS (
        SELECT least(before, now() - interval '90 days') AS at
    ), runs AS (
        DELETE FROM reconciliation_runs WHERE ctid = ANY (ARRAY(
            SELECT r.ctid FROM reconciliation_runs r, until
             WHERE r.id < first_id(until.at) AND r.ended_at < until.at AND r.next_at IS NULL
               AND NOT EXISTS (SELECT FROM reconciliation_periods p WHERE p.tenant_id = r.tenant_id AND p.run_id = r.id)
             ORDER BY r.id LIMIT at_most))
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
    """Replace the function and the check, which allows more than before; closed months are few."""
    op.execute(_FORGET)
    op.drop_constraint(_NAME, "reconciliation_periods")
    op.create_check_constraint(
        _NAME, "reconciliation_periods", "overridden = 0 OR override_reason <> ''", postgresql_not_valid=True
    )
    op.alter_column(
        "reconciliation_periods",
        "override_reason",
        comment="Why it was closed though discrepancies were open for too long, or a statement not known; empty: none was.",
    )
