CREATE OR REPLACE FUNCTION ledger.seal_standing(table_name text, rows_max integer)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'ledger', 'pg_temp'
 SET "TimeZone" TO 'UTC'
 SET bytea_output TO 'hex'
AS $function$
DECLARE
    sealing sealed_tables%ROWTYPE;
    rows jsonb[];
    last_at tid;
BEGIN
    SELECT * INTO sealing FROM sealed_tables WHERE subject = table_name AND completed_at IS NULL FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    -- In the order in which the rows lie. What is written or moved meanwhile has been sealed by its own statement.
    EXECUTE format('SELECT array_agg(of_row), max(at) FROM (SELECT to_jsonb(t) AS of_row, t.ctid AS at FROM ledger.%I AS t '
                   'WHERE t.ctid > $1 ORDER BY t.ctid LIMIT $2) AS part', table_name)
       INTO rows, last_at USING coalesce(sealing.reached, '(0,0)')::tid, rows_max;
    IF rows IS NULL THEN
        UPDATE sealed_tables SET completed_at = clock_timestamp() WHERE subject = table_name;
        RETURN 0;
    END IF;
    PERFORM link_changes(table_name, 'STANDING', rows);
    UPDATE sealed_tables SET reached = last_at::text WHERE subject = table_name;
    RETURN cardinality(rows);
END
$function$;
