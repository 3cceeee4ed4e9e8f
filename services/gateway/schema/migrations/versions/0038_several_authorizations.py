"""A payment may be authorized again after a decline."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"


def upgrade() -> None:
    """Add the column; what there is belongs to the first authorization."""
    op.add_column(
        "attempts",
        sa.Column(
            "number", sa.SmallInteger, nullable=False, server_default="0", comment="Of its authorization, from 0."
        ),
    )
