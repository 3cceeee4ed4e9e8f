CREATE OR REPLACE FUNCTION gateway.plain_reference(reference text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN regexp_replace(lower(reference), '[^a-z0-9]'::text, ''::text, 'g'::text);
