CREATE OR REPLACE FUNCTION api.seal_standing(table_name text, rows_max integer)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'api', 'pg_temp'
 SET "TimeZone" TO 'UTC'
 SET bytea_output TO 'hex'
AS $function$
DECLARE
    pages_max CONSTANT bigint := 128;
    sealing sealed_tables%ROWTYPE;
    rows jsonb[];
    begin_at tid;
    end_page bigint;
    last_at tid;
BEGIN
    SELECT * INTO sealing FROM sealed_tables WHERE subject = table_name AND completed_at IS NULL FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    begin_at := coalesce(sealing.reached, '(0,0)')::tid;
    LOOP
        -- Some pages at a time, in the order in which the rows lie. What is written or moved meanwhile has been sealed.
        end_page := ((begin_at::text)::point)[0]::bigint + pages_max;
        EXECUTE format('SELECT array_agg(of_row), max(at) FROM (SELECT to_jsonb(t) AS of_row, t.ctid AS at FROM api.%I AS t '
                       'WHERE t.ctid > $1 AND t.ctid < $2 ORDER BY t.ctid LIMIT $3) AS part', table_name)
           INTO rows, last_at USING begin_at, format('(%s,0)', end_page)::tid, rows_max;
        EXIT WHEN rows IS NOT NULL;
        IF end_page >= pg_relation_size(format('api.%I', table_name)) / current_setting('block_size')::bigint THEN
            UPDATE sealed_tables SET completed_at = clock_timestamp() WHERE subject = table_name;
            RETURN 0;
        END IF;
        begin_at := format('(%s,0)', end_page)::tid;
    END LOOP;
    -- In the order of tenants, in which any two who lock several chains do.
    PERFORM link_change(table_name, 'STANDING', of_row) FROM (
        SELECT of_row FROM unnest(rows) AS of_row ORDER BY coalesce(of_row ->> sealing.tenant_column, '') COLLATE "C"
    ) AS ordered;
    UPDATE sealed_tables SET reached = last_at::text WHERE subject = table_name;
    RETURN cardinality(rows);
END
$function$;
