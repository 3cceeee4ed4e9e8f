CREATE OR REPLACE FUNCTION api.link_change(table_name text, action text, of_row jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'api', 'pg_temp'
 SET "TimeZone" TO 'UTC'
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
