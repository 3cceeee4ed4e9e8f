CREATE OR REPLACE FUNCTION ledger.link_changes(table_name text, action text, rows jsonb[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'ledger', 'pg_temp'
 SET "TimeZone" TO 'UTC'
AS $function$
DECLARE
    sealing sealed_tables%ROWTYPE;
    head change_chains%ROWTYPE;
    at timestamptz := clock_timestamp();
    seals bytea;
    link_hash bytea;
BEGIN
    SELECT * INTO STRICT sealing FROM sealed_tables WHERE subject = table_name;
    -- Any chain that is free, as groups of entries take one: two who change something need not wait for each other.
    SELECT * INTO head FROM change_chains ORDER BY chain LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        SELECT * INTO head FROM change_chains WHERE chain = pg_backend_pid() % 16 FOR NO KEY UPDATE;
    END IF;
    WITH changed AS (
        SELECT no::int4 AS position, coalesce(of_row ->> 'tenant_id', '') AS tenant_id,
               (SELECT jsonb_agg(of_row -> name ORDER BY place)
                  FROM unnest(sealing.key_columns) WITH ORDINALITY AS k(name, place))::text AS key,
               change_content(of_row, sealing.digested)::text AS content
          FROM unnest(rows) WITH ORDINALITY AS r(of_row, no)
    ), sealed AS (
        INSERT INTO sealed_changes (chain, sequence, position, subject, tenant_id, key, action, content, changed_at, seal)
        SELECT head.chain, head.sequence + 1, position, table_name, tenant_id, key, link_changes.action, content, at,
               sha256(int4send(octet_length(table_name)) || convert_to(table_name, 'UTF8')
                      || int4send(octet_length(tenant_id)) || convert_to(tenant_id, 'UTF8')
                      || int4send(octet_length(key)) || convert_to(key, 'UTF8') || convert_to(link_changes.action, 'UTF8')
                      || int8send((extract(epoch FROM at) * 1000000)::int8)
                      || int4send(octet_length(content)) || convert_to(content, 'UTF8'))
          FROM changed RETURNING sealed_changes.position, sealed_changes.seal
    )
    SELECT string_agg(seal, ''::bytea ORDER BY position) INTO seals FROM sealed;
    link_hash := sha256(head.hash || int2send(head.chain) || int8send(head.sequence + 1)
                        || int4send(cardinality(rows)) || seals);
    INSERT INTO change_groups (chain, sequence, previous, hash, change_count, changed_at)
    VALUES (head.chain, head.sequence + 1, head.hash, link_hash, cardinality(rows), at);
    UPDATE change_chains SET sequence = head.sequence + 1, hash = link_hash WHERE chain = head.chain;
END
$function$;
