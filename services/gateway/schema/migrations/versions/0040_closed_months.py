"""Closed months of reconciliation: each with its sealed report, written once."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0040"
down_revision = "0039"

_INSTANT = sa.DateTime(timezone=True)
_REFUSE = """
CREATE FUNCTION gateway.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: a month that is closed stays as it is', TG_OP, TG_TABLE_NAME
          USING ERRCODE = 'restrict_violation', HINT = 'What became known later counts in the month after.';
END
$$
"""


def upgrade() -> None:
    """Add the table, which takes new rows alone."""
    op.create_table(
        "reconciliation_periods",
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose."),
        sa.Column("month", sa.Text, nullable=False, comment="Year and month in UTC: 2026-10."),
        sa.Column("ends_before", _INSTANT, nullable=False, comment="The first instant after it."),
        sa.Column("known_until", _INSTANT, nullable=False, comment="What became known later is not in its report."),
        sa.Column("closed_at", _INSTANT, nullable=False, comment="When it was closed."),
        sa.Column("closed_by", sa.Text, nullable=False, comment="Who closed it."),
        sa.Column("run_id", pg.UUID, nullable=False, comment="The run that has compared all of it."),
        sa.Column(
            "override_reason",
            sa.Text,
            nullable=False,
            comment="Why it was closed with discrepancies that were open for too long; empty: there were none.",
        ),
        sa.Column("overridden", sa.Integer, nullable=False, comment="How many those were."),
        sa.Column("sha256", sa.Text, nullable=False, comment="Of what is sealed, in hexadecimal."),
        sa.Column("previous_sha256", sa.Text, nullable=False, comment="Of the month before; empty: it is the first."),
        sa.Column("sealed", sa.Text, nullable=False, comment="All of it with its report, as JSON, to the byte."),
        sa.PrimaryKeyConstraint("tenant_id", "month", name="pk_reconciliation_periods"),
        sa.CheckConstraint("(overridden > 0) = (override_reason <> '')", name="ck_reconciliation_periods_overridden"),
        comment="Each closed month of a tenant, with its sealed report; never changed.",
    )
    op.execute(_REFUSE)
    op.execute(
        "CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON gateway.reconciliation_periods "
        "FOR EACH STATEMENT EXECUTE FUNCTION gateway.refuse_change()"
    )
    op.execute("GRANT SELECT, INSERT ON reconciliation_periods TO gateway_app")
