"""Keys keep the person who is responsible for them, also where a key made them."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Add the person; of keys of before it is read from whoever made each."""
    op.add_column(
        "api_keys",
        sa.Column("responsible", sa.Text, comment="The person who made it or its first maker; NULL: by created_by."),
    )
