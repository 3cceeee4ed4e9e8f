"""A payment may name where its customer comes back to after proving who they are."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the place; what was created before has none."""
    op.add_column(
        "payment_intents",
        sa.Column(
            "return_url",
            sa.Text,
            nullable=False,
            server_default="",
            comment="Where the customer comes back to, or empty.",
        ),
    )
