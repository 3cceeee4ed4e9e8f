CREATE FUNCTION api.drop_partition(parent_name text, before timestamp with time zone) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'api', 'pg_temp'
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
    IF NOT pg_try_advisory_xact_lock(hashtextextended('partitions api.' || parent_name, 0)) THEN
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
COMMENT ON FUNCTION api.drop_partition(parent_name text, before timestamp with time zone) IS 'Drops the oldest partition that ended before an instant.';

CREATE FUNCTION api.first_id(instant timestamp with time zone) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT
    AS $$
    SELECT (lpad(to_hex(greatest(0, floor(extract(epoch FROM instant) * 1000))::bigint), 12, '0') || repeat('0', 20))::uuid
$$;
COMMENT ON FUNCTION api.first_id(instant timestamp with time zone) IS 'The least UUIDv7 that can be minted at an instant.';

CREATE FUNCTION api.make_partition(parent_name text, at timestamp with time zone, periods_ahead integer) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'api', 'pg_temp'
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
    IF NOT pg_try_advisory_xact_lock(hashtextextended('partitions api.' || parent_name, 0)) THEN
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
COMMENT ON FUNCTION api.make_partition(parent_name text, at timestamp with time zone, periods_ahead integer) IS 'Makes the partition of a period, ahead of its time.';

CREATE FUNCTION api.partitions_of(parent_name text) RETURNS TABLE(name text, begins uuid, ends uuid)
    LANGUAGE sql STABLE STRICT
    AS $$
    SELECT c.relname, substring(b.bound FROM 'FROM \(''([^'']+)''\)')::uuid,
           substring(b.bound FROM 'TO \(''([^'']+)''\)')::uuid
      FROM (SELECT c.oid, c.relname::text, c.relpartbound FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
             WHERE i.inhparent = parent_name::regclass OFFSET 0) AS c
     CROSS JOIN LATERAL (SELECT pg_get_expr(c.relpartbound, c.oid) AS bound OFFSET 0) AS b
     WHERE b.bound <> 'DEFAULT'
$$;
COMMENT ON FUNCTION api.partitions_of(parent_name text) IS 'The partitions of a table but the default one, with bounds.';

CREATE FUNCTION api.prune_default_partition(parent_name text, before timestamp with time zone, rows_max integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'api', 'pg_temp'
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
COMMENT ON FUNCTION api.prune_default_partition(parent_name text, before timestamp with time zone, rows_max integer) IS 'Deletes old rows of the default partition.';

CREATE FUNCTION api.say_access_changed() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'api'
    AS $$
DECLARE
    changed text := '';
BEGIN
    IF TG_ARGV[0] <> '' THEN
        changed := coalesce(to_jsonb(NEW), to_jsonb(OLD)) ->> TG_ARGV[0];
    END IF;
    INSERT INTO outbox (event_id, contract, tenant_id, correlation_id, traceparent, occurred_at, body)
    VALUES (gen_random_uuid(), 'event:api:access.changed', changed, replace(gen_random_uuid()::text, '-', ''), '', now(),
            jsonb_build_object('tenant_id', changed)::text);
    RETURN NULL;
END $$;

CREATE FUNCTION api.time_of_id(id uuid) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE STRICT
    AS $$
    SELECT to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)
$$;
COMMENT ON FUNCTION api.time_of_id(id uuid) IS 'When a UUIDv7 was minted.';

CREATE TABLE api.audit_log (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    outcome text NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    correlation_id text NOT NULL,
    created_at timestamp with time zone NOT NULL
)
PARTITION BY RANGE (id);
COMMENT ON COLUMN api.audit_log.tenant_id IS 'The tenant concerned; empty where none is proven.';
COMMENT ON COLUMN api.audit_log.id IS 'UUIDv7: in the order of time.';
COMMENT ON COLUMN api.audit_log.actor IS 'Subject of the token, or the login name that was tried.';
COMMENT ON COLUMN api.audit_log.action IS 'What was done: payment_intent.create, authz.denied.';
COMMENT ON COLUMN api.audit_log.target IS 'To what: an id, a permission, a path.';
COMMENT ON COLUMN api.audit_log.outcome IS 'success, failed or denied.';
COMMENT ON COLUMN api.audit_log.detail IS 'Whatever else explains it.';
COMMENT ON COLUMN api.audit_log.correlation_id IS 'The request it belongs to.';
COMMENT ON COLUMN api.audit_log.created_at IS 'When.';

CREATE TABLE api.audit_log_default (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    outcome text NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    correlation_id text NOT NULL,
    created_at timestamp with time zone NOT NULL
);

CREATE TABLE api.disputes (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    payment_intent_id uuid NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    reason text NOT NULL,
    status text NOT NULL,
    gateway_ref text NOT NULL,
    evidence_due_at timestamp with time zone,
    opened_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    reversals smallint DEFAULT 0 NOT NULL,
    CONSTRAINT ck_disputes_amount CHECK ((amount_minor > 0)),
    CONSTRAINT ck_disputes_status CHECK ((status = ANY (ARRAY['OPEN'::text, 'WON'::text, 'LOST'::text])))
);
COMMENT ON COLUMN api.disputes.tenant_id IS 'Whose it is.';
COMMENT ON COLUMN api.disputes.id IS 'The gateway''s, derived from the processor''s reference.';
COMMENT ON COLUMN api.disputes.payment_intent_id IS 'The payment that it is about.';
COMMENT ON COLUMN api.disputes.amount_minor IS 'The disputed amount in minor units.';
COMMENT ON COLUMN api.disputes.currency IS 'The intent''s.';
COMMENT ON COLUMN api.disputes.reason IS 'The bank''s reason, as a word.';
COMMENT ON COLUMN api.disputes.status IS 'OPEN, WON or LOST.';
COMMENT ON COLUMN api.disputes.gateway_ref IS 'The processor''s reference.';
COMMENT ON COLUMN api.disputes.evidence_due_at IS 'Until when the merchant may answer.';
COMMENT ON COLUMN api.disputes.opened_at IS 'When, in the processor''s words.';
COMMENT ON COLUMN api.disputes.updated_at IS 'When it last changed.';
COMMENT ON COLUMN api.disputes.reversals IS 'How often the bank has reversed its decision.';

CREATE TABLE api.feature_flags (
    name text NOT NULL,
    tenant_id text NOT NULL,
    is_enabled boolean NOT NULL,
    updated_by text NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_feature_flags_name CHECK (((length(name) >= 1) AND (length(name) <= 64)))
);
COMMENT ON COLUMN api.feature_flags.name IS 'The feature, as the code''s registry calls it.';
COMMENT ON COLUMN api.feature_flags.tenant_id IS 'For whom; empty: for all that have no row of their own.';
COMMENT ON COLUMN api.feature_flags.is_enabled IS 'Whether it may be used.';
COMMENT ON COLUMN api.feature_flags.updated_by IS 'Subject of the operator who set it.';
COMMENT ON COLUMN api.feature_flags.updated_at IS 'When it was set.';

CREATE TABLE api.idempotency_keys (
    tenant_id text NOT NULL,
    operation text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status text NOT NULL,
    payment_intent_id uuid NOT NULL,
    response_status smallint,
    response_body bytea,
    lease_until timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    completed_at timestamp with time zone,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_idempotency_keys_status CHECK (
CASE status
    WHEN 'in_progress'::text THEN (response_body IS NULL)
    WHEN 'completed'::text THEN ((response_status IS NOT NULL) AND (response_body IS NOT NULL))
    ELSE false
END)
);
COMMENT ON COLUMN api.idempotency_keys.tenant_id IS 'Whose key it is: the scope is the tenant, not the user.';
COMMENT ON COLUMN api.idempotency_keys.operation IS 'What was requested: create, or confirm:<intent id>, capture, void, refund.';
COMMENT ON COLUMN api.idempotency_keys.key IS 'The client''s key, 1 to 255 visible ASCII characters.';
COMMENT ON COLUMN api.idempotency_keys.fingerprint IS 'SHA-256 of what was requested.';
COMMENT ON COLUMN api.idempotency_keys.status IS 'in_progress until there is an answer, then completed.';
COMMENT ON COLUMN api.idempotency_keys.payment_intent_id IS 'What it creates or changes: an intent, a refund.';
COMMENT ON COLUMN api.idempotency_keys.response_status IS 'HTTP status of the answer.';
COMMENT ON COLUMN api.idempotency_keys.response_body IS 'The answer, byte for byte.';
COMMENT ON COLUMN api.idempotency_keys.lease_until IS 'Until then whoever began is taken to be at work.';
COMMENT ON COLUMN api.idempotency_keys.created_at IS 'When it was first used.';
COMMENT ON COLUMN api.idempotency_keys.completed_at IS 'When there was an answer.';
COMMENT ON COLUMN api.idempotency_keys.expires_at IS 'From then on the key is free again.';

CREATE TABLE api.inbox (
    event_id uuid NOT NULL,
    queue text NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL
)
PARTITION BY RANGE (event_id);
COMMENT ON COLUMN api.inbox.event_id IS 'The event.';
COMMENT ON COLUMN api.inbox.queue IS 'Where it was received: one effect per consumer.';
COMMENT ON COLUMN api.inbox.received_at IS 'When it took effect.';

CREATE TABLE api.inbox_default (
    event_id uuid NOT NULL,
    queue text NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE api.operator_actions (
    id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    detail text NOT NULL
);
COMMENT ON COLUMN api.operator_actions.id IS 'UUIDv7.';
COMMENT ON COLUMN api.operator_actions.at IS 'When.';
COMMENT ON COLUMN api.operator_actions.actor IS 'Who, as the machine knows them.';
COMMENT ON COLUMN api.operator_actions.action IS 'What was done: refused.given_up, refused.retried.';
COMMENT ON COLUMN api.operator_actions.subject IS 'To what: the destination.';
COMMENT ON COLUMN api.operator_actions.detail IS 'JSON: the reason, how many messages, and their ids.';

CREATE TABLE api.outbox (
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
COMMENT ON COLUMN api.outbox.seq IS 'Order of insertion.';
COMMENT ON COLUMN api.outbox.event_id IS 'The message''s id for ever.';
COMMENT ON COLUMN api.outbox.contract IS 'Which contract: <kind>:<owner>:<name>.';
COMMENT ON COLUMN api.outbox.tenant_id IS 'The tenant it concerns; empty where there is none.';
COMMENT ON COLUMN api.outbox.correlation_id IS 'The cause it belongs to.';
COMMENT ON COLUMN api.outbox.traceparent IS 'W3C trace context of whoever published it.';
COMMENT ON COLUMN api.outbox.occurred_at IS 'When it happened.';
COMMENT ON COLUMN api.outbox.body IS 'The body as JSON, exactly as it will be sent.';
COMMENT ON COLUMN api.outbox.attempts IS 'Refusals by the broker.';
COMMENT ON COLUMN api.outbox.available_at IS 'Not sent before this instant.';

CREATE TABLE api.outbox_published (
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
COMMENT ON COLUMN api.outbox_published.batch_id IS 'UUIDv7 of the relay''s round: when it was published.';
COMMENT ON COLUMN api.outbox_published.seq IS 'Its place in the outbox.';
COMMENT ON COLUMN api.outbox_published.event_id IS 'The message''s id for ever.';
COMMENT ON COLUMN api.outbox_published.contract IS 'Which contract: <kind>:<owner>:<name>.';
COMMENT ON COLUMN api.outbox_published.tenant_id IS 'The tenant it concerns; empty where there is none.';
COMMENT ON COLUMN api.outbox_published.correlation_id IS 'The cause it belongs to.';
COMMENT ON COLUMN api.outbox_published.traceparent IS 'W3C trace context of whoever published it.';
COMMENT ON COLUMN api.outbox_published.occurred_at IS 'When it happened.';
COMMENT ON COLUMN api.outbox_published.body IS 'The body as JSON, exactly as it was sent.';
COMMENT ON COLUMN api.outbox_published.published_at IS 'When it was published.';

CREATE TABLE api.outbox_published_default (
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

CREATE TABLE api.outbox_refused (
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
COMMENT ON COLUMN api.outbox_refused.seq IS 'Order of refusal.';
COMMENT ON COLUMN api.outbox_refused.destination IS 'The queue, or payments.x; empty: all that the contract names.';
COMMENT ON COLUMN api.outbox_refused.event_id IS 'The message''s id for ever.';
COMMENT ON COLUMN api.outbox_refused.contract IS 'Which contract: <kind>:<owner>:<name>.';
COMMENT ON COLUMN api.outbox_refused.tenant_id IS 'The tenant it concerns; empty where there is none.';
COMMENT ON COLUMN api.outbox_refused.correlation_id IS 'The cause it belongs to.';
COMMENT ON COLUMN api.outbox_refused.traceparent IS 'W3C trace context of whoever published it.';
COMMENT ON COLUMN api.outbox_refused.occurred_at IS 'When it happened.';
COMMENT ON COLUMN api.outbox_refused.body IS 'The body as JSON, exactly as it will be sent.';
COMMENT ON COLUMN api.outbox_refused.attempts IS 'Refusals so far.';
COMMENT ON COLUMN api.outbox_refused.available_at IS 'Not sent before this instant.';

ALTER TABLE api.outbox_refused ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME api.outbox_refused_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE api.outbox ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME api.outbox_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE api.partition_rules (
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
COMMENT ON TABLE api.partition_rules IS 'Which tables make_partition and drop_partition work on; written by migrations only.';
COMMENT ON COLUMN api.partition_rules.parent IS 'The partitioned table.';
COMMENT ON COLUMN api.partition_rules.period IS 'day or month: the time that one partition covers.';
COMMENT ON COLUMN api.partition_rules.key_column IS 'The UUIDv7 column whose time it goes by.';
COMMENT ON COLUMN api.partition_rules.age_column IS 'When a row came to be, whatever its id says.';
COMMENT ON COLUMN api.partition_rules.kept_days_min IS 'Partitions younger than this are never dropped.';
COMMENT ON COLUMN api.partition_rules.keeps_young IS 'Whether rows that came later than their ids say outlive their partition.';
COMMENT ON COLUMN api.partition_rules.options IS 'Storage parameters of a partition.';

CREATE TABLE api.payment_intent_events (
    tenant_id text NOT NULL,
    payment_intent_id uuid NOT NULL,
    id uuid NOT NULL,
    type text NOT NULL,
    status text NOT NULL,
    actor text NOT NULL,
    cause_id uuid,
    correlation_id text NOT NULL,
    occurred_at timestamp with time zone NOT NULL
)
PARTITION BY RANGE (payment_intent_id);
COMMENT ON COLUMN api.payment_intent_events.tenant_id IS 'Whose intent it happened to.';
COMMENT ON COLUMN api.payment_intent_events.payment_intent_id IS 'The intent it happened to.';
COMMENT ON COLUMN api.payment_intent_events.id IS 'The id of the message that tells it; UUIDv7.';
COMMENT ON COLUMN api.payment_intent_events.type IS 'What happened, as the message is called.';
COMMENT ON COLUMN api.payment_intent_events.status IS 'The intent''s status from then on.';
COMMENT ON COLUMN api.payment_intent_events.actor IS 'Who made it happen: a subject, or a service of ours.';
COMMENT ON COLUMN api.payment_intent_events.cause_id IS 'The message that was received; none for a request.';
COMMENT ON COLUMN api.payment_intent_events.correlation_id IS 'The request that set it in motion.';
COMMENT ON COLUMN api.payment_intent_events.occurred_at IS 'When.';

CREATE TABLE api.payment_intent_events_default (
    tenant_id text NOT NULL,
    payment_intent_id uuid NOT NULL,
    id uuid NOT NULL,
    type text NOT NULL,
    status text NOT NULL,
    actor text NOT NULL,
    cause_id uuid,
    correlation_id text NOT NULL,
    occurred_at timestamp with time zone NOT NULL
);

CREATE TABLE api.payment_intents (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    status text NOT NULL,
    customer_ref text NOT NULL,
    description text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    order_id text,
    gateway_ref text,
    captured_minor bigint DEFAULT '0'::bigint NOT NULL,
    failure_code text,
    failure_message text,
    version integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    authorized_at timestamp with time zone,
    settled_at timestamp with time zone,
    capture_method text DEFAULT 'automatic'::text NOT NULL,
    payment_method text DEFAULT ''::text NOT NULL,
    action_url text,
    expires_at timestamp with time zone,
    capturing_minor bigint DEFAULT '0'::bigint NOT NULL,
    is_voiding boolean DEFAULT false NOT NULL,
    refunding_minor bigint DEFAULT '0'::bigint NOT NULL,
    refunded_minor bigint DEFAULT '0'::bigint NOT NULL,
    disputed_minor bigint DEFAULT '0'::bigint NOT NULL,
    CONSTRAINT ck_payment_intents_amount CHECK (((amount_minor >= 1) AND (amount_minor <= '1000000000000000'::bigint))),
    CONSTRAINT ck_payment_intents_capture_method CHECK ((capture_method = ANY (ARRAY['automatic'::text, 'manual'::text]))),
    CONSTRAINT ck_payment_intents_captured CHECK (((captured_minor >= 0) AND (captured_minor <= amount_minor))),
    CONSTRAINT ck_payment_intents_capturing CHECK (((capturing_minor >= 0) AND (capturing_minor <= amount_minor))),
    CONSTRAINT ck_payment_intents_currency CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT ck_payment_intents_disputed CHECK ((disputed_minor >= 0)),
    CONSTRAINT ck_payment_intents_refunded CHECK (((refunding_minor >= 0) AND (refunded_minor >= 0) AND ((refunding_minor + refunded_minor) <= captured_minor)))
);
COMMENT ON COLUMN api.payment_intents.tenant_id IS 'Whose it is.';
COMMENT ON COLUMN api.payment_intents.id IS 'UUIDv7, minted by the api.';
COMMENT ON COLUMN api.payment_intents.amount_minor IS 'Amount in minor units of the currency.';
COMMENT ON COLUMN api.payment_intents.currency IS 'ISO 4217 code, upper case.';
COMMENT ON COLUMN api.payment_intents.status IS 'The status that clients see.';
COMMENT ON COLUMN api.payment_intents.customer_ref IS 'The merchant''s reference of the customer.';
COMMENT ON COLUMN api.payment_intents.description IS 'The merchant''s words.';
COMMENT ON COLUMN api.payment_intents.metadata IS 'The merchant''s own string pairs.';
COMMENT ON COLUMN api.payment_intents.order_id IS 'The order that a charge request named.';
COMMENT ON COLUMN api.payment_intents.gateway_ref IS 'The processor''s reference, once authorized.';
COMMENT ON COLUMN api.payment_intents.captured_minor IS 'Taken so far, in minor units.';
COMMENT ON COLUMN api.payment_intents.failure_code IS 'Why it failed, as a stable snake_case word.';
COMMENT ON COLUMN api.payment_intents.failure_message IS 'Why it failed, as a sentence for people.';
COMMENT ON COLUMN api.payment_intents.version IS 'Raised by every change; guards each of them.';
COMMENT ON COLUMN api.payment_intents.created_at IS 'When the merchant created it.';
COMMENT ON COLUMN api.payment_intents.updated_at IS 'When it last changed.';
COMMENT ON COLUMN api.payment_intents.authorized_at IS 'When the issuer''s promise reached us.';
COMMENT ON COLUMN api.payment_intents.settled_at IS 'When the capture and its posting were both known.';
COMMENT ON COLUMN api.payment_intents.capture_method IS 'automatic: taken once held; manual: when the merchant says so.';
COMMENT ON COLUMN api.payment_intents.payment_method IS 'What is charged, or empty.';
COMMENT ON COLUMN api.payment_intents.action_url IS 'Where the customer proves who they are, while that is required.';
COMMENT ON COLUMN api.payment_intents.expires_at IS 'When held funds are released by themselves.';
COMMENT ON COLUMN api.payment_intents.capturing_minor IS 'What the merchant''s capture wants to take, in minor units.';
COMMENT ON COLUMN api.payment_intents.is_voiding IS 'The processor is to release the funds and has not answered.';
COMMENT ON COLUMN api.payment_intents.refunding_minor IS 'Pending refunds, in minor units.';
COMMENT ON COLUMN api.payment_intents.refunded_minor IS 'Given back, in minor units.';
COMMENT ON COLUMN api.payment_intents.disputed_minor IS 'Taken back by banks, in minor units.';

CREATE TABLE api.permissions (
    name text NOT NULL,
    description text NOT NULL
);
COMMENT ON COLUMN api.permissions.name IS 'The permission: payments:write.';
COMMENT ON COLUMN api.permissions.description IS 'What it allows, for people.';

CREATE TABLE api.policies (
    permission text NOT NULL,
    effect text NOT NULL,
    allowed_plans text[] NOT NULL,
    allowed_regions text[] NOT NULL,
    CONSTRAINT ck_policies_effect CHECK ((effect = ANY (ARRAY['allow'::text, 'deny'::text])))
);
COMMENT ON COLUMN api.policies.permission IS 'The permission that this narrows; without a policy it is denied.';
COMMENT ON COLUMN api.policies.effect IS 'allow or deny.';
COMMENT ON COLUMN api.policies.allowed_plans IS 'Plans, each admitting higher ones; {}: all.';
COMMENT ON COLUMN api.policies.allowed_regions IS 'Regions; {}: all.';

CREATE TABLE api.refunds (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    payment_intent_id uuid NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    reason text,
    status text NOT NULL,
    gateway_ref text,
    failure_code text,
    failure_message text,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_refunds_amount CHECK ((amount_minor > 0)),
    CONSTRAINT ck_refunds_status CHECK ((status = ANY (ARRAY['PENDING'::text, 'COMPLETED'::text, 'FAILED'::text])))
);
COMMENT ON COLUMN api.refunds.tenant_id IS 'Whose it is.';
COMMENT ON COLUMN api.refunds.id IS 'UUIDv7, minted by the api.';
COMMENT ON COLUMN api.refunds.payment_intent_id IS 'The payment that it gives back.';
COMMENT ON COLUMN api.refunds.amount_minor IS 'Amount in minor units of the currency.';
COMMENT ON COLUMN api.refunds.currency IS 'The intent''s.';
COMMENT ON COLUMN api.refunds.reason IS 'The merchant''s words.';
COMMENT ON COLUMN api.refunds.status IS 'PENDING, COMPLETED or FAILED.';
COMMENT ON COLUMN api.refunds.gateway_ref IS 'The processor''s reference, once it has given one.';
COMMENT ON COLUMN api.refunds.failure_code IS 'Why it failed, as a stable snake_case word.';
COMMENT ON COLUMN api.refunds.failure_message IS 'Why it failed, as a sentence for people.';
COMMENT ON COLUMN api.refunds.created_at IS 'When it was requested.';
COMMENT ON COLUMN api.refunds.updated_at IS 'When it last changed.';

CREATE TABLE api.role_permissions (
    role text NOT NULL,
    permission text NOT NULL
);
COMMENT ON COLUMN api.role_permissions.role IS 'The role.';
COMMENT ON COLUMN api.role_permissions.permission IS 'What it may do.';

CREATE TABLE api.roles (
    name text NOT NULL,
    description text NOT NULL
);
COMMENT ON COLUMN api.roles.name IS 'The role: admin, ops, sales.';
COMMENT ON COLUMN api.roles.description IS 'Who has it, for people.';

CREATE TABLE api.sweeps (
    tenant_id text NOT NULL,
    subject_id uuid NOT NULL,
    version integer NOT NULL,
    repeats integer NOT NULL,
    next_at timestamp with time zone NOT NULL
);
COMMENT ON COLUMN api.sweeps.tenant_id IS 'Whose it is.';
COMMENT ON COLUMN api.sweeps.subject_id IS 'The payment intent or the refund that waits.';
COMMENT ON COLUMN api.sweeps.version IS 'The intent''s when it was swept; 0 for a refund.';
COMMENT ON COLUMN api.sweeps.repeats IS 'How often its command was published again.';
COMMENT ON COLUMN api.sweeps.next_at IS 'Not published again before this instant.';

CREATE TABLE api.tenants (
    id text NOT NULL,
    name text NOT NULL,
    plan text NOT NULL,
    region text NOT NULL,
    status text DEFAULT 'ACTIVE'::text NOT NULL,
    origin text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_tenants_id CHECK (((length(id) >= 1) AND (length(id) <= 64))),
    CONSTRAINT ck_tenants_origin CHECK ((origin = ANY (ARRAY['seed'::text, 'token'::text, 'sync'::text]))),
    CONSTRAINT ck_tenants_status CHECK ((status = ANY (ARRAY['ACTIVE'::text, 'SUSPENDED'::text, 'DELETED'::text])))
);
COMMENT ON COLUMN api.tenants.id IS '1 to 64 visible characters; a UUID for tenants of the suite.';
COMMENT ON COLUMN api.tenants.name IS 'Its name, for people.';
COMMENT ON COLUMN api.tenants.plan IS 'Plan as its source wrote it; compared normalised.';
COMMENT ON COLUMN api.tenants.region IS 'Region as its source wrote it; compared normalised.';
COMMENT ON COLUMN api.tenants.status IS 'ACTIVE, SUSPENDED or DELETED.';
COMMENT ON COLUMN api.tenants.origin IS 'Who reported it: seed, token or sync.';
COMMENT ON COLUMN api.tenants.created_at IS 'When we first met it.';
COMMENT ON COLUMN api.tenants.updated_at IS 'When it last changed.';

CREATE TABLE api.users (
    id uuid NOT NULL,
    email text NOT NULL,
    password_hash text NOT NULL,
    tenant_id text,
    roles text[] NOT NULL,
    created_at timestamp with time zone NOT NULL
);
COMMENT ON COLUMN api.users.id IS 'UUIDv7; the first half of every token''s jti.';
COMMENT ON COLUMN api.users.email IS 'Login name, lower case.';
COMMENT ON COLUMN api.users.password_hash IS 'argon2id in PHC string format.';
COMMENT ON COLUMN api.users.tenant_id IS 'Its tenant; none for a global admin.';
COMMENT ON COLUMN api.users.roles IS 'Names of its roles.';
COMMENT ON COLUMN api.users.created_at IS 'When it was made.';

ALTER TABLE ONLY api.audit_log ATTACH PARTITION api.audit_log_default DEFAULT;

ALTER TABLE ONLY api.inbox ATTACH PARTITION api.inbox_default DEFAULT;

ALTER TABLE ONLY api.outbox_published ATTACH PARTITION api.outbox_published_default DEFAULT;

ALTER TABLE ONLY api.payment_intent_events ATTACH PARTITION api.payment_intent_events_default DEFAULT;

ALTER TABLE ONLY api.audit_log
    ADD CONSTRAINT audit_log_pkey PRIMARY KEY (id, tenant_id);

ALTER TABLE ONLY api.audit_log_default
    ADD CONSTRAINT audit_log_default_pkey PRIMARY KEY (id, tenant_id);

ALTER TABLE ONLY api.disputes
    ADD CONSTRAINT disputes_pkey PRIMARY KEY (id, tenant_id);

ALTER TABLE ONLY api.feature_flags
    ADD CONSTRAINT feature_flags_pkey PRIMARY KEY (name, tenant_id);

ALTER TABLE ONLY api.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (key, tenant_id, operation);

ALTER TABLE ONLY api.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (event_id, queue);

ALTER TABLE ONLY api.inbox_default
    ADD CONSTRAINT inbox_default_pkey PRIMARY KEY (event_id, queue);

ALTER TABLE ONLY api.operator_actions
    ADD CONSTRAINT operator_actions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY api.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (seq);

ALTER TABLE ONLY api.outbox_published
    ADD CONSTRAINT outbox_published_pkey PRIMARY KEY (batch_id, seq);

ALTER TABLE ONLY api.outbox_published_default
    ADD CONSTRAINT outbox_published_default_pkey PRIMARY KEY (batch_id, seq);

ALTER TABLE ONLY api.outbox_refused
    ADD CONSTRAINT outbox_refused_pkey PRIMARY KEY (seq);

ALTER TABLE ONLY api.partition_rules
    ADD CONSTRAINT partition_rules_pkey PRIMARY KEY (parent);

ALTER TABLE ONLY api.payment_intent_events
    ADD CONSTRAINT payment_intent_events_pkey PRIMARY KEY (payment_intent_id, id, tenant_id);

ALTER TABLE ONLY api.payment_intent_events_default
    ADD CONSTRAINT payment_intent_events_default_pkey PRIMARY KEY (payment_intent_id, id, tenant_id);

ALTER TABLE ONLY api.payment_intents
    ADD CONSTRAINT payment_intents_pkey PRIMARY KEY (id, tenant_id);

ALTER TABLE ONLY api.permissions
    ADD CONSTRAINT permissions_pkey PRIMARY KEY (name);

ALTER TABLE ONLY api.policies
    ADD CONSTRAINT policies_pkey PRIMARY KEY (permission);

ALTER TABLE ONLY api.refunds
    ADD CONSTRAINT refunds_pkey PRIMARY KEY (id, tenant_id);

ALTER TABLE ONLY api.role_permissions
    ADD CONSTRAINT role_permissions_pkey PRIMARY KEY (role, permission);

ALTER TABLE ONLY api.roles
    ADD CONSTRAINT roles_pkey PRIMARY KEY (name);

ALTER TABLE ONLY api.sweeps
    ADD CONSTRAINT sweeps_pkey PRIMARY KEY (subject_id, tenant_id);

ALTER TABLE ONLY api.tenants
    ADD CONSTRAINT tenants_pkey PRIMARY KEY (id);

ALTER TABLE ONLY api.users
    ADD CONSTRAINT users_email_key UNIQUE (email);

ALTER TABLE ONLY api.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

CREATE INDEX audit_log_default_age ON api.audit_log_default USING btree (created_at);

CREATE INDEX ix_audit_log_created ON ONLY api.audit_log USING btree (tenant_id, created_at DESC, id DESC);

CREATE INDEX audit_log_default_tenant_id_created_at_id_idx ON api.audit_log_default USING btree (tenant_id, created_at DESC, id DESC);

CREATE INDEX inbox_default_age ON api.inbox_default USING btree (received_at);

CREATE INDEX ix_inbox_received_at ON ONLY api.inbox USING brin (received_at);

CREATE INDEX inbox_default_received_at_idx ON api.inbox_default USING brin (received_at);

CREATE INDEX ix_disputes_payment_intent ON api.disputes USING btree (payment_intent_id, tenant_id, opened_at DESC);

CREATE INDEX ix_idempotency_keys_expires_at ON api.idempotency_keys USING btree (expires_at);

CREATE INDEX ix_idempotency_keys_in_progress ON api.idempotency_keys USING btree (payment_intent_id, tenant_id) WHERE (status = 'in_progress'::text);

CREATE INDEX ix_outbox_refused_due ON api.outbox_refused USING btree (destination, available_at);

CREATE INDEX ix_payment_intents_created ON api.payment_intents USING btree (tenant_id, created_at DESC, id DESC);

CREATE INDEX ix_payment_intents_customer ON api.payment_intents USING btree (tenant_id, customer_ref, created_at DESC, id DESC);

CREATE INDEX ix_payment_intents_status ON api.payment_intents USING btree (tenant_id, status, created_at DESC, id DESC);

CREATE INDEX ix_payment_intents_waiting ON api.payment_intents USING btree (updated_at) WHERE ((status = 'PROCESSING'::text) OR ((status = 'REQUIRES_ACTION'::text) AND is_voiding) OR ((status = 'AUTHORIZED'::text) AND ((capture_method = 'automatic'::text) OR (capturing_minor > 0) OR (captured_minor > 0) OR is_voiding)));

CREATE INDEX ix_refunds_payment_intent ON api.refunds USING btree (payment_intent_id, tenant_id, created_at DESC);

CREATE INDEX ix_refunds_pending ON api.refunds USING btree (updated_at) WHERE (status = 'PENDING'::text);

CREATE INDEX ix_sweeps_next_at ON api.sweeps USING btree (next_at);

CREATE INDEX outbox_published_default_age ON api.outbox_published_default USING btree (published_at);

CREATE INDEX payment_intent_events_default_age ON api.payment_intent_events_default USING btree (occurred_at);

CREATE UNIQUE INDEX uq_payment_intents_order ON api.payment_intents USING btree (tenant_id, order_id) WHERE (order_id IS NOT NULL);

ALTER INDEX api.audit_log_pkey ATTACH PARTITION api.audit_log_default_pkey;

ALTER INDEX api.ix_audit_log_created ATTACH PARTITION api.audit_log_default_tenant_id_created_at_id_idx;

ALTER INDEX api.inbox_pkey ATTACH PARTITION api.inbox_default_pkey;

ALTER INDEX api.ix_inbox_received_at ATTACH PARTITION api.inbox_default_received_at_idx;

ALTER INDEX api.outbox_published_pkey ATTACH PARTITION api.outbox_published_default_pkey;

ALTER INDEX api.payment_intent_events_pkey ATTACH PARTITION api.payment_intent_events_default_pkey;

CREATE TRIGGER feature_flags_access_changed AFTER INSERT OR DELETE OR UPDATE ON api.feature_flags FOR EACH ROW EXECUTE FUNCTION api.say_access_changed('tenant_id');

CREATE TRIGGER policies_access_changed AFTER INSERT OR DELETE OR UPDATE ON api.policies FOR EACH ROW EXECUTE FUNCTION api.say_access_changed('');

CREATE TRIGGER tenants_access_changed AFTER DELETE OR UPDATE ON api.tenants FOR EACH ROW EXECUTE FUNCTION api.say_access_changed('id');

ALTER TABLE ONLY api.policies
    ADD CONSTRAINT policies_permission_fkey FOREIGN KEY (permission) REFERENCES api.permissions(name);

ALTER TABLE ONLY api.role_permissions
    ADD CONSTRAINT role_permissions_permission_fkey FOREIGN KEY (permission) REFERENCES api.permissions(name);

ALTER TABLE ONLY api.role_permissions
    ADD CONSTRAINT role_permissions_role_fkey FOREIGN KEY (role) REFERENCES api.roles(name);

ALTER TABLE ONLY api.users
    ADD CONSTRAINT users_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES api.tenants(id);
REVOKE ALL ON FUNCTION api.drop_partition(parent_name text, before timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION api.drop_partition(parent_name text, before timestamp with time zone) TO api_app;
REVOKE ALL ON FUNCTION api.make_partition(parent_name text, at timestamp with time zone, periods_ahead integer) FROM PUBLIC;
GRANT ALL ON FUNCTION api.make_partition(parent_name text, at timestamp with time zone, periods_ahead integer) TO api_app;
REVOKE ALL ON FUNCTION api.prune_default_partition(parent_name text, before timestamp with time zone, rows_max integer) FROM PUBLIC;
GRANT ALL ON FUNCTION api.prune_default_partition(parent_name text, before timestamp with time zone, rows_max integer) TO api_app;
GRANT SELECT,INSERT ON TABLE api.audit_log TO api_app;
GRANT SELECT,INSERT,UPDATE ON TABLE api.disputes TO api_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE api.feature_flags TO api_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE api.idempotency_keys TO api_app;
GRANT SELECT,INSERT ON TABLE api.inbox TO api_app;
GRANT SELECT,INSERT ON TABLE api.operator_actions TO api_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE api.outbox TO api_app;
GRANT SELECT,INSERT ON TABLE api.outbox_published TO api_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE api.outbox_refused TO api_app;
GRANT SELECT ON TABLE api.partition_rules TO api_app;
GRANT SELECT,INSERT ON TABLE api.payment_intent_events TO api_app;
GRANT SELECT,INSERT,UPDATE ON TABLE api.payment_intents TO api_app;
GRANT SELECT,INSERT ON TABLE api.permissions TO api_app;
GRANT SELECT,INSERT,UPDATE ON TABLE api.policies TO api_app;
GRANT SELECT,INSERT,UPDATE ON TABLE api.refunds TO api_app;
GRANT SELECT,INSERT ON TABLE api.role_permissions TO api_app;
GRANT SELECT,INSERT ON TABLE api.roles TO api_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE api.sweeps TO api_app;
GRANT SELECT,INSERT,UPDATE ON TABLE api.tenants TO api_app;
GRANT SELECT,INSERT,UPDATE ON TABLE api.users TO api_app;
INSERT INTO api.partition_rules (parent, period, key_column, age_column, kept_days_min, keeps_young, options) VALUES ('inbox', 'day', 'event_id', 'received_at', 2, true, '');
INSERT INTO api.partition_rules (parent, period, key_column, age_column, kept_days_min, keeps_young, options) VALUES ('audit_log', 'month', 'id', 'created_at', 90, false, '');
INSERT INTO api.partition_rules (parent, period, key_column, age_column, kept_days_min, keeps_young, options) VALUES ('payment_intent_events', 'month', 'payment_intent_id', 'occurred_at', 90, false, '');
INSERT INTO api.partition_rules (parent, period, key_column, age_column, kept_days_min, keeps_young, options) VALUES ('outbox_published', 'day', 'batch_id', 'published_at', 1, false, '');
