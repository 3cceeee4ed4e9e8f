"""An opening balance waits until all movements could be understood."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Add the column; what was read before counts as understood."""
    op.add_column(
        "processor_readings",
        sa.Column(
            "is_whole",
            sa.Boolean,
            nullable=False,
            server_default="true",
            comment="Whether all could be understood since the last round began that read far back.",
        ),
    )
