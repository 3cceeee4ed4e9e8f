CREATE OR REPLACE FUNCTION gateway.forget_reconciliation(before timestamp with time zone, at_most integer)
 RETURNS bigint
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'gateway', 'pg_temp'
AS $function$
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
               AND m.movement_id < coalesce(
                   (SELECT first_id(max(p.ends_before)) FROM reconciliation_periods p WHERE p.tenant_id = m.tenant_id),
                   first_id(until.at))
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
$function$;
