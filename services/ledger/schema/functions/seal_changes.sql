CREATE OR REPLACE FUNCTION ledger.seal_changes()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'ledger', 'pg_temp'
 SET "TimeZone" TO 'UTC'
 SET bytea_output TO 'hex'
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

CREATE TRIGGER seal_delete AFTER DELETE ON ledger.accounts REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_insert AFTER INSERT ON ledger.accounts REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_update AFTER UPDATE ON ledger.accounts REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_delete AFTER DELETE ON ledger.approval_policies REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_insert AFTER INSERT ON ledger.approval_policies REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_update AFTER UPDATE ON ledger.approval_policies REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_delete AFTER DELETE ON ledger.approval_rules REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_insert AFTER INSERT ON ledger.approval_rules REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_update AFTER UPDATE ON ledger.approval_rules REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_delete AFTER DELETE ON ledger.calendars REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_insert AFTER INSERT ON ledger.calendars REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_update AFTER UPDATE ON ledger.calendars REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_delete AFTER DELETE ON ledger.conversions REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_insert AFTER INSERT ON ledger.conversions REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_update AFTER UPDATE ON ledger.conversions REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_delete AFTER DELETE ON ledger.currency_exponents REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_insert AFTER INSERT ON ledger.currency_exponents REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_update AFTER UPDATE ON ledger.currency_exponents REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_delete AFTER DELETE ON ledger.exchange_rates REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_insert AFTER INSERT ON ledger.exchange_rates REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_update AFTER UPDATE ON ledger.exchange_rates REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_delete AFTER DELETE ON ledger.holds REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_insert AFTER INSERT ON ledger.holds REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_update AFTER UPDATE ON ledger.holds REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_delete AFTER DELETE ON ledger.manual_entries REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_insert AFTER INSERT ON ledger.manual_entries REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_update AFTER UPDATE ON ledger.manual_entries REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_delete AFTER DELETE ON ledger.operator_actions REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_insert AFTER INSERT ON ledger.operator_actions REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_update AFTER UPDATE ON ledger.operator_actions REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_delete AFTER DELETE ON ledger.own_units REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_insert AFTER INSERT ON ledger.own_units REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_update AFTER UPDATE ON ledger.own_units REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_delete AFTER DELETE ON ledger.period_seals REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_insert AFTER INSERT ON ledger.period_seals REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_update AFTER UPDATE ON ledger.period_seals REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_delete AFTER DELETE ON ledger.periods REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_insert AFTER INSERT ON ledger.periods REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_update AFTER UPDATE ON ledger.periods REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_delete AFTER DELETE ON ledger.policy_changes REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_insert AFTER INSERT ON ledger.policy_changes REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_update AFTER UPDATE ON ledger.policy_changes REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_delete AFTER DELETE ON ledger.proposals REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_insert AFTER INSERT ON ledger.proposals REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_update AFTER UPDATE ON ledger.proposals REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_delete AFTER DELETE ON ledger.role_changes REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_insert AFTER INSERT ON ledger.role_changes REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();

CREATE TRIGGER seal_update AFTER UPDATE ON ledger.role_changes REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes();
