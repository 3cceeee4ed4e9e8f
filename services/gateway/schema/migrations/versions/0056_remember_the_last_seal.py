"""That the last closed month is missing is seen; what agrees is kept until its month is closed, where months are closed at all."""

import sqlalchemy as sa
from alembic import op

revision = "0056"
down_revision = "0055"

# As before, but for matches of months that are not closed yet.
_FORGET = """
CREATE OR REPLACE FUNCTION gateway.forget_reconciliation(before timestamp with time zone, at_most integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path TO 'gateway', 'pg_temp' AS $$
    WITH until AS (
        SELECT least(before, now() - interval '90 days') AS at
    ), runs AS (
        DELETE FROM reconciliation_runs WHERE ctid = ANY (ARRAY(
            SELECT r.ctid FROM reconciliation_runs r, until
             WHERE r.id < first_id(until.at) AND r.ended_at < until.at AND r.next_at IS NULL
               AND NOT EXISTS (SELECT FROM reconciliation_periods p WHERE p.tenant_id = r.tenant_id AND p.run_id = r.id)
             ORDER BY r.id LIMIT at_most))
        RETURNING 1
    ), matches AS (
        DELETE FROM reconciliation_matches WHERE ctid = ANY (ARRAY(
            SELECT m.ctid FROM reconciliation_matches m, until
             WHERE m.movement_id < first_id(until.at) AND m.matched_at < until.at - interval '40 days'
               AND m.movement_id < coalesce(
                   (SELECT first_id(max(p.ends_before)) FROM reconciliation_periods p WHERE p.tenant_id = m.tenant_id),
                   first_id(until.at))
             ORDER BY m.movement_id LIMIT at_most))
        RETURNING 1
    ), settled AS (
        SELECT d.id, d.tenant_id FROM discrepancies d, until
         WHERE d.id < first_id(until.at) AND d.settled_at < until.at ORDER BY d.id LIMIT at_most FOR UPDATE OF d SKIP LOCKED
    ), gone AS (
        DELETE FROM discrepancies d USING settled s WHERE (d.id, d.tenant_id) = (s.id, s.tenant_id) RETURNING 1
    ), changes AS (
        DELETE FROM discrepancy_changes c USING settled s WHERE (c.discrepancy_id, c.tenant_id) = (s.id, s.tenant_id)
    ), repairs AS (
        DELETE FROM discrepancy_repairs r USING settled s WHERE (r.discrepancy_id, r.tenant_id) = (s.id, s.tenant_id)
    )
    SELECT greatest((SELECT count(*) FROM runs), (SELECT count(*) FROM matches), (SELECT count(*) FROM gone))
$$

"""
_REFUSE = """
CREATE FUNCTION gateway.refuse_forgetting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.tenant_id = OLD.tenant_id AND NEW.months = OLD.months + 1 AND NEW.month > OLD.month THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% of % is refused: closed months only become more', TG_OP, TG_TABLE_NAME
          USING ERRCODE = 'restrict_violation';
END
$$
"""


def upgrade() -> None:
    """Add the table with the last month of each tenant, and replace the function."""
    op.create_table(
        "reconciliation_seals",
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose."),
        sa.Column("month", sa.Text, nullable=False, comment="The month that was closed last."),
        sa.Column("sha256", sa.Text, nullable=False, comment="Of what is sealed of it, in hexadecimal."),
        sa.Column("months", sa.Integer, nullable=False, comment="How many months are closed, it included."),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_reconciliation_seals"),
        comment="Which month each tenant has closed last, so that its removal is seen.",
    )
    op.execute(
        "INSERT INTO reconciliation_seals (tenant_id, month, sha256, months) "
        "SELECT DISTINCT ON (tenant_id) tenant_id, month, sha256, count(*) OVER (PARTITION BY tenant_id) "
        "FROM reconciliation_periods ORDER BY tenant_id, month DESC"
    )
    op.execute(_REFUSE)
    op.execute(
        "CREATE TRIGGER refuse_forgetting BEFORE DELETE OR UPDATE ON gateway.reconciliation_seals "
        "FOR EACH ROW EXECUTE FUNCTION gateway.refuse_forgetting()"
    )
    op.execute(
        "CREATE TRIGGER refuse_truncating BEFORE TRUNCATE ON gateway.reconciliation_seals "
        "FOR EACH STATEMENT EXECUTE FUNCTION gateway.refuse_forgetting()"
    )
    op.execute("GRANT SELECT, INSERT, UPDATE (month, sha256, months) ON reconciliation_seals TO gateway_app")
    op.execute(_FORGET)
