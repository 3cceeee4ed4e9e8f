"""What is deleted by age is found by an ordinary index: a BRIN index finds everything once freed pages are used again.

Indexes are built beside the writers. Attempts need none of their own: their ids sort by the time of what they are about.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# An attempt about something that began long ago is old unless a later one of its payment is young or open; few are.
_FORGET_ATTEMPTS = """
CREATE OR REPLACE FUNCTION forget_attempts(before timestamptz, at_most integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
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
$$
"""


def upgrade() -> None:
    op.execute(_FORGET_ATTEMPTS)
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        # What an interrupted run left behind is not valid.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_stripe_events_done")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_stripe_events_done ON stripe_events (received_at) "
            "WHERE next_try_at IS NULL AND status IN ('HANDLED', 'IGNORED')"
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_stripe_events_received")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_attempts_updated")
        op.execute("RESET lock_timeout")


def downgrade() -> None:
    raise NotImplementedError("indexes are not taken back; write a new migration")
