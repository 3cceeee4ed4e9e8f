CREATE OR REPLACE FUNCTION gateway.refuse_forgetting()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.tenant_id = OLD.tenant_id AND NEW.months = OLD.months + 1 AND NEW.month > OLD.month THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% of % is refused: closed months only become more', TG_OP, TG_TABLE_NAME
          USING ERRCODE = 'restrict_violation';
END
$function$;

CREATE TRIGGER refuse_forgetting BEFORE DELETE OR UPDATE ON gateway.reconciliation_seals FOR EACH ROW EXECUTE FUNCTION gateway.refuse_forgetting();

CREATE TRIGGER refuse_truncating BEFORE TRUNCATE ON gateway.reconciliation_seals FOR EACH STATEMENT EXECUTE FUNCTION gateway.refuse_forgetting();
