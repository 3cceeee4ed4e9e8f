"""A payment may name where its customer comes back to; each call of its attempt names the same place."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Add the place; what was requested before has none."""
    op.add_column(
        "attempts",
        sa.Column(
            "return_url",
            sa.Text,
            nullable=False,
            server_default="",
            comment="Where the customer comes back to, or empty.",
        ),
    )
