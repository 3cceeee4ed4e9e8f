"""What accounts had at the beginning of a day is kept, so that reports do not add up all that has ever moved."""

import sqlalchemy as sa
from alembic import op

revision = "0059"
down_revision = "0058"


def upgrade() -> None:
    """Add the table, empty: the first report of each tenant adds up once more."""
    op.create_table(
        "carried_balances",
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose books."),
        sa.Column("day", sa.Date, nullable=False, comment="At the beginning of this day in UTC."),
        sa.Column("account_id", sa.Text, nullable=False, comment="The account at the processor: acct_..."),
        sa.Column("is_live", sa.Boolean, nullable=False, comment="Live or test mode."),
        sa.Column("currency", sa.Text, nullable=False, comment="ISO 4217 code, upper case."),
        sa.Column(
            "net_minor",
            sa.BigInteger,
            nullable=False,
            comment="What all booked movements came to that were of before, and known by the end of that day.",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "day", "account_id", "is_live", "currency", name="pk_carried_balances"),
        comment="What moved on each account before a day, without its opening balance; never changed.",
    )
    op.execute("GRANT SELECT, INSERT ON carried_balances TO gateway_app")
