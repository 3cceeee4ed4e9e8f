-- Nothing is recorded before the watermark any more: a group of an earlier instant is refused, and decided again.
CREATE OR REPLACE FUNCTION ledger.post_group(entries ledger.entry_row[], pending ledger.pending_step[], publications ledger.outbox_row[], seals bytea, tenants text[], effective_from timestamp with time zone[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'ledger', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
DECLARE
    strays int8;
    is_closed boolean;
    is_late boolean;
    head chains%ROWTYPE;
    link_hash bytea;
    mode text;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(x'636c6f7365'::int8);
    WITH part AS (
        SELECT tenant_id, account_id, currency, posted_at, version, greatest(amount_minor, 0) AS debit_minor,
               greatest(-amount_minor, 0) AS credit_minor, debits_after_minor, credits_after_minor, NULL::int8 AS pending_debit_minor,
               NULL::int8 AS pending_credit_minor, NULL::int8 AS pending_debits_minor, NULL::int8 AS pending_credits_minor
          FROM (SELECT tenant_id, currency, posted_at, unnest(accounts) AS account_id,
                       unnest(amounts_minor) AS amount_minor, unnest(versions) AS version,
                       unnest(debits_after_minor) AS debits_after_minor,
                       unnest(credits_after_minor) AS credits_after_minor FROM unnest(entries)) AS line
         UNION ALL
        SELECT tenant_id, account_id, currency, NULL, NULL, 0, 0, NULL, NULL, debits_minor - debits_before,
               credits_minor - credits_before, debits_minor, credits_minor FROM unnest(pending)
    ), step AS (
        SELECT tenant_id, account_id, currency, max(posted_at) AS posted_at, min(posted_at) AS posted_first, count(version) AS lines,
               total_minor(debit_minor) AS debits_added, total_minor(credit_minor) AS credits_added,
               max(version) AS version, max(debits_after_minor) AS debits_minor, max(credits_after_minor) AS credits_minor,
               min(version) AS version_first, min(debits_after_minor - debit_minor) AS debits_before,
               min(credits_after_minor - credit_minor) AS credits_before,
               total_minor(pending_debit_minor) AS pending_debits_added, max(pending_debits_minor) AS pending_debits_minor,
               total_minor(pending_credit_minor) AS pending_credits_added, max(pending_credits_minor) AS pending_credits_minor
          FROM part GROUP BY account_id, currency, tenant_id ORDER BY account_id, currency COLLATE "C", tenant_id COLLATE "C"
    ), moved AS (
        UPDATE balances AS b
           SET debits_minor = b.debits_minor + step.debits_added, credits_minor = b.credits_minor + step.credits_added,
               pending_debits_minor = b.pending_debits_minor + step.pending_debits_added,
               pending_credits_minor = b.pending_credits_minor + step.pending_credits_added,
               version = b.version + step.lines, posted_at = coalesce(step.posted_at, b.posted_at)
          FROM step
         WHERE b.account_id = step.account_id AND b.currency = step.currency AND b.tenant_id || '' = step.tenant_id
           AND (b.posted_at < step.posted_at) IS NOT FALSE
        RETURNING (step.lines = 0 OR b.version = step.version AND b.debits_minor = step.debits_minor
                   AND b.credits_minor = step.credits_minor AND step.version_first = step.version - step.lines + 1
                   AND step.debits_before = step.debits_minor - step.debits_added
                   AND step.credits_before = step.credits_minor - step.credits_added)
              AND b.pending_debits_minor = coalesce(step.pending_debits_minor, b.pending_debits_minor)
              AND b.pending_credits_minor = coalesce(step.pending_credits_minor, b.pending_credits_minor) AS follows,
                  step.posted_first
    )
    SELECT (SELECT count(*) FROM step) - count(*) FILTER (WHERE follows),
           EXISTS (SELECT FROM unnest(tenants, effective_from) AS tenant(id, effective_from)
                     JOIN periods AS p ON p.tenant_id = tenant.id AND p.ends_before > tenant.effective_from),
           (SELECT w.refused_before FROM watermark AS w WHERE w.id = 1) > min(posted_first)
      INTO strays, is_closed, is_late FROM moved;
    IF is_closed THEN
        RAISE EXCEPTION 'the group has an entry of a period that is closed' USING ERRCODE = 'serialization_failure';
    END IF;
    IF is_late THEN
        RAISE EXCEPTION 'the group has an entry of an instant of record that is over'
              USING ERRCODE = 'serialization_failure', CONSTRAINT = 'group_is_of_now';
    END IF;
    IF strays <> 0 THEN
        RAISE EXCEPTION 'the group does not go on from what stands in the books'
              USING ERRCODE = 'serialization_failure', CONSTRAINT = 'group_follows';
    END IF;
    IF cardinality(entries) = 0 THEN
        RETURN;
    END IF;

    SELECT * INTO head FROM chains ORDER BY chain LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        SELECT * INTO head FROM chains WHERE chain = pg_backend_pid() % 16 FOR NO KEY UPDATE;
    END IF;
    link_hash := sha256(head.hash || int2send(head.chain) || int8send(head.sequence + 1)
                        || int4send(cardinality(entries)) || seals);
    mode := set_config('ledger.posting', 'group', true);
    -- One statement, so that the triggers see all of it at once.
    WITH entry AS MATERIALIZED (
        SELECT * FROM unnest(entries)
    ), booked AS (
        INSERT INTO journal_entries (tenant_id, id, kind, payment_intent_id, line_count, occurred_at, effective_at,
                                     posted_at, source_event_id, reverses, digest, position, seal, chain, sequence)
        SELECT tenant_id, id, kind, payment_intent_id, cardinality(accounts), occurred_at, effective_at, posted_at,
               source_event_id, reverses, digest, position, seal, head.chain, head.sequence + 1 FROM entry
    ), posting AS (
        INSERT INTO postings (tenant_id, entry_id, line_no, account_id, currency, version, side, amount_minor,
                              debits_after_minor, credits_after_minor, posted_at, effective_at)
        SELECT tenant_id, id, line_no, account_id, currency, version,
               CASE WHEN amount_minor < 0 THEN 'CREDIT' ELSE 'DEBIT' END, abs(amount_minor), debits_after_minor,
               credits_after_minor, posted_at, effective_at
          FROM (SELECT tenant_id, id, currency, posted_at, effective_at,
                       generate_series(1, cardinality(accounts)) AS line_no, unnest(accounts) AS account_id,
                       unnest(amounts_minor) AS amount_minor, unnest(versions) AS version,
                       unnest(debits_after_minor) AS debits_after_minor,
                       unnest(credits_after_minor) AS credits_after_minor FROM entry) AS line
    ), outgoing AS (
        INSERT INTO outbox (event_id, contract, tenant_id, correlation_id, traceparent, occurred_at, body)
        SELECT * FROM unnest(publications)
    ), link AS (
        INSERT INTO entry_groups (chain, sequence, previous, hash, entry_count, posted_from, posted_until)
        SELECT head.chain, head.sequence + 1, head.hash, link_hash, count(*), min(posted_at), max(posted_at) FROM entry
    )
    UPDATE chains SET sequence = head.sequence + 1, hash = link_hash WHERE chain = head.chain;
    mode := set_config('ledger.posting', '', true);
END
$function$;

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

-- What a function returns cannot be replaced.
DROP FUNCTION IF EXISTS ledger.begin_balances(ledger.balance_key[]);
CREATE FUNCTION ledger.begin_balances(wanted ledger.balance_key[])
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
REVOKE ALL ON FUNCTION ledger.begin_balances(ledger.balance_key[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.begin_balances(ledger.balance_key[]) TO ledger_app;
