CREATE OR REPLACE FUNCTION ledger.check_postings()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'ledger', 'pg_temp'
AS $function$
DECLARE
    wrong record;
BEGIN
    SELECT entry_id INTO wrong FROM added GROUP BY entry_id, tenant_id, currency
    HAVING total_minor(CASE side WHEN 'DEBIT' THEN amount_minor ELSE -amount_minor END) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the journal entry % is not balanced in one currency', wrong.entry_id
              USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_balanced';
    END IF;
    IF current_setting('ledger.posting', true) = 'group' THEN
        RETURN NULL;
    END IF;

    SELECT line.entry_id INTO wrong
      FROM (SELECT tenant_id, entry_id, count(*) AS lines, min(line_no) AS line_first, max(line_no) AS line_last,
                   min(posted_at) AS posted_first, max(posted_at) AS posted_last,
                   min(effective_at) AS effective_first, max(effective_at) AS effective_last,
                   min(currency) AS currency_first, max(currency) AS currency_last
              FROM added GROUP BY entry_id, tenant_id) AS line
      LEFT JOIN journal_entries AS entry ON entry.id = line.entry_id AND entry.tenant_id = line.tenant_id
     WHERE entry.id IS NULL OR line.lines <> entry.line_count
        OR line.line_first <> 1 OR line.line_last <> entry.line_count
        OR line.posted_first <> entry.posted_at OR line.posted_last <> entry.posted_at
        OR line.effective_first <> entry.effective_at OR line.effective_last <> entry.effective_at
        OR line.currency_first <> line.currency_last
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the postings of the journal entry % are not all of its lines, in one currency', wrong.entry_id
              USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_complete',
                    HINT = 'An entry and all its postings are inserted by one statement.';
    END IF;

    SELECT line.account_id, line.currency INTO wrong
      FROM (SELECT tenant_id, account_id, currency, min(version) AS version_first, max(version) AS version_last,
                   count(*) AS lines,
                   total_minor(CASE side WHEN 'DEBIT' THEN amount_minor ELSE 0 END) AS debits_minor,
                   total_minor(CASE side WHEN 'CREDIT' THEN amount_minor ELSE 0 END) AS credits_minor,
                   min(debits_after_minor - CASE side WHEN 'DEBIT' THEN amount_minor ELSE 0 END) AS debits_before_minor,
                   min(credits_after_minor - CASE side WHEN 'CREDIT' THEN amount_minor ELSE 0 END)
                       AS credits_before_minor,
                   max(debits_after_minor) AS debits_after_minor, max(credits_after_minor) AS credits_after_minor
              FROM added GROUP BY account_id, tenant_id, currency) AS line
      LEFT JOIN balances AS balance
             ON balance.tenant_id = line.tenant_id AND balance.account_id = line.account_id
            AND balance.currency = line.currency
     WHERE line.version_last <> line.version_first - 1 + line.lines
        OR line.debits_after_minor <> line.debits_before_minor + line.debits_minor
        OR line.credits_after_minor <> line.credits_before_minor + line.credits_minor
        OR line.version_first = 1 AND (line.debits_before_minor <> 0 OR line.credits_before_minor <> 0)
        OR balance.version IS DISTINCT FROM line.version_last
        OR balance.debits_minor <> line.debits_after_minor OR balance.credits_minor <> line.credits_after_minor
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the account % in % does not go on from its last posting to its balance', wrong.account_id, wrong.currency
              USING ERRCODE = 'check_violation', CONSTRAINT = 'balance_follows_postings';
    END IF;
    RETURN NULL;
END
$function$;

CREATE TRIGGER check_added AFTER INSERT ON ledger.postings REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger.check_postings();
