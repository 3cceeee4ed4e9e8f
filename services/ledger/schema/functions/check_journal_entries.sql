CREATE OR REPLACE FUNCTION ledger.check_journal_entries()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'ledger', 'pg_temp'
AS $function$
DECLARE
    wrong record;
BEGIN
    IF current_setting('ledger.posting', true) = 'group' THEN
        RETURN NULL;
    END IF;
    SELECT entry.id INTO wrong FROM added AS entry
     WHERE NOT EXISTS (SELECT FROM postings AS line
                        WHERE line.tenant_id = entry.tenant_id AND line.entry_id = entry.id AND line.line_no = 1)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the journal entry % has no postings', wrong.id
              USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_complete',
                    HINT = 'An entry and all its postings are inserted by one statement.';
    END IF;
    RETURN NULL;
END
$function$;

CREATE TRIGGER check_added AFTER INSERT ON ledger.journal_entries REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger.check_journal_entries();
