CREATE OR REPLACE FUNCTION notifier.prune_default_partition(parent_name text, before timestamp with time zone, rows_max integer)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'notifier', 'pg_temp'
 SET "TimeZone" TO 'UTC'
AS $function$
DECLARE
    rule partition_rules;
    pruned bigint;
BEGIN
    SELECT * INTO STRICT rule FROM partition_rules WHERE parent = parent_name;
    EXECUTE format('DELETE FROM %1$I WHERE ctid = ANY (ARRAY(SELECT ctid FROM %1$I WHERE %2$I < %3$L LIMIT %4$s))',
                   parent_name || '_default', rule.age_column,
                   least(before, now() - make_interval(days => rule.kept_days_min)), rows_max);
    GET DIAGNOSTICS pruned = ROW_COUNT;
    RETURN pruned;
END $function$;
