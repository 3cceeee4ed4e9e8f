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
