CREATE OR REPLACE FUNCTION gateway.partitions_of(parent_name text)
 RETURNS TABLE(name text, begins uuid, ends uuid)
 LANGUAGE sql
 STABLE STRICT
AS $function$
    SELECT c.relname, substring(b.bound FROM 'FROM \(''([^'']+)''\)')::uuid,
           substring(b.bound FROM 'TO \(''([^'']+)''\)')::uuid
      FROM (SELECT c.oid, c.relname::text, c.relpartbound FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
             WHERE i.inhparent = parent_name::regclass OFFSET 0) AS c
     CROSS JOIN LATERAL (SELECT pg_get_expr(c.relpartbound, c.oid) AS bound OFFSET 0) AS b
     WHERE b.bound <> 'DEFAULT'
$function$;
