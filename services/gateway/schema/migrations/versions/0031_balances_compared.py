"""What processors say that accounts have is compared with the books."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "processor_balances",
        sa.Column("account_id", sa.Text, nullable=False, comment="The account at the processor: acct_..."),
        sa.Column("is_live", sa.Boolean, nullable=False, comment="Live or test mode, which share nothing."),
        sa.Column("currency", sa.Text, nullable=False, comment="ISO 4217 code, upper case."),
        sa.Column(
            "total_off_minor",
            sa.BigInteger,
            nullable=False,
            comment="What the processor has beyond the books, at least, since total_off_since; 0: they agree.",
        ),
        sa.Column(
            "total_off_since", sa.DateTime(timezone=True), comment="Since when, without a break; NULL: they agree."
        ),
        sa.Column(
            "available_off_minor", sa.BigInteger, nullable=False, comment="The same of what can be paid out alone."
        ),
        sa.Column("available_off_since", sa.DateTime(timezone=True), comment="Since when, without a break."),
        sa.Column("compared_at", sa.DateTime(timezone=True), nullable=False, comment="When they were last compared."),
        sa.PrimaryKeyConstraint("account_id", "is_live", "currency", name="pk_processor_balances"),
        comment="How far the balance of an account at the processor is from what is booked of it.",
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON processor_balances TO gateway_app")
