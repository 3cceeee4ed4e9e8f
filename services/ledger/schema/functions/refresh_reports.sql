CREATE OR REPLACE FUNCTION ledger.refresh_reports(age_max interval)
 RETURNS timestamp with time zone
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'ledger', 'pg_temp'
AS $function$
DECLARE
    began_at timestamptz;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('ledger.refresh_reports')) THEN
        RETURN NULL;
    END IF;
    IF EXISTS (SELECT FROM report_refreshes WHERE refreshed_at > clock_timestamp() - age_max) THEN
        RETURN NULL;
    END IF;
    began_at := clock_timestamp();
    INSERT INTO account_turnover AS t (tenant_id, account_id, currency, quarter_at, debits_minor, credits_minor,
                                       debits_after_minor, credits_after_minor, posted_last_at)
    SELECT b.tenant_id, b.account_id, b.currency,
           date_bin('15 minutes', p.posted_at, TIMESTAMPTZ '1970-01-01 00:00:00+00') AS quarter_at,
           coalesce(sum(p.amount_minor) FILTER (WHERE p.side = 'DEBIT'), 0),
           coalesce(sum(p.amount_minor) FILTER (WHERE p.side = 'CREDIT'), 0),
           max(p.debits_after_minor), max(p.credits_after_minor), max(p.posted_at)
      FROM balances AS b
      LEFT JOIN LATERAL (SELECT v.posted_last_at FROM account_turnover AS v
                          WHERE v.tenant_id = b.tenant_id AND v.account_id = b.account_id AND v.currency = b.currency
                          ORDER BY v.quarter_at DESC LIMIT 1) AS added ON true
      JOIN LATERAL (SELECT * FROM postings AS line
                     WHERE line.account_id = b.account_id AND line.currency = b.currency
                       AND line.tenant_id = b.tenant_id
                       AND line.posted_at > coalesce(added.posted_last_at, '-infinity')) AS p ON true
     WHERE b.version > 0 AND b.posted_at IS DISTINCT FROM added.posted_last_at
     GROUP BY b.tenant_id, b.account_id, b.currency, quarter_at
     ORDER BY b.tenant_id, b.account_id, b.currency, quarter_at
        ON CONFLICT (tenant_id, account_id, currency, quarter_at)
        DO UPDATE SET debits_minor = t.debits_minor + excluded.debits_minor,
                      credits_minor = t.credits_minor + excluded.credits_minor,
                      debits_after_minor = excluded.debits_after_minor,
                      credits_after_minor = excluded.credits_after_minor, posted_last_at = excluded.posted_last_at;
    INSERT INTO report_refreshes (refreshed_at, finished_at) VALUES (began_at, clock_timestamp());
    DELETE FROM report_refreshes WHERE refreshed_at < began_at - interval '7 days';
    RETURN began_at;
END
$function$;
