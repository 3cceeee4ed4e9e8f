CREATE OR REPLACE FUNCTION ledger.forget_holds(before timestamp with time zone, rows_max integer)
 RETURNS bigint
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'ledger', 'pg_temp'
AS $function$
    WITH gone AS (
        DELETE FROM holds WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM holds WHERE resolved_at < least(before, now() - interval '90 days') ORDER BY resolved_at LIMIT rows_max))
        RETURNING 1)
    SELECT count(*) FROM gone
$function$;
