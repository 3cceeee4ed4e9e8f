"""Closing a period keeps nobody waiting: it is written first, and answered once the groups before it have ended."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "closings_under_way",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False, comment="Whose books."),
        sa.Column("ends_before", sa.DateTime(timezone=True), nullable=False, comment="The period's."),
        sa.PrimaryKeyConstraint("tenant_id", "ends_before", name="pk_closings_under_way"),
        comment="Closed periods into which a group may still post that began before they were closed.",
    )
    op.execute("GRANT SELECT, INSERT, DELETE ON closings_under_way TO ledger_app")


def downgrade() -> None:
    op.drop_table("closings_under_way")
