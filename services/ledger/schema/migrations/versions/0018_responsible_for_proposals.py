"""Proposals keep who made the API key that proposed them, so that this one does not decide about them."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Add the person, unknown for proposals of before."""
    op.add_column(
        "proposals",
        sa.Column(
            "responsible",
            sa.Text,
            nullable=False,
            server_default="",
            comment="Who made the API key that proposed it; empty: a person proposed it.",
        ),
    )
    # For what is decided from now on: the next migration validates it, so that nothing is read under the lock.
    op.execute(
        "ALTER TABLE proposals ADD CONSTRAINT ck_proposals_responsible CHECK (decided_by <> responsible) NOT VALID"
    )
