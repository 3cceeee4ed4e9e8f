"""Which configuration charges through which Stripe account: one, since each would hear everything of the account."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stripe_accounts",
        sa.Column("account_id", sa.Text(), nullable=False, comment="Stripe's id of the account: acct_..."),
        sa.Column("is_live", sa.Boolean(), nullable=False, comment="Live or test mode, which share nothing."),
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose it is; the platform's own for its own."),
        sa.Column("processor", sa.Text(), nullable=False, comment="Its name in attempts: stripe, or stripe:<id>."),
        sa.Column("known_at", sa.DateTime(timezone=True), nullable=False, comment="When Stripe named it."),
        sa.PrimaryKeyConstraint("account_id", "is_live", name="pk_stripe_accounts"),
        sa.UniqueConstraint("processor", "tenant_id", name="uq_stripe_accounts_processor"),
        comment="The Stripe accounts that tenants charge through, each by one configuration.",
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON stripe_accounts TO gateway_app")


def downgrade() -> None:
    op.drop_table("stripe_accounts")
