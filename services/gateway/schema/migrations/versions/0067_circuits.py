"""Which processors, and accounts at them, each process of the gateway calls at the moment: for operators."""

import sqlalchemy as sa
from alembic import op

revision = "0067"
down_revision = "0066"


def upgrade() -> None:
    """Add the table. A request of a tenant sees nothing of it, as of everything that is of all tenants."""
    op.create_table(
        "circuits",
        sa.Column("process", sa.Text, nullable=False, comment="The process of the gateway: its host and number."),
        sa.Column("name", sa.Text, nullable=False, comment="The processor, or the account, as attempts name it."),
        sa.Column("is_account", sa.Boolean, nullable=False, comment="Whether it is about one account alone."),
        sa.Column("state", sa.Text, nullable=False, comment="closed, half_open, open or paused."),
        sa.Column("since", sa.DateTime(timezone=True), comment="Since when calls do not go out."),
        sa.Column("until", sa.DateTime(timezone=True), comment="When the next call goes out at the earliest."),
        sa.Column("waiting", sa.Integer, nullable=False, comment="Calls that wait for their turn."),
        sa.Column("per_second", sa.Double, comment="Calls a second that the process makes at most to the account."),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, comment="When it was reported."),
        sa.PrimaryKeyConstraint("process", "name", "is_account", name="pk_circuits"),
        sa.CheckConstraint("state IN ('closed', 'half_open', 'open', 'paused')", name="ck_circuits_state"),
        comment="What each process of the gateway reports of the processors that it calls; renewed every few seconds.",
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON circuits TO gateway_app")
    op.execute("CREATE POLICY service ON circuits TO gateway_owner, gateway_app USING (true)")
    op.execute("ALTER TABLE circuits ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE circuits FORCE ROW LEVEL SECURITY")
