CREATE OR REPLACE FUNCTION gateway.words_of_line(bank_id text, refs jsonb, counterparty text, description text)
 RETURNS text[]
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE COST 1000
AS $function$
    DECLARE
        said text := lower(bank_id || ' ' || refs::text || ' ' || counterparty || ' ' || description);
    BEGIN
        RETURN string_to_array(
            regexp_replace(translate(said, '_-', '') || ' ' || translate(said, '_', ''), '[^a-z0-9]+', ' ', 'g'), ' ');
    END $function$;
