CREATE OR REPLACE FUNCTION ledger.drop_partition(parent_name text, before timestamp with time zone)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'ledger', 'pg_temp'
 SET "TimeZone" TO 'UTC'
AS $function$
DECLARE
    rule partition_rules;
    child text;
    since timestamptz;
    young bigint := 0;
BEGIN
    SELECT * INTO STRICT rule FROM partition_rules WHERE parent = parent_name;
    since := least(before, now() - make_interval(days => rule.kept_days_min));
    IF NOT pg_try_advisory_xact_lock(hashtextextended('partitions ledger.' || parent_name, 0)) THEN
        RETURN 'busy';
    END IF;
    SELECT p.name INTO child FROM partitions_of(parent_name) AS p WHERE p.ends <= first_id(since) ORDER BY p.ends LIMIT 1;
    IF child IS NULL THEN
        RETURN NULL;
    END IF;
    IF rule.keeps_young THEN
        -- The count then reads the end of the partition only, where its youngest rows are.
        PERFORM brin_summarize_new_values(i.indexrelid) FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
           JOIN pg_am AS a ON a.oid = c.relam WHERE i.indrelid = child::regclass AND a.amname = 'brin';
    END IF;
    -- Before the count, so that no writer adds a row after it.
    EXECUTE format('LOCK TABLE ONLY %I IN ACCESS EXCLUSIVE MODE', parent_name);
    IF rule.keeps_young THEN
        EXECUTE format('SELECT count(*) FROM (SELECT FROM %I WHERE %I >= %L LIMIT 50000 + 1) AS r', child,
                       rule.age_column, since) INTO young;
        IF young > 50000 THEN
            RETURN 'crowded';
        END IF;
    END IF;
    EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', parent_name, child);
    IF young > 0 THEN
        EXECUTE format('INSERT INTO %I SELECT * FROM %I WHERE %I >= %L', parent_name, child, rule.age_column, since);
    END IF;
    EXECUTE format('DROP TABLE %I', child);
    RETURN child;
END $function$;
