CREATE FUNCTION gateway.drop_partition(parent_name text, before timestamp with time zone) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'gateway', 'pg_temp'
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
    IF NOT pg_try_advisory_xact_lock(hashtextextended('partitions gateway.' || parent_name, 0)) THEN
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
COMMENT ON FUNCTION gateway.drop_partition(parent_name text, before timestamp with time zone) IS 'Drops the oldest partition that ended before an instant.';

CREATE FUNCTION gateway.first_id(instant timestamp with time zone) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT
    AS $$
    SELECT (lpad(to_hex(greatest(0, floor(extract(epoch FROM instant) * 1000))::bigint), 12, '0') || repeat('0', 20))::uuid
$$;
COMMENT ON FUNCTION gateway.first_id(instant timestamp with time zone) IS 'The least UUIDv7 that can be minted at an instant.';

CREATE FUNCTION gateway.forget_attempts(before timestamp with time zone, at_most integer) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'gateway', 'pg_temp'
    AS $$
    WITH gone AS (
        DELETE FROM attempts WHERE ctid = ANY (ARRAY(
            SELECT old.ctid FROM attempts old
            WHERE old.id < first_id(least(before, now() - interval '180 days'))
              AND old.updated_at < least(before, now() - interval '180 days')
              AND NOT EXISTS (
                SELECT 1 FROM attempts kept
                WHERE kept.payment_intent_id = old.payment_intent_id AND kept.tenant_id = old.tenant_id
                  AND (kept.updated_at >= least(before, now() - interval '180 days')
                       OR kept.status NOT IN ('APPROVED', 'DECLINED', 'REVERSED')))
            ORDER BY old.id LIMIT at_most))
        RETURNING 1)
    SELECT count(*) FROM gone
$$;

CREATE FUNCTION gateway.make_partition(parent_name text, at timestamp with time zone, periods_ahead integer) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'gateway', 'pg_temp'
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
    IF NOT pg_try_advisory_xact_lock(hashtextextended('partitions gateway.' || parent_name, 0)) THEN
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
COMMENT ON FUNCTION gateway.make_partition(parent_name text, at timestamp with time zone, periods_ahead integer) IS 'Makes the partition of a period, ahead of its time.';

CREATE FUNCTION gateway.partitions_of(parent_name text) RETURNS TABLE(name text, begins uuid, ends uuid)
    LANGUAGE sql STABLE STRICT
    AS $$
    SELECT c.relname, substring(b.bound FROM 'FROM \(''([^'']+)''\)')::uuid,
           substring(b.bound FROM 'TO \(''([^'']+)''\)')::uuid
      FROM (SELECT c.oid, c.relname::text, c.relpartbound FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
             WHERE i.inhparent = parent_name::regclass OFFSET 0) AS c
     CROSS JOIN LATERAL (SELECT pg_get_expr(c.relpartbound, c.oid) AS bound OFFSET 0) AS b
     WHERE b.bound <> 'DEFAULT'
$$;
COMMENT ON FUNCTION gateway.partitions_of(parent_name text) IS 'The partitions of a table but the default one, with bounds.';

CREATE FUNCTION gateway.prune_default_partition(parent_name text, before timestamp with time zone, rows_max integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'gateway', 'pg_temp'
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
COMMENT ON FUNCTION gateway.prune_default_partition(parent_name text, before timestamp with time zone, rows_max integer) IS 'Deletes old rows of the default partition.';

CREATE FUNCTION gateway.time_of_id(id uuid) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE STRICT
    AS $$
    SELECT to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)
$$;
COMMENT ON FUNCTION gateway.time_of_id(id uuid) IS 'When a UUIDv7 was minted.';

CREATE TABLE gateway.attempts (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    payment_intent_id uuid NOT NULL,
    operation text NOT NULL,
    processor text NOT NULL,
    status text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    customer_ref text NOT NULL,
    gateway_ref text NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    detail text DEFAULT ''::text NOT NULL,
    asks integer DEFAULT 0 NOT NULL,
    asked_at timestamp with time zone,
    next_ask_at timestamp with time zone,
    decided_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    correlation_id text NOT NULL,
    traceparent text NOT NULL,
    refund_id uuid,
    payment_method text DEFAULT ''::text NOT NULL,
    capture_method text DEFAULT 'automatic'::text NOT NULL,
    note text DEFAULT ''::text NOT NULL,
    result_ref text DEFAULT ''::text NOT NULL,
    action_url text DEFAULT ''::text NOT NULL,
    expires_at timestamp with time zone,
    CONSTRAINT ck_attempts_amount_above_zero CHECK ((amount_minor > 0)),
    CONSTRAINT ck_attempts_refund CHECK (((operation = 'refund'::text) = (refund_id IS NOT NULL))),
    CONSTRAINT ck_attempts_status_is_known CHECK ((status = ANY (ARRAY['PENDING'::text, 'UNKNOWN'::text, 'ACCEPTED'::text, 'ACTION_REQUIRED'::text, 'APPROVED'::text, 'DECLINED'::text, 'REVERSED'::text])))
)
WITH (fillfactor='85');
COMMENT ON TABLE gateway.attempts IS 'One operation on one payment intent, written down before the processor is asked.';
COMMENT ON COLUMN gateway.attempts.tenant_id IS 'Whose payment it is.';
COMMENT ON COLUMN gateway.attempts.id IS 'Derived from the tenant, the subject and the operation; as text, the processor''s idempotency key.';
COMMENT ON COLUMN gateway.attempts.payment_intent_id IS 'The intent that the operation serves.';
COMMENT ON COLUMN gateway.attempts.operation IS 'What is asked: authorize, capture, void, expire, refund.';
COMMENT ON COLUMN gateway.attempts.processor IS 'Which processor is asked: only that one knows the key.';
COMMENT ON COLUMN gateway.attempts.status IS 'What we know: PENDING, UNKNOWN, ACCEPTED, ACTION_REQUIRED, APPROVED, DECLINED, REVERSED.';
COMMENT ON COLUMN gateway.attempts.amount_minor IS 'Amount in minor units, above zero.';
COMMENT ON COLUMN gateway.attempts.currency IS 'ISO 4217 code, upper case.';
COMMENT ON COLUMN gateway.attempts.customer_ref IS 'The merchant''s reference of the customer, or empty.';
COMMENT ON COLUMN gateway.attempts.gateway_ref IS 'The processor''s reference: of the authorization a capture builds on, or of an approved authorization.';
COMMENT ON COLUMN gateway.attempts.reason IS 'Why declined or unknown, as a word.';
COMMENT ON COLUMN gateway.attempts.detail IS 'Why declined, as a sentence.';
COMMENT ON COLUMN gateway.attempts.asks IS 'How often the processor was asked.';
COMMENT ON COLUMN gateway.attempts.asked_at IS 'When the processor may first have heard the key; NULL when it certainly has not.';
COMMENT ON COLUMN gateway.attempts.next_ask_at IS 'From when on anybody may ask again; NULL once decided, or left to a person.';
COMMENT ON COLUMN gateway.attempts.decided_at IS 'When the processor did or refused it, in its words.';
COMMENT ON COLUMN gateway.attempts.created_at IS 'When it was written down.';
COMMENT ON COLUMN gateway.attempts.updated_at IS 'When it last changed.';
COMMENT ON COLUMN gateway.attempts.correlation_id IS 'The cause it belongs to.';
COMMENT ON COLUMN gateway.attempts.traceparent IS 'W3C trace context of whoever asked for it.';
COMMENT ON COLUMN gateway.attempts.refund_id IS 'The refund that it gives back; NULL where it is about the payment.';
COMMENT ON COLUMN gateway.attempts.payment_method IS 'The processor''s token of what is charged, or empty.';
COMMENT ON COLUMN gateway.attempts.capture_method IS 'manual where the end of the hold is watched.';
COMMENT ON COLUMN gateway.attempts.note IS 'The merchant''s words about a refund.';
COMMENT ON COLUMN gateway.attempts.result_ref IS 'The processor''s reference of what came of it; empty until it has told one.';
COMMENT ON COLUMN gateway.attempts.action_url IS 'Where the customer proves who they are, or empty.';
COMMENT ON COLUMN gateway.attempts.expires_at IS 'When the hold ends by itself; NULL where that is not, or no longer, watched.';

CREATE TABLE gateway.disputes (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    payment_intent_id uuid NOT NULL,
    processor text NOT NULL,
    gateway_ref text NOT NULL,
    state text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    reason text NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    evidence_due_at timestamp with time zone,
    decided_at timestamp with time zone,
    updated_at timestamp with time zone NOT NULL,
    reversals smallint DEFAULT 0 NOT NULL,
    CONSTRAINT ck_disputes_amount_above_zero CHECK ((amount_minor > 0)),
    CONSTRAINT ck_disputes_state CHECK ((state = ANY (ARRAY['open'::text, 'won'::text, 'lost'::text])))
);
COMMENT ON TABLE gateway.disputes IS 'Disputes of payments, as the processor told them.';
COMMENT ON COLUMN gateway.disputes.tenant_id IS 'Whose payment it is.';
COMMENT ON COLUMN gateway.disputes.id IS 'Derived from the processor''s reference of the dispute.';
COMMENT ON COLUMN gateway.disputes.payment_intent_id IS 'The disputed payment.';
COMMENT ON COLUMN gateway.disputes.processor IS 'Who told us.';
COMMENT ON COLUMN gateway.disputes.gateway_ref IS 'The processor''s reference of the dispute.';
COMMENT ON COLUMN gateway.disputes.state IS 'How far it is: open, won, lost.';
COMMENT ON COLUMN gateway.disputes.amount_minor IS 'The disputed amount in minor units.';
COMMENT ON COLUMN gateway.disputes.currency IS 'ISO 4217 code, upper case.';
COMMENT ON COLUMN gateway.disputes.reason IS 'The bank''s reason, as a word.';
COMMENT ON COLUMN gateway.disputes.opened_at IS 'When, in the processor''s words.';
COMMENT ON COLUMN gateway.disputes.evidence_due_at IS 'Until when the merchant may answer.';
COMMENT ON COLUMN gateway.disputes.decided_at IS 'When it was won or lost; NULL while it is open.';
COMMENT ON COLUMN gateway.disputes.updated_at IS 'When it last changed.';
COMMENT ON COLUMN gateway.disputes.reversals IS 'How often the bank has reversed its decision.';

CREATE TABLE gateway.gateway_configs (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    processor text NOT NULL,
    currencies text[] NOT NULL,
    sealed_key bytea NOT NULL,
    key_last4 text NOT NULL,
    sealed_webhook_secrets bytea[] NOT NULL,
    webhook_last4 text NOT NULL,
    payment_method text NOT NULL,
    return_url text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT ck_gateway_configs_processor CHECK ((processor = ANY (ARRAY['stripe'::text, 'sandbox'::text])))
);
COMMENT ON TABLE gateway.gateway_configs IS 'Through which processor account a tenant charges.';
COMMENT ON COLUMN gateway.gateway_configs.tenant_id IS 'Who charges this way.';
COMMENT ON COLUMN gateway.gateway_configs.id IS 'The configuration; part of the processor''s name in attempts.';
COMMENT ON COLUMN gateway.gateway_configs.processor IS 'stripe or sandbox.';
COMMENT ON COLUMN gateway.gateway_configs.currencies IS 'ISO 4217 codes that go this way; empty: all.';
COMMENT ON COLUMN gateway.gateway_configs.sealed_key IS 'The secret key, sealed; empty for the sandbox.';
COMMENT ON COLUMN gateway.gateway_configs.key_last4 IS 'The end of the secret key, to be shown.';
COMMENT ON COLUMN gateway.gateway_configs.sealed_webhook_secrets IS 'What webhooks are signed with, sealed: the current secret, then the one before it.';
COMMENT ON COLUMN gateway.gateway_configs.webhook_last4 IS 'The end of the current webhook secret, to be shown.';
COMMENT ON COLUMN gateway.gateway_configs.payment_method IS 'What is charged where a payment names nothing.';
COMMENT ON COLUMN gateway.gateway_configs.return_url IS 'Where customers come back to after proving who they are.';
COMMENT ON COLUMN gateway.gateway_configs.created_at IS 'When it was added.';
COMMENT ON COLUMN gateway.gateway_configs.updated_at IS 'When it last changed.';
COMMENT ON COLUMN gateway.gateway_configs.deleted_at IS 'From when on no new payment goes this way; payments that did are still captured and refunded by it.';

CREATE TABLE gateway.inbox (
    event_id uuid NOT NULL,
    queue text NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL
)
PARTITION BY RANGE (event_id);
COMMENT ON COLUMN gateway.inbox.event_id IS 'The event.';
COMMENT ON COLUMN gateway.inbox.queue IS 'Where it was received: one effect per consumer.';
COMMENT ON COLUMN gateway.inbox.received_at IS 'When it took effect.';

CREATE TABLE gateway.inbox_default (
    event_id uuid NOT NULL,
    queue text NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE gateway.operator_actions (
    id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    detail text NOT NULL
);
COMMENT ON COLUMN gateway.operator_actions.id IS 'UUIDv7.';
COMMENT ON COLUMN gateway.operator_actions.at IS 'When.';
COMMENT ON COLUMN gateway.operator_actions.actor IS 'Who, as the machine knows them.';
COMMENT ON COLUMN gateway.operator_actions.action IS 'What was done: refused.given_up, refused.retried.';
COMMENT ON COLUMN gateway.operator_actions.subject IS 'To what: the destination.';
COMMENT ON COLUMN gateway.operator_actions.detail IS 'JSON: the reason, how many messages, and their ids.';

CREATE TABLE gateway.outbox (
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
COMMENT ON TABLE gateway.outbox IS 'What was decided and is still to be said.';
COMMENT ON COLUMN gateway.outbox.seq IS 'Order of insertion.';
COMMENT ON COLUMN gateway.outbox.event_id IS 'The message''s id for ever.';
COMMENT ON COLUMN gateway.outbox.contract IS 'Which contract: <kind>:<owner>:<name>.';
COMMENT ON COLUMN gateway.outbox.tenant_id IS 'The tenant it concerns; empty where there is none.';
COMMENT ON COLUMN gateway.outbox.correlation_id IS 'The cause it belongs to.';
COMMENT ON COLUMN gateway.outbox.traceparent IS 'W3C trace context of whoever published it.';
COMMENT ON COLUMN gateway.outbox.occurred_at IS 'When it happened.';
COMMENT ON COLUMN gateway.outbox.body IS 'The body as JSON, exactly as it will be sent.';
COMMENT ON COLUMN gateway.outbox.attempts IS 'Refusals by the broker.';
COMMENT ON COLUMN gateway.outbox.available_at IS 'Not sent before this instant.';

CREATE TABLE gateway.outbox_published (
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
COMMENT ON COLUMN gateway.outbox_published.batch_id IS 'UUIDv7 of the relay''s round: when it was published.';
COMMENT ON COLUMN gateway.outbox_published.seq IS 'Its place in the outbox.';
COMMENT ON COLUMN gateway.outbox_published.event_id IS 'The message''s id for ever.';
COMMENT ON COLUMN gateway.outbox_published.contract IS 'Which contract: <kind>:<owner>:<name>.';
COMMENT ON COLUMN gateway.outbox_published.tenant_id IS 'The tenant it concerns; empty where there is none.';
COMMENT ON COLUMN gateway.outbox_published.correlation_id IS 'The cause it belongs to.';
COMMENT ON COLUMN gateway.outbox_published.traceparent IS 'W3C trace context of whoever published it.';
COMMENT ON COLUMN gateway.outbox_published.occurred_at IS 'When it happened.';
COMMENT ON COLUMN gateway.outbox_published.body IS 'The body as JSON, exactly as it was sent.';
COMMENT ON COLUMN gateway.outbox_published.published_at IS 'When it was published.';

CREATE TABLE gateway.outbox_published_default (
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

CREATE TABLE gateway.outbox_refused (
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
COMMENT ON COLUMN gateway.outbox_refused.seq IS 'Order of refusal.';
COMMENT ON COLUMN gateway.outbox_refused.destination IS 'The queue, or payments.x; empty: all that the contract names.';
COMMENT ON COLUMN gateway.outbox_refused.event_id IS 'The message''s id for ever.';
COMMENT ON COLUMN gateway.outbox_refused.contract IS 'Which contract: <kind>:<owner>:<name>.';
COMMENT ON COLUMN gateway.outbox_refused.tenant_id IS 'The tenant it concerns; empty where there is none.';
COMMENT ON COLUMN gateway.outbox_refused.correlation_id IS 'The cause it belongs to.';
COMMENT ON COLUMN gateway.outbox_refused.traceparent IS 'W3C trace context of whoever published it.';
COMMENT ON COLUMN gateway.outbox_refused.occurred_at IS 'When it happened.';
COMMENT ON COLUMN gateway.outbox_refused.body IS 'The body as JSON, exactly as it will be sent.';
COMMENT ON COLUMN gateway.outbox_refused.attempts IS 'Refusals so far.';
COMMENT ON COLUMN gateway.outbox_refused.available_at IS 'Not sent before this instant.';

ALTER TABLE gateway.outbox_refused ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME gateway.outbox_refused_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE gateway.outbox ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME gateway.outbox_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE gateway.partition_rules (
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
COMMENT ON TABLE gateway.partition_rules IS 'Which tables make_partition and drop_partition work on; written by migrations only.';
COMMENT ON COLUMN gateway.partition_rules.parent IS 'The partitioned table.';
COMMENT ON COLUMN gateway.partition_rules.period IS 'day or month: the time that one partition covers.';
COMMENT ON COLUMN gateway.partition_rules.key_column IS 'The UUIDv7 column whose time it goes by.';
COMMENT ON COLUMN gateway.partition_rules.age_column IS 'When a row came to be, whatever its id says.';
COMMENT ON COLUMN gateway.partition_rules.kept_days_min IS 'Partitions younger than this are never dropped.';
COMMENT ON COLUMN gateway.partition_rules.keeps_young IS 'Whether rows that came later than their ids say outlive their partition.';
COMMENT ON COLUMN gateway.partition_rules.options IS 'Storage parameters of a partition.';

CREATE TABLE gateway.processor_accounts (
    processor text NOT NULL,
    tenant_id text NOT NULL,
    account_id text NOT NULL,
    is_live boolean NOT NULL,
    known_at timestamp with time zone NOT NULL
);
COMMENT ON TABLE gateway.processor_accounts IS 'Of which Stripe account each configuration is, whether it owns the account or not.';
COMMENT ON COLUMN gateway.processor_accounts.processor IS 'Its name in attempts: stripe, or stripe:<id>.';
COMMENT ON COLUMN gateway.processor_accounts.tenant_id IS 'Whose it is; the platform''s own for its own.';
COMMENT ON COLUMN gateway.processor_accounts.account_id IS 'Stripe''s id of the account: acct_...';
COMMENT ON COLUMN gateway.processor_accounts.is_live IS 'Live or test mode, which share nothing.';
COMMENT ON COLUMN gateway.processor_accounts.known_at IS 'When Stripe named it.';

CREATE TABLE gateway.sandbox_payments (
    ref text NOT NULL,
    body text NOT NULL,
    due_at timestamp with time zone
)
WITH (fillfactor='70');
COMMENT ON TABLE gateway.sandbox_payments IS 'The sandbox''s own memory; nothing else reads it.';
COMMENT ON COLUMN gateway.sandbox_payments.ref IS 'The sandbox''s reference of the payment.';
COMMENT ON COLUMN gateway.sandbox_payments.body IS 'The payment as the sandbox remembers it, as JSON.';
COMMENT ON COLUMN gateway.sandbox_payments.due_at IS 'When something is to happen to it by itself.';

CREATE TABLE gateway.stripe_accounts (
    account_id text NOT NULL,
    is_live boolean NOT NULL,
    tenant_id text NOT NULL,
    processor text,
    known_at timestamp with time zone NOT NULL
);
COMMENT ON TABLE gateway.stripe_accounts IS 'The Stripe accounts that tenants charge through, each by one configuration.';
COMMENT ON COLUMN gateway.stripe_accounts.account_id IS 'Stripe''s id of the account: acct_...';
COMMENT ON COLUMN gateway.stripe_accounts.is_live IS 'Live or test mode, which share nothing.';
COMMENT ON COLUMN gateway.stripe_accounts.tenant_id IS 'Whose it is; the platform''s own for its own.';
COMMENT ON COLUMN gateway.stripe_accounts.processor IS 'Its name in attempts: stripe, or stripe:<id>.';
COMMENT ON COLUMN gateway.stripe_accounts.known_at IS 'When Stripe named it.';

CREATE TABLE gateway.stripe_events (
    tenant_id text NOT NULL,
    processor text NOT NULL,
    id text NOT NULL,
    type text NOT NULL,
    status text NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    payment_intent_id uuid,
    body text NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    next_try_at timestamp with time zone,
    happened_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    handled_at timestamp with time zone,
    CONSTRAINT ck_stripe_events_status CHECK ((status = ANY (ARRAY['RECEIVED'::text, 'HANDLED'::text, 'IGNORED'::text, 'UNMATCHED'::text, 'CONTRADICTED'::text, 'FAILED'::text])))
)
WITH (fillfactor='85');
COMMENT ON TABLE gateway.stripe_events IS 'What Stripe told unasked.';
COMMENT ON COLUMN gateway.stripe_events.tenant_id IS 'Whose account sent it; the platform''s own for its own.';
COMMENT ON COLUMN gateway.stripe_events.processor IS 'The account: stripe, or stripe:<configuration>.';
COMMENT ON COLUMN gateway.stripe_events.id IS 'Stripe''s id of the event.';
COMMENT ON COLUMN gateway.stripe_events.type IS 'Stripe''s name for what happened.';
COMMENT ON COLUMN gateway.stripe_events.status IS 'RECEIVED, HANDLED, IGNORED, UNMATCHED, CONTRADICTED or FAILED.';
COMMENT ON COLUMN gateway.stripe_events.reason IS 'Why it was not simply handled, as a word.';
COMMENT ON COLUMN gateway.stripe_events.payment_intent_id IS 'The payment that it is about, where we know it.';
COMMENT ON COLUMN gateway.stripe_events.body IS 'The event exactly as it came, signature verified.';
COMMENT ON COLUMN gateway.stripe_events.tries IS 'How often it was worked on.';
COMMENT ON COLUMN gateway.stripe_events.next_try_at IS 'From when on it may be worked on; NULL once done.';
COMMENT ON COLUMN gateway.stripe_events.happened_at IS 'When, in Stripe''s words.';
COMMENT ON COLUMN gateway.stripe_events.received_at IS 'When it first came.';
COMMENT ON COLUMN gateway.stripe_events.handled_at IS 'When it was last worked on.';

ALTER TABLE ONLY gateway.inbox ATTACH PARTITION gateway.inbox_default DEFAULT;

ALTER TABLE ONLY gateway.outbox_published ATTACH PARTITION gateway.outbox_published_default DEFAULT;

ALTER TABLE ONLY gateway.attempts
    ADD CONSTRAINT attempts_pkey PRIMARY KEY (id, tenant_id);

ALTER TABLE ONLY gateway.disputes
    ADD CONSTRAINT disputes_pkey PRIMARY KEY (id, tenant_id);

ALTER TABLE ONLY gateway.gateway_configs
    ADD CONSTRAINT gateway_configs_pkey PRIMARY KEY (id, tenant_id);

ALTER TABLE ONLY gateway.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (event_id, queue);

ALTER TABLE ONLY gateway.inbox_default
    ADD CONSTRAINT inbox_default_pkey PRIMARY KEY (event_id, queue);

ALTER TABLE ONLY gateway.operator_actions
    ADD CONSTRAINT operator_actions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY gateway.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (seq);

ALTER TABLE ONLY gateway.outbox_published
    ADD CONSTRAINT outbox_published_pkey PRIMARY KEY (batch_id, seq);

ALTER TABLE ONLY gateway.outbox_published_default
    ADD CONSTRAINT outbox_published_default_pkey PRIMARY KEY (batch_id, seq);

ALTER TABLE ONLY gateway.outbox_refused
    ADD CONSTRAINT outbox_refused_pkey PRIMARY KEY (seq);

ALTER TABLE ONLY gateway.partition_rules
    ADD CONSTRAINT partition_rules_pkey PRIMARY KEY (parent);

ALTER TABLE ONLY gateway.processor_accounts
    ADD CONSTRAINT pk_processor_accounts PRIMARY KEY (processor, tenant_id);

ALTER TABLE ONLY gateway.stripe_accounts
    ADD CONSTRAINT pk_stripe_accounts PRIMARY KEY (account_id, is_live);

ALTER TABLE ONLY gateway.sandbox_payments
    ADD CONSTRAINT sandbox_payments_pkey PRIMARY KEY (ref);

ALTER TABLE ONLY gateway.stripe_events
    ADD CONSTRAINT stripe_events_pkey PRIMARY KEY (id, processor, tenant_id);

ALTER TABLE ONLY gateway.stripe_accounts
    ADD CONSTRAINT uq_stripe_accounts_processor UNIQUE (processor, tenant_id);

CREATE INDEX inbox_default_age ON gateway.inbox_default USING btree (received_at);

CREATE INDEX ix_inbox_received_at ON ONLY gateway.inbox USING brin (received_at);

CREATE INDEX inbox_default_received_at_idx ON gateway.inbox_default USING brin (received_at);

CREATE INDEX ix_attempts_expires ON gateway.attempts USING btree (expires_at) WHERE (expires_at IS NOT NULL);

CREATE INDEX ix_attempts_gateway_ref ON gateway.attempts USING btree (gateway_ref) WHERE ((operation = 'authorize'::text) AND (processor <> 'sandbox'::text));

CREATE INDEX ix_attempts_open ON gateway.attempts USING btree (next_ask_at) WHERE (status = ANY (ARRAY['PENDING'::text, 'UNKNOWN'::text, 'ACCEPTED'::text, 'ACTION_REQUIRED'::text]));

CREATE INDEX ix_attempts_payment_intent ON gateway.attempts USING btree (payment_intent_id, tenant_id);

CREATE INDEX ix_disputes_payment_intent ON gateway.disputes USING btree (payment_intent_id, tenant_id);

CREATE INDEX ix_gateway_configs_tenant ON gateway.gateway_configs USING btree (tenant_id, created_at);

CREATE INDEX ix_outbox_refused_due ON gateway.outbox_refused USING btree (destination, available_at);

CREATE INDEX ix_sandbox_payments_due ON gateway.sandbox_payments USING btree (due_at) WHERE (due_at IS NOT NULL);

CREATE INDEX ix_stripe_events_done ON gateway.stripe_events USING btree (received_at) WHERE ((next_try_at IS NULL) AND (status = ANY (ARRAY['HANDLED'::text, 'IGNORED'::text])));

CREATE INDEX ix_stripe_events_tenant ON gateway.stripe_events USING btree (tenant_id, received_at);

CREATE INDEX ix_stripe_events_waiting ON gateway.stripe_events USING btree (tenant_id, processor, next_try_at) WHERE (next_try_at IS NOT NULL);

CREATE INDEX outbox_published_default_age ON gateway.outbox_published_default USING btree (published_at);

ALTER INDEX gateway.inbox_pkey ATTACH PARTITION gateway.inbox_default_pkey;

ALTER INDEX gateway.ix_inbox_received_at ATTACH PARTITION gateway.inbox_default_received_at_idx;

ALTER INDEX gateway.outbox_published_pkey ATTACH PARTITION gateway.outbox_published_default_pkey;
REVOKE ALL ON FUNCTION gateway.drop_partition(parent_name text, before timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION gateway.drop_partition(parent_name text, before timestamp with time zone) TO gateway_app;
REVOKE ALL ON FUNCTION gateway.forget_attempts(before timestamp with time zone, at_most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION gateway.forget_attempts(before timestamp with time zone, at_most integer) TO gateway_app;
REVOKE ALL ON FUNCTION gateway.make_partition(parent_name text, at timestamp with time zone, periods_ahead integer) FROM PUBLIC;
GRANT ALL ON FUNCTION gateway.make_partition(parent_name text, at timestamp with time zone, periods_ahead integer) TO gateway_app;
REVOKE ALL ON FUNCTION gateway.prune_default_partition(parent_name text, before timestamp with time zone, rows_max integer) FROM PUBLIC;
GRANT ALL ON FUNCTION gateway.prune_default_partition(parent_name text, before timestamp with time zone, rows_max integer) TO gateway_app;
GRANT SELECT,INSERT,UPDATE ON TABLE gateway.attempts TO gateway_app;
GRANT SELECT,INSERT,UPDATE ON TABLE gateway.disputes TO gateway_app;
GRANT SELECT,INSERT,UPDATE ON TABLE gateway.gateway_configs TO gateway_app;
GRANT SELECT,INSERT ON TABLE gateway.inbox TO gateway_app;
GRANT SELECT,INSERT ON TABLE gateway.operator_actions TO gateway_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE gateway.outbox TO gateway_app;
GRANT SELECT,INSERT ON TABLE gateway.outbox_published TO gateway_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE gateway.outbox_refused TO gateway_app;
GRANT SELECT ON TABLE gateway.partition_rules TO gateway_app;
GRANT SELECT,INSERT,UPDATE ON TABLE gateway.processor_accounts TO gateway_app;
GRANT SELECT,INSERT,UPDATE ON TABLE gateway.sandbox_payments TO gateway_app;
GRANT SELECT,INSERT,UPDATE ON TABLE gateway.stripe_accounts TO gateway_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE gateway.stripe_events TO gateway_app;
INSERT INTO gateway.partition_rules (parent, period, key_column, age_column, kept_days_min, keeps_young, options) VALUES ('inbox', 'day', 'event_id', 'received_at', 2, true, '');
INSERT INTO gateway.partition_rules (parent, period, key_column, age_column, kept_days_min, keeps_young, options) VALUES ('outbox_published', 'day', 'batch_id', 'published_at', 1, false, '');
