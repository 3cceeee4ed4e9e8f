"""A configuration of a connected account says whether the platform gives its fee back with a refund."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Add the column; no fee was given back until now."""
    op.add_column(
        "gateway_configs",
        sa.Column(
            "refund_application_fee",
            sa.Boolean,
            nullable=False,
            server_default="false",
            comment="Whether the platform gives the same part of it back with a refund.",
        ),
    )
