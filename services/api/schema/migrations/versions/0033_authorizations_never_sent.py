"""Authorizations that were declined without a call do not count among those that a payment may have."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    """Add their number: 0 for all that is there, without rewriting the table."""
    op.add_column(
        "payment_intents",
        sa.Column("unsent_attempts", sa.SmallInteger, nullable=False, server_default="0", comment="Those never sent."),
    )
