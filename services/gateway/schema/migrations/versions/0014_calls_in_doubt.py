"""Calls are counted before they are made, so that an attempt of which nothing was ever taken is known to be one."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the count; what is there may have been called, so it counts as in doubt."""
    op.add_column(
        "attempts",
        sa.Column(
            "in_doubt",
            sa.Integer,
            nullable=False,
            server_default="1",
            comment="How many calls may have been carried out: counted before each is made.",
        ),
    )
