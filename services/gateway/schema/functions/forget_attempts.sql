CREATE OR REPLACE FUNCTION gateway.forget_attempts(before timestamp with time zone, at_most integer)
 RETURNS bigint
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'gateway', 'pg_temp'
AS $function$
    WITH gone AS (
        DELETE FROM attempts WHERE ctid = ANY (ARRAY(
            SELECT old.ctid FROM attempts old
            WHERE old.id < first_id(least(before, now() - interval '180 days'))
              AND old.updated_at < least(before, now() - interval '180 days')
              AND NOT EXISTS (
                SELECT 1 FROM attempts kept
                WHERE kept.payment_intent_id = old.payment_intent_id AND kept.tenant_id = old.tenant_id
                  AND (kept.updated_at >= least(before, now() - interval '180 days')
                       OR kept.status NOT IN ('APPROVED', 'DECLINED', 'REVERSED')))
            ORDER BY old.id LIMIT at_most))
        RETURNING 1)
    SELECT count(*) FROM gone
$function$;
