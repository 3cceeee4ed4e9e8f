CREATE OR REPLACE FUNCTION ledger.begin_balances(wanted ledger.balance_key[])
 RETURNS TABLE(no integer, is_begun boolean, is_taken boolean, floor_minor bigint, ceiling_minor bigint, debit_normal boolean, refused_before timestamp with time zone)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'ledger', 'pg_temp'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
BEGIN
    RETURN QUERY
    WITH found AS (
        SELECT key.no, account.tenant_id, account.id, key.currency, account.floor_minor, account.ceiling_minor,
               account.account_type IN ('ASSET', 'EXPENSE') AS debit_normal,
               coalesce(key.currency = ANY (account.currencies), true) AS is_taken
          FROM unnest(wanted) WITH ORDINALITY AS key(tenant_id, account_id, currency, no)
          JOIN accounts AS account ON account.tenant_id = key.tenant_id AND account.id = key.account_id
    ), begun AS (
        INSERT INTO balances (tenant_id, account_id, currency, floor_minor, ceiling_minor, debit_normal)
        SELECT found.tenant_id, found.id, found.currency, found.floor_minor, found.ceiling_minor, found.debit_normal
          FROM found WHERE found.is_taken ORDER BY found.tenant_id, found.id, found.currency
            ON CONFLICT DO NOTHING RETURNING tenant_id, account_id, currency
    )
    SELECT found.no::int4, (found.tenant_id, found.id, found.currency) IN (SELECT * FROM begun), found.is_taken,
           found.floor_minor, found.ceiling_minor, found.debit_normal, (SELECT w.refused_before FROM watermark AS w WHERE w.id = 1)
      FROM found;
END
$function$;
