CREATE TYPE ledger.balance_key AS (
	tenant_id text,
	account_id uuid,
	currency bpchar
);

CREATE TYPE ledger.entry_key AS (
	tenant_id text,
	id uuid
);

CREATE TYPE ledger.entry_row AS (
	tenant_id text,
	kind text,
	payment_intent_id uuid,
	source_event_id uuid,
	reverses uuid,
	id uuid,
	occurred_at timestamp with time zone,
	effective_at timestamp with time zone,
	posted_at timestamp with time zone,
	digest bytea,
	"position" integer,
	seal bytea,
	currency bpchar,
	accounts uuid[],
	amounts_minor bigint[],
	versions bigint[],
	debits_after_minor bigint[],
	credits_after_minor bigint[]
);

CREATE TYPE ledger.outbox_row AS (
	event_id uuid,
	contract text,
	tenant_id text,
	correlation_id text,
	traceparent text,
	occurred_at timestamp with time zone,
	body text
);

CREATE TYPE ledger.pending_step AS (
	tenant_id text,
	account_id uuid,
	currency bpchar,
	debits_minor bigint,
	credits_minor bigint,
	debits_before bigint,
	credits_before bigint
);

CREATE FUNCTION ledger.begin_balances(wanted ledger.balance_key[]) RETURNS TABLE(no integer, is_begun boolean, is_taken boolean, floor_minor bigint, ceiling_minor bigint, debit_normal boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
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
           found.floor_minor, found.ceiling_minor, found.debit_normal
      FROM found;
END
$$;

CREATE FUNCTION ledger.check_journal_entries() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'ledger', 'pg_temp'
    AS $$
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
$$;

CREATE FUNCTION ledger.check_postings() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'ledger', 'pg_temp'
    AS $$
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
$$;

CREATE FUNCTION ledger.drop_partition(parent_name text, before timestamp with time zone) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    AS $$
DECLARE
    rule partition_rules;
    child text;
    since timestamptz;
    young bigint := 0;
BEGIN
    SELECT * INTO STRICT rule FROM partition_rules WHERE parent = parent_name;
    since := least(before, now() - make_interval(days => rule.kept_days_min));
    IF NOT pg_try_advisory_xact_lock(hashtextextended('partitions ledger.' || parent_name, 0)) THEN
        RETURN 'busy';
    END IF;
    SELECT p.name INTO child FROM partitions_of(parent_name) AS p WHERE p.ends <= first_id(since) ORDER BY p.ends LIMIT 1;
    IF child IS NULL THEN
        RETURN NULL;
    END IF;
    IF rule.keeps_young THEN
        -- The count then reads the end of the partition only, where its youngest rows are.
        PERFORM brin_summarize_new_values(i.indexrelid) FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
           JOIN pg_am AS a ON a.oid = c.relam WHERE i.indrelid = child::regclass AND a.amname = 'brin';
    END IF;
    -- Before the count, so that no writer adds a row after it.
    EXECUTE format('LOCK TABLE ONLY %I IN ACCESS EXCLUSIVE MODE', parent_name);
    IF rule.keeps_young THEN
        EXECUTE format('SELECT count(*) FROM (SELECT FROM %I WHERE %I >= %L LIMIT 50000 + 1) AS r', child,
                       rule.age_column, since) INTO young;
        IF young > 50000 THEN
            RETURN 'crowded';
        END IF;
    END IF;
    EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', parent_name, child);
    IF young > 0 THEN
        EXECUTE format('INSERT INTO %I SELECT * FROM %I WHERE %I >= %L', parent_name, child, rule.age_column, since);
    END IF;
    EXECUTE format('DROP TABLE %I', child);
    RETURN child;
END $$;
COMMENT ON FUNCTION ledger.drop_partition(parent_name text, before timestamp with time zone) IS 'Drops the oldest partition that ended before an instant.';

CREATE FUNCTION ledger.first_id(instant timestamp with time zone) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT
    AS $$
    SELECT (lpad(to_hex(greatest(0, floor(extract(epoch FROM instant) * 1000))::bigint), 12, '0') || repeat('0', 20))::uuid
$$;
COMMENT ON FUNCTION ledger.first_id(instant timestamp with time zone) IS 'The least UUIDv7 that can be minted at an instant.';

CREATE FUNCTION ledger.forget_holds(before timestamp with time zone, rows_max integer) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    AS $$
    WITH gone AS (
        DELETE FROM holds WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM holds WHERE resolved_at < least(before, now() - interval '90 days') ORDER BY resolved_at LIMIT rows_max))
        RETURNING 1)
    SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION ledger.forget_holds(before timestamp with time zone, rows_max integer) IS 'Deletes the oldest rows, none younger than 90 days.';

CREATE FUNCTION ledger.forget_journal_requests(before timestamp with time zone, rows_max integer) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    AS $$
    WITH gone AS (
        DELETE FROM journal_requests WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM journal_requests WHERE answered_at < least(before, now() - interval '90 days') ORDER BY answered_at LIMIT rows_max))
        RETURNING 1)
    SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION ledger.forget_journal_requests(before timestamp with time zone, rows_max integer) IS 'Deletes the oldest rows, none younger than 90 days.';

CREATE FUNCTION ledger.hold_roles(locks integer[], tenants text[]) RETURNS TABLE(tenant_id text, revision bigint)
    LANGUAGE plpgsql
    SET search_path TO 'ledger', 'pg_temp'
    AS $$
BEGIN
    -- In the given order, which is ascending: those who wait for a change never wait in a circle.
    PERFORM pg_advisory_xact_lock_shared(4003, lock) FROM unnest(locks) AS lock;
    RETURN QUERY SELECT wanted.id, last.revision FROM unnest(tenants) AS wanted(id) CROSS JOIN LATERAL
        (SELECT change.revision FROM role_changes AS change WHERE change.tenant_id = wanted.id
          ORDER BY change.revision DESC LIMIT 1) AS last;
END
$$;

CREATE FUNCTION ledger.keep_hold() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF OLD.state <> 'OPEN' OR NEW.state = 'OPEN'
       OR (NEW.tenant_id, NEW.id, NEW.debit_account_id, NEW.credit_account_id, NEW.currency, NEW.amount_minor,
           NEW.placed_at) IS DISTINCT FROM
          (OLD.tenant_id, OLD.id, OLD.debit_account_id, OLD.credit_account_id, OLD.currency, OLD.amount_minor,
           OLD.placed_at) THEN
        RAISE EXCEPTION 'the hold % is resolved once and changes in nothing else', OLD.id
              USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION ledger.lock_group(wanted ledger.balance_key[], entries ledger.entry_key[], tenants text[]) RETURNS TABLE(part text, no integer, amounts bigint[], instant timestamp with time zone, fingerprint bytea)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
BEGIN
    -- Shared among all groups; whoever closes a period takes it alone (0x636c6f7365 is "close").
    PERFORM pg_advisory_xact_lock_shared(x'636c6f7365'::int8);
    -- A lock in the order of the keys is what keeps two groups from waiting for each other in a circle.
    RETURN QUERY SELECT 'balance', b.no::int4, b.amounts, b.posted_at, NULL::bytea FROM (
        SELECT key.no, balance.posted_at,
               ARRAY[balance.debits_minor, balance.credits_minor, balance.pending_debits_minor,
                     balance.pending_credits_minor, balance.version, balance.floor_minor, balance.ceiling_minor,
                     balance.debit_normal::int4] AS amounts
          FROM unnest(wanted) WITH ORDINALITY AS key(tenant_id, account_id, currency, no)
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
$$;

CREATE FUNCTION ledger.make_partition(parent_name text, at timestamp with time zone, periods_ahead integer) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    AS $_$
DECLARE
    rule partition_rules;
    begins timestamptz;
    low uuid;
    high uuid;
    child text;
    present bigint;
BEGIN
    SELECT * INTO STRICT rule FROM partition_rules WHERE parent = parent_name;
    begins := date_trunc(rule.period, at) + periods_ahead * ('1 ' || rule.period)::interval;
    low := first_id(begins);
    high := first_id(begins + ('1 ' || rule.period)::interval);
    child := parent_name || to_char(begins, CASE rule.period WHEN 'day' THEN '_YYYY_MM_DD' ELSE '_YYYY_MM' END);
    IF NOT pg_try_advisory_xact_lock(hashtextextended('partitions ledger.' || parent_name, 0)) THEN
        RETURN 'busy';
    END IF;
    IF EXISTS (SELECT FROM partitions_of(parent_name) AS p
                WHERE p.ends > low AND (p.begins IS NULL OR p.begins < high)) THEN
        RETURN 'exists';
    END IF;
    EXECUTE format('SELECT count(*) FROM (SELECT FROM %1$I WHERE %2$I >= %3$L AND %2$I < %4$L LIMIT 50000 + 1) AS r',
                   parent_name || '_default', rule.key_column, low, high) INTO present;
    IF present > 50000 THEN
        RETURN 'crowded';
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS)%s', child,
                   parent_name, CASE WHEN rule.options = '' THEN '' ELSE format(' WITH (%s)', rule.options) END);
    -- Where rows of the period exist, or may come at this moment, they are moved while nobody reads or writes: a reader whose
    -- plan knows the old partitions only would miss what moves into the new one.
    IF present > 0 OR begins <= clock_timestamp() THEN
        EXECUTE format('LOCK TABLE ONLY %I IN ACCESS EXCLUSIVE MODE', parent_name);
        EXECUTE format('WITH moved AS (DELETE FROM %1$I WHERE %2$I >= %3$L AND %2$I < %4$L RETURNING *) '
                       'INSERT INTO %5$I SELECT * FROM moved', parent_name || '_default', rule.key_column, low, high, child);
    END IF;
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent_name, child, low, high);
    RETURN 'made';
END $_$;
COMMENT ON FUNCTION ledger.make_partition(parent_name text, at timestamp with time zone, periods_ahead integer) IS 'Makes the partition of a period, ahead of its time.';

CREATE FUNCTION ledger.partitions_of(parent_name text) RETURNS TABLE(name text, begins uuid, ends uuid)
    LANGUAGE sql STABLE STRICT
    AS $$
    SELECT c.relname, substring(b.bound FROM 'FROM \(''([^'']+)''\)')::uuid,
           substring(b.bound FROM 'TO \(''([^'']+)''\)')::uuid
      FROM (SELECT c.oid, c.relname::text, c.relpartbound FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
             WHERE i.inhparent = parent_name::regclass OFFSET 0) AS c
     CROSS JOIN LATERAL (SELECT pg_get_expr(c.relpartbound, c.oid) AS bound OFFSET 0) AS b
     WHERE b.bound <> 'DEFAULT'
$$;
COMMENT ON FUNCTION ledger.partitions_of(parent_name text) IS 'The partitions of a table but the default one, with bounds.';

CREATE FUNCTION ledger.post_group(entries ledger.entry_row[], pending ledger.pending_step[], said ledger.outbox_row[], seals bytea, tenants text[], effective_from timestamp with time zone[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
DECLARE
    strays int8;
    is_closed boolean;
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
        SELECT tenant_id, account_id, currency, max(posted_at) AS posted_at, count(version) AS lines,
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
              AND b.pending_credits_minor = coalesce(step.pending_credits_minor, b.pending_credits_minor) AS follows
    )
    SELECT (SELECT count(*) FROM step) - count(*) FILTER (WHERE follows),
           EXISTS (SELECT FROM unnest(tenants, effective_from) AS tenant(id, effective_from)
                     JOIN periods AS p ON p.tenant_id = tenant.id AND p.ends_before > tenant.effective_from)
      INTO strays, is_closed FROM moved;
    IF is_closed THEN
        RAISE EXCEPTION 'the group has an entry of a period that is closed' USING ERRCODE = 'serialization_failure';
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
        SELECT * FROM unnest(said)
    ), link AS (
        INSERT INTO entry_groups (chain, sequence, previous, hash, entry_count, posted_from, posted_until)
        SELECT head.chain, head.sequence + 1, head.hash, link_hash, count(*), min(posted_at), max(posted_at) FROM entry
    )
    UPDATE chains SET sequence = head.sequence + 1, hash = link_hash WHERE chain = head.chain;
    mode := set_config('ledger.posting', '', true);
END
$$;

CREATE FUNCTION ledger.prune_default_partition(parent_name text, before timestamp with time zone, rows_max integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    AS $_$
DECLARE
    rule partition_rules;
    pruned bigint;
BEGIN
    SELECT * INTO STRICT rule FROM partition_rules WHERE parent = parent_name;
    EXECUTE format('DELETE FROM %1$I WHERE ctid = ANY (ARRAY(SELECT ctid FROM %1$I WHERE %2$I < %3$L LIMIT %4$s))',
                   parent_name || '_default', rule.age_column,
                   least(before, now() - make_interval(days => rule.kept_days_min)), rows_max);
    GET DIAGNOSTICS pruned = ROW_COUNT;
    RETURN pruned;
END $_$;
COMMENT ON FUNCTION ledger.prune_default_partition(parent_name text, before timestamp with time zone, rows_max integer) IS 'Deletes old rows of the default partition.';

CREATE FUNCTION ledger.refresh_reports(age_max interval) RETURNS timestamp with time zone
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    AS $$
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
    REFRESH MATERIALIZED VIEW CONCURRENTLY account_turnover;
    INSERT INTO report_refreshes (refreshed_at, finished_at) VALUES (began_at, clock_timestamp());
    DELETE FROM report_refreshes WHERE refreshed_at < began_at - interval '7 days';
    RETURN began_at;
END
$$;

CREATE FUNCTION ledger.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: what stands in the books stays', TG_OP, TG_TABLE_NAME
          USING ERRCODE = 'restrict_violation', HINT = 'A mistake is corrected by a further entry.';
END
$$;

CREATE FUNCTION ledger.time_of_id(id uuid) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE STRICT
    AS $$
    SELECT to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)
$$;
COMMENT ON FUNCTION ledger.time_of_id(id uuid) IS 'When a UUIDv7 was minted.';

CREATE AGGREGATE ledger.total_minor(bigint) (
    SFUNC = int8pl,
    STYPE = bigint,
    INITCOND = '0',
    PARALLEL = safe
);

CREATE TABLE ledger.postings (
    tenant_id text NOT NULL COLLATE pg_catalog."C",
    entry_id uuid NOT NULL,
    line_no smallint NOT NULL,
    account_id uuid NOT NULL,
    currency character(3) NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    side text NOT NULL COLLATE pg_catalog."C",
    amount_minor bigint NOT NULL,
    debits_after_minor bigint NOT NULL,
    credits_after_minor bigint NOT NULL,
    posted_at timestamp with time zone NOT NULL,
    effective_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_postings_amount_minor CHECK ((amount_minor > 0)),
    CONSTRAINT ck_postings_side CHECK ((side = ANY (ARRAY['DEBIT'::text, 'CREDIT'::text])))
);

ALTER TABLE ONLY ledger.postings ALTER COLUMN line_no SET STATISTICS 0;

ALTER TABLE ONLY ledger.postings ALTER COLUMN side SET STATISTICS 0;

ALTER TABLE ONLY ledger.postings ALTER COLUMN amount_minor SET STATISTICS 0;

ALTER TABLE ONLY ledger.postings ALTER COLUMN debits_after_minor SET STATISTICS 0;

ALTER TABLE ONLY ledger.postings ALTER COLUMN credits_after_minor SET STATISTICS 0;
COMMENT ON TABLE ledger.postings IS 'Debits and credits of positive amounts; never changed or removed.';
COMMENT ON COLUMN ledger.postings.tenant_id IS 'Whose books it changes.';
COMMENT ON COLUMN ledger.postings.entry_id IS 'The entry that it is a line of.';
COMMENT ON COLUMN ledger.postings.line_no IS 'Its place in the entry, from 1 to line_count.';
COMMENT ON COLUMN ledger.postings.account_id IS 'The account that it changes.';
COMMENT ON COLUMN ledger.postings.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN ledger.postings.version IS 'How many postings the account has in this currency with it.';
COMMENT ON COLUMN ledger.postings.side IS 'DEBIT or CREDIT.';
COMMENT ON COLUMN ledger.postings.amount_minor IS 'Above zero, in minor units of the currency.';
COMMENT ON COLUMN ledger.postings.debits_after_minor IS 'Sum of all debits of the account in this currency right after it, in minor units.';
COMMENT ON COLUMN ledger.postings.credits_after_minor IS 'Sum of all credits of the account in this currency right after it, in minor units.';
COMMENT ON COLUMN ledger.postings.posted_at IS 'When it was recorded; the entry''s posted_at.';
COMMENT ON COLUMN ledger.postings.effective_at IS 'When it counts in the books: occurred_at, or the first open instant where its period was closed.';

CREATE MATERIALIZED VIEW ledger.account_turnover AS
 SELECT postings.tenant_id,
    postings.account_id,
    postings.currency,
    date_bin('00:15:00'::interval, postings.posted_at, '1970-01-01 00:00:00+00'::timestamp with time zone) AS quarter_at,
    (COALESCE(sum(postings.amount_minor) FILTER (WHERE (postings.side = 'DEBIT'::text)), (0)::numeric))::bigint AS debits_minor,
    (COALESCE(sum(postings.amount_minor) FILTER (WHERE (postings.side = 'CREDIT'::text)), (0)::numeric))::bigint AS credits_minor,
    max(postings.debits_after_minor) AS debits_after_minor,
    max(postings.credits_after_minor) AS credits_after_minor,
    max(postings.posted_at) AS posted_last_at
   FROM ledger.postings
  GROUP BY postings.tenant_id, postings.account_id, postings.currency, (date_bin('00:15:00'::interval, postings.posted_at, '1970-01-01 00:00:00+00'::timestamp with time zone))
  WITH DATA;
COMMENT ON MATERIALIZED VIEW ledger.account_turnover IS 'What each account turned over in each quarter of an hour (UTC), and what it held at its end.';

CREATE TABLE ledger.accounts (
    tenant_id text NOT NULL COLLATE pg_catalog."C",
    id uuid NOT NULL,
    code text NOT NULL COLLATE pg_catalog."C",
    label text NOT NULL,
    account_type text NOT NULL COLLATE pg_catalog."C",
    is_default boolean NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    floor_minor bigint,
    ceiling_minor bigint,
    currencies character(3)[] COLLATE pg_catalog."C",
    CONSTRAINT ck_accounts_account_type CHECK ((account_type = ANY (ARRAY['ASSET'::text, 'LIABILITY'::text, 'EQUITY'::text, 'REVENUE'::text, 'EXPENSE'::text]))),
    CONSTRAINT ck_accounts_code CHECK (((length(code) >= 1) AND (length(code) <= 64))),
    CONSTRAINT ck_accounts_currencies CHECK ((cardinality(currencies) > 0)),
    CONSTRAINT ck_accounts_label CHECK (((length(label) >= 1) AND (length(label) <= 200))),
    CONSTRAINT ck_accounts_limits CHECK ((floor_minor <= ceiling_minor))
);
COMMENT ON TABLE ledger.accounts IS 'Each tenant''s chart of accounts. An account never changes once opened.';
COMMENT ON COLUMN ledger.accounts.tenant_id IS 'Whose chart it stands in.';
COMMENT ON COLUMN ledger.accounts.id IS 'Identifies it within the tenant.';
COMMENT ON COLUMN ledger.accounts.code IS 'Unique in the tenant''s chart, 1 to 64 characters.';
COMMENT ON COLUMN ledger.accounts.label IS 'Its name for people, 1 to 200 characters.';
COMMENT ON COLUMN ledger.accounts.account_type IS 'One of the five types; fixes the normal balance.';
COMMENT ON COLUMN ledger.accounts.is_default IS 'Opened by the platform, not by the tenant.';
COMMENT ON COLUMN ledger.accounts.opened_at IS 'When it was opened.';
COMMENT ON COLUMN ledger.accounts.floor_minor IS 'The least that may be available in its normal direction, in minor units of each currency; NULL: no limit.';
COMMENT ON COLUMN ledger.accounts.ceiling_minor IS 'The most that it may hold in its normal direction, in minor units of each currency; NULL: no limit.';
COMMENT ON COLUMN ledger.accounts.currencies IS 'The currencies it takes; NULL: all.';

CREATE TABLE ledger.balances (
    tenant_id text NOT NULL COLLATE pg_catalog."C",
    account_id uuid NOT NULL,
    currency character(3) NOT NULL COLLATE pg_catalog."C",
    debits_minor bigint DEFAULT '0'::bigint NOT NULL,
    credits_minor bigint DEFAULT '0'::bigint NOT NULL,
    version bigint DEFAULT '0'::bigint NOT NULL,
    posted_at timestamp with time zone,
    pending_debits_minor bigint DEFAULT '0'::bigint NOT NULL,
    pending_credits_minor bigint DEFAULT '0'::bigint NOT NULL,
    floor_minor bigint,
    ceiling_minor bigint,
    debit_normal boolean NOT NULL,
    CONSTRAINT ck_balances_not_negative CHECK (((debits_minor >= 0) AND (credits_minor >= 0) AND (version >= 0))),
    CONSTRAINT ck_balances_pending CHECK (((pending_debits_minor >= 0) AND (pending_credits_minor >= 0)))
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0.01');
COMMENT ON TABLE ledger.balances IS 'What each account holds in each currency now: the last posting''s running totals.';
COMMENT ON COLUMN ledger.balances.tenant_id IS 'Whose account it is.';
COMMENT ON COLUMN ledger.balances.account_id IS 'The account.';
COMMENT ON COLUMN ledger.balances.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN ledger.balances.debits_minor IS 'Sum of all debits, in minor units.';
COMMENT ON COLUMN ledger.balances.credits_minor IS 'Sum of all credits, in minor units.';
COMMENT ON COLUMN ledger.balances.version IS 'How many postings it has.';
COMMENT ON COLUMN ledger.balances.posted_at IS 'When its last posting was recorded; NULL before the first.';
COMMENT ON COLUMN ledger.balances.pending_debits_minor IS 'Sum of its open holds that would debit it, in minor units.';
COMMENT ON COLUMN ledger.balances.pending_credits_minor IS 'Sum of its open holds that would credit it, in minor units.';
COMMENT ON COLUMN ledger.balances.floor_minor IS 'The account''s, which never changes.';
COMMENT ON COLUMN ledger.balances.ceiling_minor IS 'The account''s, which never changes.';
COMMENT ON COLUMN ledger.balances.debit_normal IS 'Whether the account grows by debits, which never changes.';

CREATE TABLE ledger.chain_checks (
    chain smallint NOT NULL,
    sequence bigint NOT NULL,
    hash bytea NOT NULL,
    entries bigint NOT NULL,
    checked_at timestamp with time zone NOT NULL
);
COMMENT ON TABLE ledger.chain_checks IS 'How far the verifier has recomputed each chain.';
COMMENT ON COLUMN ledger.chain_checks.chain IS 'The chain.';
COMMENT ON COLUMN ledger.chain_checks.sequence IS 'The last group that was recomputed.';
COMMENT ON COLUMN ledger.chain_checks.hash IS 'The hash that was recomputed for it.';
COMMENT ON COLUMN ledger.chain_checks.entries IS 'How many entries were recomputed up to it.';
COMMENT ON COLUMN ledger.chain_checks.checked_at IS 'When.';

CREATE TABLE ledger.chains (
    chain smallint NOT NULL,
    sequence bigint NOT NULL,
    hash bytea NOT NULL
)
WITH (fillfactor='10');
COMMENT ON TABLE ledger.chains IS 'The heads of the hash chains. A group takes any that is free, so groups need not wait for each other.';
COMMENT ON COLUMN ledger.chains.chain IS 'Which of the chains.';
COMMENT ON COLUMN ledger.chains.sequence IS 'How many groups it has.';
COMMENT ON COLUMN ledger.chains.hash IS 'The hash of its last group; 32 zero bytes before the first.';

CREATE TABLE ledger.claim_checks (
    chain smallint NOT NULL,
    sequence bigint NOT NULL
);
COMMENT ON TABLE ledger.claim_checks IS 'How far the entries of each chain were compared with what the api claims; begins with the first claim.';
COMMENT ON COLUMN ledger.claim_checks.chain IS 'The chain.';
COMMENT ON COLUMN ledger.claim_checks.sequence IS 'Its last group whose entries were compared.';

CREATE TABLE ledger.claims (
    entry_id uuid NOT NULL,
    tenant_id text NOT NULL COLLATE pg_catalog."C",
    amount_minor bigint NOT NULL,
    currency character(3) NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    subject_id uuid NOT NULL,
    claimed_at timestamp with time zone NOT NULL,
    is_told boolean DEFAULT false NOT NULL,
    CONSTRAINT ck_claims_amount_minor CHECK ((amount_minor > 0)),
    CONSTRAINT ck_claims_kind CHECK ((kind = ANY (ARRAY['capture'::text, 'refund'::text])))
);
COMMENT ON TABLE ledger.claims IS 'Settled payments and completed refunds as the api tells of them; removed once compared with the books.';
COMMENT ON COLUMN ledger.claims.entry_id IS 'The entry that has to stand in the books for it.';
COMMENT ON COLUMN ledger.claims.tenant_id IS 'In whose books.';
COMMENT ON COLUMN ledger.claims.amount_minor IS 'How much, in minor units of the currency.';
COMMENT ON COLUMN ledger.claims.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN ledger.claims.kind IS 'capture or refund: the kind of the entry.';
COMMENT ON COLUMN ledger.claims.subject_id IS 'The intent of a capture, or the refund.';
COMMENT ON COLUMN ledger.claims.claimed_at IS 'When the ledger first received it.';
COMMENT ON COLUMN ledger.claims.is_told IS 'Whether it was reported as a finding that the books have no entry for it.';

CREATE TABLE ledger.closings_under_way (
    tenant_id text NOT NULL COLLATE pg_catalog."C",
    ends_before timestamp with time zone NOT NULL
);
COMMENT ON TABLE ledger.closings_under_way IS 'Closed periods into which a group may still post that began before they were closed.';
COMMENT ON COLUMN ledger.closings_under_way.tenant_id IS 'Whose books.';
COMMENT ON COLUMN ledger.closings_under_way.ends_before IS 'The period''s.';

CREATE TABLE ledger.conversions (
    tenant_id text NOT NULL COLLATE pg_catalog."C",
    id uuid NOT NULL,
    digest bytea NOT NULL,
    from_account_id uuid NOT NULL,
    to_account_id uuid NOT NULL,
    from_currency character(3) NOT NULL COLLATE pg_catalog."C",
    to_currency character(3) NOT NULL COLLATE pg_catalog."C",
    sold_minor bigint NOT NULL,
    bought_minor bigint NOT NULL,
    valued_minor bigint NOT NULL,
    rates jsonb NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    recorded_by text NOT NULL,
    CONSTRAINT ck_conversions_amounts CHECK (((sold_minor > 0) AND (bought_minor > 0) AND (valued_minor > 0))),
    CONSTRAINT ck_conversions_digest CHECK ((octet_length(digest) = 32))
);
COMMENT ON TABLE ledger.conversions IS 'Exchanges of currencies; their entries have ids that follow from this one. Never changed or removed.';
COMMENT ON COLUMN ledger.conversions.tenant_id IS 'Whose money was exchanged.';
COMMENT ON COLUMN ledger.conversions.id IS 'Links its two entries; chosen by whoever requested it.';
COMMENT ON COLUMN ledger.conversions.digest IS 'SHA-256 of what was requested: tells a replay from a conflict.';
COMMENT ON COLUMN ledger.conversions.from_account_id IS 'Where the sold amount was taken from.';
COMMENT ON COLUMN ledger.conversions.to_account_id IS 'Where the bought amount went.';
COMMENT ON COLUMN ledger.conversions.from_currency IS 'ISO 4217 code of what was sold.';
COMMENT ON COLUMN ledger.conversions.to_currency IS 'ISO 4217 code of what was bought.';
COMMENT ON COLUMN ledger.conversions.sold_minor IS 'What was given, in minor units.';
COMMENT ON COLUMN ledger.conversions.bought_minor IS 'What was received, in minor units.';
COMMENT ON COLUMN ledger.conversions.valued_minor IS 'What was received, at the rate, in minor units of from_currency.';
COMMENT ON COLUMN ledger.conversions.rates IS 'The recorded rates by which it was made, in their order.';
COMMENT ON COLUMN ledger.conversions.occurred_at IS 'When it happened; the rates are those of then.';
COMMENT ON COLUMN ledger.conversions.recorded_at IS 'When it was recorded.';
COMMENT ON COLUMN ledger.conversions.recorded_by IS 'Who requested it.';

CREATE TABLE ledger.effective_folds (
    tenant_id text NOT NULL COLLATE pg_catalog."C",
    account_id uuid NOT NULL,
    currency character(3) NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    posted_at timestamp with time zone NOT NULL
);
COMMENT ON TABLE ledger.effective_folds IS 'How far each account''s postings are summed by effective time; the few later ones are read one by one.';
COMMENT ON COLUMN ledger.effective_folds.tenant_id IS 'Whose account.';
COMMENT ON COLUMN ledger.effective_folds.account_id IS 'The account.';
COMMENT ON COLUMN ledger.effective_folds.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN ledger.effective_folds.version IS 'Postings up to this version are in effective_totals.';
COMMENT ON COLUMN ledger.effective_folds.posted_at IS 'When the posting of this version was recorded.';

CREATE TABLE ledger.effective_totals (
    tenant_id text NOT NULL COLLATE pg_catalog."C",
    account_id uuid NOT NULL,
    currency character(3) NOT NULL COLLATE pg_catalog."C",
    grain text NOT NULL COLLATE pg_catalog."C",
    starts_at timestamp with time zone NOT NULL,
    debits_minor bigint NOT NULL,
    credits_minor bigint NOT NULL,
    CONSTRAINT ck_effective_totals_grain CHECK ((grain = ANY (ARRAY['DAY'::text, 'HOUR'::text, 'MINUTE'::text])))
);
COMMENT ON TABLE ledger.effective_totals IS 'What was posted by effective time, as far as effective_folds says: days and minutes instead of postings.';
COMMENT ON COLUMN ledger.effective_totals.tenant_id IS 'Whose account.';
COMMENT ON COLUMN ledger.effective_totals.account_id IS 'The account.';
COMMENT ON COLUMN ledger.effective_totals.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN ledger.effective_totals.grain IS 'DAY, HOUR or MINUTE, in UTC.';
COMMENT ON COLUMN ledger.effective_totals.starts_at IS 'The first instant of the day, hour or minute.';
COMMENT ON COLUMN ledger.effective_totals.debits_minor IS 'Debits effective in it, in minor units.';
COMMENT ON COLUMN ledger.effective_totals.credits_minor IS 'Credits effective in it, in minor units.';

CREATE TABLE ledger.entry_groups (
    chain smallint NOT NULL,
    sequence bigint NOT NULL,
    previous bytea NOT NULL,
    hash bytea NOT NULL,
    entry_count integer NOT NULL,
    posted_from timestamp with time zone NOT NULL,
    posted_until timestamp with time zone NOT NULL
);
COMMENT ON TABLE ledger.entry_groups IS 'One group of entries each, as they were committed: the links of the hash chains. Never changed or removed.';
COMMENT ON COLUMN ledger.entry_groups.chain IS 'The chain that it is a link of.';
COMMENT ON COLUMN ledger.entry_groups.sequence IS 'Its place in the chain, from 1, without gaps.';
COMMENT ON COLUMN ledger.entry_groups.previous IS 'The hash of the group before it in the chain.';
COMMENT ON COLUMN ledger.entry_groups.hash IS 'SHA-256 of previous, chain, sequence, entry_count and the seals of its entries by position.';
COMMENT ON COLUMN ledger.entry_groups.entry_count IS 'How many entries it has.';
COMMENT ON COLUMN ledger.entry_groups.posted_from IS 'When its first entry was recorded.';
COMMENT ON COLUMN ledger.entry_groups.posted_until IS 'When its last entry was recorded.';

CREATE TABLE ledger.exchange_rates (
    tenant_id text NOT NULL COLLATE pg_catalog."C",
    id uuid NOT NULL,
    from_currency character(3) NOT NULL COLLATE pg_catalog."C",
    to_currency character(3) NOT NULL COLLATE pg_catalog."C",
    rate numeric NOT NULL,
    effective_at timestamp with time zone NOT NULL,
    source text NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    recorded_by text NOT NULL,
    CONSTRAINT ck_exchange_rates_pair CHECK ((from_currency <> to_currency)),
    CONSTRAINT ck_exchange_rates_rate CHECK ((rate > (0)::numeric))
);
COMMENT ON TABLE ledger.exchange_rates IS 'Exchange rates as they were recorded; a correction is a later one, none is changed or removed.';
COMMENT ON COLUMN ledger.exchange_rates.tenant_id IS 'Who goes by it.';
COMMENT ON COLUMN ledger.exchange_rates.id IS 'Identifies it within the tenant.';
COMMENT ON COLUMN ledger.exchange_rates.from_currency IS 'ISO 4217 code: what a unit of is worth rate.';
COMMENT ON COLUMN ledger.exchange_rates.to_currency IS 'ISO 4217 code: what rate counts.';
COMMENT ON COLUMN ledger.exchange_rates.rate IS 'Units of to_currency, not minor ones; exact.';
COMMENT ON COLUMN ledger.exchange_rates.effective_at IS 'From when it holds, until the next of its pair.';
COMMENT ON COLUMN ledger.exchange_rates.source IS 'Where it comes from: ECB.';
COMMENT ON COLUMN ledger.exchange_rates.recorded_at IS 'When it was recorded.';
COMMENT ON COLUMN ledger.exchange_rates.recorded_by IS 'Who recorded it.';

CREATE TABLE ledger.finding_resolutions (
    invariant text NOT NULL,
    tenant_id text NOT NULL,
    subject text NOT NULL,
    resolved_at timestamp with time zone NOT NULL
);
COMMENT ON TABLE ledger.finding_resolutions IS 'Findings of the comparison with the api that hold again; never changed or removed.';
COMMENT ON COLUMN ledger.finding_resolutions.invariant IS 'The finding''s.';
COMMENT ON COLUMN ledger.finding_resolutions.tenant_id IS 'The finding''s.';
COMMENT ON COLUMN ledger.finding_resolutions.subject IS 'The finding''s.';
COMMENT ON COLUMN ledger.finding_resolutions.resolved_at IS 'When it was first found to hold again.';

CREATE TABLE ledger.findings (
    invariant text NOT NULL COLLATE pg_catalog."C",
    tenant_id text NOT NULL COLLATE pg_catalog."C",
    subject text NOT NULL COLLATE pg_catalog."C",
    detail text NOT NULL,
    found_at timestamp with time zone NOT NULL
);
COMMENT ON TABLE ledger.findings IS 'What the verifier found broken; never changed or removed.';
COMMENT ON COLUMN ledger.findings.invariant IS 'What should always be true: entry_sealed, group_linked.';
COMMENT ON COLUMN ledger.findings.tenant_id IS 'Whose books; empty where the chain itself is broken.';
COMMENT ON COLUMN ledger.findings.subject IS 'The entry, group, account or hold.';
COMMENT ON COLUMN ledger.findings.detail IS 'What was found, as a sentence.';
COMMENT ON COLUMN ledger.findings.found_at IS 'When it was first found.';

CREATE TABLE ledger.holds (
    tenant_id text NOT NULL COLLATE pg_catalog."C",
    id uuid NOT NULL,
    debit_account_id uuid NOT NULL,
    credit_account_id uuid NOT NULL,
    currency character(3) NOT NULL COLLATE pg_catalog."C",
    amount_minor bigint NOT NULL,
    state text NOT NULL COLLATE pg_catalog."C",
    captured_minor bigint DEFAULT '0'::bigint NOT NULL,
    entry_id uuid,
    placed_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    resolved_at timestamp with time zone,
    CONSTRAINT ck_holds_amount_minor CHECK ((amount_minor > 0)),
    CONSTRAINT ck_holds_captured_minor CHECK (((captured_minor >= 0) AND (captured_minor <= amount_minor))),
    CONSTRAINT ck_holds_entry_id CHECK (((state = 'CAPTURED'::text) = (entry_id IS NOT NULL))),
    CONSTRAINT ck_holds_resolved_at CHECK (((state = 'OPEN'::text) = (resolved_at IS NULL))),
    CONSTRAINT ck_holds_state CHECK ((state = ANY (ARRAY['OPEN'::text, 'CAPTURED'::text, 'VOIDED'::text, 'EXPIRED'::text])))
);
COMMENT ON TABLE ledger.holds IS 'Amounts set aside: a promise to move money between two accounts. The amounts of open ones are in balances.';
COMMENT ON COLUMN ledger.holds.tenant_id IS 'Whose accounts.';
COMMENT ON COLUMN ledger.holds.id IS 'Unique in the tenant''s books for ever.';
COMMENT ON COLUMN ledger.holds.debit_account_id IS 'The account that a capture debits.';
COMMENT ON COLUMN ledger.holds.credit_account_id IS 'The account that a capture credits.';
COMMENT ON COLUMN ledger.holds.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN ledger.holds.amount_minor IS 'What is held, in minor units.';
COMMENT ON COLUMN ledger.holds.state IS 'OPEN, then once CAPTURED, VOIDED or EXPIRED.';
COMMENT ON COLUMN ledger.holds.captured_minor IS 'What of it was posted, in minor units; the rest was let go.';
COMMENT ON COLUMN ledger.holds.entry_id IS 'The entry that captured it.';
COMMENT ON COLUMN ledger.holds.placed_at IS 'When it was placed.';
COMMENT ON COLUMN ledger.holds.expires_at IS 'When it is let go by itself; NULL: never.';
COMMENT ON COLUMN ledger.holds.resolved_at IS 'When it was captured, voided or expired.';

CREATE TABLE ledger.inbox (
    event_id uuid NOT NULL,
    queue text NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL
)
PARTITION BY RANGE (event_id);
COMMENT ON COLUMN ledger.inbox.event_id IS 'The event.';
COMMENT ON COLUMN ledger.inbox.queue IS 'Where it was received: one effect per consumer.';
COMMENT ON COLUMN ledger.inbox.received_at IS 'When it took effect.';

CREATE TABLE ledger.inbox_default (
    event_id uuid NOT NULL,
    queue text NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE ledger.journal_entries (
    tenant_id text NOT NULL COLLATE pg_catalog."C",
    id uuid NOT NULL,
    kind text NOT NULL COLLATE pg_catalog."C",
    payment_intent_id uuid,
    line_count smallint NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    posted_at timestamp with time zone NOT NULL,
    source_event_id uuid,
    digest bytea NOT NULL,
    effective_at timestamp with time zone NOT NULL,
    reverses uuid,
    chain smallint NOT NULL,
    sequence bigint NOT NULL,
    "position" integer NOT NULL,
    seal bytea NOT NULL,
    CONSTRAINT ck_journal_entries_digest CHECK ((octet_length(digest) = 32)),
    CONSTRAINT ck_journal_entries_line_count CHECK (((line_count >= 2) AND (line_count <= 1000))),
    CONSTRAINT ck_journal_entries_seal CHECK ((octet_length(seal) = 32))
);

ALTER TABLE ONLY ledger.journal_entries ALTER COLUMN line_count SET STATISTICS 0;

ALTER TABLE ONLY ledger.journal_entries ALTER COLUMN source_event_id SET STATISTICS 0;

ALTER TABLE ONLY ledger.journal_entries ALTER COLUMN digest SET STATISTICS 0;

ALTER TABLE ONLY ledger.journal_entries ALTER COLUMN "position" SET STATISTICS 0;

ALTER TABLE ONLY ledger.journal_entries ALTER COLUMN seal SET STATISTICS 0;
COMMENT ON TABLE ledger.journal_entries IS 'One business event each; inserted together with its postings in one statement, never changed or removed.';
COMMENT ON COLUMN ledger.journal_entries.tenant_id IS 'Whose books it changes.';
COMMENT ON COLUMN ledger.journal_entries.id IS 'UUIDv7, unique in the tenant''s books for ever.';
COMMENT ON COLUMN ledger.journal_entries.kind IS 'The business event that it records: capture.';
COMMENT ON COLUMN ledger.journal_entries.payment_intent_id IS 'The intent it belongs to, where there is one.';
COMMENT ON COLUMN ledger.journal_entries.line_count IS 'How many postings it has, for ever.';
COMMENT ON COLUMN ledger.journal_entries.occurred_at IS 'When it happened in the world.';
COMMENT ON COLUMN ledger.journal_entries.posted_at IS 'When it was recorded; strictly later than any earlier posting on the same accounts.';
COMMENT ON COLUMN ledger.journal_entries.source_event_id IS 'The message that caused it, where one did.';
COMMENT ON COLUMN ledger.journal_entries.digest IS 'SHA-256 of the content: tells a replay from a conflict when the id is seen again.';
COMMENT ON COLUMN ledger.journal_entries.effective_at IS 'When it counts in the books: occurred_at, or the first open instant where its period was closed.';
COMMENT ON COLUMN ledger.journal_entries.reverses IS 'The entry that it takes back, where it is a reversal.';
COMMENT ON COLUMN ledger.journal_entries.chain IS 'The chain that its group is a link of.';
COMMENT ON COLUMN ledger.journal_entries.sequence IS 'Its group''s place in the chain.';
COMMENT ON COLUMN ledger.journal_entries."position" IS 'Its place in the group, from 1, without gaps.';
COMMENT ON COLUMN ledger.journal_entries.seal IS 'SHA-256 of the entry and its postings in canonical bytes.';

CREATE TABLE ledger.journal_policies (
    tenant_id text NOT NULL COLLATE pg_catalog."C",
    manual_entries_need_approval boolean NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamp with time zone NOT NULL
);
COMMENT ON TABLE ledger.journal_policies IS 'What tenants demand of entries that people make; without a row, nothing.';
COMMENT ON COLUMN ledger.journal_policies.tenant_id IS 'Whose policy it is.';
COMMENT ON COLUMN ledger.journal_policies.manual_entries_need_approval IS 'Whether entries that people make are posted only once somebody else approves.';
COMMENT ON COLUMN ledger.journal_policies.changed_by IS 'Who changed it last: a subject.';
COMMENT ON COLUMN ledger.journal_policies.changed_at IS 'When it was changed last.';

CREATE TABLE ledger.journal_requests (
    tenant_id text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    fingerprint bytea NOT NULL,
    answer text NOT NULL,
    answered_at timestamp with time zone NOT NULL
);
COMMENT ON TABLE ledger.journal_requests IS 'Calls that posted entries by hand, by idempotency key; kept as long as the entries, for ever.';
COMMENT ON COLUMN ledger.journal_requests.tenant_id IS 'Whose key it is.';
COMMENT ON COLUMN ledger.journal_requests.key IS 'The client''s key, 1 to 255 visible ASCII characters.';
COMMENT ON COLUMN ledger.journal_requests.fingerprint IS 'SHA-256 of what was requested.';
COMMENT ON COLUMN ledger.journal_requests.answer IS 'What became of its entries, as JSON.';
COMMENT ON COLUMN ledger.journal_requests.answered_at IS 'When it was answered.';

CREATE TABLE ledger.manual_entries (
    tenant_id text NOT NULL COLLATE pg_catalog."C",
    entry_id uuid NOT NULL,
    description text NOT NULL,
    made_by text NOT NULL,
    approved_by text,
    proposal_id uuid,
    CONSTRAINT ck_manual_entries_two_people CHECK ((approved_by <> made_by))
);
COMMENT ON TABLE ledger.manual_entries IS 'Who made which journal entry by hand and why; written with it, never changed or removed.';
COMMENT ON COLUMN ledger.manual_entries.tenant_id IS 'Whose books it stands in.';
COMMENT ON COLUMN ledger.manual_entries.entry_id IS 'The journal entry.';
COMMENT ON COLUMN ledger.manual_entries.description IS 'Why it was made, 1 to 500 characters.';
COMMENT ON COLUMN ledger.manual_entries.made_by IS 'Who made it: a subject.';
COMMENT ON COLUMN ledger.manual_entries.approved_by IS 'Who approved it: another subject; NULL where nobody had to.';
COMMENT ON COLUMN ledger.manual_entries.proposal_id IS 'The proposal it comes from, where there is one.';

CREATE TABLE ledger.operator_actions (
    id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    detail text NOT NULL
);
COMMENT ON COLUMN ledger.operator_actions.id IS 'UUIDv7.';
COMMENT ON COLUMN ledger.operator_actions.at IS 'When.';
COMMENT ON COLUMN ledger.operator_actions.actor IS 'Who, as the machine knows them.';
COMMENT ON COLUMN ledger.operator_actions.action IS 'What was done: refused.given_up, refused.retried.';
COMMENT ON COLUMN ledger.operator_actions.subject IS 'To what: the destination.';
COMMENT ON COLUMN ledger.operator_actions.detail IS 'JSON: the reason, how many messages, and their ids.';

CREATE TABLE ledger.outbox (
    seq bigint NOT NULL,
    event_id uuid NOT NULL,
    contract text NOT NULL,
    tenant_id text NOT NULL,
    correlation_id text NOT NULL,
    traceparent text NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    body text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    available_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY ledger.outbox ALTER COLUMN event_id SET STATISTICS 0;

ALTER TABLE ONLY ledger.outbox ALTER COLUMN contract SET STATISTICS 0;

ALTER TABLE ONLY ledger.outbox ALTER COLUMN tenant_id SET STATISTICS 0;

ALTER TABLE ONLY ledger.outbox ALTER COLUMN correlation_id SET STATISTICS 0;

ALTER TABLE ONLY ledger.outbox ALTER COLUMN traceparent SET STATISTICS 0;

ALTER TABLE ONLY ledger.outbox ALTER COLUMN occurred_at SET STATISTICS 0;

ALTER TABLE ONLY ledger.outbox ALTER COLUMN body SET STATISTICS 0;
COMMENT ON COLUMN ledger.outbox.seq IS 'Order of insertion.';
COMMENT ON COLUMN ledger.outbox.event_id IS 'The message''s id for ever.';
COMMENT ON COLUMN ledger.outbox.contract IS 'Which contract: <kind>:<owner>:<name>.';
COMMENT ON COLUMN ledger.outbox.tenant_id IS 'The tenant it concerns; empty where there is none.';
COMMENT ON COLUMN ledger.outbox.correlation_id IS 'The cause it belongs to.';
COMMENT ON COLUMN ledger.outbox.traceparent IS 'W3C trace context of whoever published it.';
COMMENT ON COLUMN ledger.outbox.occurred_at IS 'When it happened.';
COMMENT ON COLUMN ledger.outbox.body IS 'The body as JSON, exactly as it will be sent.';
COMMENT ON COLUMN ledger.outbox.attempts IS 'Refusals by the broker.';
COMMENT ON COLUMN ledger.outbox.available_at IS 'Not sent before this instant.';

CREATE TABLE ledger.outbox_published (
    batch_id uuid NOT NULL,
    seq bigint NOT NULL,
    event_id uuid NOT NULL,
    contract text NOT NULL,
    tenant_id text NOT NULL,
    correlation_id text NOT NULL,
    traceparent text NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    body text NOT NULL,
    published_at timestamp with time zone DEFAULT now() NOT NULL
)
PARTITION BY RANGE (batch_id);
COMMENT ON COLUMN ledger.outbox_published.batch_id IS 'UUIDv7 of the relay''s round: when it was published.';
COMMENT ON COLUMN ledger.outbox_published.seq IS 'Its place in the outbox.';
COMMENT ON COLUMN ledger.outbox_published.event_id IS 'The message''s id for ever.';
COMMENT ON COLUMN ledger.outbox_published.contract IS 'Which contract: <kind>:<owner>:<name>.';
COMMENT ON COLUMN ledger.outbox_published.tenant_id IS 'The tenant it concerns; empty where there is none.';
COMMENT ON COLUMN ledger.outbox_published.correlation_id IS 'The cause it belongs to.';
COMMENT ON COLUMN ledger.outbox_published.traceparent IS 'W3C trace context of whoever published it.';
COMMENT ON COLUMN ledger.outbox_published.occurred_at IS 'When it happened.';
COMMENT ON COLUMN ledger.outbox_published.body IS 'The body as JSON, exactly as it was sent.';
COMMENT ON COLUMN ledger.outbox_published.published_at IS 'When it was published.';

CREATE TABLE ledger.outbox_published_default (
    batch_id uuid NOT NULL,
    seq bigint NOT NULL,
    event_id uuid NOT NULL,
    contract text NOT NULL,
    tenant_id text NOT NULL,
    correlation_id text NOT NULL,
    traceparent text NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    body text NOT NULL,
    published_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE ledger.outbox_refused (
    seq bigint NOT NULL,
    destination text NOT NULL,
    event_id uuid NOT NULL,
    contract text NOT NULL,
    tenant_id text NOT NULL,
    correlation_id text NOT NULL,
    traceparent text NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    body text NOT NULL,
    attempts integer NOT NULL,
    available_at timestamp with time zone NOT NULL
);
COMMENT ON COLUMN ledger.outbox_refused.seq IS 'Order of refusal.';
COMMENT ON COLUMN ledger.outbox_refused.destination IS 'The queue, or payments.x; empty: all that the contract names.';
COMMENT ON COLUMN ledger.outbox_refused.event_id IS 'The message''s id for ever.';
COMMENT ON COLUMN ledger.outbox_refused.contract IS 'Which contract: <kind>:<owner>:<name>.';
COMMENT ON COLUMN ledger.outbox_refused.tenant_id IS 'The tenant it concerns; empty where there is none.';
COMMENT ON COLUMN ledger.outbox_refused.correlation_id IS 'The cause it belongs to.';
COMMENT ON COLUMN ledger.outbox_refused.traceparent IS 'W3C trace context of whoever published it.';
COMMENT ON COLUMN ledger.outbox_refused.occurred_at IS 'When it happened.';
COMMENT ON COLUMN ledger.outbox_refused.body IS 'The body as JSON, exactly as it will be sent.';
COMMENT ON COLUMN ledger.outbox_refused.attempts IS 'Refusals so far.';
COMMENT ON COLUMN ledger.outbox_refused.available_at IS 'Not sent before this instant.';

ALTER TABLE ledger.outbox_refused ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ledger.outbox_refused_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ledger.outbox ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ledger.outbox_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE ledger.partition_rules (
    parent text NOT NULL,
    period text NOT NULL,
    key_column text NOT NULL,
    age_column text NOT NULL,
    kept_days_min integer NOT NULL,
    keeps_young boolean NOT NULL,
    options text DEFAULT ''::text NOT NULL,
    CONSTRAINT ck_partition_rules_kept_days_min CHECK ((kept_days_min > 0)),
    CONSTRAINT ck_partition_rules_period CHECK ((period = ANY (ARRAY['day'::text, 'month'::text])))
);
COMMENT ON TABLE ledger.partition_rules IS 'Which tables make_partition and drop_partition work on; written by migrations only.';
COMMENT ON COLUMN ledger.partition_rules.parent IS 'The partitioned table.';
COMMENT ON COLUMN ledger.partition_rules.period IS 'day or month: the time that one partition covers.';
COMMENT ON COLUMN ledger.partition_rules.key_column IS 'The UUIDv7 column whose time it goes by.';
COMMENT ON COLUMN ledger.partition_rules.age_column IS 'When a row came to be, whatever its id says.';
COMMENT ON COLUMN ledger.partition_rules.kept_days_min IS 'Partitions younger than this are never dropped.';
COMMENT ON COLUMN ledger.partition_rules.keeps_young IS 'Whether rows that came later than their ids say outlive their partition.';
COMMENT ON COLUMN ledger.partition_rules.options IS 'Storage parameters of a partition.';

CREATE TABLE ledger.periods (
    tenant_id text NOT NULL COLLATE pg_catalog."C",
    ends_before timestamp with time zone NOT NULL,
    closed_at timestamp with time zone NOT NULL,
    closed_by text NOT NULL
);
COMMENT ON TABLE ledger.periods IS 'Closed periods. A period is never opened again: what belongs into it is posted in the next open one.';
COMMENT ON COLUMN ledger.periods.tenant_id IS 'Whose books.';
COMMENT ON COLUMN ledger.periods.ends_before IS 'Everything effective before this instant is closed.';
COMMENT ON COLUMN ledger.periods.closed_at IS 'When it was closed.';
COMMENT ON COLUMN ledger.periods.closed_by IS 'Who closed it: the subject of the caller''s token.';

CREATE TABLE ledger.proposals (
    tenant_id text NOT NULL COLLATE pg_catalog."C",
    id uuid NOT NULL,
    status text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL,
    entries text NOT NULL,
    fingerprint bytea NOT NULL,
    made_by text NOT NULL,
    made_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    decided_by text,
    decided_at timestamp with time zone,
    decision_reason text,
    CONSTRAINT ck_proposals_decided CHECK ((((status = 'open'::text) = (decided_by IS NULL)) AND ((decided_by IS NULL) = (decided_at IS NULL)))),
    CONSTRAINT ck_proposals_status CHECK ((status = ANY (ARRAY['open'::text, 'approved'::text, 'rejected'::text]))),
    CONSTRAINT ck_proposals_two_people CHECK ((decided_by <> made_by))
);
COMMENT ON TABLE ledger.proposals IS 'Entries that one person wants and another one decides about.';
COMMENT ON COLUMN ledger.proposals.tenant_id IS 'Whose books it is about.';
COMMENT ON COLUMN ledger.proposals.id IS 'Derived from the tenant and the client''s key.';
COMMENT ON COLUMN ledger.proposals.status IS 'open, approved or rejected.';
COMMENT ON COLUMN ledger.proposals.reason IS 'Why it is proposed, 1 to 500 characters.';
COMMENT ON COLUMN ledger.proposals.entries IS 'What is proposed, as JSON, with the ids they will have.';
COMMENT ON COLUMN ledger.proposals.fingerprint IS 'SHA-256 of what was requested.';
COMMENT ON COLUMN ledger.proposals.made_by IS 'Who proposed it: a subject.';
COMMENT ON COLUMN ledger.proposals.made_at IS 'When it was proposed.';
COMMENT ON COLUMN ledger.proposals.expires_at IS 'Until then it can be decided.';
COMMENT ON COLUMN ledger.proposals.decided_by IS 'Who decided: another subject.';
COMMENT ON COLUMN ledger.proposals.decided_at IS 'When it was decided.';
COMMENT ON COLUMN ledger.proposals.decision_reason IS 'Why, where the one who decided says so.';

CREATE TABLE ledger.report_refreshes (
    refreshed_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone NOT NULL
);
COMMENT ON TABLE ledger.report_refreshes IS 'Each refresh of the report views of the last seven days.';
COMMENT ON COLUMN ledger.report_refreshes.refreshed_at IS 'When it began, by the database''s clock; everything committed before is in the reports.';
COMMENT ON COLUMN ledger.report_refreshes.finished_at IS 'When it was done.';

CREATE TABLE ledger.role_changes (
    tenant_id text NOT NULL COLLATE pg_catalog."C",
    revision bigint NOT NULL,
    role text NOT NULL COLLATE pg_catalog."C",
    account_id uuid NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    changed_by text NOT NULL,
    CONSTRAINT ck_role_changes_revision CHECK ((revision > 0))
);
COMMENT ON TABLE ledger.role_changes IS 'Who let which account play which role, and since when; never changed or removed. A role without a change is played by the platform''s own account.';
COMMENT ON COLUMN ledger.role_changes.tenant_id IS 'Whose chart it changes.';
COMMENT ON COLUMN ledger.role_changes.revision IS 'The tenant''s changes, numbered from 1.';
COMMENT ON COLUMN ledger.role_changes.role IS 'The role in the posting rules: CASH.';
COMMENT ON COLUMN ledger.role_changes.account_id IS 'The account that plays it from then on.';
COMMENT ON COLUMN ledger.role_changes.changed_at IS 'When it was changed.';
COMMENT ON COLUMN ledger.role_changes.changed_by IS 'Who changed it.';

CREATE VIEW ledger.role_accounts AS
 SELECT accounts.tenant_id,
    accounts.code AS role,
    accounts.id AS account_id
   FROM ledger.accounts
  WHERE accounts.is_default
UNION
 SELECT role_changes.tenant_id,
    role_changes.role,
    role_changes.account_id
   FROM ledger.role_changes;
COMMENT ON VIEW ledger.role_accounts IS 'Which accounts play which role in the posting rules.';

ALTER TABLE ONLY ledger.inbox ATTACH PARTITION ledger.inbox_default DEFAULT;

ALTER TABLE ONLY ledger.outbox_published ATTACH PARTITION ledger.outbox_published_default DEFAULT;

ALTER TABLE ONLY ledger.chain_checks
    ADD CONSTRAINT chain_checks_pkey PRIMARY KEY (chain);

ALTER TABLE ONLY ledger.chains
    ADD CONSTRAINT chains_pkey PRIMARY KEY (chain);

ALTER TABLE ONLY ledger.claim_checks
    ADD CONSTRAINT claim_checks_pkey PRIMARY KEY (chain);

ALTER TABLE ONLY ledger.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (event_id, queue);

ALTER TABLE ONLY ledger.inbox_default
    ADD CONSTRAINT inbox_default_pkey PRIMARY KEY (event_id, queue);

ALTER TABLE ONLY ledger.operator_actions
    ADD CONSTRAINT operator_actions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ledger.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (seq);

ALTER TABLE ONLY ledger.outbox_published
    ADD CONSTRAINT outbox_published_pkey PRIMARY KEY (batch_id, seq);

ALTER TABLE ONLY ledger.outbox_published_default
    ADD CONSTRAINT outbox_published_default_pkey PRIMARY KEY (batch_id, seq);

ALTER TABLE ONLY ledger.outbox_refused
    ADD CONSTRAINT outbox_refused_pkey PRIMARY KEY (seq);

ALTER TABLE ONLY ledger.partition_rules
    ADD CONSTRAINT partition_rules_pkey PRIMARY KEY (parent);

ALTER TABLE ONLY ledger.accounts
    ADD CONSTRAINT pk_accounts PRIMARY KEY (tenant_id, id);

ALTER TABLE ONLY ledger.balances
    ADD CONSTRAINT pk_balances PRIMARY KEY (tenant_id, account_id, currency);

ALTER TABLE ONLY ledger.claims
    ADD CONSTRAINT pk_claims PRIMARY KEY (entry_id, tenant_id, amount_minor, currency);

ALTER TABLE ONLY ledger.closings_under_way
    ADD CONSTRAINT pk_closings_under_way PRIMARY KEY (tenant_id, ends_before);

ALTER TABLE ONLY ledger.conversions
    ADD CONSTRAINT pk_conversions PRIMARY KEY (tenant_id, id);

ALTER TABLE ONLY ledger.effective_folds
    ADD CONSTRAINT pk_effective_folds PRIMARY KEY (tenant_id, account_id, currency);

ALTER TABLE ONLY ledger.effective_totals
    ADD CONSTRAINT pk_effective_totals PRIMARY KEY (account_id, currency, grain, starts_at, tenant_id) INCLUDE (debits_minor, credits_minor);

ALTER TABLE ONLY ledger.entry_groups
    ADD CONSTRAINT pk_entry_groups PRIMARY KEY (chain, sequence);

ALTER TABLE ONLY ledger.exchange_rates
    ADD CONSTRAINT pk_exchange_rates PRIMARY KEY (tenant_id, from_currency, to_currency, effective_at);

ALTER TABLE ONLY ledger.finding_resolutions
    ADD CONSTRAINT pk_finding_resolutions PRIMARY KEY (subject, invariant, tenant_id);

ALTER TABLE ONLY ledger.findings
    ADD CONSTRAINT pk_findings PRIMARY KEY (subject, invariant, tenant_id);

ALTER TABLE ONLY ledger.holds
    ADD CONSTRAINT pk_holds PRIMARY KEY (id, tenant_id);

ALTER TABLE ONLY ledger.journal_entries
    ADD CONSTRAINT pk_journal_entries PRIMARY KEY (id, tenant_id);

ALTER TABLE ONLY ledger.journal_policies
    ADD CONSTRAINT pk_journal_policies PRIMARY KEY (tenant_id);

ALTER TABLE ONLY ledger.journal_requests
    ADD CONSTRAINT pk_journal_requests PRIMARY KEY (tenant_id, key);

ALTER TABLE ONLY ledger.manual_entries
    ADD CONSTRAINT pk_manual_entries PRIMARY KEY (tenant_id, entry_id);

ALTER TABLE ONLY ledger.periods
    ADD CONSTRAINT pk_periods PRIMARY KEY (tenant_id, ends_before);

ALTER TABLE ONLY ledger.postings
    ADD CONSTRAINT pk_postings PRIMARY KEY (entry_id, tenant_id, line_no);

ALTER TABLE ONLY ledger.proposals
    ADD CONSTRAINT pk_proposals PRIMARY KEY (tenant_id, id);

ALTER TABLE ONLY ledger.role_changes
    ADD CONSTRAINT pk_role_changes PRIMARY KEY (tenant_id, revision);

ALTER TABLE ONLY ledger.accounts
    ADD CONSTRAINT uq_accounts_code UNIQUE (tenant_id, code);

ALTER TABLE ONLY ledger.postings
    ADD CONSTRAINT uq_postings_posted_at UNIQUE (account_id, currency, posted_at, version, tenant_id);

CREATE INDEX inbox_default_age ON ledger.inbox_default USING btree (received_at);

CREATE INDEX ix_inbox_received_at ON ONLY ledger.inbox USING brin (received_at);

CREATE INDEX inbox_default_received_at_idx ON ledger.inbox_default USING brin (received_at);

CREATE INDEX ix_balances_account ON ledger.balances USING btree (account_id, currency);

CREATE INDEX ix_claims_claimed_at ON ledger.claims USING btree (claimed_at) WHERE (NOT is_told);

CREATE INDEX ix_exchange_rates_effective_at ON ledger.exchange_rates USING btree (tenant_id, effective_at, from_currency, to_currency);

CREATE INDEX ix_holds_expires_at ON ledger.holds USING btree (expires_at) WHERE ((state = 'OPEN'::text) AND (expires_at IS NOT NULL));

CREATE INDEX ix_holds_placed_at ON ledger.holds USING btree (tenant_id, placed_at, id);

CREATE INDEX ix_holds_resolved_at ON ledger.holds USING btree (resolved_at) WHERE (resolved_at IS NOT NULL);

CREATE INDEX ix_journal_entries_group ON ledger.journal_entries USING btree (chain, sequence);

CREATE INDEX ix_journal_entries_payment_intent_id ON ledger.journal_entries USING btree (payment_intent_id, tenant_id) WHERE (payment_intent_id IS NOT NULL);

CREATE INDEX ix_journal_entries_posted_at ON ledger.journal_entries USING btree (tenant_id, posted_at, id);

CREATE INDEX ix_journal_requests_answered_at ON ledger.journal_requests USING btree (answered_at);

CREATE INDEX ix_outbox_refused_due ON ledger.outbox_refused USING btree (destination, available_at);

CREATE INDEX ix_postings_late ON ledger.postings USING btree (account_id, currency, effective_at, tenant_id) WHERE (((posted_at - effective_at) < '00:00:00'::interval) OR ((posted_at - effective_at) > '00:01:00'::interval));

CREATE INDEX ix_proposals_made_at ON ledger.proposals USING btree (tenant_id, made_at, id);

CREATE INDEX ix_report_refreshes_refreshed_at ON ledger.report_refreshes USING btree (refreshed_at);

CREATE INDEX ix_role_changes_role ON ledger.role_changes USING btree (tenant_id, role, revision);

CREATE INDEX outbox_published_default_age ON ledger.outbox_published_default USING btree (published_at);

CREATE UNIQUE INDEX uq_account_turnover ON ledger.account_turnover USING btree (tenant_id, account_id, currency, quarter_at);

CREATE UNIQUE INDEX uq_journal_entries_reverses ON ledger.journal_entries USING btree (reverses, tenant_id) WHERE (reverses IS NOT NULL);

ALTER INDEX ledger.inbox_pkey ATTACH PARTITION ledger.inbox_default_pkey;

ALTER INDEX ledger.ix_inbox_received_at ATTACH PARTITION ledger.inbox_default_received_at_idx;

ALTER INDEX ledger.outbox_published_pkey ATTACH PARTITION ledger.outbox_published_default_pkey;

CREATE TRIGGER check_added AFTER INSERT ON ledger.journal_entries REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger.check_journal_entries();

CREATE TRIGGER check_added AFTER INSERT ON ledger.postings REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger.check_postings();

CREATE TRIGGER keep_hold BEFORE UPDATE ON ledger.holds FOR EACH ROW EXECUTE FUNCTION ledger.keep_hold();

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.conversions FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.entry_groups FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.exchange_rates FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.finding_resolutions FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.findings FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.journal_entries FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.manual_entries FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.periods FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.postings FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.role_changes FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

ALTER TABLE ONLY ledger.balances
    ADD CONSTRAINT fk_balances_account FOREIGN KEY (tenant_id, account_id) REFERENCES ledger.accounts(tenant_id, id);

ALTER TABLE ONLY ledger.conversions
    ADD CONSTRAINT fk_conversions_from_account FOREIGN KEY (tenant_id, from_account_id) REFERENCES ledger.accounts(tenant_id, id);

ALTER TABLE ONLY ledger.conversions
    ADD CONSTRAINT fk_conversions_to_account FOREIGN KEY (tenant_id, to_account_id) REFERENCES ledger.accounts(tenant_id, id);

ALTER TABLE ONLY ledger.holds
    ADD CONSTRAINT fk_holds_credit FOREIGN KEY (tenant_id, credit_account_id, currency) REFERENCES ledger.balances(tenant_id, account_id, currency);

ALTER TABLE ONLY ledger.holds
    ADD CONSTRAINT fk_holds_debit FOREIGN KEY (tenant_id, debit_account_id, currency) REFERENCES ledger.balances(tenant_id, account_id, currency);

ALTER TABLE ONLY ledger.role_changes
    ADD CONSTRAINT fk_role_changes_account FOREIGN KEY (tenant_id, account_id) REFERENCES ledger.accounts(tenant_id, id);
REVOKE ALL ON FUNCTION ledger.begin_balances(wanted ledger.balance_key[]) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.begin_balances(wanted ledger.balance_key[]) TO ledger_app;
REVOKE ALL ON FUNCTION ledger.drop_partition(parent_name text, before timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.drop_partition(parent_name text, before timestamp with time zone) TO ledger_app;
REVOKE ALL ON FUNCTION ledger.forget_holds(before timestamp with time zone, rows_max integer) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.forget_holds(before timestamp with time zone, rows_max integer) TO ledger_app;
REVOKE ALL ON FUNCTION ledger.forget_journal_requests(before timestamp with time zone, rows_max integer) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.forget_journal_requests(before timestamp with time zone, rows_max integer) TO ledger_app;
REVOKE ALL ON FUNCTION ledger.lock_group(wanted ledger.balance_key[], entries ledger.entry_key[], tenants text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.lock_group(wanted ledger.balance_key[], entries ledger.entry_key[], tenants text[]) TO ledger_app;
REVOKE ALL ON FUNCTION ledger.make_partition(parent_name text, at timestamp with time zone, periods_ahead integer) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.make_partition(parent_name text, at timestamp with time zone, periods_ahead integer) TO ledger_app;
REVOKE ALL ON FUNCTION ledger.post_group(entries ledger.entry_row[], pending ledger.pending_step[], said ledger.outbox_row[], seals bytea, tenants text[], effective_from timestamp with time zone[]) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.post_group(entries ledger.entry_row[], pending ledger.pending_step[], said ledger.outbox_row[], seals bytea, tenants text[], effective_from timestamp with time zone[]) TO ledger_app;
REVOKE ALL ON FUNCTION ledger.prune_default_partition(parent_name text, before timestamp with time zone, rows_max integer) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.prune_default_partition(parent_name text, before timestamp with time zone, rows_max integer) TO ledger_app;
REVOKE ALL ON FUNCTION ledger.refresh_reports(age_max interval) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.refresh_reports(age_max interval) TO ledger_app;
GRANT SELECT ON TABLE ledger.postings TO ledger_app;
GRANT SELECT ON TABLE ledger.account_turnover TO ledger_app;
GRANT SELECT,INSERT ON TABLE ledger.accounts TO ledger_app;
GRANT SELECT ON TABLE ledger.balances TO ledger_app;
GRANT SELECT,INSERT,UPDATE ON TABLE ledger.chain_checks TO ledger_app;
GRANT SELECT ON TABLE ledger.chains TO ledger_app;
GRANT SELECT,INSERT,UPDATE ON TABLE ledger.claim_checks TO ledger_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ledger.claims TO ledger_app;
GRANT SELECT,INSERT,DELETE ON TABLE ledger.closings_under_way TO ledger_app;
GRANT SELECT,INSERT ON TABLE ledger.conversions TO ledger_app;
GRANT SELECT,INSERT,UPDATE ON TABLE ledger.effective_folds TO ledger_app;
GRANT SELECT,INSERT,UPDATE ON TABLE ledger.effective_totals TO ledger_app;
GRANT SELECT ON TABLE ledger.entry_groups TO ledger_app;
GRANT SELECT,INSERT ON TABLE ledger.exchange_rates TO ledger_app;
GRANT SELECT,INSERT ON TABLE ledger.finding_resolutions TO ledger_app;
GRANT SELECT,INSERT ON TABLE ledger.findings TO ledger_app;
GRANT SELECT,INSERT,UPDATE ON TABLE ledger.holds TO ledger_app;
GRANT SELECT,INSERT ON TABLE ledger.inbox TO ledger_app;
GRANT SELECT ON TABLE ledger.journal_entries TO ledger_app;
GRANT SELECT,INSERT,UPDATE ON TABLE ledger.journal_policies TO ledger_app;
GRANT SELECT,INSERT ON TABLE ledger.journal_requests TO ledger_app;
GRANT SELECT,INSERT ON TABLE ledger.manual_entries TO ledger_app;
GRANT SELECT,INSERT ON TABLE ledger.operator_actions TO ledger_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ledger.outbox TO ledger_app;
GRANT SELECT,INSERT ON TABLE ledger.outbox_published TO ledger_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ledger.outbox_refused TO ledger_app;
GRANT SELECT ON TABLE ledger.partition_rules TO ledger_app;
GRANT SELECT,INSERT ON TABLE ledger.periods TO ledger_app;
GRANT SELECT,INSERT ON TABLE ledger.proposals TO ledger_app;
GRANT UPDATE(status) ON TABLE ledger.proposals TO ledger_app;
GRANT UPDATE(decided_by) ON TABLE ledger.proposals TO ledger_app;
GRANT UPDATE(decided_at) ON TABLE ledger.proposals TO ledger_app;
GRANT UPDATE(decision_reason) ON TABLE ledger.proposals TO ledger_app;
GRANT SELECT ON TABLE ledger.report_refreshes TO ledger_app;
GRANT SELECT,INSERT ON TABLE ledger.role_changes TO ledger_app;
GRANT SELECT ON TABLE ledger.role_accounts TO ledger_app;
INSERT INTO ledger.chains (chain, sequence, hash) VALUES (0, 0, '\x0000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO ledger.chains (chain, sequence, hash) VALUES (1, 0, '\x0000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO ledger.chains (chain, sequence, hash) VALUES (2, 0, '\x0000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO ledger.chains (chain, sequence, hash) VALUES (3, 0, '\x0000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO ledger.chains (chain, sequence, hash) VALUES (4, 0, '\x0000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO ledger.chains (chain, sequence, hash) VALUES (5, 0, '\x0000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO ledger.chains (chain, sequence, hash) VALUES (6, 0, '\x0000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO ledger.chains (chain, sequence, hash) VALUES (7, 0, '\x0000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO ledger.chains (chain, sequence, hash) VALUES (8, 0, '\x0000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO ledger.chains (chain, sequence, hash) VALUES (9, 0, '\x0000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO ledger.chains (chain, sequence, hash) VALUES (10, 0, '\x0000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO ledger.chains (chain, sequence, hash) VALUES (11, 0, '\x0000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO ledger.chains (chain, sequence, hash) VALUES (12, 0, '\x0000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO ledger.chains (chain, sequence, hash) VALUES (13, 0, '\x0000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO ledger.chains (chain, sequence, hash) VALUES (14, 0, '\x0000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO ledger.chains (chain, sequence, hash) VALUES (15, 0, '\x0000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO ledger.partition_rules (parent, period, key_column, age_column, kept_days_min, keeps_young, options) VALUES ('inbox', 'day', 'event_id', 'received_at', 2, true, '');
INSERT INTO ledger.partition_rules (parent, period, key_column, age_column, kept_days_min, keeps_young, options) VALUES ('outbox_published', 'day', 'batch_id', 'published_at', 1, false, '');
INSERT INTO ledger.report_refreshes (refreshed_at, finished_at) VALUES (now(), now());
