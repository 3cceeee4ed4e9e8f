"""A configuration may name an account that is connected to the platform, and what the platform takes."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

_COLUMNS = (
    sa.Column(
        "connected_account",
        sa.Text,
        nullable=False,
        server_default="",
        comment="The account connected to the platform, instead of a key; or empty.",
    ),
    sa.Column(
        "application_fee_bps",
        sa.Integer,
        nullable=False,
        server_default="0",
        comment="What the platform takes of a capture, in hundredths of a percent.",
    ),
    sa.Column(
        "application_fee_minor",
        sa.BigInteger,
        nullable=False,
        server_default="0",
        comment="And in minor units of its currency.",
    ),
)


def upgrade() -> None:
    """Add the columns; every configuration that there is has a key of its own."""
    for column in _COLUMNS:
        op.add_column("gateway_configs", column)
