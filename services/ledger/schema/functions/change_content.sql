CREATE OR REPLACE FUNCTION ledger.change_content(of_row jsonb, digested text)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'ledger', 'pg_temp'
AS $function$
    SELECT CASE WHEN digested = '' THEN of_row ELSE (of_row - digested) || jsonb_build_object(
        digested || '_sha256', encode(sha256(convert_to(of_row ->> digested, 'UTF8')), 'hex')) END
$function$;
