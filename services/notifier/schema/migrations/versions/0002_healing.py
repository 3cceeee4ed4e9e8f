"""Webhooks that heal: more about each endpoint, gates that hold deliveries back, order, replays, and history by month.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)

# The app may call it and nothing else: it makes the partitions of this and the next month and drops those that are older
# than the given number of days, of which thirty are always kept. Rows that came before there were months lie in the
# default partitions and leave them one by one.
_KEEP_HISTORY = """
CREATE FUNCTION keep_history(days integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = notifier, pg_temp SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
    parent text;
    month date;
    partition_name text;
    dropped integer := 0;
    oldest timestamptz := now() - make_interval(days => greatest(days, 30));
BEGIN
    FOREACH parent IN ARRAY ARRAY['messages', 'deliveries', 'attempts'] LOOP
        FOR ahead IN 0..1 LOOP
            month := (date_trunc('month', now()) + make_interval(months => ahead))::date;
            partition_name := format('%s_%s', parent, to_char(month, 'YYYY_MM'));
            IF to_regclass(partition_name) IS NULL THEN
                BEGIN
                    EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', partition_name,
                                   parent, first_id(month), first_id((month + interval '1 month')::date));
                    IF parent = 'deliveries' THEN
                        EXECUTE format('ALTER TABLE %I SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, '
                                       'autovacuum_vacuum_threshold = 5000, autovacuum_analyze_scale_factor = 0.02, '
                                       'autovacuum_vacuum_cost_delay = 0)', partition_name);
                    END IF;
                EXCEPTION WHEN check_violation THEN
                    -- The default partition already has rows of this month; they stay there together.
                    NULL;
                END;
            END IF;
        END LOOP;
        FOR partition_name IN
            SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
             WHERE i.inhparent = parent::regclass AND c.relname ~ (parent || '_[0-9]{4}_[0-9]{2}$')
               AND to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month' <= oldest
        LOOP
            EXECUTE format('DROP TABLE %I', partition_name);
            dropped := dropped + 1;
        END LOOP;
        EXECUTE format('DELETE FROM %I WHERE event_id < %L', parent || '_default', first_id(oldest));
    END LOOP;
    RETURN dropped;
END $$
"""

_FIRST_ID = """
CREATE FUNCTION first_id(instant timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT (lpad(to_hex(greatest(0, floor(extract(epoch FROM instant) * 1000))::bigint), 12, '0') || repeat('0', 20))::uuid
$$
"""


def upgrade() -> None:
    _widen_endpoints()
    _widen_deliveries()
    _create_gates()
    _create_replays()
    op.execute(_FIRST_ID)
    op.execute("COMMENT ON FUNCTION first_id(timestamptz) IS 'The least UUIDv7 that can be minted at an instant.'")
    op.execute(_KEEP_HISTORY)
    op.execute("COMMENT ON FUNCTION keep_history(integer) IS 'Retention by month; returns the partitions dropped.'")
    op.execute("REVOKE ALL ON FUNCTION keep_history(integer) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION keep_history(integer) TO notifier_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON endpoint_gates, replays TO notifier_app")
    op.execute("SELECT keep_history(36500)")


def _widen_endpoints() -> None:
    for column in (
        sa.Column("description", sa.Text, nullable=False, server_default="", comment="What it is for, for people."),
        sa.Column("is_ordered", sa.Boolean, nullable=False, server_default="false", comment="In order per payment."),
        sa.Column(
            "rate_limit_per_second", sa.Integer, comment="Attempts per second at most, over all processes; NULL: any."
        ),
        sa.Column("headers_sealed", sa.LargeBinary, comment="The tenant's own headers as JSON, sealed as secrets are."),
        sa.Column(
            "header_names",
            pg.ARRAY(sa.Text),
            nullable=False,
            server_default="{}",
            comment="Names of the tenant's own headers.",
        ),
        sa.Column("public_key", sa.Text, comment="Verifies its v1a signatures: whpk_ and base64; NULL without them."),
        sa.Column(
            "secrets_retired",
            pg.ARRAY(sa.LargeBinary),
            nullable=False,
            server_default="{}",
            comment="Earlier secrets, sealed, the newest first.",
        ),
        sa.Column(
            "secrets_retired_until",
            pg.ARRAY(_INSTANT),
            nullable=False,
            server_default="{}",
            comment="Until when each earlier secret signs too.",
        ),
        sa.Column("disabled_at", _INSTANT, comment="When deliveries ceased to be made; NULL while they are."),
    ):
        op.add_column("webhook_endpoints", column)
    op.create_check_constraint("ck_webhook_endpoints_rate", "webhook_endpoints", "rate_limit_per_second > 0")
    op.create_check_constraint(
        "ck_webhook_endpoints_retired",
        "webhook_endpoints",
        "cardinality(secrets_retired) = cardinality(secrets_retired_until)",
    )


def _widen_deliveries() -> None:
    for column in (
        sa.Column("ordering_key", pg.UUID, comment="The payment whose events wait for each other; NULL: none waits."),
        sa.Column(
            "sequence", sa.Integer, nullable=False, server_default="0", comment="Order among one payment's events."
        ),
        sa.Column("replays", sa.SmallInteger, nullable=False, server_default="0", comment="How often it was replayed."),
        sa.Column(
            "attempts_before",
            sa.SmallInteger,
            nullable=False,
            server_default="0",
            comment="Attempts made before the latest replay; the retry schedule counts from there.",
        ),
    ):
        op.add_column("deliveries", column)
    op.create_index(
        "ix_deliveries_ordered",
        "deliveries",
        ["tenant_id", "endpoint_id", "ordering_key", "sequence", "event_id"],
        postgresql_where=sa.text("status = 'PENDING' AND ordering_key IS NOT NULL"),
    )
    op.create_index(
        "ix_deliveries_failed",
        "deliveries",
        ["tenant_id", "endpoint_id", "event_id"],
        postgresql_where=sa.text("status = 'FAILED'"),
    )


def _create_gates() -> None:
    op.create_table(
        "endpoint_gates",
        sa.Column("tenant_id", sa.Text, nullable=False, comment="The tenant."),
        sa.Column("endpoint_id", pg.UUID, nullable=False, comment="The endpoint."),
        sa.Column(
            "failures", sa.Integer, nullable=False, server_default="0", comment="Failed attempts since a success."
        ),
        sa.Column("failing_since", _INSTANT, comment="The first of them; NULL when the latest attempt succeeded."),
        sa.Column("last_error", sa.Text, comment="What the latest failed attempt met: status_503, timeout."),
        sa.Column(
            "warnings", sa.SmallInteger, nullable=False, server_default="0", comment="Warnings given since then."
        ),
        sa.Column(
            "pauses", sa.Integer, nullable=False, server_default="0", comment="Times in a row that it was paused."
        ),
        sa.Column(
            "paused_until", _INSTANT, comment="No attempt before; from then on one at a time, until one succeeds."
        ),
        sa.Column("pause_began_at", _INSTANT, comment="When the present pause began."),
        sa.Column("rate_limit_per_second", sa.Integer, comment="The endpoint's own rate limit, here for the claim."),
        sa.Column("paced_until", _INSTANT, comment="The instant up to which the rate limit is used up."),
        sa.PrimaryKeyConstraint("tenant_id", "endpoint_id"),
        comment="What holds deliveries back: the breaker and the rate limit of the endpoints that need one.",
    )


def _create_replays() -> None:
    op.create_table(
        "replays",
        sa.Column("tenant_id", sa.Text, nullable=False, comment="The tenant."),
        sa.Column("id", pg.UUID, nullable=False, comment="The replay, derived from its idempotency key."),
        sa.Column("endpoint_id", pg.UUID, nullable=False, comment="The endpoint that hears again."),
        sa.Column("selection", sa.Text, nullable=False, comment="What is replayed, as canonical JSON."),
        sa.Column("status", sa.Text, nullable=False, comment="RUNNING or DONE."),
        sa.Column("total", sa.Integer, nullable=False, comment="Deliveries that the selection had at the beginning."),
        sa.Column("scheduled", sa.Integer, nullable=False, comment="Deliveries scheduled so far."),
        sa.Column(
            "position", pg.UUID, nullable=False, comment="The last event looked at; the replay goes on after it."
        ),
        sa.Column("until", pg.UUID, nullable=False, comment="The last event to look at."),
        sa.Column("created_at", _INSTANT, nullable=False, comment="When it was asked for."),
        sa.Column("ended_at", _INSTANT, comment="When everything was scheduled."),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        sa.CheckConstraint("(status = 'RUNNING') = (ended_at IS NULL)", name="ck_replays_end"),
        comment="Wishes to have deliveries made again, and how far each is.",
    )
    op.create_index("ix_replays_running", "replays", ["created_at"], postgresql_where=sa.text("status = 'RUNNING'"))


def downgrade() -> None:
    raise NotImplementedError("history is not taken back; write a new migration")
