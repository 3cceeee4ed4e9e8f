"""Lines remember which other statements have them, so that equal lines of the statements behind these are counted from there."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0058"
down_revision = "0057"


def upgrade() -> None:
    """Add the statements, unknown for lines of before."""
    op.add_column(
        "statement_lines",
        sa.Column(
            "repeated_in",
            pg.ARRAY(pg.UUID),
            nullable=True,
            comment="Other statements that have it, of those that begin or end on its day; NULL: none.",
        ),
    )
    op.execute("GRANT UPDATE (repeated_in) ON statement_lines TO gateway_app")
