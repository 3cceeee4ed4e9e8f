"""What is booked of an account is kept as a sum, so that comparing its balance does not read its whole history."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    """Add the sums, and when a balance was last compared; what processes of the version before record is counted later."""
    op.create_table(
        "processor_sums",
        sa.Column("account_id", sa.Text, nullable=False, comment="The account at the processor: acct_..."),
        sa.Column("is_live", sa.Boolean, nullable=False, comment="Live or test mode, which share nothing."),
        sa.Column("currency", sa.Text, nullable=False, comment="ISO 4217 code, upper case."),
        sa.Column(
            "total_minor",
            sa.BigInteger,
            nullable=False,
            comment="What the opening balance and all booked movements come to, in minor units.",
        ),
        sa.Column("available_minor", sa.BigInteger, nullable=False, comment="What of that can be paid out."),
        sa.PrimaryKeyConstraint("account_id", "is_live", "currency", name="pk_processor_sums"),
        postgresql_with={"fillfactor": "50"},
        comment="What is booked of each account and currency, written in the transaction that records what moved.",
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON processor_sums TO gateway_app")
    op.execute("""
INSERT INTO processor_sums (account_id, is_live, currency, total_minor, available_minor)
SELECT account_id, is_live, currency, sum(total), sum(available)
  FROM (SELECT account_id, is_live, currency, CASE WHEN is_booked THEN net_minor ELSE 0 END AS total,
               CASE WHEN status = 'available' AND (is_booked OR is_opened) THEN net_minor ELSE 0 END AS available
          FROM processor_movements
         UNION ALL
        SELECT account_id, is_live, currency, pending_minor + available_minor, available_minor FROM processor_openings) AS each
 GROUP BY account_id, is_live, currency
""")
    op.add_column(
        "processor_balances",
        sa.Column(
            "available_compared_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("now()"),
            comment="The same of what can be paid out.",
        ),
    )
    op.execute(
        "COMMENT ON COLUMN processor_balances.compared_at IS 'When the balance was read by which that was last certain of the total.'"
    )
