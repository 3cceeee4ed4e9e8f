CREATE OR REPLACE FUNCTION ledger.hold_roles(locks integer[], tenants text[])
 RETURNS TABLE(tenant_id text, revision bigint)
 LANGUAGE plpgsql
 SET search_path TO 'ledger', 'pg_temp'
AS $function$
BEGIN
    -- In the given order, which is ascending: those who wait for a change never wait in a circle.
    PERFORM pg_advisory_xact_lock_shared(4003, lock) FROM unnest(locks) AS lock;
    RETURN QUERY SELECT wanted.id, last.revision FROM unnest(tenants) AS wanted(id) CROSS JOIN LATERAL
        (SELECT change.revision FROM role_changes AS change WHERE change.tenant_id = wanted.id
          ORDER BY change.revision DESC LIMIT 1) AS last;
END
$function$;
