CREATE OR REPLACE FUNCTION api.say_access_changed()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'api', 'pg_temp'
AS $function$
DECLARE
    changed text := '';
BEGIN
    IF TG_ARGV[0] <> '' THEN
        changed := coalesce(to_jsonb(NEW), to_jsonb(OLD)) ->> TG_ARGV[0];
    END IF;
    INSERT INTO outbox (event_id, contract, tenant_id, correlation_id, traceparent, occurred_at, body)
    VALUES (gen_random_uuid(), 'event:api:access.changed', changed, replace(gen_random_uuid()::text, '-', ''), '', now(),
            jsonb_build_object('tenant_id', changed)::text);
    RETURN NULL;
END $function$;

CREATE TRIGGER api_keys_access_changed AFTER DELETE OR UPDATE OF revoked_at, expires_at, scopes ON api.api_keys FOR EACH ROW EXECUTE FUNCTION api.say_access_changed('tenant_id');

CREATE TRIGGER feature_flags_access_changed AFTER INSERT OR DELETE OR UPDATE ON api.feature_flags FOR EACH ROW EXECUTE FUNCTION api.say_access_changed('tenant_id');

CREATE TRIGGER policies_access_changed AFTER INSERT OR DELETE OR UPDATE ON api.policies FOR EACH ROW EXECUTE FUNCTION api.say_access_changed('');

CREATE TRIGGER tenants_access_changed AFTER DELETE OR UPDATE ON api.tenants FOR EACH ROW EXECUTE FUNCTION api.say_access_changed('id');

CREATE TRIGGER users_access_changed AFTER UPDATE OF tokens_from ON api.users FOR EACH ROW WHEN (new.tokens_from IS DISTINCT FROM old.tokens_from AND new.tenant_id IS NOT NULL) EXECUTE FUNCTION api.say_access_changed('tenant_id');

CREATE TRIGGER users_operators_changed AFTER UPDATE OF tokens_from ON api.users FOR EACH ROW WHEN (new.tokens_from IS DISTINCT FROM old.tokens_from AND new.tenant_id IS NULL) EXECUTE FUNCTION api.say_access_changed('');
