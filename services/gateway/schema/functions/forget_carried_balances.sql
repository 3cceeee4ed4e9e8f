CREATE OR REPLACE FUNCTION gateway.forget_carried_balances(before timestamp with time zone, at_most integer)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'gateway', 'pg_temp'
AS $function$
DECLARE
    until date := (least(before, now() - interval '90 days') AT TIME ZONE 'UTC')::date;
    gone bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('carried_balances', 0)) THEN
        RETURN 0;
    END IF;
    WITH days AS MATERIALIZED (
        SELECT DISTINCT c.tenant_id, c.day FROM carried_balances c
         WHERE c.day < until
           AND EXISTS (SELECT FROM carried_balances n WHERE n.tenant_id = c.tenant_id AND n.day > c.day AND n.day <= until)
         LIMIT at_most
    ), forgotten AS (
        DELETE FROM carried_balances c USING days d WHERE c.tenant_id = d.tenant_id AND c.day = d.day
    )
    SELECT count(*) INTO gone FROM days;
    RETURN gone;
END
$function$;
