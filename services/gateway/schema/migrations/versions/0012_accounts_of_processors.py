"""Of which Stripe account each configuration is, whether it owns it or not; and accounts that wait for their next owner."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "processor_accounts",
        sa.Column("processor", sa.Text(), nullable=False, comment="Its name in attempts: stripe, or stripe:<id>."),
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose it is; the platform's own for its own."),
        sa.Column("account_id", sa.Text(), nullable=False, comment="Stripe's id of the account: acct_..."),
        sa.Column("is_live", sa.Boolean(), nullable=False, comment="Live or test mode, which share nothing."),
        sa.Column("known_at", sa.DateTime(timezone=True), nullable=False, comment="When Stripe named it."),
        sa.PrimaryKeyConstraint("processor", "tenant_id", name="pk_processor_accounts"),
        comment="Of which Stripe account each configuration is, whether it owns the account or not.",
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON processor_accounts TO gateway_app")
    op.execute(
        "INSERT INTO processor_accounts (processor, tenant_id, account_id, is_live, known_at) "
        "SELECT processor, tenant_id, account_id, is_live, known_at FROM stripe_accounts"
    )
    op.alter_column("stripe_accounts", "processor", nullable=True)


def downgrade() -> None:
    op.execute("DELETE FROM stripe_accounts WHERE processor IS NULL")
    op.alter_column("stripe_accounts", "processor", nullable=False)
    op.drop_table("processor_accounts")
