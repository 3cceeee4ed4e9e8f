CREATE FUNCTION notifier.drop_partition(parent_name text, before timestamp with time zone) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'notifier', 'pg_temp'
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
    IF NOT pg_try_advisory_xact_lock(hashtextextended('partitions notifier.' || parent_name, 0)) THEN
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
COMMENT ON FUNCTION notifier.drop_partition(parent_name text, before timestamp with time zone) IS 'Drops the oldest partition that ended before an instant.';

CREATE FUNCTION notifier.first_id(instant timestamp with time zone) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT
    AS $$
    SELECT (lpad(to_hex(greatest(0, floor(extract(epoch FROM instant) * 1000))::bigint), 12, '0') || repeat('0', 20))::uuid
$$;
COMMENT ON FUNCTION notifier.first_id(instant timestamp with time zone) IS 'The least UUIDv7 that can be minted at an instant.';

CREATE FUNCTION notifier.make_partition(parent_name text, at timestamp with time zone, periods_ahead integer) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'notifier', 'pg_temp'
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
    IF NOT pg_try_advisory_xact_lock(hashtextextended('partitions notifier.' || parent_name, 0)) THEN
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
COMMENT ON FUNCTION notifier.make_partition(parent_name text, at timestamp with time zone, periods_ahead integer) IS 'Makes the partition of a period, ahead of its time.';

CREATE FUNCTION notifier.partitions_of(parent_name text) RETURNS TABLE(name text, begins uuid, ends uuid)
    LANGUAGE sql STABLE STRICT
    AS $$
    SELECT c.relname, substring(b.bound FROM 'FROM \(''([^'']+)''\)')::uuid,
           substring(b.bound FROM 'TO \(''([^'']+)''\)')::uuid
      FROM (SELECT c.oid, c.relname::text, c.relpartbound FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
             WHERE i.inhparent = parent_name::regclass OFFSET 0) AS c
     CROSS JOIN LATERAL (SELECT pg_get_expr(c.relpartbound, c.oid) AS bound OFFSET 0) AS b
     WHERE b.bound <> 'DEFAULT'
$$;
COMMENT ON FUNCTION notifier.partitions_of(parent_name text) IS 'The partitions of a table but the default one, with bounds.';

CREATE FUNCTION notifier.prune_default_partition(parent_name text, before timestamp with time zone, rows_max integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'notifier', 'pg_temp'
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
COMMENT ON FUNCTION notifier.prune_default_partition(parent_name text, before timestamp with time zone, rows_max integer) IS 'Deletes old rows of the default partition.';

CREATE FUNCTION notifier.time_of_id(id uuid) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE STRICT
    AS $$
    SELECT to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)
$$;
COMMENT ON FUNCTION notifier.time_of_id(id uuid) IS 'When a UUIDv7 was minted.';

CREATE TABLE notifier.attempts (
    tenant_id text NOT NULL,
    endpoint_id uuid NOT NULL,
    event_id uuid NOT NULL,
    number smallint NOT NULL,
    attempted_at timestamp with time zone NOT NULL,
    duration_ms integer NOT NULL,
    status_code smallint,
    error text,
    response_excerpt text NOT NULL
)
PARTITION BY RANGE (event_id);
COMMENT ON TABLE notifier.attempts IS 'Every attempt at a delivery; append-only.';
COMMENT ON COLUMN notifier.attempts.tenant_id IS 'The tenant.';
COMMENT ON COLUMN notifier.attempts.endpoint_id IS 'The endpoint.';
COMMENT ON COLUMN notifier.attempts.event_id IS 'The event.';
COMMENT ON COLUMN notifier.attempts.number IS 'From 1.';
COMMENT ON COLUMN notifier.attempts.attempted_at IS 'When it began.';
COMMENT ON COLUMN notifier.attempts.duration_ms IS 'How long the exchange took.';
COMMENT ON COLUMN notifier.attempts.status_code IS 'HTTP status; NULL when there was none.';
COMMENT ON COLUMN notifier.attempts.error IS 'Why there is no complete answer, as a snake_case word.';
COMMENT ON COLUMN notifier.attempts.response_excerpt IS 'The beginning of the answer''s body.';

CREATE TABLE notifier.attempts_default (
    tenant_id text NOT NULL,
    endpoint_id uuid NOT NULL,
    event_id uuid NOT NULL,
    number smallint NOT NULL,
    attempted_at timestamp with time zone NOT NULL,
    duration_ms integer NOT NULL,
    status_code smallint,
    error text,
    response_excerpt text NOT NULL
);

CREATE TABLE notifier.deliveries (
    tenant_id text NOT NULL,
    endpoint_id uuid NOT NULL,
    event_id uuid NOT NULL,
    id uuid NOT NULL,
    event_type text NOT NULL,
    status text NOT NULL,
    attempts smallint NOT NULL,
    next_attempt_at timestamp with time zone,
    fence bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    end_reason text,
    ordering_key uuid,
    sequence integer DEFAULT 0 NOT NULL,
    replays smallint DEFAULT '0'::smallint NOT NULL,
    attempts_before smallint DEFAULT '0'::smallint NOT NULL,
    CONSTRAINT ck_deliveries_end CHECK ((((status = 'PENDING'::text) = (next_attempt_at IS NOT NULL)) AND ((status = 'PENDING'::text) = (ended_at IS NULL)) AND ((status = 'PENDING'::text) = (end_reason IS NULL)))),
    CONSTRAINT ck_deliveries_status CHECK ((status = ANY (ARRAY['PENDING'::text, 'DELIVERED'::text, 'FAILED'::text])))
)
PARTITION BY RANGE (event_id);
COMMENT ON TABLE notifier.deliveries IS 'One event for one endpoint: the queue of the delivery worker, and its history.';
COMMENT ON COLUMN notifier.deliveries.tenant_id IS 'The tenant.';
COMMENT ON COLUMN notifier.deliveries.endpoint_id IS 'The endpoint.';
COMMENT ON COLUMN notifier.deliveries.event_id IS 'The event.';
COMMENT ON COLUMN notifier.deliveries.id IS 'Derived from event and endpoint; X-Webhook-Delivery-Id.';
COMMENT ON COLUMN notifier.deliveries.event_type IS 'The event''s name.';
COMMENT ON COLUMN notifier.deliveries.status IS 'PENDING, DELIVERED or FAILED.';
COMMENT ON COLUMN notifier.deliveries.attempts IS 'Attempts recorded.';
COMMENT ON COLUMN notifier.deliveries.next_attempt_at IS 'When it may be claimed: the next attempt, or the end of the lease of whoever holds it. NULL when over.';
COMMENT ON COLUMN notifier.deliveries.fence IS 'Raised by every claim and outcome; an outcome must carry it.';
COMMENT ON COLUMN notifier.deliveries.created_at IS 'When it was scheduled.';
COMMENT ON COLUMN notifier.deliveries.ended_at IS 'When it was over.';
COMMENT ON COLUMN notifier.deliveries.end_reason IS 'Why it is over, as a snake_case word.';
COMMENT ON COLUMN notifier.deliveries.ordering_key IS 'The payment whose events wait for each other; NULL: none waits.';
COMMENT ON COLUMN notifier.deliveries.sequence IS 'Order among one payment''s events.';
COMMENT ON COLUMN notifier.deliveries.replays IS 'How often it was replayed.';
COMMENT ON COLUMN notifier.deliveries.attempts_before IS 'Attempts made before the latest replay; the retry schedule counts from there.';

CREATE TABLE notifier.deliveries_default (
    tenant_id text NOT NULL,
    endpoint_id uuid NOT NULL,
    event_id uuid NOT NULL,
    id uuid NOT NULL,
    event_type text NOT NULL,
    status text NOT NULL,
    attempts smallint NOT NULL,
    next_attempt_at timestamp with time zone,
    fence bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    end_reason text,
    ordering_key uuid,
    sequence integer DEFAULT 0 NOT NULL,
    replays smallint DEFAULT '0'::smallint NOT NULL,
    attempts_before smallint DEFAULT '0'::smallint NOT NULL,
    CONSTRAINT ck_deliveries_end CHECK ((((status = 'PENDING'::text) = (next_attempt_at IS NOT NULL)) AND ((status = 'PENDING'::text) = (ended_at IS NULL)) AND ((status = 'PENDING'::text) = (end_reason IS NULL)))),
    CONSTRAINT ck_deliveries_status CHECK ((status = ANY (ARRAY['PENDING'::text, 'DELIVERED'::text, 'FAILED'::text])))
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='5000', autovacuum_analyze_scale_factor='0.02', autovacuum_vacuum_cost_delay='0');

CREATE TABLE notifier.endpoint_gates (
    tenant_id text NOT NULL,
    endpoint_id uuid NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    failing_since timestamp with time zone,
    last_error text,
    warnings smallint DEFAULT '0'::smallint NOT NULL,
    pauses integer DEFAULT 0 NOT NULL,
    paused_until timestamp with time zone,
    pause_began_at timestamp with time zone,
    rate_limit_per_second integer,
    paced_until timestamp with time zone,
    warned_at timestamp with time zone
);
COMMENT ON TABLE notifier.endpoint_gates IS 'What holds deliveries back: the breaker and the rate limit of the endpoints that need one.';
COMMENT ON COLUMN notifier.endpoint_gates.tenant_id IS 'The tenant.';
COMMENT ON COLUMN notifier.endpoint_gates.endpoint_id IS 'The endpoint.';
COMMENT ON COLUMN notifier.endpoint_gates.failures IS 'Failed attempts since a success.';
COMMENT ON COLUMN notifier.endpoint_gates.failing_since IS 'The first of them; NULL when the latest attempt succeeded.';
COMMENT ON COLUMN notifier.endpoint_gates.last_error IS 'What the latest failed attempt met: status_503, timeout.';
COMMENT ON COLUMN notifier.endpoint_gates.warnings IS 'Warnings given since then.';
COMMENT ON COLUMN notifier.endpoint_gates.pauses IS 'Times in a row that it was paused.';
COMMENT ON COLUMN notifier.endpoint_gates.paused_until IS 'No attempt before; from then on one at a time, until one succeeds.';
COMMENT ON COLUMN notifier.endpoint_gates.pause_began_at IS 'When the present pause began.';
COMMENT ON COLUMN notifier.endpoint_gates.rate_limit_per_second IS 'The endpoint''s own rate limit, here for the claim.';
COMMENT ON COLUMN notifier.endpoint_gates.paced_until IS 'The instant up to which the rate limit is used up.';
COMMENT ON COLUMN notifier.endpoint_gates.warned_at IS 'When the latest warning was given.';

CREATE TABLE notifier.inbox (
    event_id uuid NOT NULL,
    queue text NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL
)
PARTITION BY RANGE (event_id);
COMMENT ON COLUMN notifier.inbox.event_id IS 'The event.';
COMMENT ON COLUMN notifier.inbox.queue IS 'Where it was received: one effect per consumer.';
COMMENT ON COLUMN notifier.inbox.received_at IS 'When it took effect.';

CREATE TABLE notifier.inbox_default (
    event_id uuid NOT NULL,
    queue text NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE notifier.messages (
    tenant_id text NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    payment_intent_id uuid,
    body text NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL
)
PARTITION BY RANGE (event_id);
COMMENT ON TABLE notifier.messages IS 'Events as merchants receive them; only those that some endpoint of the tenant wants.';
COMMENT ON COLUMN notifier.messages.tenant_id IS 'The tenant.';
COMMENT ON COLUMN notifier.messages.event_id IS 'The event; the webhook-id of every request about it.';
COMMENT ON COLUMN notifier.messages.type IS 'The event''s name.';
COMMENT ON COLUMN notifier.messages.payment_intent_id IS 'The payment it is about, where it is about one.';
COMMENT ON COLUMN notifier.messages.body IS 'The JSON exactly as it is sent, the same on every attempt.';
COMMENT ON COLUMN notifier.messages.occurred_at IS 'When it happened.';
COMMENT ON COLUMN notifier.messages.created_at IS 'When it was received.';

CREATE TABLE notifier.messages_default (
    tenant_id text NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    payment_intent_id uuid,
    body text NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL
);

CREATE TABLE notifier.operator_actions (
    id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    detail text NOT NULL
);
COMMENT ON COLUMN notifier.operator_actions.id IS 'UUIDv7.';
COMMENT ON COLUMN notifier.operator_actions.at IS 'When.';
COMMENT ON COLUMN notifier.operator_actions.actor IS 'Who, as the machine knows them.';
COMMENT ON COLUMN notifier.operator_actions.action IS 'What was done: refused.given_up, refused.retried.';
COMMENT ON COLUMN notifier.operator_actions.subject IS 'To what: the destination.';
COMMENT ON COLUMN notifier.operator_actions.detail IS 'JSON: the reason, how many messages, and their ids.';

CREATE TABLE notifier.outbox (
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
COMMENT ON COLUMN notifier.outbox.seq IS 'Order of insertion.';
COMMENT ON COLUMN notifier.outbox.event_id IS 'The message''s id for ever.';
COMMENT ON COLUMN notifier.outbox.contract IS 'Which contract: <kind>:<owner>:<name>.';
COMMENT ON COLUMN notifier.outbox.tenant_id IS 'The tenant it concerns; empty where there is none.';
COMMENT ON COLUMN notifier.outbox.correlation_id IS 'The cause it belongs to.';
COMMENT ON COLUMN notifier.outbox.traceparent IS 'W3C trace context of whoever published it.';
COMMENT ON COLUMN notifier.outbox.occurred_at IS 'When it happened.';
COMMENT ON COLUMN notifier.outbox.body IS 'The body as JSON, exactly as it will be sent.';
COMMENT ON COLUMN notifier.outbox.attempts IS 'Refusals by the broker.';
COMMENT ON COLUMN notifier.outbox.available_at IS 'Not sent before this instant.';

CREATE TABLE notifier.outbox_published (
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
COMMENT ON COLUMN notifier.outbox_published.batch_id IS 'UUIDv7 of the relay''s round: when it was published.';
COMMENT ON COLUMN notifier.outbox_published.seq IS 'Its place in the outbox.';
COMMENT ON COLUMN notifier.outbox_published.event_id IS 'The message''s id for ever.';
COMMENT ON COLUMN notifier.outbox_published.contract IS 'Which contract: <kind>:<owner>:<name>.';
COMMENT ON COLUMN notifier.outbox_published.tenant_id IS 'The tenant it concerns; empty where there is none.';
COMMENT ON COLUMN notifier.outbox_published.correlation_id IS 'The cause it belongs to.';
COMMENT ON COLUMN notifier.outbox_published.traceparent IS 'W3C trace context of whoever published it.';
COMMENT ON COLUMN notifier.outbox_published.occurred_at IS 'When it happened.';
COMMENT ON COLUMN notifier.outbox_published.body IS 'The body as JSON, exactly as it was sent.';
COMMENT ON COLUMN notifier.outbox_published.published_at IS 'When it was published.';

CREATE TABLE notifier.outbox_published_default (
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

CREATE TABLE notifier.outbox_refused (
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
COMMENT ON COLUMN notifier.outbox_refused.seq IS 'Order of refusal.';
COMMENT ON COLUMN notifier.outbox_refused.destination IS 'The queue, or payments.x; empty: all that the contract names.';
COMMENT ON COLUMN notifier.outbox_refused.event_id IS 'The message''s id for ever.';
COMMENT ON COLUMN notifier.outbox_refused.contract IS 'Which contract: <kind>:<owner>:<name>.';
COMMENT ON COLUMN notifier.outbox_refused.tenant_id IS 'The tenant it concerns; empty where there is none.';
COMMENT ON COLUMN notifier.outbox_refused.correlation_id IS 'The cause it belongs to.';
COMMENT ON COLUMN notifier.outbox_refused.traceparent IS 'W3C trace context of whoever published it.';
COMMENT ON COLUMN notifier.outbox_refused.occurred_at IS 'When it happened.';
COMMENT ON COLUMN notifier.outbox_refused.body IS 'The body as JSON, exactly as it will be sent.';
COMMENT ON COLUMN notifier.outbox_refused.attempts IS 'Refusals so far.';
COMMENT ON COLUMN notifier.outbox_refused.available_at IS 'Not sent before this instant.';

ALTER TABLE notifier.outbox_refused ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME notifier.outbox_refused_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE notifier.outbox ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME notifier.outbox_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE notifier.partition_rules (
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
COMMENT ON TABLE notifier.partition_rules IS 'Which tables make_partition and drop_partition work on; written by migrations only.';
COMMENT ON COLUMN notifier.partition_rules.parent IS 'The partitioned table.';
COMMENT ON COLUMN notifier.partition_rules.period IS 'day or month: the time that one partition covers.';
COMMENT ON COLUMN notifier.partition_rules.key_column IS 'The UUIDv7 column whose time it goes by.';
COMMENT ON COLUMN notifier.partition_rules.age_column IS 'When a row came to be, whatever its id says.';
COMMENT ON COLUMN notifier.partition_rules.kept_days_min IS 'Partitions younger than this are never dropped.';
COMMENT ON COLUMN notifier.partition_rules.keeps_young IS 'Whether rows that came later than their ids say outlive their partition.';
COMMENT ON COLUMN notifier.partition_rules.options IS 'Storage parameters of a partition.';

CREATE TABLE notifier.replays (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    selection text NOT NULL,
    status text NOT NULL,
    total integer NOT NULL,
    scheduled integer NOT NULL,
    "position" uuid NOT NULL,
    until uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT ck_replays_end CHECK (((status = 'RUNNING'::text) = (ended_at IS NULL))),
    CONSTRAINT ck_replays_status CHECK ((status = ANY (ARRAY['RUNNING'::text, 'DONE'::text, 'CANCELLED'::text])))
);
COMMENT ON TABLE notifier.replays IS 'Wishes to have deliveries made again, and how far each is.';
COMMENT ON COLUMN notifier.replays.tenant_id IS 'The tenant.';
COMMENT ON COLUMN notifier.replays.id IS 'The replay, derived from its idempotency key.';
COMMENT ON COLUMN notifier.replays.endpoint_id IS 'The endpoint that receives again.';
COMMENT ON COLUMN notifier.replays.selection IS 'What is replayed, as canonical JSON.';
COMMENT ON COLUMN notifier.replays.status IS 'RUNNING, DONE or CANCELLED.';
COMMENT ON COLUMN notifier.replays.total IS 'Deliveries that the selection had at the beginning.';
COMMENT ON COLUMN notifier.replays.scheduled IS 'Deliveries scheduled so far.';
COMMENT ON COLUMN notifier.replays."position" IS 'The last event looked at; the replay goes on after it.';
COMMENT ON COLUMN notifier.replays.until IS 'The last event to look at.';
COMMENT ON COLUMN notifier.replays.created_at IS 'When it was requested.';
COMMENT ON COLUMN notifier.replays.ended_at IS 'When everything was scheduled, or when it was cancelled.';

CREATE TABLE notifier.webhook_endpoints (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    url text NOT NULL,
    events text[] NOT NULL,
    is_active boolean NOT NULL,
    disabled_reason text,
    secret_sealed bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    description text DEFAULT ''::text NOT NULL,
    is_ordered boolean DEFAULT false NOT NULL,
    rate_limit_per_second integer,
    headers_sealed bytea,
    header_names text[] DEFAULT '{}'::text[] NOT NULL,
    public_key text,
    secrets_retired bytea[] DEFAULT '{}'::bytea[] NOT NULL,
    secrets_retired_until timestamp with time zone[] DEFAULT '{}'::timestamp with time zone[] NOT NULL,
    disabled_at timestamp with time zone,
    CONSTRAINT ck_webhook_endpoints_disabled CHECK ((is_active = (disabled_reason IS NULL))),
    CONSTRAINT ck_webhook_endpoints_events CHECK ((cardinality(events) > 0)),
    CONSTRAINT ck_webhook_endpoints_rate CHECK ((rate_limit_per_second > 0)),
    CONSTRAINT ck_webhook_endpoints_retired CHECK ((cardinality(secrets_retired) = cardinality(secrets_retired_until))),
    CONSTRAINT ck_webhook_endpoints_url CHECK (((length(url) >= 1) AND (length(url) <= 2048)))
);
COMMENT ON TABLE notifier.webhook_endpoints IS 'Where tenants receive events of their payments.';
COMMENT ON COLUMN notifier.webhook_endpoints.tenant_id IS 'The tenant.';
COMMENT ON COLUMN notifier.webhook_endpoints.id IS 'The endpoint.';
COMMENT ON COLUMN notifier.webhook_endpoints.url IS 'Where events are sent.';
COMMENT ON COLUMN notifier.webhook_endpoints.events IS 'Names, prefixes such as payment.*, or *.';
COMMENT ON COLUMN notifier.webhook_endpoints.is_active IS 'Whether deliveries are made.';
COMMENT ON COLUMN notifier.webhook_endpoints.disabled_reason IS 'Why deliveries are not made, as a snake_case word.';
COMMENT ON COLUMN notifier.webhook_endpoints.secret_sealed IS 'Signing secret: version, key id, nonce, ciphertext.';
COMMENT ON COLUMN notifier.webhook_endpoints.created_at IS 'When it was registered.';
COMMENT ON COLUMN notifier.webhook_endpoints.deleted_at IS 'When it was deleted; its history stays.';
COMMENT ON COLUMN notifier.webhook_endpoints.description IS 'What it is for, for people.';
COMMENT ON COLUMN notifier.webhook_endpoints.is_ordered IS 'In order per payment.';
COMMENT ON COLUMN notifier.webhook_endpoints.rate_limit_per_second IS 'Attempts per second at most, over all processes; NULL: any.';
COMMENT ON COLUMN notifier.webhook_endpoints.headers_sealed IS 'The tenant''s own headers as JSON, sealed as secrets are.';
COMMENT ON COLUMN notifier.webhook_endpoints.header_names IS 'Names of the tenant''s own headers.';
COMMENT ON COLUMN notifier.webhook_endpoints.public_key IS 'Verifies its v1a signatures: whpk_ and base64; NULL without them.';
COMMENT ON COLUMN notifier.webhook_endpoints.secrets_retired IS 'Earlier secrets, sealed, the newest first.';
COMMENT ON COLUMN notifier.webhook_endpoints.secrets_retired_until IS 'Until when each earlier secret signs too.';
COMMENT ON COLUMN notifier.webhook_endpoints.disabled_at IS 'When deliveries ceased to be made; NULL while they are.';

ALTER TABLE ONLY notifier.attempts ATTACH PARTITION notifier.attempts_default DEFAULT;

ALTER TABLE ONLY notifier.deliveries ATTACH PARTITION notifier.deliveries_default DEFAULT;

ALTER TABLE ONLY notifier.inbox ATTACH PARTITION notifier.inbox_default DEFAULT;

ALTER TABLE ONLY notifier.messages ATTACH PARTITION notifier.messages_default DEFAULT;

ALTER TABLE ONLY notifier.outbox_published ATTACH PARTITION notifier.outbox_published_default DEFAULT;

ALTER TABLE ONLY notifier.attempts
    ADD CONSTRAINT attempts_pkey PRIMARY KEY (tenant_id, endpoint_id, event_id, number);

ALTER TABLE ONLY notifier.attempts_default
    ADD CONSTRAINT attempts_default_pkey PRIMARY KEY (tenant_id, endpoint_id, event_id, number);

ALTER TABLE ONLY notifier.deliveries
    ADD CONSTRAINT deliveries_pkey PRIMARY KEY (tenant_id, endpoint_id, event_id);

ALTER TABLE ONLY notifier.deliveries_default
    ADD CONSTRAINT deliveries_default_pkey PRIMARY KEY (tenant_id, endpoint_id, event_id);

ALTER TABLE ONLY notifier.endpoint_gates
    ADD CONSTRAINT endpoint_gates_pkey PRIMARY KEY (tenant_id, endpoint_id);

ALTER TABLE ONLY notifier.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (event_id, queue);

ALTER TABLE ONLY notifier.inbox_default
    ADD CONSTRAINT inbox_default_pkey PRIMARY KEY (event_id, queue);

ALTER TABLE ONLY notifier.messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (tenant_id, event_id);

ALTER TABLE ONLY notifier.messages_default
    ADD CONSTRAINT messages_default_pkey PRIMARY KEY (tenant_id, event_id);

ALTER TABLE ONLY notifier.operator_actions
    ADD CONSTRAINT operator_actions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY notifier.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (seq);

ALTER TABLE ONLY notifier.outbox_published
    ADD CONSTRAINT outbox_published_pkey PRIMARY KEY (batch_id, seq);

ALTER TABLE ONLY notifier.outbox_published_default
    ADD CONSTRAINT outbox_published_default_pkey PRIMARY KEY (batch_id, seq);

ALTER TABLE ONLY notifier.outbox_refused
    ADD CONSTRAINT outbox_refused_pkey PRIMARY KEY (seq);

ALTER TABLE ONLY notifier.partition_rules
    ADD CONSTRAINT partition_rules_pkey PRIMARY KEY (parent);

ALTER TABLE ONLY notifier.replays
    ADD CONSTRAINT replays_pkey PRIMARY KEY (tenant_id, id);

ALTER TABLE ONLY notifier.webhook_endpoints
    ADD CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (tenant_id, id);

CREATE INDEX attempts_default_age ON notifier.attempts_default USING btree (attempted_at);

CREATE INDEX ix_deliveries_failed ON ONLY notifier.deliveries USING btree (tenant_id, endpoint_id, event_id) WHERE (status = 'FAILED'::text);

CREATE INDEX ix_deliveries_due ON ONLY notifier.deliveries USING btree (tenant_id, endpoint_id, next_attempt_at, event_id) WHERE (status = 'PENDING'::text);

CREATE INDEX ix_deliveries_ordered ON ONLY notifier.deliveries USING btree (tenant_id, endpoint_id, ordering_key, sequence, event_id) WHERE ((status = 'PENDING'::text) AND (ordering_key IS NOT NULL));

CREATE INDEX deliveries_default_age ON notifier.deliveries_default USING btree (created_at);

CREATE INDEX deliveries_default_tenant_id_endpoint_id_event_id_idx ON notifier.deliveries_default USING btree (tenant_id, endpoint_id, event_id) WHERE (status = 'FAILED'::text);

CREATE INDEX deliveries_default_tenant_id_endpoint_id_next_attempt_at_ev_idx ON notifier.deliveries_default USING btree (tenant_id, endpoint_id, next_attempt_at, event_id) WHERE (status = 'PENDING'::text);

CREATE INDEX deliveries_default_tenant_id_endpoint_id_ordering_key_seque_idx ON notifier.deliveries_default USING btree (tenant_id, endpoint_id, ordering_key, sequence, event_id) WHERE ((status = 'PENDING'::text) AND (ordering_key IS NOT NULL));

CREATE INDEX inbox_default_age ON notifier.inbox_default USING btree (received_at);

CREATE INDEX ix_inbox_received_at ON ONLY notifier.inbox USING brin (received_at);

CREATE INDEX inbox_default_received_at_idx ON notifier.inbox_default USING brin (received_at);

CREATE INDEX ix_outbox_refused_due ON notifier.outbox_refused USING btree (destination, available_at);

CREATE INDEX ix_replays_ended ON notifier.replays USING btree (ended_at) WHERE (status <> 'RUNNING'::text);

CREATE INDEX ix_replays_running ON notifier.replays USING btree (created_at) WHERE (status = 'RUNNING'::text);

CREATE INDEX messages_default_age ON notifier.messages_default USING btree (created_at);

CREATE INDEX outbox_published_default_age ON notifier.outbox_published_default USING btree (published_at);

ALTER INDEX notifier.attempts_pkey ATTACH PARTITION notifier.attempts_default_pkey;

ALTER INDEX notifier.deliveries_pkey ATTACH PARTITION notifier.deliveries_default_pkey;

ALTER INDEX notifier.ix_deliveries_failed ATTACH PARTITION notifier.deliveries_default_tenant_id_endpoint_id_event_id_idx;

ALTER INDEX notifier.ix_deliveries_due ATTACH PARTITION notifier.deliveries_default_tenant_id_endpoint_id_next_attempt_at_ev_idx;

ALTER INDEX notifier.ix_deliveries_ordered ATTACH PARTITION notifier.deliveries_default_tenant_id_endpoint_id_ordering_key_seque_idx;

ALTER INDEX notifier.inbox_pkey ATTACH PARTITION notifier.inbox_default_pkey;

ALTER INDEX notifier.ix_inbox_received_at ATTACH PARTITION notifier.inbox_default_received_at_idx;

ALTER INDEX notifier.messages_pkey ATTACH PARTITION notifier.messages_default_pkey;

ALTER INDEX notifier.outbox_published_pkey ATTACH PARTITION notifier.outbox_published_default_pkey;
REVOKE ALL ON FUNCTION notifier.drop_partition(parent_name text, before timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION notifier.drop_partition(parent_name text, before timestamp with time zone) TO notifier_app;
REVOKE ALL ON FUNCTION notifier.make_partition(parent_name text, at timestamp with time zone, periods_ahead integer) FROM PUBLIC;
GRANT ALL ON FUNCTION notifier.make_partition(parent_name text, at timestamp with time zone, periods_ahead integer) TO notifier_app;
REVOKE ALL ON FUNCTION notifier.prune_default_partition(parent_name text, before timestamp with time zone, rows_max integer) FROM PUBLIC;
GRANT ALL ON FUNCTION notifier.prune_default_partition(parent_name text, before timestamp with time zone, rows_max integer) TO notifier_app;
GRANT SELECT,INSERT ON TABLE notifier.attempts TO notifier_app;
GRANT SELECT,INSERT,UPDATE ON TABLE notifier.deliveries TO notifier_app;
GRANT SELECT,INSERT,UPDATE ON TABLE notifier.endpoint_gates TO notifier_app;
GRANT SELECT,INSERT ON TABLE notifier.inbox TO notifier_app;
GRANT SELECT,INSERT ON TABLE notifier.messages TO notifier_app;
GRANT SELECT,INSERT ON TABLE notifier.operator_actions TO notifier_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE notifier.outbox TO notifier_app;
GRANT SELECT,INSERT ON TABLE notifier.outbox_published TO notifier_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE notifier.outbox_refused TO notifier_app;
GRANT SELECT ON TABLE notifier.partition_rules TO notifier_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE notifier.replays TO notifier_app;
GRANT SELECT,INSERT,UPDATE ON TABLE notifier.webhook_endpoints TO notifier_app;
INSERT INTO notifier.partition_rules (parent, period, key_column, age_column, kept_days_min, keeps_young, options) VALUES ('inbox', 'day', 'event_id', 'received_at', 2, true, '');
INSERT INTO notifier.partition_rules (parent, period, key_column, age_column, kept_days_min, keeps_young, options) VALUES ('messages', 'month', 'event_id', 'created_at', 30, false, '');
INSERT INTO notifier.partition_rules (parent, period, key_column, age_column, kept_days_min, keeps_young, options) VALUES ('deliveries', 'month', 'event_id', 'created_at', 30, false, 'fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000, autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0');
INSERT INTO notifier.partition_rules (parent, period, key_column, age_column, kept_days_min, keeps_young, options) VALUES ('attempts', 'month', 'event_id', 'attempted_at', 30, false, '');
INSERT INTO notifier.partition_rules (parent, period, key_column, age_column, kept_days_min, keeps_young, options) VALUES ('outbox_published', 'day', 'batch_id', 'published_at', 1, false, '');
