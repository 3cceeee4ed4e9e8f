"""Payments of which something was posted in the window of a run are listed page by page, until the run has compared them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0060"
down_revision = "0059"


def upgrade() -> None:
    """Add the table: its rows are of no worth once a run is over, so the gateway deletes them."""
    op.create_table(
        "reconciliation_posted",
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose run."),
        sa.Column("run_id", pg.UUID, nullable=False, comment="The run that is to compare it."),
        sa.Column("payment_intent_id", pg.UUID, nullable=False, comment="The payment."),
        sa.PrimaryKeyConstraint("run_id", "payment_intent_id", "tenant_id", name="pk_reconciliation_posted"),
        comment="Older payments of which something was posted in the window of a run, until the run has compared them.",
    )
    op.execute("GRANT SELECT, INSERT, DELETE ON reconciliation_posted TO gateway_app")
