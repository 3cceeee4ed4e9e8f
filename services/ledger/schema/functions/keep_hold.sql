CREATE OR REPLACE FUNCTION ledger.keep_hold()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    IF OLD.state <> 'OPEN' OR NEW.state = 'OPEN'
       OR (NEW.tenant_id, NEW.id, NEW.debit_account_id, NEW.credit_account_id, NEW.currency, NEW.amount_minor,
           NEW.placed_at) IS DISTINCT FROM
          (OLD.tenant_id, OLD.id, OLD.debit_account_id, OLD.credit_account_id, OLD.currency, OLD.amount_minor,
           OLD.placed_at) THEN
        RAISE EXCEPTION 'the hold % is resolved once and changes in nothing else', OLD.id
              USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$function$;

CREATE TRIGGER keep_hold BEFORE UPDATE ON ledger.holds FOR EACH ROW EXECUTE FUNCTION ledger.keep_hold();
