CREATE OR REPLACE FUNCTION gateway.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    RAISE EXCEPTION '% of % is refused: a month that is closed stays as it is', TG_OP, TG_TABLE_NAME
          USING ERRCODE = 'restrict_violation', HINT = 'What became known later counts in the month after.';
END
$function$;

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON gateway.reconciliation_periods FOR EACH STATEMENT EXECUTE FUNCTION gateway.refuse_change();
