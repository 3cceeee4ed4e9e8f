CREATE OR REPLACE FUNCTION api.seal_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'api', 'pg_temp'
 SET "TimeZone" TO 'UTC'
 SET bytea_output TO 'hex'
AS $function$
BEGIN
    PERFORM link_change(TG_TABLE_NAME, TG_OP, CASE TG_OP WHEN 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END);
    RETURN NULL;
END
$function$;

CREATE TRIGGER seal_delete AFTER DELETE ON api.api_keys FOR EACH ROW EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_insert AFTER INSERT ON api.api_keys FOR EACH ROW EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_update AFTER UPDATE ON api.api_keys FOR EACH ROW WHEN ((to_jsonb(old.*) - 'last_used_at'::text) IS DISTINCT FROM (to_jsonb(new.*) - 'last_used_at'::text)) EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_delete AFTER DELETE ON api.feature_flags FOR EACH ROW EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_insert AFTER INSERT ON api.feature_flags FOR EACH ROW EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_update AFTER UPDATE ON api.feature_flags FOR EACH ROW WHEN (old.* IS DISTINCT FROM new.*) EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_delete AFTER DELETE ON api.identity_providers FOR EACH ROW EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_insert AFTER INSERT ON api.identity_providers FOR EACH ROW EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_update AFTER UPDATE ON api.identity_providers FOR EACH ROW WHEN (old.* IS DISTINCT FROM new.*) EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_delete AFTER DELETE ON api.operator_actions FOR EACH ROW EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_insert AFTER INSERT ON api.operator_actions FOR EACH ROW EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_update AFTER UPDATE ON api.operator_actions FOR EACH ROW WHEN (old.* IS DISTINCT FROM new.*) EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_delete AFTER DELETE ON api.permissions FOR EACH ROW EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_insert AFTER INSERT ON api.permissions FOR EACH ROW EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_update AFTER UPDATE ON api.permissions FOR EACH ROW WHEN (old.* IS DISTINCT FROM new.*) EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_delete AFTER DELETE ON api.policies FOR EACH ROW EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_insert AFTER INSERT ON api.policies FOR EACH ROW EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_update AFTER UPDATE ON api.policies FOR EACH ROW WHEN (old.* IS DISTINCT FROM new.*) EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_delete AFTER DELETE ON api.role_permissions FOR EACH ROW EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_insert AFTER INSERT ON api.role_permissions FOR EACH ROW EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_update AFTER UPDATE ON api.role_permissions FOR EACH ROW WHEN (old.* IS DISTINCT FROM new.*) EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_delete AFTER DELETE ON api.roles FOR EACH ROW EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_insert AFTER INSERT ON api.roles FOR EACH ROW EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_update AFTER UPDATE ON api.roles FOR EACH ROW WHEN (old.* IS DISTINCT FROM new.*) EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_delete AFTER DELETE ON api.tenants FOR EACH ROW EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_insert AFTER INSERT ON api.tenants FOR EACH ROW EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_update AFTER UPDATE ON api.tenants FOR EACH ROW WHEN (old.* IS DISTINCT FROM new.*) EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_delete AFTER DELETE ON api.user_identities FOR EACH ROW EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_insert AFTER INSERT ON api.user_identities FOR EACH ROW EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_update AFTER UPDATE ON api.user_identities FOR EACH ROW WHEN (old.* IS DISTINCT FROM new.*) EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_delete AFTER DELETE ON api.users FOR EACH ROW EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_insert AFTER INSERT ON api.users FOR EACH ROW EXECUTE FUNCTION api.seal_change();

CREATE TRIGGER seal_update AFTER UPDATE ON api.users FOR EACH ROW WHEN (old.* IS DISTINCT FROM new.*) EXECUTE FUNCTION api.seal_change();
