"""What stood on an account already when it was added is booked once; for the accounts of today that is done by hand."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Add the table, whether an opening balance is due, and which movements were pending in one."""
    op.create_table(
        "processor_openings",
        sa.Column("account_id", sa.Text, nullable=False, comment="The account at the processor: acct_..."),
        sa.Column("is_live", sa.Boolean, nullable=False, comment="Live or test mode, which share nothing."),
        sa.Column("currency", sa.Text, nullable=False, comment="ISO 4217 code, upper case."),
        sa.Column("movement_id", pg.UUID, nullable=False, comment="Under which it is published, as a movement is."),
        sa.Column("tenant_id", sa.Text, nullable=False, comment="In whose books it is: the account's owner."),
        sa.Column("pending_minor", sa.BigInteger, nullable=False, comment="What could not be paid out yet."),
        sa.Column("available_minor", sa.BigInteger, nullable=False, comment="What could be."),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False, comment="When the balance was read."),
        sa.PrimaryKeyConstraint("account_id", "is_live", "currency", name="pk_processor_openings"),
        comment="What an account had of a currency that no booked movement has brought, once.",
    )
    op.execute("GRANT SELECT, INSERT ON processor_openings TO gateway_app")
    op.add_column(
        "stripe_accounts",
        sa.Column(
            "opening_due",
            sa.Boolean,
            nullable=False,
            server_default="false",
            comment="Whether what stood on it before is still to be booked.",
        ),
    )
    op.add_column(
        "stripe_accounts",
        sa.Column("opened_at", sa.DateTime(timezone=True), comment="When that was booked; NULL: not, or by hand."),
    )
    op.add_column(
        "processor_movements",
        sa.Column(
            "is_opened",
            sa.Boolean,
            nullable=False,
            server_default="false",
            comment="Whether it is part of the opening balance, in which it was pending.",
        ),
    )
