"""A declined payment may be confirmed again with another payment method."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Add the column; whatever there is has its first authorization."""
    op.add_column(
        "payment_intents",
        sa.Column("attempt", sa.SmallInteger, nullable=False, server_default="0", comment="Its authorization, from 0."),
    )
