"""Messages keep the cause that they belong to, so that each attempt at a delivery is in its log lines and in its trace."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add both, empty for messages of before."""
    op.add_column(
        "messages",
        sa.Column(
            "correlation_id",
            sa.Text,
            nullable=False,
            server_default="",
            comment="The cause it belongs to; empty: unknown.",
        ),
    )
    op.add_column(
        "messages",
        sa.Column(
            "traceparent",
            sa.Text,
            nullable=False,
            server_default="",
            comment="W3C trace context under which it was received; empty where nothing is traced.",
        ),
    )
