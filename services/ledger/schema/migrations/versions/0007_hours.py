"""Totals by the hour between those by the day and by the minute, and all of them read from their index alone.

A balance at an instant adds up at most 84 rows of its day instead of 1,440, and as many days as there are. The days of an
account were written a day apart: each lies on another page of the table, and side by side in the index.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_constraint("ck_effective_totals_grain", "effective_totals")
    op.create_check_constraint("ck_effective_totals_grain", "effective_totals", "grain IN ('DAY', 'HOUR', 'MINUTE')")
    op.execute("COMMENT ON COLUMN effective_totals.grain IS 'DAY, HOUR or MINUTE, in UTC.'")
    op.execute(
        "COMMENT ON COLUMN effective_totals.starts_at IS 'The first instant of the day, hour or minute.'",
    )
    op.execute("ALTER TABLE effective_totals DROP CONSTRAINT pk_effective_totals")
    op.execute(
        "INSERT INTO effective_totals (tenant_id, account_id, currency, grain, starts_at, debits_minor, credits_minor) "
        "SELECT tenant_id, account_id, currency, 'HOUR', date_trunc('hour', starts_at, 'UTC'), sum(debits_minor), "
        "sum(credits_minor) FROM effective_totals WHERE grain = 'MINUTE' GROUP BY 1, 2, 3, 4, 5"
    )
    op.execute(
        "ALTER TABLE effective_totals ADD CONSTRAINT pk_effective_totals PRIMARY KEY "
        "(account_id, currency, grain, starts_at, tenant_id) INCLUDE (debits_minor, credits_minor)"
    )


def downgrade() -> None:
    op.execute("DELETE FROM effective_totals WHERE grain = 'HOUR'")
    op.execute("ALTER TABLE effective_totals DROP CONSTRAINT pk_effective_totals")
    op.execute(
        "ALTER TABLE effective_totals ADD CONSTRAINT pk_effective_totals PRIMARY KEY "
        "(account_id, currency, grain, starts_at, tenant_id)"
    )
    op.drop_constraint("ck_effective_totals_grain", "effective_totals")
    op.create_check_constraint("ck_effective_totals_grain", "effective_totals", "grain IN ('DAY', 'MINUTE')")
