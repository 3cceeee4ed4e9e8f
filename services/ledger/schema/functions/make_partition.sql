CREATE OR REPLACE FUNCTION ledger.make_partition(parent_name text, at timestamp with time zone, periods_ahead integer)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'ledger', 'pg_temp'
 SET "TimeZone" TO 'UTC'
AS $function$
DECLARE
    rule partition_rules;
    begins timestamptz;
    low uuid;
    high uuid;
    child text;
    present bigint;
BEGIN
    SELECT * INTO STRICT rule FROM partition_rules WHERE parent = parent_name;
    begins := date_trunc(rule.period, at) + periods_ahead * ('1 ' || rule.period)::interval;
    low := first_id(begins);
    high := first_id(begins + ('1 ' || rule.period)::interval);
    child := parent_name || to_char(begins, CASE rule.period WHEN 'day' THEN '_YYYY_MM_DD' ELSE '_YYYY_MM' END);
    IF NOT pg_try_advisory_xact_lock(hashtextextended('partitions ledger.' || parent_name, 0)) THEN
        RETURN 'busy';
    END IF;
    IF EXISTS (SELECT FROM partitions_of(parent_name) AS p
                WHERE p.ends > low AND (p.begins IS NULL OR p.begins < high)) THEN
        RETURN 'exists';
    END IF;
    EXECUTE format('SELECT count(*) FROM (SELECT FROM %1$I WHERE %2$I >= %3$L AND %2$I < %4$L LIMIT 50000 + 1) AS r',
                   parent_name || '_default', rule.key_column, low, high) INTO present;
    IF present > 50000 THEN
        RETURN 'crowded';
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS)%s', child,
                   parent_name, CASE WHEN rule.options = '' THEN '' ELSE format(' WITH (%s)', rule.options) END);
    -- Where rows of the period exist, or may come at this moment, they are moved while nobody reads or writes: a reader whose
    -- plan knows the old partitions only would miss what moves into the new one.
    IF present > 0 OR begins <= clock_timestamp() THEN
        EXECUTE format('LOCK TABLE ONLY %I IN ACCESS EXCLUSIVE MODE', parent_name);
        EXECUTE format('WITH moved AS (DELETE FROM %1$I WHERE %2$I >= %3$L AND %2$I < %4$L RETURNING *) '
                       'INSERT INTO %5$I SELECT * FROM moved', parent_name || '_default', rule.key_column, low, high, child);
    END IF;
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent_name, child, low, high);
    RETURN 'made';
END $function$;
