"""Repairs: what was done about discrepancies, and which proposals are waited for."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0043"
down_revision = "0042"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "discrepancy_repairs",
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose."),
        sa.Column("discrepancy_id", pg.UUID, nullable=False, comment="The discrepancy."),
        sa.Column("id", pg.UUID, nullable=False, comment="UUIDv7: in the order of time."),
        sa.Column("means", sa.Text, nullable=False, comment="What was done: publish, read or entry."),
        sa.Column("actor", sa.Text, nullable=False, comment="Who did it; reconciliation: by itself."),
        sa.Column(
            "proposal_id", pg.UUID, comment="The entries that are proposed in the ledger, where it waits for them."
        ),
        sa.Column("made_at", _INSTANT, nullable=False, comment="When."),
        sa.Column("next_at", _INSTANT, comment="When the proposal is looked at; NULL: nothing is waited for."),
        sa.Column("outcome", sa.Text, nullable=False, comment="What became of it; empty: it waits."),
        sa.PrimaryKeyConstraint("discrepancy_id", "id", "tenant_id", name="pk_discrepancy_repairs"),
        sa.CheckConstraint("means IN ('publish', 'read', 'entry')", name="ck_discrepancy_repairs_means"),
        sa.CheckConstraint("(proposal_id IS NOT NULL) = (means = 'entry')", name="ck_discrepancy_repairs_proposal"),
        comment="What was done about discrepancies beside deciding about them.",
    )
    op.create_index(
        "ix_discrepancy_repairs_due",
        "discrepancy_repairs",
        ["next_at"],
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON discrepancy_repairs TO gateway_app")
