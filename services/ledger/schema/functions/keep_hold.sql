CREATE OR REPLACE FUNCTION ledger.keep_hold()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
DECLARE
    kept ledger.holds%ROWTYPE := NEW;
BEGIN
    kept.state := OLD.state;
    kept.captured_minor := OLD.captured_minor;
    kept.entry_id := OLD.entry_id;
    kept.resolved_at := OLD.resolved_at;
    IF OLD.state <> 'OPEN' OR NEW.state = 'OPEN' OR kept IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'the hold % is resolved once and changes in nothing else', OLD.id
              USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$function$;

CREATE TRIGGER keep_hold BEFORE UPDATE ON ledger.holds FOR EACH ROW EXECUTE FUNCTION ledger.keep_hold();
