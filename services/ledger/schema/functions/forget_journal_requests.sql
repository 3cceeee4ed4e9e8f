CREATE OR REPLACE FUNCTION ledger.forget_journal_requests(before timestamp with time zone, rows_max integer)
 RETURNS bigint
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'ledger', 'pg_temp'
AS $function$
    WITH gone AS (
        DELETE FROM journal_requests WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM journal_requests WHERE answered_at < least(before, now() - interval '90 days') ORDER BY answered_at LIMIT rows_max))
        RETURNING 1)
    SELECT count(*) FROM gone
$function$;
