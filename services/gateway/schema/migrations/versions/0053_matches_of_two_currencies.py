"""Lines and payouts of two currencies can be matched by hand; the two amounts are the rate."""

import sqlalchemy as sa
from alembic import op

revision = "0053"
down_revision = "0052"


def upgrade() -> None:
    """Add what the other side has in its own currency: no match of before has any."""
    op.add_column(
        "line_matches",
        sa.Column(
            "other_currency",
            sa.Text,
            nullable=False,
            server_default="",
            comment="That of the other side, or empty: the same.",
        ),
    )
    op.add_column(
        "line_matches",
        sa.Column(
            "other_minor", sa.BigInteger, comment="What the other side has in it; NULL: it is the same currency."
        ),
    )
    # For what is written from now on: the next migration validates it for what is there, so that nothing is read under the lock.
    op.execute(
        "ALTER TABLE line_matches ADD CONSTRAINT ck_line_matches_other "
        "CHECK ((other_currency = '') = (other_minor IS NULL)) NOT VALID"
    )
