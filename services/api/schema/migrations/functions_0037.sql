CREATE FUNCTION refuse_change() RETURNS trigger
    LANGUAGE plpgsql
AS $function$
BEGIN
    RAISE EXCEPTION '% of % is refused: what was sealed stays', TG_OP, TG_TABLE_NAME
          USING ERRCODE = 'restrict_violation';
END
$function$;

-- Links one change to the chain of its tenant, whose head is locked until the transaction ends.
CREATE FUNCTION link_change(table_name text, action text, of_row jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'api', 'pg_temp' SET "TimeZone" TO 'UTC'
AS $function$
DECLARE
    sealing sealed_tables%ROWTYPE;
    head change_chains%ROWTYPE;
    whose text;
    key text;
    content text;
    login text := session_user;
    at timestamptz;
    seal bytea;
    link_hash bytea;
BEGIN
    SELECT * INTO STRICT sealing FROM sealed_tables WHERE subject = table_name;
    whose := coalesce(of_row ->> sealing.tenant_column, '');
    SELECT jsonb_agg(of_row -> name ORDER BY place)::text INTO key
      FROM unnest(sealing.key_columns) WITH ORDINALITY AS k(name, place);
    -- Instead of a long or secret text its SHA-256.
    SELECT ((of_row - sealing.digested - sealing.left_out) || coalesce(jsonb_object_agg(name || '_sha256',
            encode(sha256(convert_to(of_row ->> name, 'UTF8')), 'hex')), '{}'))::text INTO content
      FROM unnest(sealing.digested) AS name;
    INSERT INTO change_chains (tenant_id, sequence, hash) VALUES (whose, 0, decode(repeat('00', 32), 'hex'))
        ON CONFLICT DO NOTHING;
    SELECT * INTO STRICT head FROM change_chains WHERE tenant_id = whose FOR NO KEY UPDATE;
    at := clock_timestamp();
    seal := sha256(int4send(octet_length(table_name)) || convert_to(table_name, 'UTF8')
                   || int4send(octet_length(whose)) || convert_to(whose, 'UTF8')
                   || int4send(octet_length(key)) || convert_to(key, 'UTF8')
                   || int4send(octet_length(action)) || convert_to(action, 'UTF8')
                   || int4send(octet_length(login)) || convert_to(login, 'UTF8')
                   || int8send((extract(epoch FROM at) * 1000000)::int8)
                   || int4send(octet_length(content)) || convert_to(content, 'UTF8'));
    link_hash := sha256(head.hash || int8send(head.sequence + 1) || seal);
    INSERT INTO sealed_changes
           (tenant_id, sequence, subject, key, action, content, changed_by, changed_at, seal, previous, hash)
    VALUES (whose, head.sequence + 1, table_name, key, action, content, login, at, seal, head.hash, link_hash);
    UPDATE change_chains SET sequence = head.sequence + 1, hash = link_hash WHERE tenant_id = whose;
END
$function$;

CREATE FUNCTION seal_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'api', 'pg_temp' SET "TimeZone" TO 'UTC' SET bytea_output TO 'hex'
AS $function$
BEGIN
    PERFORM link_change(TG_TABLE_NAME, TG_OP, CASE TG_OP WHEN 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END);
    RETURN NULL;
END
$function$;

-- Seals a line of the audit log, as the command that writes it asks for.
CREATE FUNCTION seal_line(of_tenant text, line_id uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'api', 'pg_temp' SET "TimeZone" TO 'UTC'
AS $function$
DECLARE
    line jsonb;
BEGIN
    SELECT to_jsonb(a) INTO STRICT line FROM audit_log AS a WHERE tenant_id = of_tenant AND id = line_id;
    PERFORM link_change('audit_log', 'INSERT', line);
END
$function$;

-- Seals the next rows that stood in a table before its changes were sealed; returns how many.
CREATE FUNCTION seal_standing(table_name text, rows_max integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'api', 'pg_temp' SET "TimeZone" TO 'UTC' SET bytea_output TO 'hex'
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

REVOKE ALL ON FUNCTION link_change(text, text, jsonb), seal_change(), seal_line(text, uuid), seal_standing(text, integer)
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION seal_line(text, uuid) TO api_app, api_requests;
GRANT EXECUTE ON FUNCTION seal_standing(text, integer) TO api_app;
