CREATE OR REPLACE FUNCTION ledger.refresh_reports(age_max interval)
 RETURNS timestamp with time zone
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'ledger', 'pg_temp'
AS $function$
DECLARE
    began_at timestamptz;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('ledger.refresh_reports')) THEN
        RETURN NULL;
    END IF;
    IF EXISTS (SELECT FROM report_refreshes WHERE refreshed_at > clock_timestamp() - age_max) THEN
        RETURN NULL;
    END IF;
    began_at := clock_timestamp();
    REFRESH MATERIALIZED VIEW CONCURRENTLY account_turnover;
    INSERT INTO report_refreshes (refreshed_at, finished_at) VALUES (began_at, clock_timestamp());
    DELETE FROM report_refreshes WHERE refreshed_at < began_at - interval '7 days';
    RETURN began_at;
END
$function$;
