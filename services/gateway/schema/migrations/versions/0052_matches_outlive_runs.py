"""What agrees is kept longer than any run that has seen it, so that a month which is closed late counts all of it."""

from alembic import op

revision = "0052"
down_revision = "0051"

# As before, but for matches: `matched_at` is up to 30 days before the last run that saw them, and such a run may take some days.
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
             WHERE m.movement_id < first_id(until.at) AND m.matched_at < until.at - interval '40 days'
             ORDER BY m.movement_id LIMIT at_most))
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
_COMMENTS = {
    "run_id": "The last run that saw that they agree, or one of the 30 days before it.",
    "matched_at": "When that run saw it.",
}


def upgrade() -> None:
    """Replace the function, and let what is seen again be written down."""
    op.execute(_FORGET)
    op.execute("GRANT UPDATE (run_id, matched_at) ON reconciliation_matches TO gateway_app")
    for name, comment in _COMMENTS.items():
        op.alter_column("reconciliation_matches", name, comment=comment)
