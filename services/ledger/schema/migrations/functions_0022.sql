-- The content of a row as it is sealed: all of its columns as JSON, and instead of a long text its SHA-256.
CREATE FUNCTION change_content(of_row jsonb, digested text) RETURNS jsonb
    LANGUAGE sql IMMUTABLE SET search_path TO 'ledger', 'pg_temp'
AS $function$
    SELECT CASE WHEN digested = '' THEN of_row ELSE (of_row - digested) || jsonb_build_object(
        digested || '_sha256', encode(sha256(convert_to(of_row ->> digested, 'UTF8')), 'hex')) END
$function$;

CREATE FUNCTION link_changes(table_name text, action text, rows jsonb[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp' SET "TimeZone" TO 'UTC'
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

CREATE FUNCTION seal_changes() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp' SET "TimeZone" TO 'UTC' SET bytea_output TO 'hex'
AS $function$
DECLARE
    rows jsonb[];
BEGIN
    SELECT array_agg(to_jsonb(row_of)) INTO rows FROM changed_rows AS row_of;
    IF rows IS NOT NULL THEN
        PERFORM link_changes(TG_TABLE_NAME, TG_OP, rows);
    END IF;
    RETURN NULL;
END
$function$;

CREATE FUNCTION seal_standing(table_name text, rows_max integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp' SET "TimeZone" TO 'UTC' SET bytea_output TO 'hex'
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

REVOKE ALL ON FUNCTION link_changes(text, text, jsonb[]), seal_changes(), seal_standing(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION seal_standing(text, integer) TO ledger_app;
