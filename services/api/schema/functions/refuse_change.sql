CREATE OR REPLACE FUNCTION api.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    RAISE EXCEPTION '% of % is refused: what was sealed stays', TG_OP, TG_TABLE_NAME
          USING ERRCODE = 'restrict_violation';
END
$function$;

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON api.sealed_changes FOR EACH STATEMENT EXECUTE FUNCTION api.refuse_change();

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON api.signed_heads FOR EACH STATEMENT EXECUTE FUNCTION api.refuse_change();
