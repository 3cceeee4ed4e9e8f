"""How often a bank has reversed its decision of a dispute: the last one counts.

The column has a constant default, so that no row is rewritten.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.add_column(
        "disputes",
        sa.Column(
            "reversals",
            sa.SmallInteger(),
            nullable=False,
            server_default=sa.text("0"),
            comment="How often the bank has reversed its decision.",
        ),
    )


def downgrade() -> None:
    op.drop_column("disputes", "reversals")
