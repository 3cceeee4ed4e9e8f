CREATE OR REPLACE FUNCTION api.seal_line(of_tenant text, line_id uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'api', 'pg_temp'
 SET "TimeZone" TO 'UTC'
AS $function$
DECLARE
    line jsonb;
BEGIN
    SELECT to_jsonb(a) INTO STRICT line FROM audit_log AS a WHERE tenant_id = of_tenant AND id = line_id;
    PERFORM link_change('audit_log', 'INSERT', line);
END
$function$;
