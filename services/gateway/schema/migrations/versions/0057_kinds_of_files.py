"""A report that was made of some kinds only is told from one that lacks something."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0057"
down_revision = "0056"


def upgrade() -> None:
    """Remember what kinds of lines a file has; of files of before none are known."""
    op.add_column(
        "file_imports",
        sa.Column(
            "kinds",
            pg.ARRAY(sa.Text),
            nullable=False,
            server_default="{}",
            comment="What kinds its lines are, in its words, the first 100 of them.",
        ),
    )
