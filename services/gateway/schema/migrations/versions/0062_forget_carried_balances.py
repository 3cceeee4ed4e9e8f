"""What is carried to days of long ago is deleted: a report about such a window adds up from an earlier day."""

from alembic import op

revision = "0062"
down_revision = "0061"

# Of each tenant the last one of these days stays, so that nothing is added up from the beginning again. Reports hold the lock shared: they read
# which day there is, and then what is carried to it. Where one is being made, the next time is soon enough.
_FORGET = """
CREATE FUNCTION gateway.forget_carried_balances(before timestamp with time zone, at_most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO 'gateway', 'pg_temp' AS $$
DECLARE
    until date := (least(before, now() - interval '90 days') AT TIME ZONE 'UTC')::date;
    gone bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('carried_balances', 0)) THEN
        RETURN 0;
    END IF;
    DELETE FROM carried_balances WHERE ctid = ANY (ARRAY(
        SELECT c.ctid FROM carried_balances c
         WHERE c.day < until
           AND EXISTS (SELECT FROM carried_balances n WHERE n.tenant_id = c.tenant_id AND n.day > c.day AND n.day <= until)
         LIMIT at_most));
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$
"""


def upgrade() -> None:
    """Add the function, since the gateway may not delete by itself."""
    op.execute(_FORGET)
    op.execute(
        "REVOKE ALL ON FUNCTION gateway.forget_carried_balances(before timestamp with time zone, at_most integer) FROM PUBLIC"
    )
    op.execute(
        "GRANT ALL ON FUNCTION gateway.forget_carried_balances(before timestamp with time zone, at_most integer) TO gateway_app"
    )
