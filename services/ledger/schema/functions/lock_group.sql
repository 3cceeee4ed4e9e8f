CREATE OR REPLACE FUNCTION ledger.lock_group(keys ledger.balance_key[], entries ledger.entry_key[], tenants text[])
 RETURNS TABLE(part text, no integer, amounts bigint[], instant timestamp with time zone, fingerprint bytea)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'ledger', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
BEGIN
    -- Shared, and never taken alone: whoever closes a period waits until the groups that held it before have ended
    -- (0x636c6f7365 is "close").
    PERFORM pg_advisory_xact_lock_shared(x'636c6f7365'::int8);
    -- A lock in the order of the keys is what keeps two groups from waiting for each other in a circle.
    RETURN QUERY SELECT 'balance', b.no::int4, b.amounts, b.posted_at, NULL::bytea FROM (
        -- Whatever is posted next is recorded after this: also after the instants that are over.
        SELECT key.no, greatest(balance.posted_at, (SELECT w.refused_before FROM watermark AS w WHERE w.id = 1)) AS posted_at,
               ARRAY[balance.debits_minor, balance.credits_minor, balance.pending_debits_minor,
                     balance.pending_credits_minor, balance.version, balance.floor_minor, balance.ceiling_minor,
                     balance.debit_normal::int4] AS amounts
          FROM unnest(keys) WITH ORDINALITY AS key(tenant_id, account_id, currency, no)
          JOIN balances AS balance ON balance.account_id = key.account_id AND balance.currency = key.currency
                                  AND balance.tenant_id || '' = key.tenant_id
         ORDER BY balance.account_id, balance.currency, balance.tenant_id
           FOR NO KEY UPDATE OF balance) AS b;
    RETURN QUERY SELECT 'entry', key.no::int4, NULL::int8[], entry.posted_at, entry.digest
      FROM unnest(entries) WITH ORDINALITY AS key(tenant_id, id, no)
      -- In empty books the index that begins with the tenant costs as little as the key, and a plan is kept: hidden from it.
      JOIN journal_entries AS entry ON entry.id = key.id AND entry.tenant_id || '' = key.tenant_id;
    RETURN QUERY SELECT 'closed', tenant.no::int4, NULL::int8[], period.ends_before, NULL::bytea
      FROM unnest(tenants) WITH ORDINALITY AS tenant(id, no)
     CROSS JOIN LATERAL (SELECT p.ends_before FROM periods AS p WHERE p.tenant_id = tenant.id
                          ORDER BY p.ends_before DESC LIMIT 1) AS period;
END
$function$;
